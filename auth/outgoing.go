package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mountd/mountd/internal/request"
)

// OutgoingConfig says what an application is told of the user, and which
// credentials it gets. The zero value tells it nothing and keeps from it
// whatever was meant for the gateway.
type OutgoingConfig struct {
	// User, Groups, Name and Email are the header fields that carry the user's
	// name, groups (with commas between them), full name and address. Empty:
	// not told.
	User, Groups, Name, Email string

	// ForwardAuthorization passes Authorization fields on that a method of the
	// gates around has taken for its own; ForwardKey does so with the header
	// fields and query parameters of keys, ForwardSession with our cookies.
	ForwardAuthorization, ForwardKey, ForwardSession bool

	// Cookies knows which cookies are the gateway's. Nil: none is.
	Cookies *Cookies
}

// Outgoing stands right before an application. It tells the application who
// the user is and removes the gateway's credentials. It is safe for concurrent
// use.
//
// What clients say in fields with these names is removed or overwritten.
// Values are UTF-8. Groups and texts that a field can't hold without doubt are
// left out: with control characters, groups with commas or blanks around too.
// [Gate] refuses users with such names.
//
// A request that has met a [Layer] but no [End] is refused: nobody has decided
// about it.
type Outgoing struct {
	cfg    OutgoingConfig
	hidden bool
}

// NewOutgoing makes an Outgoing. Its error names every field that is no header
// name, or whose name HTTP uses itself.
func NewOutgoing(cfg OutgoingConfig) (*Outgoing, error) {
	o := &Outgoing{cfg: cfg}
	var errs []error
	for _, f := range []struct {
		option string
		name   *string
	}{{"user", &o.cfg.User}, {"groups", &o.cfg.Groups}, {"name", &o.cfg.Name}, {"email", &o.cfg.Email}} {
		if *f.name == "" {
			continue
		}
		canonical, err := identityField(*f.name)
		if err != nil {
			errs = append(errs, &optionError{f.option, err})
		}
		*f.name = canonical
	}
	o.hidden = o.cfg.User == "" && o.cfg.Groups == "" && o.cfg.Name == "" && o.cfg.Email == ""
	return o, errors.Join(errs...)
}

// identityField gives the canonical form of a name that may carry an identity.
func identityField(name string) (string, error) {
	for i := range len(name) {
		c := name[i] | 0x20
		if (c < 'a' || c > 'z') && (name[i] < '0' || name[i] > '9') && name[i] != '-' {
			return "", fmt.Errorf("%q is no header name (letters, digits and - only)", name)
		}
	}
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	switch canonical {
	case "Host", "Content-Length", "Content-Type", "Content-Encoding", "Content-Range", "Transfer-Encoding", "Connection", "Keep-Alive",
		"Te", "Trailer", "Upgrade", "Expect", "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "Range", "Cache-Control",
		"Max-Forwards", "Location", "Via", "Forwarded":
		return "", fmt.Errorf("%q has another meaning in HTTP (choose a name of your own, as X-User or X-Key)", name)
	}
	return canonical, nil
}

// Wrap puts the layer before an application.
func (o *Outgoing) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, known := placeOf(r.Context())
		if known && p.undecided() {
			request.Fail(w, r, errors.New("authentication was begun and not decided"))
			return
		}
		if p.rec == nil { // the header may be somebody else's
			clone := *r
			clone.Header = r.Header.Clone()
			r = &clone
			o.forget(r.Header)
		}
		if known {
			if !o.hidden {
				if u, ok := (*p.identity).(*User); ok {
					o.tell(r.Header, u)
				}
			}
			p.trail.Hidden = o.hidden
			r = o.strip(r, p.trail.Asked)
		}
		if !o.cfg.ForwardSession && !o.cfg.Cookies.none() {
			o.cfg.Cookies.strip(r.Header)
		}
		next.ServeHTTP(w, r)
	})
}

func (o *Outgoing) names() [4]string {
	return [4]string{o.cfg.User, o.cfg.Groups, o.cfg.Name, o.cfg.Email}
}

// forget removes what the client says; mountd's front door has done so.
func (o *Outgoing) forget(h http.Header) {
	for _, name := range o.names() {
		if name != "" {
			delete(h, name)
		}
	}
}

func (o *Outgoing) tell(h http.Header, u *User) {
	values := [4]string{u.Name, joinGroups(u.Groups), sayable(u.DisplayName), sayable(u.Email)}
	for i, name := range o.names() {
		switch {
		case name == "":
		case values[i] == "":
			delete(h, name)
		default:
			h[name] = request.HeaderValue(values[i])
		}
	}
}

// sayable gives s, or nothing where a header field can't hold it.
func sayable(s string) string {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
				return ""
			}
			break
		}
	}
	return strings.TrimSpace(s)
}

func joinGroups(groups []string) string {
	if len(groups) == 1 && plainGroup(groups[0]) {
		return groups[0]
	}
	var b strings.Builder
	for _, g := range groups {
		if !plainGroup(g) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(g)
	}
	return b.String()
}

// plainGroup reports whether a list with commas can hold the group: one named
// "staff,admins" must not make an admin.
func plainGroup(g string) bool {
	return g != "" && !strings.Contains(g, ",") && sayable(g) == g
}

// strip removes what the methods have taken for their own.
func (o *Outgoing) strip(r *http.Request, asked []any) *http.Request {
	for _, a := range asked {
		c := &a.(*Layer).credentials
		if c.Scheme != "" && !o.cfg.ForwardAuthorization {
			stripScheme(r.Header, c.Scheme)
		}
		if o.cfg.ForwardKey {
			continue
		}
		if c.Header != "" {
			delete(r.Header, c.Header)
		}
		if c.Query != "" && r.URL.RawQuery != "" {
			r = withoutParameter(r, c.Query)
		}
	}
	return r
}

func stripScheme(h http.Header, scheme string) {
	for _, line := range h["Authorization"] {
		if isScheme(line, scheme) {
			delete(h, "Authorization")
			return
		}
	}
}

// isScheme reports whether an Authorization field is of a scheme.
func isScheme(line, scheme string) bool {
	line = strings.TrimLeft(line, " \t")
	if len(line) < len(scheme) || !strings.EqualFold(line[:len(scheme)], scheme) {
		return false
	}
	return len(line) == len(scheme) || line[len(scheme)] == ' ' || line[len(scheme)] == '\t'
}

// withoutParameter gives r with a query that lacks the parameter; the target as
// the client sent it loses it too.
func withoutParameter(r *http.Request, name string) *http.Request {
	parts := strings.Split(r.URL.RawQuery, "&")
	all := len(parts)
	parts = slices.DeleteFunc(parts, func(part string) bool { return isParameter(part, name) })
	if len(parts) == all {
		return r
	}
	kept := strings.Join(parts, "&")
	clone, u := *r, *r.URL
	u.RawQuery = kept
	clone.URL = &u
	if target, _, ok := strings.Cut(r.RequestURI, "?"); ok {
		clone.RequestURI = target
		if kept != "" {
			clone.RequestURI += "?" + kept
		}
	}
	return &clone
}

func isParameter(part, name string) bool {
	key, _, _ := strings.Cut(part, "=")
	if key == name {
		return true
	}
	decoded, err := url.QueryUnescape(key)
	return err == nil && decoded == name
}

// CGI gives what CGI-style environments call REMOTE_USER and AUTH_TYPE, empty
// where there is no user or the application is not told of one ([Outgoing]).
func CGI(r *http.Request) (remoteUser, authType string) {
	p, ok := placeOf(r.Context())
	if !ok || p.trail.Hidden {
		return "", ""
	}
	u, ok := (*p.identity).(*User)
	if !ok {
		return "", ""
	}
	switch u.Method {
	case "basic":
		return u.Name, "Basic"
	case "bearer":
		return u.Name, "Bearer"
	}
	return u.Name, u.Method
}

// optionError is a mistake in one option.
type optionError struct {
	path string
	err  error
}

func (e *optionError) Error() string { return e.path + ": " + e.err.Error() }

// Unwrap gives the cause.
func (e *optionError) Unwrap() error { return e.err }

// OptionPath names the option.
func (e *optionError) OptionPath() string { return e.path }
