package builtin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mountd/mountd/compose"
)

// IdentityOptions are the value of a mount's identity key: how its application
// is told of the user.
type IdentityOptions struct {
	User   string `yaml:"user" doc:"field with the user's name"`
	Groups string `yaml:"groups" doc:"field with the user's groups"`
	Name   string `yaml:"name" doc:"field with the user's full name"`
	Email  string `yaml:"email" doc:"field with the user's address"`
}

// UnmarshalOption takes one of the known sets by its name.
func (o *IdentityOptions) UnmarshalOption(decode func(any) error) error {
	var word string
	if decode(&word) != nil {
		type plain IdentityOptions
		return decode((*plain)(o))
	}
	switch word {
	case "remote":
		*o = IdentityOptions{"Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email"}
	case "forwarded":
		*o = IdentityOptions{"X-Forwarded-User", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Email"}
	case "none":
		*o = IdentityOptions{}
	default:
		return fmt.Errorf("%q is not known (write remote, forwarded, none or {user: X-User, groups: X-Groups})", word)
	}
	return nil
}

// Identity gives the header names that a mount's identity key reserves: no
// client may send them.
func Identity(d compose.Decoder) ([]string, error) {
	var o IdentityOptions
	if err := d.Decode(&o); err != nil {
		return nil, err
	}
	var names []string
	var errs []error
	for _, f := range []struct{ path, name string }{{"user", o.User}, {"groups", o.Groups}, {"name", o.Name}, {"email", o.Email}} {
		switch {
		case f.name == "":
		case !isFieldName(f.name):
			errs = append(errs, &compose.OptionError{Path: f.path, Err: fmt.Errorf("%s: %q is no header name (letters, digits and - only)", f.path, f.name)})
		default:
			names = append(names, f.name)
		}
	}
	return names, errors.Join(errs...)
}

func isFieldName(name string) bool {
	return strings.IndexFunc(name, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0
}
