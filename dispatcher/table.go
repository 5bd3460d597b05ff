package dispatcher

import (
	"errors"
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/mountd/mountd/internal/canonical"
)

// table finds mounts. The patterns form a tree per host whose edges are whole
// segments; all edges of all trees stand in one hash table, keyed by the node
// they leave and their text.
type table struct {
	mounts []mount
	nodes  []node // 0 is no node
	edges  []edge // open addressing; at most half full
	seed   maphash.Seed
	root   int32 // of the patterns without host; 0: none
	hosts  hosts
}

type node struct {
	mount    int32 // ends here; -1: none
	capture  int32 // the node below any segment; 0: none
	exact    bool  // the mount is
	literals bool  // edges leave this node
}

type edge struct {
	hash uint64
	from int32
	to   int32 // 0: no edge
	text string
}

// hosts finds the roots of the trees by host. A key has the port that its
// pattern names.
type hosts struct {
	used               bool
	ports              bool // some pattern names one
	exact, label, wild map[string]int32
}

// found is a mount and how much of the path it takes.
type found struct {
	mount int32 // -1: none
	depth int   // number of segments
	path  int   // end of the prefix in the decoded path
	raw   int   // and in the escaped one
	label string
}

func (t *table) build(list []Mount) error {
	t.seed = maphash.MakeSeed()
	t.nodes = make([]node, 1, 2*len(list)+2)
	t.hosts = hosts{exact: map[string]int32{}, label: map[string]int32{}, wild: map[string]int32{}}
	var errs []error
	first := make(map[string]int, len(list))
	segments := 0
	for i, cfg := range list {
		m, err := compile(i, cfg)
		if err != nil {
			errs = append(errs, &PatternError{cfg.Pattern, i, -1, err.Error()})
			continue
		}
		if cfg.Handler == nil {
			errs = append(errs, &PatternError{cfg.Pattern, i, -1, "has no handler"})
		}
		shape := m.shape()
		if other, ok := first[shape]; ok {
			errs = append(errs, &PatternError{cfg.Pattern, i, other, clash(cfg.Pattern, list[other].Pattern)})
			continue
		}
		first[shape] = i
		segments += len(m.segments)
		t.mounts = append(t.mounts, m)
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	t.edges = make([]edge, tableSize(segments))
	for i := range t.mounts {
		t.insert(int32(i))
	}
	return nil
}

func clash(pattern, other string) string {
	if pattern == other {
		return "is mounted twice (keep one of the two)"
	}
	return fmt.Sprintf("matches the same requests as %q (keep one of the two)", other)
}

// tableSize gives a power of two of which n is at most half.
func tableSize(n int) int {
	size := 8
	for size < 2*n {
		size *= 2
	}
	return size
}

func (t *table) insert(i int32) {
	m := &t.mounts[i]
	n := t.rootOf(m)
	for _, s := range m.segments {
		if s.capture {
			if t.nodes[n].capture == 0 {
				t.nodes[n].capture = t.newNode()
			}
			n = t.nodes[n].capture
			continue
		}
		to, slot := t.child(n, s.text)
		if to == 0 {
			to = t.newNode()
			t.edges[slot] = edge{hash: t.hash(n, s.text), from: n, to: to, text: s.text}
			t.nodes[n].literals = true
		}
		n = to
	}
	t.nodes[n].mount, t.nodes[n].exact = i, m.exact
}

func (t *table) newNode() int32 {
	t.nodes = append(t.nodes, node{mount: -1})
	return int32(len(t.nodes) - 1)
}

func (t *table) rootOf(m *mount) int32 {
	roots := map[hostKind]map[string]int32{exactHost: t.hosts.exact, labelHost: t.hosts.label, wildHost: t.hosts.wild}[m.kind]
	if roots == nil {
		if t.root == 0 {
			t.root = t.newNode()
		}
		return t.root
	}
	key := m.hostKey()
	t.hosts.used = true
	t.hosts.ports = t.hosts.ports || hasPort(key)
	if roots[key] == 0 {
		roots[key] = t.newNode()
	}
	return roots[key]
}

func hasPort(host string) bool {
	return strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']')
}

func (t *table) hash(from int32, text string) uint64 {
	return maphash.String(t.seed, text) ^ uint64(from)*0x9e3779b97f4a7c15
}

// child gives the node at the end of an edge, or 0 and the slot for it.
func (t *table) child(from int32, text string) (to int32, slot uint64) {
	h := t.hash(from, text)
	mask := uint64(len(t.edges) - 1)
	for slot = h & mask; ; slot = (slot + 1) & mask {
		e := &t.edges[slot]
		if e.to == 0 || e.hash == h && e.from == from && e.text == text {
			return e.to, slot
		}
	}
}

// cursor walks over the segments of a path, in both of its forms.
type cursor struct {
	path, raw string // raw is empty for ordinary paths
	p, r      int    // where the next segment starts, its slash included
}

// next gives the next segment, decoded. Slashes before it are skipped, whatever
// their number.
func (c *cursor) next() (seg string, ok bool) {
	if c.raw != "" {
		return c.nextRaw()
	}
	i := c.p
	for i < len(c.path) && c.path[i] == '/' {
		i++
	}
	if i == len(c.path) {
		return "", false
	}
	end := i + 1
	for end < len(c.path) && c.path[end] != '/' {
		end++
	}
	c.p = end
	return c.path[i:end], true
}

func (c *cursor) nextRaw() (seg string, ok bool) {
	r, p := c.r, c.p
	for r < len(c.raw) && c.raw[r] == '/' {
		r++
		p++
	}
	if r == len(c.raw) {
		return "", false
	}
	start := p
	for r < len(c.raw) && c.raw[r] != '/' {
		if c.raw[r] == '%' {
			r += 2
		}
		r++
		p++
	}
	c.r, c.p = r, p
	return c.path[start:p], true
}

// last reports whether no segment follows.
func (c cursor) last() bool {
	_, ok := c.next()
	return !ok
}

// clean reports whether seg may be captured.
func clean(seg string) bool {
	for i := range len(seg) {
		if c := seg[i]; c == '/' || c == '\\' || c == 0 {
			return false
		}
	}
	return seg != "." && seg != ".."
}

// find looks for the longest match below node n. At equal lengths the first
// found stays, which has literals where others have captures.
func (t *table) find(n int32, c cursor, depth int, best *found) {
	for {
		at := &t.nodes[n]
		if at.mount >= 0 && depth > best.depth && (!at.exact || c.last()) {
			best.mount, best.depth, best.path, best.raw = at.mount, depth, c.p, c.r
		}
		if !at.literals && at.capture == 0 {
			return
		}
		seg, ok := c.next()
		if !ok {
			return
		}
		depth++
		var to int32
		if at.literals {
			to, _ = t.child(n, seg)
		}
		switch {
		case at.capture == 0 || !clean(seg):
			if n = to; n == 0 {
				return
			}
		default:
			if to != 0 {
				t.find(to, c, depth, best)
			}
			n = at.capture
		}
	}
}

// under looks below one root.
func (t *table) under(root int32, path, raw string) found {
	best := found{mount: -1, depth: -1}
	switch {
	case root == 0:
	case raw == "":
		t.walk(root, path, &best)
	default:
		t.find(root, cursor{path: path, raw: raw}, 0, &best)
	}
	return best
}

// walk is find for ordinary paths, as fast as can be while there is one way to
// go.
func (t *table) walk(n int32, path string, best *found) {
	for i, depth := 0, 0; ; depth++ {
		at := &t.nodes[n]
		if at.capture != 0 || at.exact {
			t.find(n, cursor{path: path, p: i}, depth, best)
			return
		}
		if at.mount >= 0 {
			best.mount, best.depth, best.path = at.mount, depth, i
		}
		if !at.literals {
			return
		}
		for i < len(path) && path[i] == '/' {
			i++
		}
		if i == len(path) {
			return
		}
		start := i
		for i < len(path) && path[i] != '/' {
			i++
		}
		if n, _ = t.child(n, path[start:i]); n == 0 {
			return
		}
	}
}

// match finds the mount for a host and a canonical path.
func (t *table) match(host, path, raw string) found {
	if t.hosts.used && host != "" {
		// Most hosts are written as their patterns are: no need to parse them.
		if name, _, _ := strings.Cut(host, ":"); !t.hosts.ports {
			if f := t.under(t.hosts.exact[name], path, raw); f.mount >= 0 {
				return f
			}
		}
		if name, port, err := canonical.Host(host); err == nil {
			if f := t.matchHost(name, port, path, raw); f.mount >= 0 {
				return f
			}
		}
	}
	return t.under(t.root, path, raw)
}

func (t *table) matchHost(name, port, path, raw string) found {
	if f := t.try(t.hosts.exact, name, port, path, raw); f.mount >= 0 {
		return f
	}
	_, suffix, ok := strings.Cut(name, ".")
	if ok && name[0] != '[' {
		if f := t.try(t.hosts.label, suffix, port, path, raw); f.mount >= 0 {
			f.label = name[:len(name)-len(suffix)-1]
			return f
		}
		for ok && len(t.hosts.wild) > 0 {
			if f := t.try(t.hosts.wild, suffix, port, path, raw); f.mount >= 0 {
				return f
			}
			_, suffix, ok = strings.Cut(suffix, ".")
		}
	}
	return found{mount: -1}
}

// try looks below the roots of one host, first the one with the port.
func (t *table) try(roots map[string]int32, name, port, path, raw string) found {
	if t.hosts.ports && port != "" {
		var buf [264]byte
		key := append(append(append(buf[:0], name...), ':'), port...)
		if f := t.under(roots[string(key)], path, raw); f.mount >= 0 {
			return f
		}
	}
	if len(roots) == 0 {
		return found{mount: -1}
	}
	return t.under(roots[name], path, raw)
}

// lookup is match for paths that may have several readings: the error says
// that they would go to different mounts.
func (t *table) lookup(host, path, raw string) (found, error) {
	f := t.match(host, path, raw)
	if raw == "" || f.mount < 0 || !canonical.Suspicious(raw) {
		return f, nil
	}
	return f, t.checkReadings(host, raw, f.mount)
}

func (t *table) checkReadings(host, raw string, mount int32) error {
	readings, err := canonical.Readings(raw)
	if err != nil {
		return err
	}
	for p, kind := range readings {
		if kind != canonical.AsIs && t.match(host, p, "").mount != mount {
			return canonical.ErrAmbiguous
		}
	}
	return nil
}

// parts are the two parts of a path.
type parts struct {
	script, rawScript string
	path, raw         string
	bare              bool
}

func split(m *mount, f found, path, raw string) (s parts) {
	s.script = m.prefix
	if len(m.captures) > 0 {
		s.script = canonical.Merge(path[:f.path])
	}
	s.rawScript = s.script
	if raw != "" {
		s.rawScript = canonical.Merge(raw[:f.raw])
		path, raw = oneSlash(path[f.path:], raw[f.raw:])
	} else {
		_, path = oneSlash("", path[f.path:])
	}
	if s.path, s.raw = path, raw; path == "" {
		s.path, s.raw, s.bare = "/", "", true
	}
	return s
}

// oneSlash leaves one of the leading slashes of raw, and takes as many off
// path.
func oneSlash(path, raw string) (string, string) {
	n := 0
	for n+1 < len(raw) && raw[n] == '/' && raw[n+1] == '/' {
		n++
	}
	if path == "" {
		return "", raw[n:]
	}
	return path[n:], raw[n:]
}
