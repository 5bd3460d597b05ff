package session

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// DefaultCookieName is the name of the cookie unless it is told otherwise.
const DefaultCookieName = "mountd_session"

const hostPrefix = "__Host-"

// maxCookie is what browsers keep of a cookie's name and value.
const maxCookie = 4096

// Cookie says how a session's cookie looks. It is always HttpOnly. Over HTTPS
// it is Secure, and its name gets "__Host-" before it if Path is / and Domain is
// empty, so that neither other hosts of the domain nor pages without TLS can
// plant one. The zero value is fine.
type Cookie struct {
	// Name of the cookie, without a prefix. Empty: "mountd_session".
	Name string

	// Path below which browsers send it. Empty: "/".
	Path string

	// Domain whose hosts get it. Empty: only the host that set it.
	Domain string

	// SameSite tells which requests of other sites it goes along with. Zero:
	// Lax. None calls for a defence against forged requests; without TLS,
	// where browsers refuse it, the cookie is Lax.
	SameSite http.SameSite

	// Insecure leaves Secure and the prefix out over HTTPS as well, so that the
	// same cookie works over plain HTTP, where anyone on the way can read it.
	Insecure bool

	// Persist lets the cookie outlive the browser, up to the session's
	// lifetime.
	Persist bool
}

// jar reads and writes the cookie.
type jar struct {
	Cookie
	plain, secure string // the name without TLS, and with it
	owns          func(token string) bool
}

func newJar(c Cookie, owns func(string) bool) (*jar, []error) {
	if c.Name == "" {
		c.Name = DefaultCookieName
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.SameSite == 0 {
		c.SameSite = http.SameSiteLaxMode
	}
	j := &jar{Cookie: c, plain: c.Name, secure: c.Name, owns: owns}
	if c.Path == "/" && c.Domain == "" && !c.Insecure {
		j.secure = hostPrefix + c.Name
	}
	return j, c.check()
}

func (c Cookie) check() []error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, &optionError{"cookie." + field, fmt.Errorf(format, args...)})
	}
	lower := strings.ToLower(c.Name)
	switch {
	case strings.HasPrefix(lower, "__host-") || strings.HasPrefix(lower, "__secure-"):
		bad("name", "%q has a prefix (leave it out: __Host- is put before the name where it can be)", c.Name)
	case !isCookieName(c.Name):
		bad("name", "%q is not a cookie's name (write letters, digits, - and _)", c.Name)
	case len(c.Name) > 128:
		bad("name", "%d characters are too many (128 at most)", len(c.Name))
	}
	if c.Path[0] != '/' || strings.ContainsFunc(c.Path, func(r rune) bool { return r <= ' ' || r == ';' || r >= 0x7f }) {
		bad("path", "%q is not a path for a cookie (begin it with /, without blanks and semicolons)", c.Path)
	}
	if c.Domain != "" && !isDomain(c.Domain) {
		bad("domain", "%q is not a domain (write it like example.com)", c.Domain)
	}
	switch {
	case c.SameSite < http.SameSiteDefaultMode || c.SameSite > http.SameSiteNoneMode:
		bad("same_site", "%d is not known", c.SameSite)
	case c.SameSite == http.SameSiteNoneMode && c.Insecure:
		bad("same_site", "none needs a secure cookie (leave insecure out)")
	}
	return errs
}

// isCookieName follows RFC 9110's token.
func isCookieName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

func isDomain(s string) bool {
	s = strings.TrimPrefix(s, ".")
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i] | 0x20; (c < 'a' || c > 'z') && (c < '0' || c > '9') && label[i] != '-' {
				return false
			}
		}
	}
	return true
}

func (j *jar) name(secure bool) string {
	if secure {
		return j.secure
	}
	return j.plain
}

// read gives the token in the request's cookies, "" if there is none, or more
// than one: nobody can tell which of them was planted. Values that are not of
// the store's form belong to someone else, and do not count. Names are taken as
// they are; a cookie without a name has none.
func (j *jar) read(header http.Header, secure bool) string {
	name, token := j.name(secure), ""
	for _, line := range header["Cookie"] {
		for line != "" {
			var part string
			part, line, _ = strings.Cut(line, ";")
			part = strings.TrimPrefix(part, " ")
			if len(part) <= len(name) || part[len(name)] != '=' || part[:len(name)] != name {
				continue
			}
			value := part[len(name)+1:]
			if len(value) > maxCookie || !j.owns(value) {
				continue
			}
			if token != "" {
				return ""
			}
			token = value
		}
	}
	return token
}

// write sets the cookie, or removes it if token is empty.
func (j *jar) write(header http.Header, secure bool, token string, left time.Duration) {
	b := make([]byte, 0, 128+len(token))
	b = append(b, j.name(secure)...)
	b = append(b, '=')
	b = append(b, token...)
	b = append(b, "; Path="...)
	b = append(b, j.Path...)
	if j.Domain != "" {
		b = append(append(b, "; Domain="...), strings.TrimPrefix(j.Domain, ".")...)
	}
	switch {
	case token == "":
		b = append(b, "; Max-Age=0"...)
	case j.Persist:
		b = append(b, "; Max-Age="...)
		b = strconv.AppendInt(b, max(1, int64(left/time.Second)), 10)
	}
	b = append(b, "; HttpOnly"...)
	if secure && !j.Insecure {
		b = append(b, "; Secure"...)
	}
	switch {
	case j.SameSite == http.SameSiteStrictMode:
		b = append(b, "; SameSite=Strict"...)
	case j.SameSite == http.SameSiteNoneMode && secure:
		b = append(b, "; SameSite=None"...)
	case j.SameSite != http.SameSiteDefaultMode:
		b = append(b, "; SameSite=Lax"...)
	}
	j.unset(header, secure)
	header["Set-Cookie"] = append(header["Set-Cookie"], string(b))
	keepFromCaches(header)
}

// unset takes back what was written to the header before.
func (j *jar) unset(header http.Header, secure bool) {
	name, kept := j.name(secure), header["Set-Cookie"][:0:0]
	for _, line := range header["Set-Cookie"] {
		if rest, ok := strings.CutPrefix(line, name+"="); ok {
			if value, _, _ := strings.Cut(rest, ";"); value == "" || j.owns(value) {
				continue
			}
		}
		kept = append(kept, line)
	}
	if len(kept) == 0 {
		delete(header, "Set-Cookie")
		return
	}
	header["Set-Cookie"] = kept
}

// keepFromCaches makes sure that no shared cache keeps an answer that sets the
// cookie. What an application says stays if it does so already.
func keepFromCaches(header http.Header) {
	for _, line := range header["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			switch strings.ToLower(strings.TrimSpace(directive)) {
			case "no-store", "private":
				return
			}
		}
	}
	header["Cache-Control"] = []string{"no-store"}
}

// varyByCookie tells caches that the answer depends on the cookie.
func varyByCookie(header http.Header) {
	for _, line := range header["Vary"] {
		for field := range strings.SplitSeq(line, ",") {
			if field = strings.TrimSpace(field); field == "*" || strings.EqualFold(field, "Cookie") {
				return
			}
		}
	}
	header["Vary"] = append(header["Vary"], "Cookie")
}
