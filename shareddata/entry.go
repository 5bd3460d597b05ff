package shareddata

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// entry is what a path below an export was found to mean.
type entry struct {
	name    string       // of the file
	checked atomic.Int64 // when it was last looked at
	young   bool         // to be read again at the next look
	missing bool         // nothing: for remembered misses
	cost    int64

	plain   *representation
	encoded [len(encodings)]*representation // nil where there is no sibling
	varies  bool                            // there is one
	control int                             // index into site.cacheControl
}

// representation is a file or its compressed sibling. The header values are
// shared by all answers: they are assigned, never changed in place.
type representation struct {
	name   string
	id     identity
	large  bool   // the content is read for every answer
	body   []byte // of a small file
	size   int64
	known  bool // there is a Last-Modified
	second int64

	contentType, length, etag, lastModified, encoding []string
}

var (
	acceptRanges = []string{"bytes"}
	noSniff      = []string{"nosniff"}
	varyEncoding = []string{"Accept-Encoding"}
	varyAccept   = []string{"Accept"}
	noCache      = []string{"no-cache"}
)

// load reads the regular file that info is about, and its siblings.
func (s *site) load(v *view, name string, info fs.FileInfo, now int64) (*entry, error) {
	contentType := []string{s.typeOf(name)}
	plain, isYoung, err := s.represent(v, name, info)
	if err != nil {
		return nil, err
	}
	plain.contentType = contentType
	e := &entry{name: name, plain: plain, young: isYoung}
	e.checked.Store(now)
	e.cost = 512 + 2*int64(len(name)) + int64(len(plain.body))
	if s.isImmutable(name) {
		e.control = controlImmutable
	}
	for i := range encodings {
		info, ok := s.sibling(v, name, i, plain.id.mtime)
		if !ok {
			continue
		}
		rep, isYoung, err := s.represent(v, name+encodings[i].suffix, info)
		if err != nil {
			continue
		}
		rep.contentType = contentType
		rep.encoding = encodings[i].header
		e.encoded[i] = rep
		e.varies = true
		e.young = e.young || isYoung
		e.cost += 256 + int64(len(rep.body))
	}
	return e, nil
}

// sibling looks for a file's compressed form. One that is older than the file
// holds something else; tools that keep times may cut off fractions.
func (s *site) sibling(v *view, name string, i int, mtime int64) (fs.FileInfo, bool) {
	if !s.siblings || compressed(name) {
		return nil, false
	}
	name += encodings[i].suffix
	info, err := v.tree.stat(name)
	if err != nil || !info.Mode().IsRegular() || s.disallowed(strings.Split(name, "/")) {
		return nil, false
	}
	return info, mtime-identify(info).mtime < int64(young)
}

func compressed(name string) bool {
	for i := range encodings {
		if strings.HasSuffix(name, encodings[i].suffix) {
			return true
		}
	}
	return false
}

// represent reads a file if it is small, and makes its header fields.
func (s *site) represent(v *view, name string, info fs.FileInfo) (*representation, bool, error) {
	rep := &representation{name: name, id: identify(info), size: info.Size()}
	rep.large = !s.keep || rep.size > s.cacheFile
	if !rep.large {
		if err := s.read(v, rep); err != nil {
			return nil, false, err
		}
	}
	frozen := v.tree.frozen(info)
	mtime, now := time.Unix(0, rep.id.mtime), time.Now()
	rep.length = []string{strconv.FormatInt(rep.size, 10)}
	if rep.known = mtime.Unix() > 1 && !mtime.After(now); rep.known {
		rep.second = mtime.Unix()
		rep.lastModified = []string{mtime.UTC().Format(http.TimeFormat)}
	}
	switch {
	case rep.large && rep.known:
		rep.etag = []string{rep.id.etag()}
	case !rep.large && (rep.known || frozen):
		sum := sha256.Sum256(rep.body)
		rep.etag = []string{`"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`}
	}
	return rep, !frozen && now.Sub(mtime) < young, nil
}

// etag is the tag of a large file. The inode tells two files apart that were
// given the same time, as by reproducible builds.
func (id identity) etag() string {
	b := append(make([]byte, 0, 48), '"')
	b = strconv.AppendInt(b, id.mtime, 36)
	b = append(b, '-')
	b = strconv.AppendInt(b, id.size, 36)
	if id.ino != 0 {
		b = append(b, '-')
		b = strconv.AppendUint(b, id.ino, 36)
	}
	return string(append(b, '"'))
}

// read takes the content of a small file into memory. A file that shrinks
// meanwhile is what it shrinks to; one that grows is noticed at the next look.
func (s *site) read(v *view, rep *representation) error {
	f, info, err := openRegular(v, rep.name)
	if err != nil {
		return err
	}
	defer f.Close()
	rep.id, rep.size = identify(info), info.Size()
	if rep.size > s.cacheFile {
		rep.large = true
		return nil
	}
	body := make([]byte, rep.size)
	n, err := io.ReadFull(f, body)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	rep.body, rep.size = body[:n], int64(n)
	return nil
}

// openRegular opens a file for reading. What has become a directory or a
// device since it was looked at is missing.
func openRegular(v *view, name string) (fs.File, fs.FileInfo, error) {
	f, err := v.tree.open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// unchanged reports whether e is still what is on disk.
func (s *site) unchanged(v *view, e *entry) bool {
	if e.young || e.missing {
		return false
	}
	info, err := v.tree.stat(e.name)
	if err != nil || !info.Mode().IsRegular() || identify(info) != e.plain.id {
		return false
	}
	for i, rep := range e.encoded {
		info, ok := s.sibling(v, e.name, i, e.plain.id.mtime)
		if ok != (rep != nil) || ok && identify(info) != rep.id {
			return false
		}
	}
	return true
}

// Which Cache-Control an answer has: what is behind a login is for its user's
// own cache only.
const (
	controlPlain = iota
	controlImmutable
	controlPrivate // added to the others for an authenticated user
	controls       = 2 * controlPrivate
)

func cacheControl(maxAge time.Duration) (values [controls][]string) {
	const year = "max-age=31536000, immutable"
	values[controlPrivate] = []string{"private"}
	if seconds := int64(maxAge / time.Second); seconds > 0 {
		age := "max-age=" + strconv.FormatInt(seconds, 10)
		values[controlPlain] = []string{age}
		values[controlPrivate] = []string{"private, " + age}
	}
	values[controlImmutable] = []string{"public, " + year}
	values[controlImmutable+controlPrivate] = []string{"private, " + year}
	return values
}
