package shareddata

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A tree is what the files of an export are read from. Names are clean,
// relative and separated by slashes; "." is the root.
type tree interface {
	stat(name string) (fs.FileInfo, error) // follows links
	open(name string) (fs.File, error)
	frozen(fs.FileInfo) bool // nothing would tell a change of this file
}

// A view is a tree as long as nothing takes its place.
type view struct {
	id       uint64
	tree     tree
	dev, ino uint64 // of a directory on disk
}

// A source gives the present view of an export.
type source interface {
	view(now int64) *view
	close() error
}

// fixed is a source whose root can not be replaced.
type fixed struct{ v *view }

func (f fixed) view(int64) *view { return f.v }
func (f fixed) close() error     { return nil }

// dirTree is a directory on disk.
type dirTree struct {
	root    *os.Root
	noLinks bool
}

func (t *dirTree) frozen(fs.FileInfo) bool { return false }

func (t *dirTree) stat(name string) (fs.FileInfo, error) {
	if !localName(name) {
		return nil, fs.ErrNotExist
	}
	if t.noLinks {
		return t.lstatAll(name)
	}
	return t.root.Stat(filepath.FromSlash(name))
}

// lstatAll is stat for a tree without links: every directory on the way is
// looked at, too.
func (t *dirTree) lstatAll(name string) (fs.FileInfo, error) {
	for i := 0; ; {
		next := strings.IndexByte(name[i:], '/')
		part := name
		if next >= 0 {
			part = name[:i+next]
		}
		info, err := t.root.Lstat(filepath.FromSlash(part))
		if err != nil || next < 0 && info.Mode()&fs.ModeSymlink == 0 {
			return info, err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return nil, fs.ErrNotExist
		}
		i += next + 1
	}
}

func (t *dirTree) open(name string) (fs.File, error) {
	if t.noLinks {
		if _, err := t.lstatAll(name); err != nil {
			return nil, err
		}
	}
	f, err := t.root.OpenFile(filepath.FromSlash(name), openFlags, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// fileTree is one file on disk and its compressed siblings. The operator named
// the file, so links on the way to it are followed.
type fileTree struct{ dir string }

func (t fileTree) frozen(fs.FileInfo) bool               { return false }
func (t fileTree) stat(name string) (fs.FileInfo, error) { return os.Stat(filepath.Join(t.dir, name)) }

func (t fileTree) open(name string) (fs.File, error) {
	f, err := os.OpenFile(filepath.Join(t.dir, name), openFlags, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// fsTree is a file system of the program's.
type fsTree struct{ fs.FS }

func (t fsTree) stat(name string) (fs.FileInfo, error) { return fs.Stat(t.FS, name) }
func (t fsTree) open(name string) (fs.File, error)     { return t.Open(name) }
func (t fsTree) frozen(info fs.FileInfo) bool          { return info.ModTime().IsZero() }

// directory is a source that notices when another directory has taken the
// place of its own: the path is looked at once in a while.
type directory struct {
	site    *site
	path    string
	current atomic.Pointer[view]
	checked atomic.Int64
	mu      sync.Mutex // held while the path is looked at
}

func newDirectory(s *site, path string) (*directory, error) {
	d := &directory{site: s, path: path}
	if err := d.open(); err != nil {
		return nil, err
	}
	d.checked.Store(s.now())
	return d, nil
}

// open looks at the path before it opens it: opening a FIFO would wait.
func (d *directory) open() error {
	info, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "open", Path: d.path, Err: syscall.ENOTDIR}
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return err
	}
	if info, err = root.Stat("."); err != nil {
		root.Close()
		return err
	}
	dev, ino, _ := inode(info)
	v := &view{d.site.views.Add(1), &dirTree{root, d.site.noLinks}, dev, ino}
	if old := d.current.Swap(v); old != nil {
		d.site.forget(old)
	}
	return nil
}

// view keeps the old directory while there is none to take its place.
func (d *directory) view(now int64) *view {
	if now-d.checked.Load() >= d.site.recheck && d.mu.TryLock() {
		d.checked.Store(now)
		v := d.current.Load()
		if info, err := os.Stat(d.path); err == nil && info.IsDir() {
			if dev, ino, _ := inode(info); dev != v.dev || ino != v.ino {
				_ = d.open()
			}
		}
		d.mu.Unlock()
	}
	return d.current.Load()
}

func (d *directory) close() error {
	return d.current.Load().tree.(*dirTree).root.Close()
}

// forget frees what belongs to a view that was replaced. Requests that still
// look something up in it start over; files they have opened stay open.
func (s *site) forget(v *view) {
	s.files.purge(v.id)
	s.misses.purge(v.id)
	v.tree.(*dirTree).root.Close()
}

// maxDirectories bounds the directories that an export with parameters keeps
// open.
const maxDirectories = 256

// directories is an export whose path depends on the request. Values for
// which there is no directory are not remembered.
type directories struct {
	site    *site
	pattern []string // literal, parameter, literal, …
	mu      sync.Mutex
	open    map[string]*directory
}

// newDirectories gives nil when the last part of path holds no parameter.
func newDirectories(s *site, path string) *directories {
	var pattern []string
	for {
		before, rest, ok := strings.Cut(path, "{")
		name, after, closed := strings.Cut(rest, "}")
		if !ok || !closed || name == "" || strings.ContainsAny(name, `/\{`) {
			break
		}
		pattern = append(pattern, before, name)
		path = after
	}
	if pattern == nil {
		return nil
	}
	return &directories{site: s, pattern: append(pattern, path), open: map[string]*directory{}}
}

// of gives the directory for values of the parameters, nil when there is none.
func (d *directories) of(value func(string) string) *directory {
	var b strings.Builder
	for i, part := range d.pattern {
		if i%2 == 1 {
			part = value(part)
			if !cleanSegment(part) || d.site.disallowed([]string{part}) {
				return nil
			}
		}
		b.WriteString(part)
	}
	name := b.String()
	d.mu.Lock()
	defer d.mu.Unlock()
	if dir := d.open[name]; dir != nil {
		return dir
	}
	dir, err := newDirectory(d.site, name)
	if err != nil {
		return nil
	}
	if len(d.open) >= maxDirectories {
		d.closeOldest()
	}
	d.open[name] = dir
	return dir
}

func (d *directories) closeOldest() {
	var oldest string
	for name, dir := range d.open {
		if oldest == "" || dir.checked.Load() < d.open[oldest].checked.Load() {
			oldest = name
		}
	}
	d.site.forget(d.open[oldest].current.Load())
	delete(d.open, oldest)
}

func (d *directories) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, dir := range d.open {
		errs = append(errs, dir.close())
	}
	return errors.Join(errs...)
}

func cleanSegment(s string) bool {
	return s != "" && s != "." && s != ".." && localName(s) && !strings.ContainsAny(s, "/\\\x00")
}

// identity tells whether a file is still the one that was looked at.
type identity struct {
	size, mtime, changed int64
	dev, ino             uint64
}

func identify(info fs.FileInfo) identity {
	id := identity{size: info.Size()}
	if t := info.ModTime(); !t.IsZero() {
		id.mtime = t.UnixNano()
	}
	id.dev, id.ino, id.changed = inode(info)
	return id
}

// missing reports whether err says that there is no such file, as opposed to
// one that can not be read. A link that leads out of its root is no file.
func missing(t tree, err error) bool {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return true
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		_, onDisk := t.(*dirTree)
		return onDisk && !errors.Is(err, fs.ErrClosed) && !errors.Is(err, io.EOF)
	}
	switch errno {
	case syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.EINVAL, syscall.ENXIO, syscall.ENODEV:
		return true
	}
	return false
}

// readDir gives up to n entries of a directory, and whether there are more.
func readDir(t tree, name string, n int) ([]fs.DirEntry, bool, error) {
	f, err := t.open(name)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	dir, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, false, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	entries, err := dir.ReadDir(n + 1)
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	if len(entries) > n {
		return entries[:n], true, nil
	}
	return entries, false, nil
}

// young is how long a file's modification time does not prove that it was not
// written again: clocks of file systems are coarse.
const young = 2 * time.Second

func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return path.Join(dir, name)
}
