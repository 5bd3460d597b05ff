package builtin

import (
	"strings"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/option"
)

type requireOptions struct {
	Users  option.Strings            `yaml:"users" doc:"names of users who may pass"`
	Groups option.Strings            `yaml:"groups" doc:"groups whose members may pass"`
	Claims map[string]option.Strings `yaml:"claims" doc:"claims to the values that let pass; a name may be a path: realm_access.roles"`
	Any    bool                      `yaml:"any" doc:"one of the lists suffices; else all that are written must fit"`
}

func requirement() compose.Factory {
	f := compose.Define("lets some of the known users pass: 403 for others", requireOptions{},
		func(o requireOptions) (compose.Instance, error) {
			cfg := auth.RequireConfig{Users: o.Users, Groups: o.Groups, Any: o.Any, Claims: map[string][]string{}, ErrorFunc: errorhandler.Error}
			for name, values := range o.Claims {
				cfg.Claims[name] = values
			}
			q, err := auth.NewRequire(cfg)
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: q.Wrap}, nil
		})
	f = f.WithRules(compose.Rules{Needs: []string{"auth"}})
	return compose.DescribeFor(f, requireOptions.describe)
}

func (o requireOptions) describe() string {
	var parts []string
	if len(o.Users) > 0 {
		parts = append(parts, "users "+strings.Join(o.Users, " "))
	}
	if len(o.Groups) > 0 {
		parts = append(parts, "groups "+strings.Join(o.Groups, " "))
	}
	if len(o.Claims) > 0 {
		parts = append(parts, "claims")
	}
	word := " and "
	if o.Any {
		word = " or "
	}
	if parts == nil {
		return "any known user"
	}
	return strings.Join(parts, word)
}
