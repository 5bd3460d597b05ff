package builtin

import (
	"errors"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/compose"
)

type headerAuthOptions struct {
	User     string `yaml:"user" doc:"field with the user's name"`
	Groups   string `yaml:"groups" doc:"field with the user's groups, with commas between them"`
	Name     string `yaml:"name" doc:"field with the user's full name"`
	Email    string `yaml:"email" doc:"field with the user's address"`
	Optional bool   `yaml:"optional" doc:"let requests without a user pass, as nobody's"`
}

func headerAuth(env Env) compose.Factory {
	f := compose.Define("believes a proxy in front, which must be among trusted_proxies", headerAuthOptions{User: "Remote-User", Groups: "Remote-Groups", Name: "Remote-Name", Email: "Remote-Email"},
		func(o headerAuthOptions) (compose.Instance, error) {
			h, err := auth.NewHeader(auth.HeaderConfig{User: o.User, Groups: o.Groups, Name: o.Name, Email: o.Email})
			if !env.TrustsProxies {
				err = errors.Join(err, errors.New("nobody would be believed (write trusted_proxies: [10.0.0.7] at the top of the table, with the address of the proxy in front)"))
			}
			if err != nil {
				return compose.Instance{}, err
			}
			return authLayer(h, o.Optional), nil
		})
	f = compose.ReservesFor(f, func(o headerAuthOptions) []string {
		var names []string
		for _, name := range []string{o.User, o.Groups, o.Name, o.Email} {
			if name != "" && isFieldName(name) {
				names = append(names, name)
			}
		}
		return names
	})
	f = f.WithRules(authRules())
	return compose.DescribeFor(f, func(o headerAuthOptions) string { return optionally(o.Optional, "user from "+o.User) })
}

func isFieldName(name string) bool {
	for _, r := range name {
		if r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return name != ""
}
