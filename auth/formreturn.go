package auth

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/mountd/mountd/internal/canonical"
	"github.com/mountd/mountd/internal/request"
)

// maxReturn bounds the address to return to. Longer ones lose their query, or
// lead to the start page.
const maxReturn = 2048

// returnTo gives to if it is an address of this site, and "/" if it is not. An
// address is taken as browsers read it: they take "\" for "/", "//" for the
// start of a host, and leave control characters out.
func returnTo(to string) string {
	if len(to) == 0 || len(to) > maxReturn || to[0] != '/' {
		return "/"
	}
	if len(to) > 1 && (to[1] == '/' || to[1] == '\\') {
		return "/"
	}
	escape := 0
	for i := range len(to) {
		switch c := to[i]; {
		case c < ' ' || c == 0x7f || c == '\\':
			return "/"
		case unsafeInURL(c):
			escape++
		}
	}
	if escape == 0 {
		return to
	}
	var b strings.Builder
	for i := range len(to) {
		if c := to[i]; unsafeInURL(c) {
			b.WriteByte('%')
			b.WriteByte("0123456789ABCDEF"[c>>4])
			b.WriteByte("0123456789ABCDEF"[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func unsafeInURL(c byte) bool { return c == ' ' || c == '"' || c == '<' || c == '>' || c >= 0x80 }

// addressOf gives path and query of r as its client sees them.
func addressOf(r *http.Request) string {
	path, query, err := askedFor(r)
	if err != nil {
		return "/"
	}
	path = "/" + strings.TrimLeft(path, "/") // "//" would name a host
	switch {
	case len(path) > maxReturn:
		return "/"
	case query == "" || len(path)+1+len(query) > maxReturn:
		return path
	}
	return path + "?" + query
}

// askedFor gives the escaped canonical path and the query that the client asked
// for, before any mount took a prefix off or a layer changed them.
func askedFor(r *http.Request) (path, query string, err error) {
	target, query, found := strings.Cut(r.RequestURI, "?")
	if !found && r.RequestURI == "" { // made by a program
		query = r.URL.RawQuery
	}
	u := url.URL{}
	switch rec := request.From(r.Context()); {
	case rec != nil && rec.Path != "":
		u.Path, u.RawPath = rec.Path, rec.RawPath
	case strings.HasPrefix(target, "/"):
		u.Path, u.RawPath, err = canonical.Parse(target)
	default:
		u.Path, u.RawPath, err = canonical.Of(r.URL)
	}
	path = u.EscapedPath()
	if rec := request.From(r.Context()); rec != nil {
		path = strings.TrimRight(rec.Prefix, "/") + path
	}
	return path, query, err
}
