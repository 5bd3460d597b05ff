package builtin

import (
	"errors"
	"time"

	"github.com/mountd/mountd/auth/oidc"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/option"
	"github.com/mountd/mountd/session"
)

type oidcOptions struct {
	Issuer       string         `yaml:"issuer" doc:"the provider, as it calls itself, to the last slash"`
	ClientID     string         `yaml:"client_id" doc:"what the provider knows this site by"`
	ClientSecret string         `yaml:"client_secret" doc:"the secret that goes with it; empty: a public client"`
	Scopes       option.Strings `yaml:"scopes" doc:"what is asked for"`
	Claims       claimNames     `yaml:"claims" doc:"which claims tell what of the user; a dot leads into an object"`
	Keep         option.Strings `yaml:"keep" doc:"claims that stay in the session, for require"`
	Algorithms   option.Strings `yaml:"algorithms" doc:"those allowed for the provider's tokens; default: RS256, ES256 and EdDSA"`
	Start        string         `yaml:"start" doc:"address where logins begin, on every host"`
	Callback     string         `yaml:"callback" doc:"address that the provider sends browsers back to"`
	Logout       string         `yaml:"logout" doc:"address of the logout page"`
	BackChannel  string         `yaml:"back_channel" doc:"address where the provider ends logins"`
	AfterLogout  string         `yaml:"after_logout" doc:"path where browsers go after a logout"`
	KeepIDToken  bool           `yaml:"keep_id_token" doc:"keep the ID token in the session, so that the provider logs out without asking"`
	Leeway       time.Duration  `yaml:"leeway" doc:"how far the provider's clock may be off, a minute at most"`
	InsecureHTTP bool           `yaml:"insecure_http" doc:"allow a provider on another machine without TLS"`
	Optional     bool           `yaml:"optional" doc:"let requests of nobody pass"`
}

// oidcLogin makes auth.oidc. Its instances offer their *[oidc.Method]: pages to
// serve, and cookies that are no application's.
func oidcLogin(env Env) compose.Factory {
	defaults := oidcOptions{
		Scopes: option.Strings{"openid", "profile", "email"}, Claims: usualClaims(), Leeway: 30 * time.Second,
		Start: "/.mountd/oidc/start", Callback: "/.mountd/oidc/callback", Logout: "/.mountd/logout", BackChannel: "/.mountd/oidc/backchannel",
		AfterLogout: "/",
	}
	f := compose.Define("logs users in at an OpenID Connect provider", defaults,
		func(o oidcOptions) (compose.Instance, error) {
			m, err := oidc.New(oidc.Config{
				Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret, Scopes: o.Scopes, Claims: oidc.Claims(o.Claims),
				Keep: o.Keep, Algorithms: o.Algorithms, Start: o.Start, Callback: o.Callback, Logout: o.Logout, BackChannel: o.BackChannel,
				AfterLogout: o.AfterLogout, KeepIDToken: o.KeepIDToken, Session: sessionOf, Watch: session.Watch, EndSessions: endSessions, Leeway: orNone(o.Leeway),
				InsecureHTTP: o.InsecureHTTP, Logger: env.Logger, ErrorFunc: errorhandler.Error,
			})
			mistakes := errors.Join(checkReserved("start", o.Start), checkReserved("callback", o.Callback),
				checkReserved("logout", o.Logout), checkReserved("back_channel", o.BackChannel))
			if err != nil || mistakes != nil {
				if m != nil {
					_ = m.Close()
				}
				return compose.Instance{}, errors.Join(err, mistakes)
			}
			in := authLayer(m, o.Optional)
			in.Close = m.Close
			in.Offers = m
			return in, nil
		})
	rules := authRules()
	rules.Provides = append(rules.Provides, "login")
	rules.Needs = append(rules.Needs, "session")
	f = f.WithRules(rules)
	return compose.DescribeFor(f, func(o oidcOptions) string { return optionally(o.Optional, "at "+o.Issuer) })
}
