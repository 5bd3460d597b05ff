// Package headers sets, adds and removes header fields of requests and
// answers.
package headers

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// Config says which fields to change. New copies what it holds.
type Config struct {
	Request  Changes // of the request, before the application sees it
	Response Changes // of the answer, right before it goes out
}

// Changes of one header. They are made in the order of the fields here: what
// is removed may be added anew.
//
// A value may hold path parameters of the mount: {tenant} stands for
// r.PathValue("tenant"), "" where there is none. Braces around anything but a
// plain name are left alone, and {{name}} gives {name}.
type Changes struct {
	Remove []string            // names
	Set    map[string]string   // replaces every line of that name; "Host" works in a request
	Add    map[string][]string // adds lines to what is there
}

// Middleware changes header fields. Its zero value changes nothing. It is
// safe for concurrent use.
type Middleware struct {
	request, response *changes
	host              *value
}

// New makes a Middleware. Its error names every field that cannot be changed:
// names and values that HTTP does not allow, and those that frame messages.
func New(cfg Config) (*Middleware, error) {
	m := &Middleware{}
	if host, rest := takeHost(cfg.Request.Set); host != nil {
		cfg.Request.Set = rest
		v, err := parseValue(*host)
		if err != nil {
			return nil, optionError{"request.set.Host", err}
		}
		m.host = &v
	}
	var errReq, errResp error
	m.request, errReq = compile("request", cfg.Request)
	m.response, errResp = compile("response", cfg.Response)
	if err := errors.Join(errReq, errResp); err != nil {
		return nil, err
	}
	return m, nil
}

func takeHost(set map[string]string) (host *string, rest map[string]string) {
	for name, v := range set {
		if http.CanonicalHeaderKey(name) == "Host" {
			rest = maps.Clone(set)
			delete(rest, name)
			return &v, rest
		}
	}
	return nil, set
}

// Params gives the names of the path parameters that the values use, sorted,
// so that a caller can check them against its mount's pattern.
func (m *Middleware) Params() []string {
	var names []string
	for _, c := range []*changes{m.request, m.response} {
		if c == nil {
			continue
		}
		for _, f := range slices.Concat(c.set, c.add) {
			for _, v := range f.values {
				names = append(names, v.params()...)
			}
		}
	}
	if m.host != nil {
		names = append(names, m.host.params()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Wrap makes the changes around next. Those of the request are made in the
// request's own header. The hooks that next adds to the answer run before
// those of Wrap, whose values win.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	if m.request == nil && m.response == nil && m.host == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.request != nil {
			m.request.apply(r.Header, r)
		}
		if m.host != nil {
			r.Host = m.host.text(r)
		}
		if m.response == nil {
			next.ServeHTTP(w, r)
			return
		}
		ww := httpwrap.Of(w)
		if m.response.fixed {
			ww.Before(m.response)
		} else {
			c := changesFor.Get(request.From(r.Context()))
			c.changes, c.r = m.response, r
			ww.Before(c)
		}
		next.ServeHTTP(ww, r)
	})
}

// changes are made once for all requests. Their values are shared between
// answers, so that a change of an answer allocates nothing.
type changes struct {
	remove   []string
	set, add []field
	fixed    bool // no value depends on the request
}

type field struct {
	name   string
	values []value
	lines  []string // when no value depends on the request
}

// BeforeHeader serves fixed changes of answers.
func (c *changes) BeforeHeader(_ int, h http.Header) { c.apply(h, nil) }

// forRequest are changes of an answer whose values depend on the request.
type forRequest struct {
	*changes
	r *http.Request
}

var changesFor request.Pool[forRequest]

func (c *forRequest) BeforeHeader(_ int, h http.Header) { c.apply(h, c.r) }

func (c *changes) apply(h http.Header, r *http.Request) {
	for _, name := range c.remove {
		delete(h, name)
	}
	for i := range c.set {
		h[c.set[i].name] = c.set[i].of(r)
	}
	for i := range c.add {
		f := &c.add[i]
		if have := h[f.name]; len(have) == 0 {
			h[f.name] = f.of(r)
		} else {
			h[f.name] = append(slices.Clip(have), f.of(r)...)
		}
	}
}

func (f *field) of(r *http.Request) []string {
	if f.lines != nil {
		return f.lines
	}
	lines := make([]string, len(f.values))
	for i, v := range f.values {
		lines[i] = v.text(r)
	}
	return lines
}

func compile(side string, cfg Changes) (*changes, error) {
	if len(cfg.Remove)+len(cfg.Set)+len(cfg.Add) == 0 {
		return nil, nil
	}
	var errs []error
	c := &changes{fixed: true}
	for i, name := range cfg.Remove {
		key, err := checkName(name)
		if err != nil {
			errs = append(errs, optionError{fmt.Sprintf("%s.remove[%d]", side, i), err})
		}
		c.remove = append(c.remove, key)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Set)) {
		f, err := parseField(name, []string{cfg.Set[name]})
		if err != nil {
			errs = append(errs, optionError{side + ".set." + name, err})
		}
		c.set = append(c.set, f)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Add)) {
		f, err := parseField(name, cfg.Add[name])
		if err != nil {
			errs = append(errs, optionError{side + ".add." + name, err})
		}
		c.add = append(c.add, f)
	}
	for _, f := range slices.Concat(c.set, c.add) {
		c.fixed = c.fixed && f.lines != nil
	}
	return c, errors.Join(errs...)
}

func parseField(name string, texts []string) (field, error) {
	key, err := checkName(name)
	if err != nil {
		return field{}, err
	}
	f := field{name: key}
	fixed := true
	for _, text := range texts {
		v, err := parseValue(text)
		if err != nil {
			return field{}, err
		}
		f.values = append(f.values, v)
		fixed = fixed && len(v.params()) == 0
	}
	if fixed {
		for _, v := range f.values {
			f.lines = append(f.lines, v.text(nil))
		}
		f.lines = slices.Clip(f.lines)
	}
	return f, nil
}

// checkName gives the canonical form of a field's name. Those that frame a
// message or belong to one connection are the server's and the proxy's own.
func checkName(name string) (string, error) {
	if name == "" {
		return "", errors.New("a header name is missing")
	}
	for i := range len(name) {
		if !tokenByte(name[i]) {
			return "", fmt.Errorf("%q is no header name", name)
		}
	}
	key := http.CanonicalHeaderKey(name)
	switch key {
	case "Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return "", fmt.Errorf("%q frames the message and cannot be changed", name)
	case "Host":
		return "", fmt.Errorf("%q can only be set, once, in a request", name)
	}
	return key, nil
}

func tokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

type optionError struct {
	path string
	err  error
}

func (e optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e optionError) Unwrap() error      { return e.err }
func (e optionError) OptionPath() string { return e.path }
