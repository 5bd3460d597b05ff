package builtin

import (
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/option"
	"github.com/mountd/mountd/middleware/csrf"
)

type csrfOptions struct {
	TrustedOrigins option.Strings `yaml:"trusted_origins" doc:"origins whose pages may send anything"`
	Exempt         option.Strings `yaml:"exempt" doc:"globs of paths below the mount that anyone may send to"`
}

func requestForgery() compose.Factory {
	f := compose.Define("refuses state-changing requests from other sites (CSRF)", csrfOptions{},
		func(o csrfOptions) (compose.Instance, error) {
			m, err := csrf.New(csrf.Config{TrustedOrigins: o.TrustedOrigins, Exempt: o.Exempt, ErrorFunc: errorhandler.Error})
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: m.Wrap}, nil
		})
	return f.WithRules(compose.Rules{Inside: []compose.Relation{{Of: "login", Warning: true, Because: "the login's own form needs no check, what it protects does"}}})
}
