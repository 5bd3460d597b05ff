// Package condition decides whether a layer of a stack applies to a request:
// the `when` and `except` of a mount table.
//
// # Paths
//
// A path glob is compared with the whole path below the mount, decoded and
// with runs of slashes merged. "*" stands for any text within a segment, "**"
// for any text across segments, everything else for itself.
//
//	/admin/*      /admin/, /admin/x; not /admin, not /admin/x/y
//	/admin/**     everything below /admin; see below for /admin itself
//	/**/*.php     /x.php, /a/b/x.php
//
// Where a path has two meanings, the one that applies the layer is taken. A
// `when` holds if the path matches, or what it is once ";…" is cut off its
// segments; an `except` only if both do. And "/admin/**" takes in /admin itself
// for a `when` alone, since many apps do not tell it from /admin/.
//
// Methods are guarded in the same way. A `when` for GET holds for HEAD, which
// apps serve as GET, and a `when` for any method holds for methods that are not
// in common use (PROPFIND, JEFF), so that a rule for GET and POST cannot be got
// round with a method that nobody thought of. An `except` takes methods
// literally.
//
// A path for which the outcome depends on whether a reader decodes once more,
// or takes '\' or escaped slashes for slashes, is no longer safe to decide
// about: it is an error with the status 400.
package condition

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"sort"
	"strings"

	"github.com/mountd/mountd/internal/canonical"
	"github.com/mountd/mountd/internal/request"
)

// Config says what has to hold. All fields that are set must hold; the values
// of one field are alternatives. Without any field nothing is asked.
type Config struct {
	// Path holds globs.
	Path []string

	// Method holds method names, in upper case.
	Method []string

	// ExactMethods makes methods mean just themselves in a `when` too: for
	// conditions that choose between apps, where no choice is the safe one.
	ExactMethods bool

	// Host holds host names, with "*." in front for all subdomains. A port
	// counts where one is written.
	Host []string

	// Header holds globs for values by name, where "*" is any text. "*" alone:
	// the field is there; empty: it is there without a value. One of several
	// lines suffices.
	Header map[string]string

	// Client holds addresses and networks of clients, as far as trusted
	// proxies tell them.
	Client []string

	// Scheme is "http" or "https".
	Scheme string
}

// Condition is a compiled [Config]. It is safe for concurrent use.
type Condition struct {
	except  bool
	exact   bool // methods are
	paths   []glob
	methods []string
	hosts   []host
	headers []header
	clients []netip.Prefix
	scheme  string
	text    string
}

type header struct {
	name  string
	value glob
}

type host struct {
	name, port string
	wild       bool // subdomains of name
}

// FieldError is a mistake in one field.
type FieldError struct {
	Path string // "path[1]", "header.X-A"
	Err  error
}

func (e *FieldError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap gives the mistake.
func (e *FieldError) Unwrap() error { return e.Err }

// OptionPath gives the field, below the condition.
func (e *FieldError) OptionPath() string { return e.Path }

// New compiles a condition. except tells that a layer is left out where it
// holds, which decides what doubtful paths mean; Match does not invert
// anything. All mistakes are reported at once, each a [*FieldError].
func New(cfg Config, except bool) (*Condition, error) {
	c := &Condition{except: except, exact: except || cfg.ExactMethods, text: cfg.text()}
	var errs []error
	check := func(err error, format string, args ...any) {
		if err != nil {
			errs = append(errs, &FieldError{fmt.Sprintf(format, args...), err})
		}
	}
	for i, s := range cfg.Path {
		g, err := compilePath(s, except)
		check(err, "path[%d]", i)
		c.paths = append(c.paths, g)
	}
	for i, s := range cfg.Method {
		check(checkMethod(s), "method[%d]", i)
		c.methods = append(c.methods, s)
	}
	for i, s := range cfg.Host {
		h, err := compileHost(s)
		check(err, "host[%d]", i)
		c.hosts = append(c.hosts, h)
	}
	for _, name := range sortedKeys(cfg.Header) {
		check(checkName(name), "header.%s", name)
		c.headers = append(c.headers, header{http.CanonicalHeaderKey(name), compileText(cfg.Header[name])})
	}
	for i, s := range cfg.Client {
		p, err := compileClient(s)
		check(err, "client[%d]", i)
		c.clients = append(c.clients, p)
	}
	if c.scheme = cfg.Scheme; c.scheme != "" && c.scheme != "http" && c.scheme != "https" {
		check(fmt.Errorf("%q is no scheme (write http or https)", c.scheme), "scheme")
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return c, nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func checkMethod(s string) error {
	if s == "" || s != strings.ToUpper(s) || strings.ContainsAny(s, " ,/*") {
		if list := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' }); len(list) > 1 {
			return fmt.Errorf("%q is no method (write [%s])", s, strings.ToUpper(strings.Join(list, ", ")))
		}
		return fmt.Errorf("%q is no method (write %q)", s, strings.ToUpper(s))
	}
	return nil
}

func checkName(s string) error {
	if s == "" || strings.ContainsAny(s, " :\t*") {
		return fmt.Errorf("%q is no header name", s)
	}
	if strings.EqualFold(s, "Host") {
		return errors.New("the host is no header here (write host: instead)")
	}
	return nil
}

func compileHost(s string) (h host, err error) {
	if s == "*" {
		return h, errors.New(`"*" is every host (leave host out)`)
	}
	name, wild := strings.CutPrefix(s, "*.")
	if h.name, h.port, err = canonical.Host(name); err != nil {
		return h, fmt.Errorf("%q is no host (write example.com or *.example.com): %w", s, err)
	}
	h.wild = wild
	return h, nil
}

func compileClient(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return p, fmt.Errorf("%q is no address (write 10.1.2.3 or 10.0.0.0/8)", s)
	case !p.Addr().Is4In6():
		return p.Masked(), nil
	case p.Bits() < 96:
		return p, fmt.Errorf("%q holds more than IPv4-mapped addresses (write the IPv4 network)", s)
	}
	return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked(), nil
}

// Match reports whether the condition holds. An error, with status 400, means
// that its path condition could be got round.
func (c *Condition) Match(r *http.Request) (bool, error) {
	if !c.matchMethod(r.Method) || !c.matchHost(r) || !c.matchHeaders(r.Header) || !c.matchClient(r) || !c.matchScheme(r) {
		return false, nil
	}
	return c.matchURL(r.URL)
}

// HasPath reports whether the condition looks at the path.
func (c *Condition) HasPath() bool { return len(c.paths) > 0 }

func (c *Condition) matchMethod(method string) bool {
	if c.methods == nil {
		return true
	}
	for _, m := range c.methods {
		if m == method || !c.exact && m == http.MethodGet && method == http.MethodHead {
			return true
		}
	}
	return !c.exact && !common(method)
}

func common(method string) bool {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return true
	}
	return false
}

func (c *Condition) matchHost(r *http.Request) bool {
	if c.hosts == nil {
		return true
	}
	hostport := r.Host
	if rec := request.From(r.Context()); rec != nil {
		hostport = rec.HostPort
	}
	name, port, err := canonical.Host(hostport)
	if err != nil {
		return false
	}
	for i := range c.hosts {
		if c.hosts[i].match(name, port) {
			return true
		}
	}
	return false
}

func (h *host) match(name, port string) bool {
	if h.port != "" && h.port != port {
		return false
	}
	if !h.wild {
		return name == h.name
	}
	n := len(name) - len(h.name) - 1
	return n > 0 && name[n] == '.' && name[n+1:] == h.name
}

func (c *Condition) matchHeaders(h http.Header) bool {
	for i := range c.headers {
		if !c.headers[i].match(h) {
			return false
		}
	}
	return true
}

func (f *header) match(h http.Header) bool {
	for _, v := range h[f.name] {
		if f.value.match(v) {
			return true
		}
	}
	return false
}

func (c *Condition) matchClient(r *http.Request) bool {
	if c.clients == nil {
		return true
	}
	addr := clientOf(r)
	for _, p := range c.clients {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func clientOf(r *http.Request) netip.Addr {
	if rec := request.From(r.Context()); rec != nil {
		return rec.Client
	}
	ap, _ := netip.ParseAddrPort(r.RemoteAddr)
	return ap.Addr().Unmap().WithZone("")
}

func (c *Condition) matchScheme(r *http.Request) bool {
	if c.scheme == "" {
		return true
	}
	if rec := request.From(r.Context()); rec != nil {
		return rec.Scheme == c.scheme
	}
	return (c.scheme == "https") == (r.TLS != nil)
}

func (c *Condition) matchURL(u *url.URL) (bool, error) {
	if c.paths == nil {
		return true, nil
	}
	path, raw, err := canonical.Of(u)
	if err != nil {
		return false, err
	}
	if !canonical.Suspicious(raw) {
		return c.matchPath(path), nil
	}
	return c.matchReadings(raw)
}

func (c *Condition) matchPath(path string) bool {
	path = canonical.Merge(path)
	for i := range c.paths {
		if c.paths[i].match(path) {
			return true
		}
	}
	return false
}

// matchReadings decides about a path that could be read in several ways.
func (c *Condition) matchReadings(raw string) (bool, error) {
	readings, err := canonical.Readings(raw)
	if err != nil {
		return false, err
	}
	outcome := c.except
	for p, kind := range readings {
		if kind != canonical.Other && c.matchPath(p) != c.except {
			outcome = !c.except
		}
	}
	for p, kind := range readings {
		if kind == canonical.Other && c.doubtful(p) != outcome {
			return false, canonical.ErrAmbiguous
		}
	}
	return outcome, nil
}

// doubtful decides about one reading, with and without its parameters.
func (c *Condition) doubtful(path string) bool {
	m := c.matchPath(path)
	if cut := canonical.CutParams(path); m == c.except && cut != path {
		m = c.matchPath(cut)
	}
	return m
}

// String tells what has to hold, as it was configured.
func (c *Condition) String() string { return c.text }

func (cfg *Config) text() string {
	var parts []string
	list := func(name string, values []string) {
		if len(values) > 0 {
			parts = append(parts, name+" "+strings.Join(values, " or "))
		}
	}
	list("path", cfg.Path)
	list("method", cfg.Method)
	list("host", cfg.Host)
	for _, name := range sortedKeys(cfg.Header) {
		parts = append(parts, "header "+name+": "+cfg.Header[name])
	}
	list("client", cfg.Client)
	if cfg.Scheme != "" {
		parts = append(parts, "scheme "+cfg.Scheme)
	}
	if parts == nil {
		return "always"
	}
	return strings.Join(parts, ", ")
}
