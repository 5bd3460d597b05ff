package rebase

import (
	"net/http"
	"strings"
)

// A form is how a header field holds its URLs.
type form uint8

const (
	none      form = iota
	single         // one URL
	list           // URLs between spaces
	link           // RFC 8288
	refresh        // seconds; url=URL
	quoted         // structured field: URLs are its strings
	hxContext      // a URL, or a JSON object with a path
	reportTo       // JSON objects with url members
	policy         // Content-Security-Policy
	siteData       // Clear-Site-Data
	setCookie      // Set-Cookie
)

// formOf knows the fields of answers that hold URLs, paths or cookies. Names
// are in Go's canonical spelling.
func formOf(name string) form {
	switch name {
	case "Location", "Content-Location", "Service-Worker-Allowed",
		"Sourcemap", "X-Sourcemap", "X-Pingback",
		"Hx-Push-Url", "Hx-Redirect", "Hx-Replace-Url",
		"Turbolinks-Location", "X-Inertia-Location", "X-Inertia-Redirect",
		"X-Up-Location", "X-Pjax-Url", "Ajax-Location",
		"X-Nextjs-Redirect", "X-Nextjs-Rewrite", "X-Nextjs-Matched-Path", "X-Nextjs-Rewritten-Path",
		"X-Middleware-Rewrite", "X-Middleware-Redirect", "X-Action-Redirect",
		"X-Remix-Redirect":
		return single
	case "Set-Cookie":
		return setCookie
	case "Link":
		return link
	case "Refresh":
		return refresh
	case "Hx-Location":
		return hxContext
	case "X-Up-Expire-Cache", "X-Up-Evict-Cache":
		return list
	case "Reporting-Endpoints", "Speculation-Rules":
		return quoted
	case "Report-To":
		return reportTo
	case "Content-Security-Policy", "Content-Security-Policy-Report-Only":
		return policy
	case "Clear-Site-Data":
		return siteData
	}
	return none
}

// header maps the header of an answer. Values are replaced, never changed in
// place: the app may share them between answers.
func (x *exchange) header(h http.Header) {
	cleared := false
	for name, values := range h {
		switch f := formOf(name); f {
		case none:
		case setCookie:
			h[name] = x.setCookies(values)
		case siteData:
			if x.prefix == "" {
				continue
			}
			var c bool
			if values, c = clearSiteData(values); len(values) == 0 {
				delete(h, name)
			} else {
				h[name] = values
			}
			cleared = cleared || c
		default:
			h[name] = x.values(values, f)
		}
	}
	if cleared {
		x.expireCookies(h)
	}
}

// values maps each value, into a new slice when one of them changes.
func (s *site) values(values []string, f form) []string {
	copied := false
	for i, v := range values {
		mapped := s.value(v, f)
		if mapped == v {
			continue
		}
		if !copied {
			values, copied = append([]string(nil), values...), true
		}
		values[i] = mapped
	}
	return values
}

func (s *site) value(v string, f form) string {
	switch f {
	case single:
		return s.public(v)
	case list:
		return mapFields(v, isSpace, s.public)
	case link:
		return s.link(v)
	case refresh:
		return s.refresh(v)
	case quoted:
		return mapQuoted(v, s.public)
	case hxContext:
		if strings.HasPrefix(strings.TrimLeft(v, " \t"), "{") {
			return mapJSON(v, isHXPath, s.public)
		}
		return s.public(v)
	case reportTo:
		return mapJSON(v, isReportURL, s.public)
	case policy:
		return s.policy(v)
	}
	return v
}

// htmx reads a path to load and paths to show in the address bar.
func isHXPath(depth int, key string) bool {
	return depth == 1 && (key == "path" || key == "push" || key == "replace")
}

func isReportURL(_ int, key string) bool { return key == "url" }

// refresh maps the URL of "7; url=/x" in all the spellings that browsers take.
func (s *site) refresh(v string) string {
	i := strings.IndexAny(v, ";, ")
	if i < 0 {
		return v
	}
	for i < len(v) && (isSpace(v[i]) || v[i] == ';' || v[i] == ',') {
		i++
	}
	if len(v) >= i+3 && strings.EqualFold(v[i:i+3], "url") {
		j := skipSpace(v, i+3)
		if j < len(v) && v[j] == '=' {
			i = skipSpace(v, j+1)
		}
	}
	end := len(v)
	if i < end && (v[i] == '"' || v[i] == '\'') {
		quote := v[i]
		i++
		if j := strings.IndexByte(v[i:], quote); j >= 0 {
			end = i + j
		}
	}
	return splice(v, i, end, s.public(v[i:end]))
}

// policy maps the sources with a path, and the report addresses, of a Content
// Security Policy.
func (s *site) policy(v string) string {
	reports, first := false, true
	return mapFields(v, isPolicySpace, func(token string) string {
		switch {
		case token == ";" || token == ",":
			first = true
		case first:
			reports, first = strings.EqualFold(token, "report-uri"), false
		case reports:
			return s.public(token)
		default:
			return s.source(token)
		}
		return token
	})
}

func isPolicySpace(c byte) bool { return isSpace(c) || c == ';' || c == ',' }

// source maps one source expression: a URL or a host, whose path matters only
// where there is one.
func (s *site) source(token string) string {
	if token[0] == '\'' || token == "*" || strings.HasSuffix(token, ":") {
		return token
	}
	scheme := ""
	rest := token
	if i := strings.Index(token, "://"); i >= 0 {
		scheme, rest = token[:i+1], token[i+3:]
	}
	host, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if s.host == "" || host == "" || path == "" && sameHost(host, s.host) {
		return token
	}
	if path != "" {
		mapped := s.public(scheme + "//" + host + path)
		if scheme == "" {
			return strings.TrimPrefix(mapped, "//")
		}
		return mapped
	}
	if _, ok := s.upstream(host); !ok {
		return token
	}
	if scheme == "" {
		return s.host
	}
	return s.publicScheme(strings.TrimSuffix(scheme, ":")) + "//" + s.host
}

// clearSiteData drops what would reach beyond the mount: storage and contexts
// are the whole origin's. Cookies are told apart and reported.
func clearSiteData(values []string) (kept []string, cookies bool) {
	for _, v := range values {
		var types []string
		for _, t := range strings.Split(v, ",") {
			t = strings.TrimSpace(t)
			switch strings.ToLower(t) {
			case "", `"storage"`, `"executioncontexts"`:
			case `"cookies"`:
				cookies = true
			case `"*"`:
				cookies = true
				types = append(types, `"cache"`)
			default:
				types = append(types, t)
			}
		}
		if len(types) > 0 {
			kept = append(kept, strings.Join(types, ", "))
		}
	}
	return kept, cookies
}
