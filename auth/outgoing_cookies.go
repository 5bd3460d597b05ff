package auth

import (
	"net/http"
	"strings"
)

// Cookies tells the gateway's own cookies from others. Its zero value knows
// none. It is complete before the first request is served, and safe for
// concurrent use from then on.
type Cookies struct {
	own []func(name, value string) bool
}

// Add makes cookies for which own gives true the gateway's.
func (c *Cookies) Add(own func(name, value string) bool) { c.own = append(c.own, own) }

func (c *Cookies) none() bool { return c == nil || len(c.own) == 0 }

func (c *Cookies) has(name, value string) bool {
	for _, own := range c.own {
		if own(name, value) {
			return true
		}
	}
	return false
}

// strip removes the gateway's cookies, and nothing else.
func (c *Cookies) strip(h http.Header) {
	lines := h["Cookie"]
	changed := false
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ";") {
			changed = changed || c.owns(part)
		}
	}
	if !changed {
		return
	}
	var kept []string
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ";") {
			if part = strings.Trim(part, " \t"); part != "" && !c.owns(part) {
				kept = append(kept, part)
			}
		}
	}
	delete(h, "Cookie")
	if kept != nil {
		h["Cookie"] = []string{strings.Join(kept, "; ")}
	}
}

func (c *Cookies) owns(part string) bool {
	name, value, ok := strings.Cut(part, "=")
	if !ok {
		return false
	}
	name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	return c.has(name, value)
}
