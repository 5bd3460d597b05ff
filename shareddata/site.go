package shareddata

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mountd/mountd/internal/request"
)

const (
	defaultCacheBytes = 64 << 20
	defaultCacheFile  = 256 << 10
	missBytes         = 2 << 20 // for the memory of what does not exist
	defaultRecheck    = 250 * time.Millisecond
	maxPath           = 4096
)

// site is what Middleware and Handler have in common.
type site struct {
	exports    []export
	index      []string
	browse     bool
	spa        bool
	disallow   []glob
	immutable  []glob
	types      map[string]string
	noLinks    bool
	siblings   bool
	cacheFile  int64
	keep       bool
	recheck    int64
	scriptName func(*http.Request) string
	errorFunc  func(http.ResponseWriter, *http.Request, error)
	listing    *listing

	cacheControl [controls][]string // nil: none
	start        time.Time
	views        atomic.Uint64
	files        *cache
	misses       *cache
}

// export is one prefix and what is below it.
type export struct {
	prefix string // without a final slash; empty for everything
	file   string // the name of a single file in its tree, otherwise empty
	source source
	many   *directories // instead of source, for paths with parameters
}

func newSite(cfg Config) (*site, error) {
	s := &site{
		index:      slices.Clone(cfg.Index),
		browse:     cfg.Browse,
		spa:        cfg.SPA,
		siblings:   !cfg.NoPrecompressed,
		scriptName: cfg.ScriptName,
		errorFunc:  cfg.ErrorFunc,
		recheck:    int64(cfg.Recheck),
		start:      time.Now(),
	}
	if cfg.Index == nil {
		s.index = []string{"index.html"}
	}
	if s.errorFunc == nil {
		s.errorFunc = request.Fail
	}
	if s.recheck == 0 {
		s.recheck = int64(defaultRecheck)
	}
	s.makeCaches(cfg)
	s.cacheControl = cacheControl(cfg.MaxAge)
	errs := []error{s.setOptions(cfg)}
	if cfg.Browse {
		s.listing = newListing()
	}
	for i := range cfg.Exports {
		errs = append(errs, s.add(cfg.Exports[i]))
	}
	if err := errors.Join(errs...); err != nil {
		s.close()
		return nil, err
	}
	slices.SortStableFunc(s.exports, func(a, b export) int { return len(b.prefix) - len(a.prefix) })
	return s, nil
}

func (s *site) makeCaches(cfg Config) {
	limit := cfg.CacheBytes
	if limit == 0 {
		limit = defaultCacheBytes
	}
	s.keep = limit > 0
	limit = max(limit, 1)
	s.cacheFile = cfg.CacheFile
	if s.cacheFile == 0 {
		s.cacheFile = defaultCacheFile
	}
	s.cacheFile = max(1, min(s.cacheFile, limit/8))
	s.files = newCache(limit, s.cacheFile)
	s.misses = newCache(missBytes, 16<<10)
}

func (s *site) setOptions(cfg Config) error {
	var errs []error
	fail := func(path string, err error) { errs = append(errs, &fieldError{path, err}) }

	disallow := cfg.Disallow
	if disallow == nil {
		disallow = []string{".*"}
	}
	for i, pattern := range disallow {
		g, err := newGlob(strings.ToLower(pattern))
		if err != nil {
			fail("disallow["+strconv.Itoa(i)+"]", err)
		}
		s.disallow = append(s.disallow, g)
	}
	for i, pattern := range cfg.Immutable {
		g, err := newGlob(pattern)
		if err != nil {
			fail("immutable["+strconv.Itoa(i)+"]", err)
		}
		s.immutable = append(s.immutable, g)
	}
	for i, name := range s.index {
		if !cleanSegment(name) {
			fail("index["+strconv.Itoa(i)+"]", fmt.Errorf("%q is not a file name", name))
		}
	}
	s.types = make(map[string]string, len(cfg.Types))
	for ext, mediaType := range cfg.Types {
		if !strings.HasPrefix(ext, ".") || strings.Contains(ext, "/") {
			fail("types."+ext, fmt.Errorf("%q is not a file extension, write %q", ext, "."+strings.TrimLeft(ext, "*.")))
		}
		if !strings.Contains(mediaType, "/") || strings.ContainsAny(mediaType, "\r\n\x00") {
			fail("types."+ext, fmt.Errorf("%q is not a media type such as text/plain", mediaType))
		}
		s.types[strings.ToLower(ext)] = withCharset(mediaType)
	}
	if cfg.MaxAge < 0 {
		fail("max_age", fmt.Errorf("%s is negative", cfg.MaxAge))
	}
	switch cfg.Symlinks {
	case "", SymlinksInside:
	case SymlinksNone:
		s.noLinks = true
	default:
		fail("symlinks", fmt.Errorf("%q is neither %q nor %q", cfg.Symlinks, SymlinksInside, SymlinksNone))
	}
	return errors.Join(errs...)
}

// add opens one export.
func (s *site) add(from Export) error {
	prefix := strings.TrimSuffix(from.Prefix, "/")
	fail := func(format string, args ...any) error {
		return &fieldError{"exports." + from.Prefix, fmt.Errorf(format, args...)}
	}
	if prefix != "" && (!strings.HasPrefix(prefix, "/") || path.Clean(prefix) != prefix) {
		return fail("the prefix %q is not a clean path that begins with a slash", from.Prefix)
	}
	if slices.ContainsFunc(s.exports, func(e export) bool { return e.prefix == prefix }) {
		return fail("the prefix %q is exported twice", from.Prefix)
	}
	if (from.Path == "") == (from.FS == nil) {
		return fail("the export %q needs a path or a file system, and only one of them", from.Prefix)
	}
	e := export{prefix: prefix}
	if from.FS != nil {
		e.source = fixed{&view{id: s.views.Add(1), tree: fsTree{from.FS}}}
	} else if err := s.open(&e, from.Path); err != nil {
		return fail("%w", err)
	}
	s.exports = append(s.exports, e)
	return nil
}

func (s *site) open(e *export, name string) error {
	name, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	if e.many = newDirectories(s, name); e.many != nil {
		_, err = os.Stat(filepath.Dir(e.many.pattern[0] + "x"))
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		e.source, err = newDirectory(s, name)
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is neither a directory nor a regular file", name)
	case e.prefix == "":
		err = fmt.Errorf("%s is a file; a directory is needed here", name)
	default:
		e.file = filepath.Base(name)
		e.source = fixed{&view{id: s.views.Add(1), tree: fileTree{filepath.Dir(name)}}}
	}
	return err
}

func (s *site) close() error {
	var errs []error
	for _, e := range s.exports {
		if e.many != nil {
			errs = append(errs, e.many.close())
		} else {
			errs = append(errs, e.source.close())
		}
	}
	return errors.Join(errs...)
}

// now counts from the start. The monotonic clock alone is cheaper to read.
func (s *site) now() int64 { return int64(time.Since(s.start)) }

func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) { s.errorFunc(w, r, err) }

// below gives what is left of p below the export's prefix: nothing, or a path
// with its slash.
func (e *export) below(p string) (string, bool) {
	if len(p) < len(e.prefix) || p[:len(e.prefix)] != e.prefix {
		return "", false
	}
	rest := p[len(e.prefix):]
	if p == "" {
		rest = "/"
	}
	return rest, rest == "" || rest[0] == '/'
}

func (e *export) view(r *http.Request, now int64) *view {
	if e.many == nil {
		return e.source.view(now)
	}
	if d := e.many.of(r.PathValue); d != nil {
		return d.view(now)
	}
	return nil
}

// hostile reports whether a path would never be found because of what it is.
func hostile(p string) bool {
	for i := 0; i < len(p); i++ {
		if p[i] == 0 {
			return true
		}
		if p[i] != '/' || i+1 >= len(p) || p[i+1] != '.' {
			continue
		}
		segment, _, _ := strings.Cut(p[i+1:], "/")
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// escapedSlash reports whether the path was sent with a slash that separates
// nothing.
func escapedSlash(u *url.URL) bool {
	raw := u.EscapedPath()
	for i := 0; i+2 < len(raw); i++ {
		if raw[i] == '%' && raw[i+1] == '2' && raw[i+2]|0x20 == 'f' {
			return true
		}
	}
	return false
}

// clean splits the path below an export into a file's name and whether a slash
// ended it. Runs of slashes are one slash.
func clean(rest string) (name string, components []string, dir, ok bool) {
	if len(rest) > maxPath || strings.ContainsAny(rest, "\\\x00") {
		return "", nil, false, false
	}
	for component := range strings.SplitSeq(rest, "/") {
		switch component {
		case "":
		case ".", "..":
			return "", nil, false, false
		default:
			components = append(components, component)
		}
	}
	dir = strings.HasSuffix(rest, "/")
	if components == nil {
		return ".", nil, dir, true
	}
	return strings.Join(components, "/"), components, dir, true
}

// isMissing reports whether an error means that there is nothing to serve.
func isMissing(v *view, err error) bool {
	return !errors.Is(err, fs.ErrPermission) && missing(v.tree, err)
}
