package shareddata

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// A glob is a pattern of paths below an export.
type glob struct {
	segments []string // "**" stands for any number of segments
	anchored bool     // compared with whole paths, not with single components
}

func newGlob(pattern string) (glob, error) {
	p := strings.TrimSuffix(pattern, "/")
	g := glob{anchored: strings.Contains(p, "/") || p == "**"}
	p = strings.TrimPrefix(p, "/")
	if p == "" {
		return g, errors.New("the glob is empty")
	}
	g.segments = strings.Split(p, "/")
	for _, segment := range g.segments {
		if segment == "" {
			return g, fmt.Errorf("glob %q has an empty segment", pattern)
		}
		if _, err := path.Match(segment, ""); err != nil {
			return g, fmt.Errorf("glob %q is malformed: a bracket is not closed, or a backslash ends it", pattern)
		}
	}
	return g, nil
}

// matchAny reports whether g matches a component of name, or for anchored
// globs name or a directory on the way to it.
func (g glob) matchAny(name []string) bool {
	if g.anchored {
		for i := range name {
			if g.match(name[:i+1]) {
				return true
			}
		}
		return false
	}
	for _, component := range name {
		if matchSegment(g.segments[0], component) {
			return true
		}
	}
	return false
}

// matchFile reports whether g matches the file: its whole path for anchored
// globs, its base name for others.
func (g glob) matchFile(name []string) bool {
	if g.anchored {
		return g.match(name)
	}
	return matchSegment(g.segments[0], name[len(name)-1])
}

// match compares greedily and goes back to the last "**" only, so its cost is
// bounded by the product of the lengths.
func (g glob) match(name []string) bool {
	p, n := 0, 0
	star, from := -1, 0
	for n < len(name) {
		switch {
		case p < len(g.segments) && g.segments[p] == "**":
			star, from = p, n
			p++
		case p < len(g.segments) && matchSegment(g.segments[p], name[n]):
			p++
			n++
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	for p < len(g.segments) && g.segments[p] == "**" {
		p++
	}
	return p == len(g.segments)
}

func matchSegment(pattern, segment string) bool {
	ok, _ := path.Match(pattern, segment)
	return ok
}

// disallowed reports whether a path below the export must not be served.
func (s *site) disallowed(name []string) bool {
	if len(s.disallow) == 0 {
		return false
	}
	folded := make([]string, len(name))
	visible := make([]string, 0, len(name))
	for i, component := range name {
		folded[i] = strings.ToLower(component)
		if component != ".well-known" {
			visible = append(visible, folded[i])
		}
	}
	for _, g := range s.disallow {
		against := folded
		if !g.anchored && g.segments[0] == ".*" {
			against = visible
		}
		if g.matchAny(against) {
			return true
		}
	}
	return false
}

func (s *site) isImmutable(name string) bool {
	if len(s.immutable) == 0 {
		return false
	}
	components := strings.Split(name, "/")
	for _, g := range s.immutable {
		if g.matchFile(components) {
			return true
		}
	}
	return false
}
