package builtin

import (
	"errors"
	"time"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/option"
)

type basicOptions struct {
	Users    userList                  `yaml:"users" doc:"a file of user:hash lines, as htpasswd and mountd hash-password write them, or a mapping from users to hashes"`
	Groups   map[string]option.Strings `yaml:"groups" doc:"groups to their members"`
	Realm    string                    `yaml:"realm" doc:"what browsers show where they ask for the password"`
	Cache    time.Duration             `yaml:"cache" doc:"how long a right password is remembered; 0: not at all"`
	Optional bool                      `yaml:"optional" doc:"let requests without credentials pass, as nobody's"`
}

func basicAuth(env Env, workers *auth.Workers) compose.Factory {
	f := compose.Define("knows users by name and password (HTTP Basic)", basicOptions{Realm: "Restricted", Cache: auth.DefaultRemember},
		func(o basicOptions) (compose.Instance, error) {
			cfg := o.Users.config(env, workers, o.Groups)
			cfg.Remember = orNone(o.Cache)
			users, err := auth.NewUsers(cfg)
			if err != nil {
				_, more := auth.NewBasic(auth.BasicConfig{Users: &auth.Users{}, Realm: o.Realm})
				return compose.Instance{}, errors.Join(err, more)
			}
			basic, err := auth.NewBasic(auth.BasicConfig{Users: users, Realm: o.Realm})
			if err != nil {
				return compose.Instance{}, errors.Join(err, users.Close())
			}
			in := authLayer(basic, o.Optional)
			in.Close = users.Close
			return in, nil
		})
	f = f.WithRules(authRules())
	return compose.DescribeFor(f, func(o basicOptions) string { return optionally(o.Optional, o.Users.describe()) })
}
