// Package rewrite changes the path of requests, or redirects to the changed
// one.
//
// A pattern is compared with the path below the mount, decoded; an escaped
// slash stays "%2F" there and an escaped percent sign "%25", so that neither
// becomes anything else on the way. When the pattern matches, the whole path
// is replaced. What comes out is cleaned as every request's path is: dot
// segments are resolved, leading slashes made one, and the request is refused
// with 400 if the result climbs out of the mount or holds what could be taken
// for a dot segment. Requests that do not match pass untouched.
//
// The request's query is kept unless the replacement holds a "?".
package rewrite

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/mountd/mountd/internal/canonical"
	"github.com/mountd/mountd/internal/request"
)

// Config says what is rewritten. From and To must be set.
type Config struct {
	// From is a glob if it starts with "/", and a regular expression (RE2)
	// if it starts with "^". In a glob, "*" stands for a part of a segment,
	// "**" for any number of segments, and "{name}" for one whole segment;
	// each captures what it stands for, as $1, $2 and so on. A glob has to
	// match the whole path; an expression its beginning.
	From string

	// To is the new path, optionally with a query. $1, ${1} or {1} stand for
	// what was captured, ${name} or {name} for what was captured by that
	// name, and $$ for a dollar sign. It must start with "/".
	To string

	// Redirect is the status to redirect with (301, 302, 303, 307 or 308).
	// Zero passes the request on with the new path. A request that has the new
	// path already is passed on, too: a redirect would never end.
	Redirect int

	// Prefix gives the path that the client knows the mount by, escaped: the
	// script name, after what a proxy in front has stripped. Redirects start
	// with it. Nil means none.
	Prefix func(r *http.Request) string

	// Check may refuse a new path, given decoded and escaped (empty where
	// that is the same), because it belongs to someone else; the request is
	// then answered with that error, or with 400 if it carries no status. Nil
	// refuses none.
	Check func(r *http.Request, path, raw string) error

	// ErrorFunc answers requests that are refused. Nil means the errors layer
	// around this one, or plain text without one.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// Middleware rewrites paths. It is safe for concurrent use.
type Middleware struct {
	from     pattern
	path     template
	query    template
	hasQuery bool
	redirect int
	prefix   func(r *http.Request) string
	check    func(r *http.Request, path, raw string) error
	fail     func(w http.ResponseWriter, r *http.Request, err error)
}

// New makes a Middleware. Its error names every mistake in cfg, such as a
// replacement that names what the pattern does not capture.
func New(cfg Config) (*Middleware, error) {
	m := &Middleware{redirect: cfg.Redirect, prefix: cfg.Prefix, check: cfg.Check, fail: cfg.ErrorFunc}
	if m.fail == nil {
		m.fail = request.Fail
	}
	var errs []error
	var err error
	if m.from, err = compile(cfg.From); err != nil {
		errs = append(errs, optionError{"path.from", err})
	} else if err := m.setTo(cfg.To); err != nil {
		errs = append(errs, optionError{"path.to", err})
	}
	switch cfg.Redirect {
	case 0, http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		errs = append(errs, optionError{"redirect", fmt.Errorf("%d is no redirect (write 301, 302, 303, 307 or 308; 0 to pass the request on)", cfg.Redirect)})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Middleware) setTo(to string) (err error) {
	if !strings.HasPrefix(to, "/") {
		return fmt.Errorf("%q does not start with a slash (write %q)", to, "/"+to)
	}
	if strings.Contains(to, "#") {
		return fmt.Errorf("%q holds a fragment, which no request has (leave it out)", to)
	}
	if i := badEscape(to); i >= 0 {
		return fmt.Errorf("%q holds an invalid escape (write %%25 for a percent sign)", to)
	}
	path, query, hasQuery := strings.Cut(to, "?")
	m.hasQuery = hasQuery
	if m.path, err = parseTemplate(path, m.from.re); err != nil {
		return err
	}
	m.query, err = parseTemplate(query, m.from.re)
	return err
}

// Wrap rewrites requests on their way to next.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		subject := view(r.URL)
		at := m.from.match(subject)
		if at == nil {
			next.ServeHTTP(w, r)
			return
		}
		u, err := m.apply(r, subject, at)
		switch {
		case err != nil:
			m.fail(w, r, refusal(err))
		case u == nil:
			next.ServeHTTP(w, r)
		case m.redirect != 0:
			m.send(w, r, u)
		default:
			next.ServeHTTP(w, withURL(r, u))
		}
	})
}

// apply gives the new URL, nil if it is the request's own.
func (m *Middleware) apply(r *http.Request, subject string, at []int) (*url.URL, error) {
	path, raw, err := canonical.Parse(escape(m.path.expand(subject, at, nil)))
	if err != nil {
		return nil, err
	}
	u := *r.URL
	canonical.Set(&u, path, raw)
	if m.hasQuery {
		u.RawQuery, u.ForceQuery = m.query.expand(subject, at, escapeQuery), false
	}
	if u.Path == r.URL.Path && u.EscapedPath() == r.URL.EscapedPath() && u.RawQuery == r.URL.RawQuery {
		return nil, nil
	}
	if m.check != nil {
		err = m.check(r, path, raw)
	}
	return &u, err
}

// send redirects. The path starts with one slash only, so that it can name no
// other host.
func (m *Middleware) send(w http.ResponseWriter, r *http.Request, u *url.URL) {
	location := u.EscapedPath()
	if m.prefix != nil {
		location = strings.TrimSuffix(m.prefix(r), "/") + location
	}
	location = "/" + strings.TrimLeft(location, `/\`)
	if u.RawQuery != "" || u.ForceQuery {
		location += "?" + u.RawQuery
	}
	h := w.Header()
	h.Set("Location", location)
	h.Set("Content-Length", "0")
	w.WriteHeader(m.redirect)
}

func withURL(r *http.Request, u *url.URL) *http.Request {
	r2 := *r
	r2.URL = u
	return &r2
}

// refusal gives an error without a status the status 400.
func refusal(err error) error {
	var s interface{ HTTPStatus() int }
	if errors.As(err, &s) {
		return err
	}
	return &request.Error{Status: http.StatusBadRequest, Err: err}
}

type optionError struct {
	path string
	err  error
}

func (e optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e optionError) Unwrap() error      { return e.err }
func (e optionError) OptionPath() string { return e.path }
