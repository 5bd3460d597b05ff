// Package csrf refuses requests that pages of other sites make a browser send
// (cross-site request forgery), with [net/http.CrossOriginProtection].
//
// What lets through: GET, HEAD and OPTIONS, which must change nothing;
// requests that the browser calls same-origin or its user's own
// (Sec-Fetch-Site); requests with neither Sec-Fetch-Site nor Origin, which no
// current browser sends across sites; trusted origins; and exempt paths. A
// WebSocket handshake is a GET that does change something: it is checked as
// the others are.
package csrf

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/mountd/mountd/internal/canonical"
	"github.com/mountd/mountd/internal/request"
)

// Config says which requests are let through beyond those of the site itself.
// Its zero value adds none. New copies what it holds.
type Config struct {
	// TrustedOrigins lists origins whose pages may send anything, such as
	// "https://app.example.com". They are compared exactly.
	TrustedOrigins []string

	// Exempt lists paths below the mount that anyone may send anything to:
	// exact ones, and globs in which "*" stands for a part of a segment and
	// "**" for any number of segments ("/hooks/**" is everything below
	// /hooks). A path that could be read in more than one way, as with an
	// escaped slash or a ";", is never exempt.
	Exempt []string

	// ErrorFunc answers requests that are refused, with 403. Nil means the
	// errors layer around this one, or plain text without one.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// Middleware refuses cross-site requests. It is safe for concurrent use.
type Middleware struct {
	check  *http.CrossOriginProtection
	exempt []*regexp.Regexp
	fail   func(w http.ResponseWriter, r *http.Request, err error)
}

// New makes a Middleware. Its error names every malformed origin and path.
func New(cfg Config) (*Middleware, error) {
	m := &Middleware{check: http.NewCrossOriginProtection(), fail: cfg.ErrorFunc}
	if m.fail == nil {
		m.fail = request.Fail
	}
	var errs []error
	for i, origin := range cfg.TrustedOrigins {
		if err := m.trust(origin); err != nil {
			errs = append(errs, optionError{fmt.Sprintf("trusted_origins[%d]", i), err})
		}
	}
	for i, glob := range cfg.Exempt {
		re, err := compile(glob)
		if err != nil {
			errs = append(errs, optionError{fmt.Sprintf("exempt[%d]", i), err})
		}
		m.exempt = append(m.exempt, re)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Middleware) trust(origin string) error {
	if origin == "*" || origin == "null" {
		return fmt.Errorf("%q stands for pages of any site (list origins, or leave csrf out)", origin)
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || strings.Contains(u.Host, "*") ||
		u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is no origin (write https://example.com, without a path)", origin)
	}
	if origin != strings.ToLower(origin) {
		return fmt.Errorf("%q is not in lower case, as origins are (write %q)", origin, strings.ToLower(origin))
	}
	if err := m.check.AddTrustedOrigin(origin); err != nil {
		return fmt.Errorf("%q is no origin (write https://example.com): %w", origin, err)
	}
	return nil
}

// compile makes an anchored expression of a glob.
func compile(glob string) (*regexp.Regexp, error) {
	path, raw, err := canonical.Parse((&url.URL{Path: glob}).EscapedPath())
	if !strings.HasPrefix(glob, "/") || err != nil || canonical.Merge(path) != glob || canonical.Suspicious(raw) {
		return nil, fmt.Errorf("%q is no path (write /hooks or /hooks/**)", glob)
	}
	expr := regexp.QuoteMeta(glob)
	expr = strings.ReplaceAll(expr, `\*\*`, `.*`)
	expr = strings.ReplaceAll(expr, `\*`, `[^/]*`)
	return regexp.Compile(`(?s)^` + expr + `$`)
}

// Wrap hands requests on to next unless they are cross-site.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := m.verify(r); err != nil {
			m.fail(w, r, &request.Error{
				Status:  http.StatusForbidden,
				Message: "This request comes from another site.",
				Err:     err,
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (m *Middleware) verify(r *http.Request) error {
	upgrade := r.Header["Upgrade"] != nil
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		if !upgrade {
			return nil
		}
	}
	err := m.check.Check(asSeen(r, upgrade))
	if err == nil || m.isExempt(r.URL) {
		return nil
	}
	return err
}

// asSeen gives the request with the host that the client named, which a
// trusted proxy in front may have told, and an upgrade as one that is checked.
func asSeen(r *http.Request, upgrade bool) *http.Request {
	host := r.Host
	if rec := request.From(r.Context()); rec != nil && rec.HostPort != "" {
		host = rec.HostPort
	}
	if host == r.Host && !upgrade {
		return r
	}
	r2 := *r
	r2.Host = host
	if upgrade {
		r2.Method = http.MethodPost
	}
	return &r2
}

func (m *Middleware) isExempt(u *url.URL) bool {
	if len(m.exempt) == 0 {
		return false
	}
	path, raw, err := canonical.Of(u)
	if err != nil || canonical.Suspicious(raw) {
		return false
	}
	path = canonical.Merge(path)
	for _, re := range m.exempt {
		if re.MatchString(path) {
			return true
		}
	}
	return false
}

type optionError struct {
	path string
	err  error
}

func (e optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e optionError) Unwrap() error      { return e.err }
func (e optionError) OptionPath() string { return e.path }
