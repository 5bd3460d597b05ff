// Package sendfile serves the files that an app names instead of sending them.
//
// An app answers with X-Accel-Redirect (a URL path below a prefix that only
// the gateway knows) or X-Sendfile (a path in the file system), and the file
// is served in place of the answer's body, with ranges, conditions and
// compressed siblings, whatever the root's handler can do. A [Middleware]
// stands directly around the app.
//
// As with nginx, the app's body and status are dropped and the headers that
// describe the file to its reader are kept: Content-Type, Content-Disposition,
// Content-Language, Cache-Control, Expires and everything that does not
// describe the dropped body. X-Accel-Buffering, -Charset, -Expires and
// -Limit-Rate have no effect and do not reach the client either.
//
// Answers without such a header stream through untouched.
package sendfile

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// A Root is a part of the file system that the app may name files in.
type Root struct {
	// Handler serves the files. It sees a GET or HEAD request for the path
	// below the root, with the client's headers, and should confine itself to
	// the root. It must be set.
	Handler http.Handler

	// Dir is the absolute directory that Handler serves, which X-Sendfile
	// paths are looked for in. Empty: X-Sendfile does not reach this root.
	Dir string
}

// Config lists the roots. Its map is copied.
type Config struct {
	// Roots maps prefixes of X-Accel-Redirect paths ("/protected") to roots.
	// Without roots the headers are none of our business, and pass: a server
	// in front of us may be meant.
	Roots map[string]Root

	// ErrorFunc answers with an error: 502 when the app names a file outside
	// the roots. Default: the errors layer around, or plain text.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// Middleware serves what the app around which it stands names. It is safe for
// concurrent use.
type Middleware struct {
	roots []root // longest prefix first
	fail  func(http.ResponseWriter, *http.Request, error)
}

type root struct {
	prefix string // without a final slash
	dir    string // without a final slash; empty: none
	files  http.Handler
}

// New checks cfg and gives its Middleware.
func New(cfg Config) (*Middleware, error) {
	m := &Middleware{fail: cfg.ErrorFunc}
	if m.fail == nil {
		m.fail = request.Fail
	}
	var errs []error
	for _, prefix := range slices.Sorted(maps.Keys(cfg.Roots)) {
		given := cfg.Roots[prefix]
		r := root{prefix: strings.TrimRight(prefix, "/"), files: given.Handler}
		if !strings.HasPrefix(prefix, "/") || r.prefix != "" && path.Clean(r.prefix) != r.prefix {
			errs = append(errs, &fieldError{prefix, "is no clean path from the root (write /" + strings.Trim(path.Clean("/"+prefix), "/") + ")"})
		}
		if given.Handler == nil {
			errs = append(errs, &fieldError{prefix, "has no handler"})
		}
		if given.Dir != "" {
			if r.dir = strings.TrimRight(filepath.ToSlash(filepath.Clean(given.Dir)), "/"); !filepath.IsAbs(given.Dir) || r.dir == "" {
				errs = append(errs, &fieldError{prefix, fmt.Sprintf("%q is no absolute directory below /", given.Dir)})
			}
		}
		m.roots = append(m.roots, r)
	}
	slices.SortStableFunc(m.roots, func(a, b root) int { return len(b.prefix) - len(a.prefix) })
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return m, nil
}

// Wrap gives next with the files that it names.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	if len(m.roots) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{w: w}
		a.ask(next, withoutHints(r))
		if a.state == named {
			m.serve(w, r, a)
		}
	})
}

// hints are request headers by which a server in front tells Rack and others
// how to name files. From a client they would be an attack.
var hints = [...]string{"X-Sendfile-Type", "X-Accel-Mapping"}

func withoutHints(r *http.Request) *http.Request {
	in := r
	for _, name := range hints {
		if _, ok := r.Header[name]; !ok {
			continue
		}
		if in == r {
			in = r.WithContext(r.Context())
			in.Header = maps.Clone(r.Header)
		}
		delete(in.Header, name)
	}
	return in
}

// serve answers r with the file that the app has named.
func (m *Middleware) serve(w http.ResponseWriter, r *http.Request, a *answer) {
	files, rest, err := m.find(a)
	if err != nil {
		m.fail(w, r, &request.Error{Status: http.StatusBadGateway, Err: err})
		return
	}
	ww := httpwrap.Of(w)
	ww.Before(a)
	files.ServeHTTP(ww, fileRequest(r, rest))
}

// fileRequest asks for a file below its root.
func fileRequest(r *http.Request, rest string) *http.Request {
	in := r.WithContext(r.Context())
	in.URL = &url.URL{Path: rest}
	in.RequestURI = in.URL.RequestURI()
	in.Body, in.ContentLength, in.TransferEncoding = http.NoBody, 0, nil
	if in.Method != http.MethodHead {
		in.Method = http.MethodGet
	}
	return in
}

// find gives the handler of the file that the app has named, and its path
// below the handler's root.
func (m *Middleware) find(a *answer) (files http.Handler, rest string, err error) {
	field, value := "X-Accel-Redirect", a.accel
	if value == "" {
		field, value = "X-Sendfile", a.file
	} else {
		value = accelPath(value)
	}
	if !strings.HasPrefix(value, "/") || strings.ContainsFunc(value, isControl) {
		return nil, "", fmt.Errorf("sendfile: the app's %s %q is no path from the root", field, value)
	}
	clean := path.Clean(value)
	if strings.HasSuffix(value, "/") && clean != "/" {
		clean += "/"
	}
	for _, root := range m.roots {
		base := root.prefix
		if a.accel == "" {
			if base = root.dir; base == "" {
				continue
			}
		}
		if rest, ok := strings.CutPrefix(clean, base); ok && strings.HasPrefix(rest, "/") {
			return root.files, rest, nil
		}
	}
	return nil, "", fmt.Errorf("sendfile: the app's %s %q lies in none of the mount's roots (name its directory in `sendfile`)", field, value)
}

// accelPath decodes the path of an X-Accel-Redirect. A value that is not
// escaped properly is taken for a plain file name.
func accelPath(value string) string {
	value, _, _ = strings.Cut(value, "?")
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

// A fieldError is a mistake in one root.
type fieldError struct{ prefix, text string }

func (e *fieldError) Error() string { return e.prefix + ": " + e.text }

// OptionPath names the root as a mount table does.
func (e *fieldError) OptionPath() string { return e.prefix }
