package builtin

import (
	"errors"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/option"
)

type certOptions struct {
	User     string         `yaml:"user" doc:"where the certificate names the user: cn, san_email or san_dns"`
	Allow    option.Strings `yaml:"allow" doc:"globs of names that may log in; none: all"`
	Optional bool           `yaml:"optional" doc:"let connections without a certificate pass, as nobody's"`
}

func certAuth(env Env) compose.Factory {
	f := compose.Define("knows users by the certificates of their connections", certOptions{User: auth.CommonName},
		func(o certOptions) (compose.Instance, error) {
			c, err := auth.NewCert(auth.CertConfig{User: o.User, Allow: o.Allow})
			if !env.ClientCA {
				err = errors.Join(err, errors.New("no certificate would be asked for (write tls: {client_ca: ca.pem} at the top of the table)"))
			}
			if err != nil {
				return compose.Instance{}, err
			}
			return authLayer(c, o.Optional), nil
		})
	f = f.WithRules(authRules())
	return compose.DescribeFor(f, func(o certOptions) string { return optionally(o.Optional, "user from "+o.User) })
}
