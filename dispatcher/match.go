package dispatcher

import (
	"fmt"
	"strings"

	"github.com/mountd/mountd/internal/canonical"
)

// Param is a captured segment or label.
type Param struct{ Name, Value string }

// params gives what a matching path and host hold for the captures.
func (m *mount) params(label, path, raw string) []Param {
	list := make([]Param, 0, len(m.captures))
	c := cursor{path: path, raw: raw}
	for _, s := range m.segments {
		if seg, _ := c.next(); s.capture {
			list = append(list, Param{s.text, seg})
		}
	}
	if m.label != "" {
		list = append(list, Param{m.label, label})
	}
	return list
}

// Match tells which mount serves a request, and why.
type Match struct {
	Pattern string // as configured
	Name    string
	Index   int // in [Config.Mounts]

	ScriptName, RawScriptName string // of this dispatcher alone
	Path, RawPath             string // what the mounted handler sees
	Bare                      bool   // see [Bare]
	Params                    []Param

	// Canonical is the whole path after dot segments were resolved, escaped.
	Canonical string

	// Why says in a sentence why it is this mount, or none.
	Why string

	// Err says why the request would be refused.
	Err error
}

// Match tells which mount would serve a request, without serving it. The host
// may have a port; the path is escaped, as in a request target, and has no
// query. It reports false when no mount would, or when the request would be
// refused, which Err tells.
func (d *Dispatcher) Match(host, path string) (Match, bool) {
	p, raw, err := canonical.Parse(path)
	if err != nil {
		return Match{Index: -1, Err: err, Why: err.Error()}, false
	}
	res := Match{Index: -1, Canonical: raw}
	if raw == "" {
		res.Canonical = p
	}
	f, err := d.lookup(host, p, raw)
	switch {
	case err != nil:
		res.Err = err
		res.Why = fmt.Sprintf("%v: not all readings of it belong to %q", err, d.mounts[f.mount].pattern)
		return res, false
	case f.mount < 0:
		res.Why = "no mount matches " + res.Canonical
		return res, false
	}
	m := &d.mounts[f.mount]
	s := split(m, f, p, raw)
	res.Pattern, res.Name, res.Index = m.pattern, m.name, m.index
	res.ScriptName, res.RawScriptName, res.Bare = s.script, s.rawScript, s.bare
	res.Path, res.RawPath = s.path, s.raw
	res.Params = m.params(f.label, p, raw)
	res.Why = d.why(m, host, p, raw)
	return res, true
}

func (d *Dispatcher) why(m *mount, host, path, raw string) string {
	var others []string
	for i := range d.mounts {
		o := &d.mounts[i]
		if o != m && o.matchesPath(cursor{path: path, raw: raw}) && o.matchesHost(host) {
			others = append(others, quote(o.pattern))
		}
	}
	if len(others) == 0 {
		return quote(m.pattern) + " is the only pattern that matches"
	}
	return fmt.Sprintf("%q, with %s and %s, comes before %s",
		m.pattern, m.kind, count(len(m.segments)), strings.Join(others, ", "))
}

func count(segments int) string {
	switch segments {
	case 0:
		return "no path"
	case 1:
		return "one segment"
	}
	return fmt.Sprintf("%d segments", segments)
}

func (m *mount) matchesPath(c cursor) bool {
	for _, s := range m.segments {
		seg, ok := c.next()
		if !ok || s.capture && !clean(seg) || !s.capture && seg != s.text {
			return false
		}
	}
	return !m.exact || c.last()
}

func (m *mount) matchesHost(host string) bool {
	if m.kind == noHost {
		return true
	}
	name, port, err := canonical.Host(host)
	if err != nil {
		return false
	}
	key := m.hostKey()
	if hasPort(key) {
		name += ":" + port
	}
	switch m.kind {
	case labelHost:
		_, name, _ = strings.Cut(name, ".")
		return name == key
	case wildHost:
		return strings.HasSuffix(name, "."+key)
	}
	return name == key
}

// Below reports why no request that mount i gets can reach m in a table nested
// below it: mount i is exact, the hosts exclude each other, or another mount of
// d takes all of m's requests. It returns nil if one can. The error is a
// [*PatternError] about m, with Index -1 and the mount that is in the way as
// Other.
func (d *Dispatcher) Below(i int, m Mount) error {
	outer := &d.mounts[i]
	inner, err := compile(-1, m)
	fail := func(other int, format string, args ...any) error {
		return &PatternError{m.Pattern, -1, other, fmt.Sprintf(format, args...)}
	}
	if err != nil {
		return fail(-1, "%v", err)
	}
	if outer.exact && len(inner.segments) > 0 {
		return fail(i, "no request can reach it below %q, which is exact", outer.pattern)
	}
	host, ok := commonHost(outer, &inner)
	if !ok {
		return fail(i, "no request can reach it: a request for %q has another host", outer.pattern)
	}
	probe := probePath(outer) + probePath(&inner)
	if !inner.exact && !outer.exact {
		probe += "/" + token
	}
	if probe == "" {
		probe = "/"
	}
	if f := d.match(host, probe, ""); int(f.mount) != i && f.mount >= 0 {
		return fail(int(f.mount), "no request can reach it: %q takes all of its requests", d.mounts[f.mount].pattern)
	}
	return nil
}

// token is a segment, and a label, that nobody mounts anything at.
const token = "mountd-probe-4f1c"

// probePath gives a path that the pattern matches and that no literal segment
// of another pattern matches at its captures.
func probePath(m *mount) string {
	var b strings.Builder
	for _, s := range m.segments {
		if b.WriteByte('/'); s.capture {
			b.WriteString(token)
		} else {
			b.WriteString(s.text)
		}
	}
	return b.String()
}

// commonHost gives a host that both patterns match, and no more specific one if
// that can be helped.
func commonHost(a, b *mount) (string, bool) {
	for _, h := range [...]string{probeHost(a), probeHost(b)} {
		for _, port := range [...]string{"", portOf(a), portOf(b)} {
			if host := withPort(h, port); a.matchesHost(host) && b.matchesHost(host) {
				return host, true
			}
		}
	}
	return "", false
}

func probeHost(m *mount) string {
	switch m.kind {
	case noHost:
		return token + ".invalid"
	case exactHost:
		return m.host
	}
	return token + "." + m.suffix
}

func portOf(m *mount) string {
	if key := m.hostKey(); hasPort(key) {
		return key[strings.LastIndexByte(key, ':')+1:]
	}
	return ""
}

func withPort(host, port string) string {
	if port == "" || hasPort(host) {
		return host
	}
	return host + ":" + port
}
