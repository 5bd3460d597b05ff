package rebase

import (
	"net/http"
	"slices"
	"strings"
)

const (
	hostPrefix   = "__Host-"
	securePrefix = "__Secure-"
	httpPrefix   = "__Http-"

	// spaceMark begins the part of a cookie's name that tells whose it is. It
	// goes on with the mount's prefix, slashes as bars, and ends in spaceEnd.
	spaceMark = "~|"
	spaceEnd  = "~"

	// maxExpired bounds the cookies that one Clear-Site-Data expires.
	maxExpired = 50
)

// setCookies maps the lines of Set-Cookie that the app has added: the first
// ones were there before it.
func (x *exchange) setCookies(lines []string) []string {
	if x.m.cookies == CookiesOff {
		return lines
	}
	first := x.foreign
	if first > len(lines) {
		first = 0
	}
	copied := false
	for i := first; i < len(lines); i++ {
		mapped := x.setCookie(lines[i])
		if mapped == lines[i] {
			continue
		}
		if !copied {
			lines, copied = append([]string(nil), lines...), true
		}
		lines[i] = mapped
	}
	return lines
}

// setCookie maps one line. RFC 6265 section 5.2 is how browsers read it.
func (x *exchange) setCookie(line string) string {
	pair, attributes, _ := strings.Cut(line, ";")
	name, _, named := strings.Cut(pair, "=")
	e := edit{v: line}
	trimmed := strings.TrimSpace(name)
	if travel := x.travelName(trimmed); named && travel != trimmed {
		e.replace(0, len(name), travel)
	}
	hasPath := false
	for at := len(pair) + 1; at <= len(line) && attributes != ""; {
		attribute, rest, _ := strings.Cut(attributes, ";")
		hasPath = x.attribute(&e, at, attribute) || hasPath
		at += len(attribute) + 1
		attributes = rest
	}
	if !hasPath && x.bare() {
		return strings.TrimRight(e.String(), "; \t") + "; Path=" + x.prefix
	}
	return e.String()
}

// attribute maps one attribute, which begins at at, and reports whether it
// was a path.
func (x *exchange) attribute(e *edit, at int, attribute string) bool {
	name, value, _ := strings.Cut(attribute, "=")
	start := at + len(name) + 1
	trimmed := strings.TrimSpace(value)
	switch name = strings.TrimSpace(name); {
	case strings.EqualFold(name, "Path"):
		if !strings.HasPrefix(trimmed, "/") {
			return false // browsers use the default path
		}
		e.replace(start, start+len(value), x.cookiePath(trimmed))
		return true
	case strings.EqualFold(name, "Domain") && trimmed != "" && !domainMatch(x.host, trimmed):
		e.replace(at-1, at+len(attribute), "")
	}
	return false
}

// cookiePath maps a cookie's path. The root becomes the prefix without a final
// slash, so that the bare prefix gets the cookie too.
func (x *exchange) cookiePath(p string) string {
	if x.prefix == "" {
		return p
	}
	if _, ok := cut(p, x.prefix); ok {
		return p
	}
	if rest, ok := cut(p, x.base); ok && x.base != "" {
		p = rest
	}
	if p == "/" || p == "" {
		return x.prefix
	}
	return x.prefix + p
}

// domainMatch is RFC 6265 section 5.1.3 for the public host.
func domainMatch(host, domain string) bool {
	host, _ = splitPort(host)
	domain = strings.TrimPrefix(domain, ".")
	if strings.EqualFold(host, domain) {
		return true
	}
	cutAt := len(host) - len(domain)
	return cutAt > 0 && host[cutAt-1] == '.' && strings.EqualFold(host[cutAt:], domain)
}

// travelName gives the name under which the app's cookie travels.
func (x *exchange) travelName(name string) string {
	if x.prefix == "" || name == "" {
		return name
	}
	hosts := foldPrefix(name, hostPrefix)
	if !hosts && x.m.cookies != CookiesNamespace {
		return name
	}
	space := x.cookieSpace()
	if strings.HasPrefix(strings.TrimPrefix(name, securePrefix), space) {
		return name
	}
	if hosts || foldPrefix(name, securePrefix) || foldPrefix(name, httpPrefix) {
		return securePrefix + space + name
	}
	return space + name
}

// ownName undoes travelName. A cookie of another mount's space is not ours.
func (x *exchange) ownName(name string) (own string, spaced, ours bool) {
	marked := strings.TrimPrefix(name, securePrefix)
	if !strings.HasPrefix(marked, spaceMark) {
		return name, false, true
	}
	own, ours = strings.CutPrefix(marked, x.cookieSpace())
	return own, true, ours
}

// cookieSpace spells the prefix with the bytes that a cookie's name may have.
func (x *exchange) cookieSpace() string {
	if x.space != "" {
		return x.space
	}
	const hex = "0123456789ABCDEF"
	b := append(make([]byte, 0, len(x.prefix)+8), spaceMark...)
	for i := 1; i < len(x.prefix); i++ {
		switch c := x.prefix[i]; {
		case c == '/':
			b = append(b, '|')
		case isTokenByte(c) && c != '|' && c != '~':
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	x.space = string(append(b, spaceEnd...))
	return x.space
}

func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func foldPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// cookieLines gives the request's cookies as the app knows them, and whether
// that differs from lines.
func (x *exchange) cookieLines(lines []string) ([]string, bool) {
	if x.m.cookies == CookiesOff || !marked(lines) {
		return lines, false
	}
	own := map[string]bool{}
	eachCookie(lines, func(_ int, pair string) {
		name, _, _ := strings.Cut(pair, "=")
		if name, spaced, ours := x.ownName(name); spaced && ours {
			own[name] = true
		}
	})
	out := make([]string, len(lines))
	eachCookie(lines, func(i int, pair string) {
		name, value, hasValue := strings.Cut(pair, "=")
		name, spaced, ours := x.ownName(name)
		if !ours || !spaced && own[name] {
			return // another mount's
		}
		if out[i] != "" {
			out[i] += "; "
		}
		out[i] += name
		if hasValue {
			out[i] += "=" + value
		}
	})
	kept := out[:0]
	for _, line := range out {
		if line != "" {
			kept = append(kept, line)
		}
	}
	return kept, true
}

func marked(lines []string) bool {
	for _, line := range lines {
		if strings.Contains(line, spaceMark) {
			return true
		}
	}
	return false
}

func eachCookie(lines []string, f func(line int, pair string)) {
	for i, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			if pair = strings.TrimSpace(pair); pair != "" {
				f(i, pair)
			}
		}
	}
}

// expireCookies stands in for the part of Clear-Site-Data that would delete
// the cookies of every mount.
func (x *exchange) expireCookies(h http.Header) {
	n := 0
	eachCookie(x.cookies, func(_ int, pair string) {
		name, _, _ := strings.Cut(pair, "=")
		if _, _, ours := x.ownName(name); !ours || n == maxExpired || foldPrefix(name, hostPrefix) {
			return
		}
		n++
		line := name + "=; Path=" + x.prefix + "; Max-Age=0"
		if foldPrefix(name, "__") {
			line += "; Secure"
		}
		h["Set-Cookie"] = append(slices.Clip(h["Set-Cookie"]), line)
	})
}
