package builtin

import (
	"fmt"
	"slices"

	"github.com/justinas/alice"

	"github.com/mountd/mountd/auth"
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
		*o = remoteIdentity()
	case "forwarded":
		*o = IdentityOptions{"X-Forwarded-User", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Email"}
	case "none":
		*o = IdentityOptions{}
	default:
		return fmt.Errorf("%q is not known (write remote, forwarded, none or {user: X-User, groups: X-Groups})", word)
	}
	return nil
}

func remoteIdentity() IdentityOptions {
	return IdentityOptions{"Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email"}
}

// Outgoing makes what stands right before the applications of one table. It is
// complete when the table is built.
type Outgoing struct {
	cookies auth.Cookies
	known   map[any]bool
}

// NewOutgoing makes an Outgoing for one build of a table.
func NewOutgoing() *Outgoing { return &Outgoing{known: map[any]bool{}} }

// Built looks for what an instance offers: whose cookies no application gets.
func (o *Outgoing) Built(_ compose.Layer, in compose.Instance) {
	own, ok := in.Offers.(interface{ OwnCookie(name, value string) bool })
	if ok && !o.known[in.Offers] {
		o.known[in.Offers] = true
		o.cookies.Add(own.OwnCookie)
	}
}

// Identity makes the layer out of a mount's identity and forward_credentials
// keys; nil stands for one that is not written. It gives the header names that
// no client may send, too.
func (o *Outgoing) Identity(identity, forward compose.Decoder) (wrap alice.Constructor, headers []string, err error) {
	names := remoteIdentity()
	if identity != nil {
		names = IdentityOptions{}
		if err := identity.Decode(&names); err != nil {
			return nil, nil, err
		}
	}
	cfg := auth.OutgoingConfig{User: names.User, Groups: names.Groups, Name: names.Name, Email: names.Email, Cookies: &o.cookies}
	if forward != nil {
		var f credentialOptions
		_ = forward.Decode(&f) // mistakes are reported with the mount's other keys
		cfg.ForwardAuthorization, cfg.ForwardSession, cfg.ForwardKey = f.has("authorization"), f.has("session"), f.has("key")
	}
	out, err := auth.NewOutgoing(cfg)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range []string{names.User, names.Groups, names.Name, names.Email} {
		if name != "" {
			headers = append(headers, name)
		}
	}
	return out.Wrap, headers, nil
}

// credentialOptions are the value of forward_credentials: true, or a list of
// kinds.
type credentialOptions struct {
	all   bool
	kinds []string
}

// UnmarshalOption reads either form.
func (o *credentialOptions) UnmarshalOption(decode func(any) error) error {
	if isList(decode) {
		return decode(&o.kinds)
	}
	return decode(&o.all)
}

func (o credentialOptions) has(kind string) bool { return o.all || slices.Contains(o.kinds, kind) }
