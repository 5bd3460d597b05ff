// Package rebase lets an app that believes to live at the root of its host
// work below a prefix.
//
// A [Middleware] stands directly around the app. The app sees requests without
// the prefix; what it then writes into its answers as "/login" is mapped to
// "/app/login" on the way out, and what clients send back of that is mapped
// again on the way in. One rule decides: a URL that is under the prefix
// already is never touched, so an app that knows its prefix is not prefixed
// twice, and two layers of rebase do no more than one. Relative URLs, other
// hosts and other schemes stay as they are.
//
// This version maps headers: Location, Content-Location, Refresh, Link,
// Service-Worker-Allowed, SourceMap, Set-Cookie, Clear-Site-Data, the report
// addresses and sources of Content-Security-Policy, Reporting-Endpoints,
// Report-To, and those by which htmx, Turbolinks, Inertia, Unpoly, PJAX,
// Next.js and Remix navigate; in requests Cookie, Referer, Destination, If,
// HX-Current-URL, Turbo-Referrer, X-PJAX-URL, Next-Url and those of pings.
// Bodies pass untouched and unwrapped.
//
// # Cookies
//
// A cookie's Path gets the prefix, and a Domain that the public host is not in
// is dropped. A __Host- cookie must have the path /, which would show it to
// every mount: it travels as a __Secure- cookie whose name holds the prefix,
// and has its own name again in requests. Mounts of one host still share one
// origin: this keeps apps from stepping on each other by accident, it does not
// isolate them.
package rebase

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// A Mode says what is rewritten.
type Mode string

// The modes. This version rewrites headers in all of them but ModeOff.
const (
	ModeAuto    Mode = "auto"    // what the app needs, as far as its answers tell
	ModeOff     Mode = "off"     // nothing
	ModeHeaders Mode = "headers" // headers
	ModeFull    Mode = "full"    // everything, whatever the answers tell
)

// A CookieMode says how an app's cookies are kept apart from other mounts'.
type CookieMode string

// The ways to treat cookies.
const (
	CookiesPath      CookieMode = "path"      // their Path gets the prefix
	CookiesNamespace CookieMode = "namespace" // their names hold the prefix, too
	CookiesOff       CookieMode = "off"       // left as they are
)

// Config says how the app is mounted. Its values are copied.
type Config struct {
	// Mode is what to rewrite. Default ModeAuto.
	Mode Mode

	// Cookies is how cookies are kept apart. Default CookiesPath.
	Cookies CookieMode

	// Prefix gives the public prefix of a request: what the client wrote before
	// the path that the app sees, as "/app". It must be set. It may be escaped
	// ("/caf%C3%A9"); bytes that no URL can have are escaped. "" and "/" mean
	// that the app lives at the root; anything that does not begin with one
	// slash is an error.
	Prefix func(*http.Request) string

	// Upstreams are the names by which the app may call itself: "host",
	// "host:port", or the URL it is reached at. Absolute URLs with such a name
	// are mapped to the public host. The path of a URL is what the mount's root
	// stands for, and is taken off. Unix sockets have no such name and are
	// left out.
	Upstreams []string

	// Aware says that the app is told its prefix, as CGI's SCRIPT_NAME does,
	// and expects clients' headers with it. In ModeAuto it is found out from
	// the answers, too.
	Aware bool

	// ErrorFunc answers with an error. Default: the errors layer around, or
	// plain text.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// Middleware rebases one app. It is safe for concurrent use.
type Middleware struct {
	mode      Mode
	cookies   CookieMode
	prefix    func(*http.Request) string
	upstreams []upstream
	base      string
	aware     bool
	fail      func(http.ResponseWriter, *http.Request, error)
	exchanges sync.Pool

	seen atomic.Int32
}

// What the answers have told, in Middleware.seen.
const (
	seenNothing int32 = iota
	seenUnder         // URLs with the prefix only
	seenRoot          // a URL without it
)

// New checks cfg and gives its Middleware.
func New(cfg Config) (*Middleware, error) {
	m := &Middleware{
		mode:    Mode(orDefault(string(cfg.Mode), string(ModeAuto))),
		cookies: CookieMode(orDefault(string(cfg.Cookies), string(CookiesPath))),
		prefix:  cfg.Prefix,
		aware:   cfg.Aware,
		fail:    cfg.ErrorFunc,
	}
	if m.fail == nil {
		m.fail = request.Fail
	}
	for _, s := range cfg.Upstreams {
		if up := parseUpstream(s); up.host != "" {
			m.upstreams = append(m.upstreams, up)
		}
	}
	m.base = commonBase(m.upstreams)
	m.exchanges.New = func() any { return &exchange{m: m} }
	if err := cfg.check(m); err != nil {
		return nil, err
	}
	return m, nil
}

// commonBase is the root of the app's own paths, where all upstreams agree.
func commonBase(upstreams []upstream) string {
	for _, up := range upstreams {
		if up.base != upstreams[0].base {
			return ""
		}
	}
	if len(upstreams) == 0 {
		return ""
	}
	return upstreams[0].base
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

func (cfg *Config) check(m *Middleware) error {
	var errs []error
	if cfg.Prefix == nil {
		errs = append(errs, errors.New("rebase: Prefix must be set"))
	}
	if modes := []Mode{ModeAuto, ModeOff, ModeHeaders, ModeFull}; !slices.Contains(modes, m.mode) {
		errs = append(errs, &fieldError{"mode", fmt.Sprintf("unknown mode %q (write auto, off, headers or full)", m.mode)})
	}
	if modes := []CookieMode{CookiesPath, CookiesNamespace, CookiesOff}; !slices.Contains(modes, m.cookies) {
		errs = append(errs, &fieldError{"cookies", fmt.Sprintf("unknown way %q to keep cookies apart (write path, namespace or off)", m.cookies)})
	}
	return errors.Join(errs...)
}

// A fieldError is a mistake in one field of a Config.
type fieldError struct{ path, text string }

func (e *fieldError) Error() string { return e.path + ": " + e.text }

// OptionPath names the field as a mount table does.
func (e *fieldError) OptionPath() string { return e.path }

// Aware reports whether the app is taken to know its prefix: it was said to,
// or in ModeAuto all URLs in its answers' headers have had the prefix so far.
func (m *Middleware) Aware() bool {
	return m.aware || m.mode == ModeAuto && m.seen.Load() == seenUnder
}

// Wrap gives next under its prefix.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	if m.mode == ModeOff {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		prefix, ok := cleanPrefix(m.prefix(r))
		switch {
		case !ok:
			m.fail(w, r, &request.Error{
				Status: http.StatusInternalServerError,
				Err:    fmt.Errorf("rebase: public prefix %q is no path (a proxy in front may send a wrong X-Forwarded-Prefix)", m.prefix(r)),
			})
		case prefix == "" && len(m.upstreams) == 0:
			next.ServeHTTP(w, r)
		default:
			m.serve(next, w, r, prefix)
		}
	})
}

func (m *Middleware) serve(next http.Handler, w http.ResponseWriter, r *http.Request, prefix string) {
	ww := httpwrap.Of(w)
	x := m.exchanges.Get().(*exchange)
	x.begin(r, prefix, len(w.Header()["Set-Cookie"]))
	ww.Before(x)
	next.ServeHTTP(ww, x.inbound(r))
	if !ww.Started() {
		// net/http will send what the app has left in the header.
		x.BeforeHeader(http.StatusOK, ww.Header())
	}
	ww.Remove(x)
	x.end()
	m.exchanges.Put(x)
}

// cleanPrefix brings a prefix into the form that site wants.
func cleanPrefix(p string) (string, bool) {
	p = strings.TrimRight(p, "/")
	if p == "" {
		return "", true
	}
	if !slash(p, 0) || slash(p, 1) || strings.ContainsAny(p, `\?#`) {
		return "", false
	}
	for i := 0; i < len(p); i++ {
		if !urlByte(p, i) {
			return escape(p), true
		}
	}
	return p, true
}

func urlByte(p string, i int) bool {
	c := p[i]
	if c == '%' {
		return i+2 < len(p) && isHex(p[i+1]) && isHex(p[i+2])
	}
	return c > ' ' && c < 0x7f && strings.IndexByte("\"<>^`{|};", c) < 0
}

func escape(p string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if c := p[i]; urlByte(p, i) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// An exchange is one request and its answer. It is the hook that maps the
// answer's header, and is used again for other requests.
type exchange struct {
	m *Middleware
	site
	r       *http.Request
	cookies []string // the request's lines, as the client sent them
	foreign int      // lines of Set-Cookie that were there before the app
	space   string   // of cookies' names, once it was needed
}

func (x *exchange) begin(r *http.Request, prefix string, foreign int) {
	x.site = site{prefix: prefix, scheme: "http", host: r.Host, upstreams: x.m.upstreams, base: x.m.base}
	if rec := request.From(r.Context()); rec != nil && rec.HostPort != "" {
		x.scheme, x.host = rec.Scheme, rec.HostPort
	} else if r.TLS != nil {
		x.scheme = "https"
	}
	x.r, x.cookies, x.foreign, x.space = r, r.Header["Cookie"], foreign, ""
}

func (x *exchange) end() {
	x.site, x.r, x.cookies, x.space = site{}, nil, nil, ""
}

// BeforeHeader maps the header of the answer.
func (x *exchange) BeforeHeader(_ int, h http.Header) {
	if rec := request.From(x.r.Context()); rec != nil {
		x.answered = rec.Upstream
	}
	x.header(h)
	x.learn()
}

// BeforeInformational maps the links of early hints.
func (x *exchange) BeforeInformational(_ int, h http.Header) {
	if links := h["Link"]; len(links) > 0 {
		h["Link"] = x.values(links, link)
	}
}

// learn notes what the answer tells of the app. One URL without the prefix
// settles it: an app that knows its prefix has no reason to write one.
func (x *exchange) learn() {
	seen := &x.m.seen
	switch {
	case x.moved > 0 && seen.Load() != seenRoot:
		seen.Store(seenRoot)
	case x.moved == 0 && x.under > 0:
		seen.CompareAndSwap(seenNothing, seenUnder)
	}
}

// bare reports whether the client asked for the prefix without a slash after
// it, where the default path of a cookie would be one level too high.
func (x *exchange) bare() bool {
	if x.prefix == "" {
		return false
	}
	path := x.r.RequestURI
	if rec := request.From(x.r.Context()); rec != nil && rec.RawPath != "" {
		path = rec.RawPath
	}
	rest, ok := cut(path, x.prefix)
	return ok && (rest == "" || rest[0] != '/')
}
