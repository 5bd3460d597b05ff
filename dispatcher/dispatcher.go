// Package dispatcher hands each request to the handler mounted at the longest
// matching path prefix, and to the wrapped handler when none matches.
//
// A pattern is a path with an optional host before it, "[host]/path":
//
//	/app                        /app, /app/ and all below, never /apple
//	/t/{tenant}/files           captures one segment: r.PathValue("tenant")
//	example.com/                everything of one host, whatever the port
//	example.com:8443/           of one host on one port
//	{tenant}.example.com/       captures the one label before .example.com
//	*.example.com/app           any subdomain, one or more labels
//
// The longest prefix wins, whatever the order of the mounts; among equally
// long ones a literal segment beats a captured one, from the left. An exact
// host comes before a captured one, that before a wildcard, and that before no
// host; where no path matches under one of them, the next is tried. Paths are
// case-sensitive, hosts are not. Patterns are compared decoded, segment by
// segment: "/caf%C3%A9" and "/café" are the same, and an escaped slash never
// separates segments.
//
// # Script names
//
// The mounted handler sees the path with its prefix removed, and [ScriptName]
// gives back what was removed, so that it can still build absolute links:
// mounted at /app, it sees /app/x?q as the path /x with the script name /app.
// r.URL.RawPath is stripped in step with r.URL.Path, and r.RequestURI stays
// what the client sent. Dispatchers may be mounted in one another: prefixes
// add up, and ScriptName reports the whole removed part. A request for /app
// itself is passed on with the path "/"; [Bare] tells it from /app/.
//
// # Hostile paths
//
// What is matched is what the mounted handler sees. Dot segments, plain or
// escaped, are resolved first. Runs of slashes count as one in the prefix, and
// the rest never begins with two. A request is refused with status 400 when
// its path climbs above the root, has invalid escapes or control bytes, or
// holds something that could be read as a dot segment by a handler that
// decodes once more, takes '\' or %2F for slashes, or cuts ";…". It is refused
// too when its path, read in one of these ways, belongs to another mount:
// /app/%2fprivate where /app/private is a mount. So whatever stands around a
// mount, its authentication above all, stands around everything the mount
// could take for its own.
//
// Used alone, a dispatcher answers CONNECT and TRACE with 405 and refuses
// targets that are no path; under mountd's front door that has been done.
//
// # Cost
//
// The lookup takes time proportional to the number of segments of the path,
// whatever the number of mounts, and allocates nothing. (With captures it also
// grows with the number of different arrangements of captures that the
// patterns have.) Handing a request on costs one allocation, and none under
// mountd's front door as long as nobody keeps the request.
package dispatcher

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/mountd/mountd/internal/canonical"
	"github.com/mountd/mountd/internal/request"
)

// Config tells what is mounted where. Its zero value has no mounts.
type Config struct {
	// Mounts may stand in any order. Two with the same pattern are a mistake.
	Mounts []Mount

	// Host tells the host of a request, with or without a port. Nil: the one
	// that mountd's front door found, and r.Host in other programs. It must not
	// believe headers that a client can set.
	Host func(r *http.Request) string

	// ErrorFunc answers a request that is refused. Nil: a plain text answer,
	// or mountd's error pages where there are some. The error tells its status
	// and what the client may read by the methods HTTPStatus() int and
	// ClientMessage() string.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// A Mount binds a pattern to a handler.
type Mount struct {
	// Pattern is "[host]/path", see the package documentation. It must be set.
	// A final slash makes no difference.
	Pattern string

	// Handler serves what the pattern matches. It must be set.
	Handler http.Handler

	// Exact mounts match the prefix alone, with or without a final slash, and
	// nothing below it.
	Exact bool

	// Name stands for the mount in logs. Empty: the pattern.
	Name string
}

// Dispatcher dispatches by host and path prefix. Without mounts it passes every
// request on. It never changes and is safe for concurrent use; to replace a
// running table, put it into a [Live] handler.
type Dispatcher struct {
	table
	host func(*http.Request) string
	fail func(http.ResponseWriter, *http.Request, error)
}

// New makes a Dispatcher of cfg, which is not kept. All mistakes are reported
// at once, each of them a [*PatternError].
func New(cfg Config) (*Dispatcher, error) {
	d := &Dispatcher{host: cfg.Host, fail: cfg.ErrorFunc}
	if d.host == nil {
		d.host = trustedHost
	}
	if d.fail == nil {
		d.fail = request.Fail
	}
	if err := d.build(cfg.Mounts); err != nil {
		return nil, err
	}
	return d, nil
}

func trustedHost(r *http.Request) string {
	if rec := request.From(r.Context()); rec != nil && rec.HostPort != "" {
		return rec.HostPort
	}
	return r.Host
}

// Wrap gives the handler that dispatches, and passes on to next what no mount
// matches: with its canonical path, and otherwise untouched. A nil next
// answers 404.
func (d *Dispatcher) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.serve(w, r, next) })
}

func (d *Dispatcher) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	rec, outer := request.From(r.Context()), from(r.Context())
	if rec == nil && outer == nil {
		if err := checkTarget(r); err != nil {
			d.fail(w, r, err)
			return
		}
	}
	var host string
	if d.hosts.used {
		host = d.host(r)
	}
	path, raw, err := canonical.Of(r.URL)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	f, err := d.lookup(host, path, raw)
	switch {
	case err != nil:
		d.fail(w, r, err)
	case f.mount < 0 && next == nil:
		d.fail(w, r, &request.Error{Status: http.StatusNotFound})
	case f.mount < 0:
		next.ServeHTTP(w, withPath(r, path, raw))
	default:
		m := &d.mounts[f.mount]
		if rec != nil {
			rec.Mount = m.name
		}
		m.handler.ServeHTTP(w, newMatch(rec, r, d, m, outer, f, path, raw))
	}
}

// checkTarget refuses the request targets that are no paths, as mountd's front
// door does.
func checkTarget(r *http.Request) error {
	switch r.Method {
	case http.MethodConnect, http.MethodTrace:
		return &request.Error{
			Status: http.StatusMethodNotAllowed,
			Header: http.Header{"Allow": {"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}},
		}
	}
	// net/http makes a raw '#' part of the path, escaped.
	if strings.IndexByte(r.RequestURI, '#') >= 0 {
		return canonical.ErrRaw
	}
	if r.URL.Opaque != "" {
		return canonical.ErrRelative
	}
	return nil
}

// withPath gives r itself when that is its path already.
func withPath(r *http.Request, path, raw string) *http.Request {
	if raw == "" && r.URL.RawPath == "" && r.URL.Path == path {
		return r
	}
	u := *r.URL
	canonical.Set(&u, path, raw)
	if u.Path == r.URL.Path && u.RawPath == r.URL.RawPath {
		return r
	}
	r2 := new(http.Request)
	*r2 = *r
	r2.URL = &u
	return r2
}

// match is what a mounted handler's request carries. It holds the request
// itself and is its context, so that all of it costs one allocation.
type match struct {
	context.Context

	req   http.Request
	url   url.URL
	d     *Dispatcher
	mount *mount
	outer *match // of the dispatcher around this one

	script, rawScript string
	bare              bool
}

type matchKey struct{}

var matches request.Pool[match]

// Value gives the match itself for its own key.
func (m *match) Value(key any) any {
	if _, ok := key.(matchKey); ok {
		return m
	}
	return m.Context.Value(key)
}

// AfterFunc spares package context a goroutine for each child of the match,
// whatever kind of context the request had.
func (m *match) AfterFunc(f func()) (stop func() bool) { return context.AfterFunc(m.Context, f) }

func from(ctx context.Context) *match {
	if m, ok := ctx.(*match); ok {
		return m
	}
	m, _ := ctx.Value(matchKey{}).(*match)
	return m
}

func newMatch(rec *request.Record, r *http.Request, d *Dispatcher, mt *mount, outer *match, f found, path, raw string) *http.Request {
	m := matches.Get(rec)
	m.Context, m.url, m.d, m.mount, m.outer = r.Context(), *r.URL, d, mt, outer
	if outer != nil && len(mt.captures) > 0 && outer.captures() {
		// The copy below would share its path values with r.
		r = cloneValues(r)
	}
	m.req = *r.WithContext(m)
	m.req.URL = &m.url
	s := split(mt, f, path, raw)
	canonical.Set(&m.url, s.path, s.raw)
	m.script, m.rawScript, m.bare = s.script, s.rawScript, s.bare
	if outer != nil {
		m.script, m.rawScript = join(outer.script, s.script), join(outer.rawScript, s.rawScript)
	}
	if len(mt.captures) > 0 {
		for _, p := range mt.params(f.label, path, raw) {
			m.req.SetPathValue(p.Name, p.Value)
		}
	}
	return &m.req
}

func join(outer, inner string) string {
	if outer == "" {
		return inner
	}
	return outer + inner
}

func (m *match) captures() bool {
	for ; m != nil; m = m.outer {
		if len(m.mount.captures) > 0 {
			return true
		}
	}
	return false
}

// cloneValues gives a copy of r with path values of its own; everything else
// is shared.
func cloneValues(r *http.Request) *http.Request {
	bare := new(http.Request)
	*bare = *r
	bare.Header, bare.Trailer, bare.Form, bare.PostForm, bare.MultipartForm = nil, nil, nil, nil, nil
	c := bare.Clone(r.Context())
	c.URL, c.Header, c.Trailer = r.URL, r.Header, r.Trailer
	c.Form, c.PostForm, c.MultipartForm = r.Form, r.PostForm, r.MultipartForm
	return c
}

// ScriptName gives the part of the path that dispatchers have removed, decoded:
// empty, or starting with a slash and ending without one. What a proxy in
// front of the program has removed is no part of it.
func ScriptName(r *http.Request) string {
	if m := from(r.Context()); m != nil {
		return m.script
	}
	return ""
}

// RawScriptName is [ScriptName] with the escapes that the client sent.
func RawScriptName(r *http.Request) string {
	if m := from(r.Context()); m != nil {
		return m.rawScript
	}
	return ""
}

// Bare reports whether the request named the innermost mount's prefix without
// a slash after it: /app, where /app/ has the path "/" as well. The root mount
// has no bare prefix.
func Bare(r *http.Request) bool {
	m := from(r.Context())
	return m != nil && m.bare
}

// Keeps reports whether a path below r's mount, escaped, is still that mount's:
// no mount further in, and none of a dispatcher around, claims it. A layer that
// changes paths asks, so that a request does not get to what another mount
// stands for, past the layers of that one.
func Keeps(r *http.Request, escaped string) bool {
	m := from(r.Context())
	if m == nil {
		return true
	}
	for full := escaped; m != nil; m = m.outer {
		own := m.rawScript
		if m.outer != nil {
			own = own[len(m.outer.rawScript):]
		}
		full = own + full
		path, raw, err := canonical.Parse(full)
		if err != nil {
			return false
		}
		var host string
		if m.d.hosts.used {
			host = m.d.host(r)
		}
		f, err := m.d.lookup(host, path, raw)
		if err != nil || f.mount < 0 || &m.d.mounts[f.mount] != m.mount {
			return false
		}
	}
	return true
}

// Pattern gives the pattern of the innermost mount that r has reached, as it
// was configured; empty outside of one.
func Pattern(r *http.Request) string {
	if m := from(r.Context()); m != nil {
		return m.mount.pattern
	}
	return ""
}

// FullPattern gives the patterns of all mounts that r has reached as one:
// "example.com/a" and below it "/{x}" are "example.com/a/{x}".
func FullPattern(r *http.Request) string {
	m := from(r.Context())
	if m == nil {
		return ""
	}
	if m.outer == nil {
		return m.mount.pattern
	}
	host, path := "", ""
	for ; m != nil; m = m.outer {
		path = m.mount.path() + path
		if host == "" {
			host = m.mount.host
		}
	}
	if path == "" {
		path = "/"
	}
	return host + path
}

// PatternError is a mistake in one mount.
type PatternError struct {
	Pattern string // as configured
	Index   int    // of the mount
	Other   int    // of the mount that it clashes with; -1: none
	Message string // what is wrong, and what to write instead
}

func (e *PatternError) Error() string { return "mount " + quote(e.Pattern) + ": " + e.Message }

// PatternErrors gives the pattern errors that err, an error of [New], consists
// of.
func PatternErrors(err error) []*PatternError {
	var list []*PatternError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			list = append(list, PatternErrors(e)...)
		}
		return list
	}
	if e := (*PatternError)(nil); errors.As(err, &e) {
		list = append(list, e)
	}
	return list
}
