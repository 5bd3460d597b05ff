package rebase

import (
	"maps"
	"net/http"
	"strings"
)

// toApp holds the fields of requests in which a client names a page of the
// app by its public URL. Origin has no path, and stays.
var toApp = [...]string{
	"Referer", "Destination", "Hx-Current-Url", "Turbo-Referrer",
	"X-Pjax-Url", "Next-Url", "Ping-From", "Ping-To",
}

// inbound gives the request as the app should see it, r itself where nothing
// needs a change. The header is copied before: outer layers still need theirs.
func (x *exchange) inbound(r *http.Request) *http.Request {
	in := r
	set := func(name string, values []string) {
		if in == r {
			in = r.WithContext(r.Context())
			in.Header = maps.Clone(r.Header)
		}
		if len(values) == 0 {
			delete(in.Header, name)
		} else {
			in.Header[name] = values
		}
	}
	if cookies := r.Header["Cookie"]; len(cookies) > 0 {
		if own, changed := x.cookieLines(cookies); changed {
			set("Cookie", own)
		}
	}
	if x.m.Aware() {
		return in
	}
	for _, name := range toApp {
		if values := r.Header[name]; len(values) == 1 {
			if v := x.private(values[0]); v != values[0] {
				set(name, []string{v})
			}
		}
	}
	if values := r.Header["If"]; len(values) == 1 {
		if v := mapTagged(values[0], x.private); v != values[0] {
			set("If", []string{v})
		}
	}
	return in
}

// mapTagged maps the resources of WebDAV's If (RFC 4918 section 10.4): what
// stands in angle brackets, but not in the lists, which hold lock tokens.
func mapTagged(v string, f func(string) string) string {
	e := edit{v: v}
	for i := 0; i < len(v); {
		closer := byte(')')
		switch v[i] {
		case '(':
		case '<':
			closer = '>'
		default:
			i++
			continue
		}
		end := strings.IndexByte(v[i:], closer)
		if end < 0 {
			break
		}
		if closer == '>' {
			e.replace(i+1, i+end, f(v[i+1:i+end]))
		}
		i += end + 1
	}
	return e.String()
}
