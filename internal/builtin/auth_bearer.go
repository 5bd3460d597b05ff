package builtin

import (
	"strings"
	"time"

	"github.com/mountd/mountd/auth/bearer"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/option"
)

type bearerOptions struct {
	Issuer       string         `yaml:"issuer" doc:"what the token's iss must be; without jwks, secret and introspect its keys are found through its metadata"`
	Audience     option.Strings `yaml:"audience" doc:"names of which the token's aud must have one; empty: any, also tokens made for other services"`
	JWKS         keySource      `yaml:"jwks" doc:"public keys: the URL of a JWK Set, or a file with one or with PEM"`
	Secret       string         `yaml:"secret" doc:"key of HS256 tokens: 32 bytes at least"`
	Algorithms   option.Strings `yaml:"algorithms" doc:"those allowed; default: RS256, ES256 and EdDSA, or HS256 with a secret"`
	Claims       claimNames     `yaml:"claims" doc:"which claims tell what of the user; a dot leads into an object"`
	Scopes       option.Strings `yaml:"scopes" doc:"what the token's scope must hold, all of them: 403 otherwise"`
	Introspect   introspectInfo `yaml:"introspect" doc:"whom to ask about tokens that are no JWT (RFC 7662)"`
	Leeway       time.Duration  `yaml:"leeway" doc:"how far the issuer's clock may be off, a minute at most"`
	Realm        string         `yaml:"realm" doc:"what is protected, for the challenge"`
	Cache        int            `yaml:"cache" doc:"how many verified tokens are remembered"`
	KeyRefresh   time.Duration  `yaml:"key_refresh" doc:"how often published keys are looked at again"`
	KeyLifetime  time.Duration  `yaml:"key_lifetime" doc:"how long published keys serve while they can't be looked at"`
	InsecureHTTP bool           `yaml:"insecure_http" doc:"allow an issuer on another machine without TLS"`
	Optional     bool           `yaml:"optional" doc:"let requests without a token pass, as nobody's"`
}

// claimNames say which claims tell what of a user.
type claimNames struct {
	User   string `yaml:"user" doc:"the name; email counts only if it is verified"`
	Groups string `yaml:"groups" doc:"the groups"`
	Name   string `yaml:"name" doc:"the full name"`
	Email  string `yaml:"email" doc:"the address, if it is verified"`
}

func usualClaims() claimNames {
	return claimNames{User: "sub", Groups: "groups", Name: "name", Email: "email"}
}

type introspectInfo struct {
	URL          string        `yaml:"url" doc:"address that takes tokens"`
	ClientID     string        `yaml:"client_id" doc:"who asks"`
	ClientSecret string        `yaml:"client_secret" doc:"who asks, secret"`
	Lifetime     time.Duration `yaml:"lifetime" doc:"how long an answer counts"`
}

// keySource is a URL, or a file relative to the one it is written in.
type keySource string

// UnmarshalText keeps the text.
func (s *keySource) UnmarshalText(text []byte) error { *s = keySource(text); return nil }

// MarshalText gives the text.
func (s keySource) MarshalText() ([]byte, error) { return []byte(s), nil }

// SetDir resolves the path of a file.
func (s *keySource) SetDir(dir string) {
	if !strings.HasPrefix(string(*s), "https://") && !strings.HasPrefix(string(*s), "http://") {
		*s = keySource(inDir(dir, string(*s)))
	}
}

// JSONSchema describes the forms.
func (keySource) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "description": "a URL, or a path relative to the file it is written in"}
}

// bearerAuth makes auth.bearer.
func bearerAuth(env Env) compose.Factory {
	defaults := bearerOptions{
		Claims: usualClaims(), Leeway: 30 * time.Second, Realm: "mountd", Cache: 10000,
		KeyRefresh: 10 * time.Minute, KeyLifetime: 24 * time.Hour, Introspect: introspectInfo{Lifetime: time.Minute},
	}
	f := compose.Define("knows programs and people by the token that an issuer gave them (JWT, RFC 6750)", defaults,
		func(o bearerOptions) (compose.Instance, error) {
			m, err := bearer.New(bearer.Config{
				Issuer: o.Issuer, Audience: o.Audience, JWKS: string(o.JWKS), Secret: []byte(o.Secret), Algorithms: o.Algorithms,
				Claims: bearer.Claims(o.Claims), Scopes: o.Scopes, Introspection: bearer.Introspection(o.Introspect),
				Leeway: orNone(o.Leeway), Realm: o.Realm, CacheSize: o.Cache, KeyRefresh: o.KeyRefresh, KeyLifetime: o.KeyLifetime,
				InsecureHTTP: o.InsecureHTTP, Logger: env.Logger,
			})
			if err != nil {
				return compose.Instance{}, err
			}
			in := authLayer(m, o.Optional)
			in.Close = m.Close
			return in, nil
		})
	f = f.WithRules(authRules())
	return compose.DescribeFor(f, func(o bearerOptions) string { return optionally(o.Optional, o.describe()) })
}

func (o bearerOptions) describe() string {
	switch {
	case o.Issuer != "":
		return "tokens of " + o.Issuer
	case o.Secret != "":
		return "tokens under a secret"
	case o.JWKS != "":
		return "tokens under keys of " + string(o.JWKS)
	}
	return "tokens that " + o.Introspect.URL + " knows"
}
