package shareddata

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"
)

// found is what a path below an export means: one of a file, a directory to
// list, a directory to redirect to, or nothing.
type found struct {
	entry    *entry
	list     string // name of the directory
	redirect bool
}

// maxLooks is how often a file may be replaced between the look at it and the
// answer.
const maxLooks = 8

// errStale says that what was found is not there any more: look again.
var errStale = errors.New("the file was replaced")

// find looks rest up in one export, in memory first.
func (s *site) find(v *view, e *export, rest string, now int64) (found, error) {
	k := key{v.id, rest}
	if hit := s.files.get(k); hit != nil {
		checked := hit.checked.Load()
		if now-checked < s.recheck || !hit.checked.CompareAndSwap(checked, now) || s.unchanged(v, hit) {
			return found{entry: hit}, nil
		}
		f, err := s.resolve(v, e, rest, now)
		if f.entry == nil {
			s.files.remove(k, hit)
		}
		return f, err
	}
	if miss := s.misses.get(k); miss != nil && now-miss.checked.Load() < s.recheck {
		return found{}, nil
	}
	f, err := s.resolve(v, e, rest, now)
	if err == nil && f == (found{}) {
		miss := &entry{missing: true, cost: 256 + int64(len(rest))}
		miss.checked.Store(now)
		s.misses.put(key{v.id, strings.Clone(rest)}, miss)
	}
	return f, err
}

// resolve looks rest up on disk.
func (s *site) resolve(v *view, e *export, rest string, now int64) (found, error) {
	if e.file != "" {
		if rest != "" {
			return found{}, nil
		}
		return s.file(v, rest, e.file, now)
	}
	name, components, slash, ok := clean(rest)
	if !ok || s.disallowed(components) {
		return found{}, nil
	}
	info, err := v.tree.stat(name)
	switch {
	case err != nil && isMissing(v, err):
		return found{}, nil
	case err != nil:
		return found{}, err
	case info.IsDir():
		return s.directory(v, e, rest, name, slash, now)
	case info.Mode().IsRegular() && !slash:
		return s.keepFile(v, rest, name, info, now)
	}
	return found{}, nil
}

// file is keepFile for a name that may be missing or something else.
func (s *site) file(v *view, rest, name string, now int64) (found, error) {
	info, err := v.tree.stat(name)
	switch {
	case err != nil && isMissing(v, err):
		return found{}, nil
	case err != nil:
		return found{}, err
	case !info.Mode().IsRegular():
		return found{}, nil
	}
	return s.keepFile(v, rest, name, info, now)
}

// keepFile reads a file and remembers it for rest.
func (s *site) keepFile(v *view, rest, name string, info fs.FileInfo, now int64) (found, error) {
	loaded, err := s.load(v, name, info, now)
	if err != nil {
		if isMissing(v, err) {
			return found{}, nil
		}
		return found{}, err
	}
	if s.keep {
		s.files.put(key{v.id, strings.Clone(rest)}, loaded)
	}
	return found{entry: loaded}, nil
}

// directory finds what answers for a directory: its index, a redirect to its
// path with a slash, a listing, or nothing.
func (s *site) directory(v *view, e *export, rest, name string, slash bool, now int64) (found, error) {
	for i, index := range s.index {
		file := join(name, index)
		if s.disallowed(strings.Split(file, "/")) {
			continue
		}
		var f found
		var err error
		if i == 0 && slash {
			f, err = s.file(v, rest, file, now)
		} else {
			// Remembered by its own path: it has to give way to an earlier one
			// that appears.
			f, err = s.find(v, e, "/"+file, now)
		}
		if err != nil {
			return found{}, err
		}
		if f.entry == nil {
			continue
		}
		if !slash {
			return found{redirect: true}, nil
		}
		return f, nil
	}
	switch {
	case !s.browse:
		return found{}, nil
	case !slash:
		return found{redirect: true}, nil
	}
	return found{list: name}, nil
}

// serve answers r if something is there for it.
func (s *site) serve(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	path := r.URL.Path
	if r.URL.RawPath != "" && escapedSlash(r.URL) {
		return false
	}
	now := s.now()
	for i := range s.exports {
		e := &s.exports[i]
		if rest, ok := e.below(path); ok && s.serveFrom(w, r, e, rest, now) {
			return true
		}
	}
	return s.spa && s.fallback(w, r, now)
}

// serveFrom answers r if the export has something for rest. What is replaced
// between the look and the answer is looked up once more.
func (s *site) serveFrom(w http.ResponseWriter, r *http.Request, e *export, rest string, now int64) bool {
	var err error
	for range maxLooks {
		v := e.view(r, now)
		if v == nil {
			return false
		}
		var f found
		if f, err = s.find(v, e, rest, now); err == nil {
			if f == (found{}) {
				return false
			}
			err = s.answer(w, r, e, v, rest, f)
		}
		if err == nil {
			return true
		}
		if err != errStale && !errors.Is(err, fs.ErrClosed) {
			break
		}
		if f.entry != nil {
			s.files.remove(key{v.id, rest}, f.entry)
		}
	}
	s.fail(w, r, failure(err))
	return true
}

// fallback answers a navigation with the index of the export that the path is
// below.
func (s *site) fallback(w http.ResponseWriter, r *http.Request, now int64) bool {
	path := r.URL.Path
	last := path[strings.LastIndexByte(path, '/')+1:]
	if !accepts(r.Header["Accept"], "text/html", !strings.Contains(last, ".")) {
		return false
	}
	for i := range s.exports {
		e := &s.exports[i]
		rest, ok := e.below(path)
		if !ok || e.file != "" {
			continue
		}
		if _, components, _, ok := clean(rest); !ok || s.disallowed(components) {
			return false
		}
		addVary(w.Header(), varyAccept)
		if s.serveFrom(w, r, e, "/", now) {
			return true
		}
	}
	return false
}
