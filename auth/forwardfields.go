package auth

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// The fields that are known to say who a user is, the most usual first.
var (
	userFields  = []string{"Remote-User", "X-Auth-Request-User", "X-Forwarded-User", "X-Authentik-Username", "X-Webauth-User", "X-User", "X-User-Id"}
	groupFields = []string{"Remote-Groups", "X-Auth-Request-Groups", "X-Forwarded-Groups", "X-Authentik-Groups", "X-Webauth-Groups"}
	nameFields  = []string{"Remote-Name", "X-Auth-Request-Preferred-Username", "X-Forwarded-Preferred-Username", "X-Authentik-Name", "X-Webauth-Name"}
	emailFields = []string{"Remote-Email", "X-Auth-Request-Email", "X-Forwarded-Email", "X-Authentik-Email", "X-Webauth-Email"}
)

// identityFields name the fields that say who a user is; empty: none does.
type identityFields struct{ name, groups, full, email string }

// setFields checks the names of the copied fields, and finds those that say who
// the user is.
func (f *Forward) setFields() error {
	var errs []error
	f.secret = map[string]bool{}
	names := make([]string, len(f.cfg.Copy))
	for i, name := range f.cfg.Copy {
		names[i] = http.CanonicalHeaderKey(name)
		f.secret[names[i]] = true
		if err := copyable(name); err != nil {
			errs = append(errs, &optionError{fmt.Sprintf("copy[%d]", i), err})
		}
	}
	f.cfg.Copy = names
	for _, field := range []struct {
		option, given string
		known         []string
		to            *string
	}{
		{"user", f.cfg.User, userFields, &f.fields.name},
		{"groups", f.cfg.Groups, groupFields, &f.fields.groups},
		{"name", f.cfg.Name, nameFields, &f.fields.full},
		{"email", f.cfg.Email, emailFields, &f.fields.email},
	} {
		if field.given != "" {
			*field.to = http.CanonicalHeaderKey(field.given)
			if !f.secret[*field.to] {
				errs = append(errs, &optionError{field.option, fmt.Errorf("%q is not among the fields in copy (add it there)", field.given)})
			}
			continue
		}
		if i := slices.IndexFunc(field.known, func(name string) bool { return f.secret[name] }); i >= 0 {
			*field.to = field.known[i]
		}
	}
	return errors.Join(errs...)
}

// copyable refuses the names of fields that no other service may write.
func copyable(given string) error {
	switch name := http.CanonicalHeaderKey(given); {
	case !plainField(name):
		return fmt.Errorf("%q is no header name (letters, digits and - only)", given)
	case name == "Set-Cookie":
		return errors.New("Set-Cookie goes to the client anyway (leave it out)")
	case isHop(name) || isOfBody(name) || isForwarding(name) && !saysWho(name), name == "Host", name == "Cookie", name == "Location", name == "Via":
		return fmt.Errorf("%q has another meaning in HTTP (write Remote-User, or X-User)", given)
	}
	return nil
}

// forgetClaims removes what the client says in the name of the services that a
// gate has among its methods, before they are asked, and whether they are: known
// says that another method has found the user. Authorization is kept for a
// service that is to see it, and where a method of the gate has taken it for its
// own.
func forgetClaims(r *http.Request, asked []any, known bool) {
	shared := true // the header may be somebody else's
	for _, a := range asked {
		f, ok := a.(*Layer).method.(interface{ claims(name string) bool })
		if !ok {
			continue
		}
		for name := range r.Header {
			canonical := http.CanonicalHeaderKey(name)
			if !f.claims(canonical) || canonical == "Authorization" && (!known || taken(r, asked)) {
				continue
			}
			if shared {
				r.Header, shared = r.Header.Clone(), false
			}
			delete(r.Header, name)
		}
	}
}

// claims reports the fields that only the service may write.
func (f *Forward) claims(name string) bool { return f.secret[name] }

// taken reports whether the Authorization field is of a scheme that one of the
// methods reads.
func taken(r *http.Request, asked []any) bool {
	for _, line := range r.Header["Authorization"] {
		for _, a := range asked {
			if scheme := a.(*Layer).credentials.Scheme; scheme != "" && isScheme(line, scheme) {
				return true
			}
		}
	}
	return false
}

func saysWho(name string) bool {
	for _, known := range [...][]string{userFields, groupFields, nameFields, emailFields} {
		if slices.Contains(known, name) {
			return true
		}
	}
	return false
}

// user gives who the user is, with an empty name where the service does not say
// so.
func (f identityFields) user(h http.Header) (*User, error) {
	u := &User{Method: "forward"}
	for _, field := range []struct {
		name string
		to   *string
	}{{f.name, &u.Name}, {f.full, &u.DisplayName}, {f.email, &u.Email}} {
		values := h[field.name]
		if len(values) == 0 {
			continue
		}
		if len(values) > 1 {
			return nil, fmt.Errorf("%s is there %d times", field.name, len(values))
		}
		if !utf8.ValidString(values[0]) {
			return nil, fmt.Errorf("%s is not UTF-8", field.name)
		}
		*field.to = strings.Trim(values[0], " \t")
	}
	separator := ","
	if f.groups == "X-Authentik-Groups" {
		separator = "|"
	}
	for _, line := range h[f.groups] {
		for group := range strings.SplitSeq(line, separator) {
			if group = strings.Trim(group, " \t"); group != "" && utf8.ValidString(group) {
				u.Groups = append(u.Groups, group)
			}
		}
	}
	return u, nil
}
