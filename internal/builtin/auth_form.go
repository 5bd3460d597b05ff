package builtin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/option"
	"github.com/mountd/mountd/session"
)

type formOptions struct {
	Users    userList                  `yaml:"users" doc:"a file of user:hash lines, as htpasswd and mountd hash-password write them, or a mapping from users to hashes"`
	Groups   map[string]option.Strings `yaml:"groups" doc:"groups to their members"`
	Login    string                    `yaml:"login" doc:"address of the login page, on every host"`
	Logout   string                    `yaml:"logout" doc:"address of the logout page, on every host"`
	Template option.File               `yaml:"template" doc:"an HTML template for the login page, with {{.Action}}, {{.Token}}, {{.To}}, {{.User}} and {{.Error}}"`
	Attempts option.Rate               `yaml:"attempts" doc:"how many failed logins an account, and a client address, has in a time"`
	Optional bool                      `yaml:"optional" doc:"let requests of nobody pass"`
}

// formLogin makes auth.form. Its instances offer their *[auth.Form]: pages to
// serve, and a cookie that is no application's.
func formLogin(env Env, workers *auth.Workers) compose.Factory {
	defaults := formOptions{Login: "/.mountd/login", Logout: "/.mountd/logout", Attempts: option.Rate{Count: 5, Per: time.Minute}}
	f := compose.Define("logs users in with a page of its own", defaults,
		func(o formOptions) (compose.Instance, error) {
			cfg := o.Users.config(env, workers, o.Groups)
			cfg.Method = "form"
			cfg.Remember = -1 // a session remembers
			users, err := auth.NewUsers(cfg)
			if err != nil {
				return compose.Instance{}, errors.Join(err, checkReserved("login", o.Login), checkReserved("logout", o.Logout))
			}
			form, err := auth.NewForm(auth.FormConfig{
				Verify: users.Verify, Lookup: users.Lookup, Version: users.Version, Session: sessionOf, Watch: session.Watch,
				Login: o.Login, Logout: o.Logout, Template: string(o.Template),
				Attempts: o.Attempts.Count, Per: o.Attempts.Per, ErrorFunc: errorhandler.Error,
			})
			if err := errors.Join(err, checkReserved("login", o.Login), checkReserved("logout", o.Logout)); err != nil {
				return compose.Instance{}, errors.Join(err, users.Close())
			}
			in := authLayer(form, o.Optional)
			in.Close = users.Close
			in.Offers = form
			return in, nil
		})
	f = compose.StampFor(f, func(o formOptions) string {
		if o.Template == "" {
			return ""
		}
		return stamp(string(o.Template))
	})
	rules := authRules()
	rules.Provides = append(rules.Provides, "login")
	rules.Needs = append(rules.Needs, "session")
	f = f.WithRules(rules)
	return compose.DescribeFor(f, func(o formOptions) string { return optionally(o.Optional, o.Users.describe()+", at "+o.Login) })
}

// checkReserved refuses pages outside of what is mountd's own on every host.
func checkReserved(option, path string) error {
	if strings.HasPrefix(path, "/.mountd/") {
		return nil
	}
	return &compose.OptionError{Path: option, Err: fmt.Errorf("%s: %q is not below /.mountd/ (write /.mountd/%s)", option, path, option)}
}

// sessionOf gives the session of a request to those who keep a login in it.
func sessionOf(r *http.Request) auth.Session {
	if s := session.FromContext(r.Context()); s != nil {
		return s
	}
	return nil
}
