// Package cors lets pages of other origins use what is behind it (the CORS
// protocol of the Fetch standard), on top of github.com/rs/cors.
//
// Preflight requests (OPTIONS with Access-Control-Request-Method) are answered
// here, with 204; whether they are granted shows in the header alone, as the
// protocol has it. Every other request passes, whatever its origin: CORS
// protects readers of answers, not servers; see package csrf for those.
//
// The middleware owns the answer's Access-Control-Allow-Origin,
// -Allow-Credentials and -Expose-Headers: what the application says there is
// replaced, since two such lines would make browsers refuse.
package cors

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	rscors "github.com/rs/cors"

	"github.com/mountd/mountd/internal/httpwrap"
)

// Config says which origins may do what. New copies what it holds.
type Config struct {
	// Origins lists the origins whose pages may read answers, as in
	// "https://example.com" or "http://localhost:3000", without a path.
	// "https://*.example.com" stands for every host below example.com. "*"
	// alone stands for all of them. It must not be empty.
	//
	// Every origin must be named by its scheme. "null" is refused: sandboxed
	// pages of any site have it.
	Origins []string

	// Methods lists the methods that pages may use besides GET, HEAD and
	// POST, which browsers send without asking. "*" alone means every usual
	// method, WebDAV's included; it is refused together with Credentials.
	Methods []string

	// Headers lists the request fields that pages may set beyond the few that
	// are always allowed. "*" alone stands for all, Authorization included;
	// it is refused together with Credentials.
	Headers []string

	// Expose lists the answer's fields that pages may read beyond the few
	// that are always readable.
	Expose []string

	// Credentials lets pages send cookies and other credentials along, and
	// read the answers. It cannot go together with the origin "*".
	Credentials bool

	// MaxAge is how long browsers may remember a preflight, in whole seconds.
	// Zero leaves that to them (5 seconds).
	MaxAge time.Duration
}

// Middleware is a CORS policy. It is safe for concurrent use.
type Middleware struct {
	cors    *rscors.Cors
	origins origins
}

// New makes a Middleware. Its error names every mistake in cfg.
func New(cfg Config) (*Middleware, error) {
	m := &Middleware{}
	errs := m.origins.set(cfg.Origins, cfg.Credentials)
	errs = append(errs, checkNames("methods", cfg.Methods, cfg.Credentials)...)
	errs = append(errs, checkNames("headers", cfg.Headers, cfg.Credentials)...)
	errs = append(errs, checkNames("expose", cfg.Expose, true)...)
	if cfg.MaxAge < 0 || cfg.MaxAge%time.Second != 0 {
		errs = append(errs, optionError{"max_age", fmt.Errorf("%v is no number of seconds (write 10m)", cfg.MaxAge)})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	options := rscors.Options{
		AllowedMethods:   append([]string{http.MethodGet, http.MethodHead, http.MethodPost}, cfg.Methods...),
		AllowedHeaders:   append([]string(nil), cfg.Headers...),
		ExposedHeaders:   append([]string(nil), cfg.Expose...),
		AllowCredentials: cfg.Credentials,
		MaxAge:           int(cfg.MaxAge / time.Second),
	}
	if m.origins.any {
		options.AllowedOrigins = []string{"*"}
	} else {
		options.AllowOriginFunc = m.origins.allow
	}
	if only(cfg.Methods, "*") {
		options.AllowedMethods = everyMethod()
	}
	m.cors = rscors.New(options)
	return m, nil
}

// Wrap answers preflights and marks the answers of next.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["Origin"]) > 1 {
			// rs/cors decides by the first line and would grant them all.
			r = withoutOrigin(r)
		}
		if preflight(r) {
			m.cors.HandlerFunc(w, r)
			return
		}
		ww := httpwrap.Of(w)
		ww.Before(&marker{m: m, r: r})
		next.ServeHTTP(ww, r)
		if !ww.Started() {
			ww.WriteHeader(http.StatusOK) // as the server would, but with the hook
		}
	})
}

func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

func withoutOrigin(r *http.Request) *http.Request {
	r2 := *r
	r2.Header = r.Header.Clone()
	delete(r2.Header, "Origin")
	return &r2
}

// marker writes the policy into an answer right before it goes out.
type marker struct {
	m *Middleware
	r *http.Request
}

func (k *marker) BeforeHeader(_ int, h http.Header) {
	for _, name := range [...]string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
		delete(h, name)
	}
	k.m.cors.HandlerFunc(headerOnly(h), k.r)
}

// headerOnly is what rs/cors needs of a response writer for a request that is
// no preflight.
type headerOnly http.Header

func (h headerOnly) Header() http.Header       { return http.Header(h) }
func (headerOnly) Write(p []byte) (int, error) { return len(p), nil }
func (headerOnly) WriteHeader(int)             {}

// origins decides whose pages are let in.
type origins struct {
	any      bool
	exact    map[string]struct{}
	suffixes []suffix
}

// suffix is a pattern like "https://*.example.com:8443".
type suffix struct{ scheme, host, port string }

func (o *origins) set(list []string, credentials bool) (errs []error) {
	o.exact = make(map[string]struct{}, len(list))
	switch {
	case len(list) == 0:
		return []error{optionError{"origins", errors.New("the list is empty (write https://example.com)")}}
	case only(list, "*") && credentials:
		return []error{optionError{"credentials", errors.New(`cannot go together with the origin "*" (list the origins)`)}}
	case only(list, "*"):
		o.any = true
		return nil
	}
	for i, s := range list {
		if err := o.add(s); err != nil {
			errs = append(errs, optionError{fmt.Sprintf("origins[%d]", i), err})
		}
	}
	return errs
}

func (o *origins) add(s string) error {
	switch s {
	case "*":
		return errors.New(`"*" stands for every origin (write it alone)`)
	case "null":
		return errors.New(`"null" is the origin of sandboxed pages of any site (list real origins)`)
	}
	u, err := url.Parse(strings.Replace(s, "://*.", "://", 1))
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" ||
		u.Fragment != "" || strings.ContainsAny(u.Host, "*%") || strings.HasSuffix(s, "#") || strings.HasSuffix(s, "?") {
		return fmt.Errorf("%q is no origin (write https://example.com, without a path)", s)
	}
	if s != strings.ToLower(s) {
		return fmt.Errorf("%q is not in lower case, as origins are (write %q)", s, strings.ToLower(s))
	}
	if u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		return fmt.Errorf("%q names the default port, which browsers leave out (leave it out)", s)
	}
	if !strings.Contains(s, "://*.") {
		o.exact[s] = struct{}{}
		return nil
	}
	if !strings.Contains(u.Hostname(), ".") && u.Hostname() != "localhost" {
		return fmt.Errorf("%q lets a whole top-level domain in (write one like https://*.example.com)", s)
	}
	port := ""
	if u.Port() != "" {
		port = ":" + u.Port()
	}
	o.suffixes = append(o.suffixes, suffix{u.Scheme + "://", "." + u.Hostname(), port})
	return nil
}

func (o *origins) allow(origin string) bool {
	if _, ok := o.exact[origin]; ok {
		return true
	}
	for i := range o.suffixes {
		if o.suffixes[i].match(origin) {
			return true
		}
	}
	return false
}

func (s *suffix) match(origin string) bool {
	rest, ok := strings.CutPrefix(origin, s.scheme)
	if !ok {
		return false
	}
	if rest, ok = strings.CutSuffix(rest, s.port); !ok {
		return false
	}
	labels, ok := strings.CutSuffix(rest, s.host)
	return ok && labels != "" && hostChars(labels)
}

func hostChars(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return s[0] != '.'
}

func checkNames(option string, list []string, noStar bool) (errs []error) {
	for i, s := range list {
		path := fmt.Sprintf("%s[%d]", option, i)
		switch {
		case s == "*" && len(list) > 1:
			errs = append(errs, optionError{path, errors.New(`"*" stands for all (write it alone)`)})
		case s == "*" && noStar:
			errs = append(errs, optionError{path, errors.New(`"*" does not stand for all together with credentials (list the names)`)})
		case s != "*" && !token(s):
			errs = append(errs, optionError{path, fmt.Errorf("%q is no name (letters, digits and -)", s)})
		case option == "methods" && forbiddenMethod(s):
			errs = append(errs, optionError{path, fmt.Errorf("%q can be used by no page (leave it out)", s)})
		case option == "methods" && s != strings.ToUpper(s):
			errs = append(errs, optionError{path, fmt.Errorf("%q is not in upper case (write %q)", s, strings.ToUpper(s))})
		}
	}
	return errs
}

func forbiddenMethod(s string) bool {
	switch strings.ToUpper(s) {
	case "CONNECT", "TRACE", "TRACK":
		return true
	}
	return false
}

// token reports whether s is a token (RFC 9110, section 5.6.2).
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

func only(list []string, s string) bool { return len(list) == 1 && list[0] == s }

func everyMethod() []string {
	return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH"}
}

type optionError struct {
	path string
	err  error
}

func (e optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e optionError) Unwrap() error      { return e.err }
func (e optionError) OptionPath() string { return e.path }
