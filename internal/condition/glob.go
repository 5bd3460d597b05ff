package condition

import (
	"errors"
	"fmt"
	"strings"
)

// glob is a pattern. A path glob is a list of segments; where "**" stands
// within a segment, it is several such lists, one of which has to match. A
// match takes time proportional to the product of the lengths at worst.
type glob struct {
	any [][]string // alternatives of segments; deep for any number of them
	// tail is how many segments a final "**" takes in at least.
	tail int
	text string // for globs that are no paths
}

const deep = "**"

func compilePath(s string, except bool) (glob, error) {
	if !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, deep) {
		return glob{}, fmt.Errorf("%q does not start with a slash (write %q)", s, "/"+s)
	}
	if strings.Contains(s, "//") {
		return glob{}, fmt.Errorf("%q has two slashes in a row, which no path has here (write one)", s)
	}
	g := glob{}
	if except {
		g.tail = 1
	}
	if s[0] != '/' {
		s = "/" + s
	}
	g.any = [][]string{nil}
	for _, seg := range strings.Split(s[1:], "/") {
		forms := segmentForms(seg)
		if len(g.any)*len(forms) > 16 {
			return glob{}, errors.New(`has too many "**" within segments (write "**" as a segment of its own)`)
		}
		var next [][]string
		for _, head := range g.any {
			for _, form := range forms {
				next = append(next, concat(head, form))
			}
		}
		g.any = next
	}
	return g, nil
}

// concat joins two lists of segments. Several "**" in a row are one.
func concat(head, tail []string) []string {
	list := append([]string(nil), head...)
	for _, s := range tail {
		if n := len(list); s != deep || n == 0 || list[n-1] != deep {
			list = append(list, s)
		}
	}
	return list
}

// segmentForms gives the lists of segments that one with "**" stands for:
// "a**b" is "a*b" or "a*", any number of segments, "*b".
func segmentForms(seg string) [][]string {
	for strings.Contains(seg, "***") {
		seg = strings.ReplaceAll(seg, "***", deep)
	}
	before, after, ok := strings.Cut(seg, deep)
	if !ok || seg == deep {
		return [][]string{{seg}}
	}
	var forms [][]string
	for _, rest := range segmentForms(after) {
		near := append([]string{before + "*" + rest[0]}, rest[1:]...)
		far := append([]string{before + "*", deep, "*" + rest[0]}, rest[1:]...)
		forms = append(forms, near, far)
	}
	return forms
}

func compileText(s string) glob { return glob{text: s} }

func (g *glob) match(s string) bool {
	if g.any == nil {
		return matchText(g.text, s)
	}
	for _, segs := range g.any {
		if matchSegments(segs, s, g.tail) {
			return true
		}
	}
	return false
}

// matchSegments compares a path, which starts with a slash, with a pattern. It
// goes back to the last "**" only: what an earlier one could take in more, the
// last one can as well.
func matchSegments(segs []string, path string, tail int) bool {
	rest, more := path[1:], true // what is left, and whether a segment is
	i, back := 0, -1
	var backRest string
	for {
		switch {
		case i < len(segs) && segs[i] == deep:
			if i == len(segs)-1 {
				return more || tail == 0
			}
			i++
			back, backRest = i, rest
			if !more {
				return false
			}
			continue
		case i < len(segs) && more:
			seg, after, ok := strings.Cut(rest, "/")
			if matchText(segs[i], seg) {
				i++
				rest, more = after, ok
				continue
			}
		case i == len(segs) && !more:
			return true
		}
		if back < 0 {
			return false
		}
		// Let the last "**" take in one segment more.
		_, after, ok := strings.Cut(backRest, "/")
		if !ok {
			return false
		}
		i, rest, more, backRest = back, after, true, after
	}
}

// matchText matches "*" with any text.
func matchText(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
