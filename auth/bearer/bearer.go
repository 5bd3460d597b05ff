// Package bearer authenticates requests by the token in their Authorization
// field (RFC 6750): a JSON Web Token (RFC 7519) that an issuer has signed, or
// any text that an issuer knows when it is asked (RFC 7662).
//
// # What is checked
//
// The algorithm is one of those allowed, whatever the token says, and the key
// is the operator's or the issuer's: a token's own jwk, jku, x5u and x5c are
// never looked at. exp must be there; exp, nbf and iat may be off by
// [Config].Leeway. iss and aud must be what is configured. A member that is
// there twice, one of the wrong type, and extensions marked as critical refuse
// a token. Tokens are 16 KiB at most, and come in one Authorization field;
// nothing else of a request is looked at.
//
// # When the issuer is away
//
// Its keys are fetched with the first token, looked at again every ten
// minutes, and when a token names an unknown key, though not more than once in
// ten seconds. When they can't be fetched, the known ones serve for a day.
// Without any, a token is answered with 503: nothing tells a good one from a
// bad one. The issuer is tried again after a pause of a second, which grows to
// a minute.
package bearer

import (
	"context"
	"net/http"
	"slices"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/issuer"
)

// Method authenticates requests by bearer tokens. It is an [auth.Method], safe
// for concurrent use.
//
// A token that was verified is remembered until it expires, as a keyed hash:
// it costs no signature again. It is verified again once the keys change.
type Method struct {
	cfg      Config
	verifier *issuer.Verifier // nil: tokens are introspected alone
	keys     *issuer.Keys
	metadata *issuer.Cell[*issuer.Metadata]
	client   *issuer.Client
	opaque   *introspector // nil: none are
	known    *memory
	bare     string // challenge of a request without a token
}

// New makes a Method. Its error names everything that is wrong with cfg. It
// asks no issuer: one that is away is no mistake.
func New(cfg Config) (*Method, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	known, err := newMemory(cfg.CacheSize)
	if err != nil {
		return nil, err
	}
	m := &Method{cfg: cfg, client: issuer.NewClient(cfg.Transport), known: known}
	if err := m.findKeys(); err != nil {
		return nil, err
	}
	if m.keys != nil {
		m.verifier = issuer.NewVerifier(issuer.VerifierConfig{
			Keys: m.keys, Algorithms: cfg.Algorithms, Issuer: cfg.Issuer, Audience: cfg.Audience,
			Types: []string{"jwt", "at+jwt"}, Leeway: cfg.Leeway,
		})
	}
	if cfg.Introspection.URL != "" {
		m.opaque = newIntrospector(m)
	}
	m.bare = m.challenge("", "")
	return m, nil
}

// findKeys sets the place where keys come from.
func (m *Method) findKeys() (err error) {
	cfg := &m.cfg
	switch {
	case len(cfg.Secret) > 0:
		m.keys = issuer.SecretKeys(cfg.Secret)
	case cfg.JWKS != "" && !isURL(cfg.JWKS):
		if m.keys, err = issuer.FileKeys(cfg.JWKS, m.logger("keys of tokens", cfg.JWKS)); err != nil {
			return optionError{"jwks", err}
		}
	case cfg.JWKS != "":
		m.remote(func(context.Context) (string, error) { return cfg.JWKS, nil })
	case cfg.Issuer != "" && cfg.Introspection.URL == "":
		m.metadata = issuer.Discover(issuer.DiscoveryConfig{Client: m.client, Issuer: cfg.Issuer, AllowHTTP: cfg.InsecureHTTP})
		m.remote(func(ctx context.Context) (string, error) {
			found, err := m.metadata.Get(ctx)
			if err != nil {
				return "", err
			}
			return found.JWKS, nil
		})
	}
	return nil
}

func (m *Method) remote(address func(context.Context) (string, error)) {
	m.keys = issuer.RemoteKeys(issuer.RemoteConfig{
		Client: m.client, URL: address, Lifetime: m.cfg.KeyLifetime, Refresh: m.cfg.KeyRefresh,
		Log: m.logger("keys of tokens", m.cfg.Issuer+m.cfg.JWKS),
	})
}

// logger tells when something begins to fail, and when it works again.
func (m *Method) logger(what, where string) func(error) {
	return func(err error) {
		if err != nil {
			m.cfg.Logger.Warn(what+" cannot be read; the ones known stay in use, and it is tried again", "from", where, "error", err)
			return
		}
		m.cfg.Logger.Info(what+" can be read again", "from", where)
	}
}

// Close ends what asks the issuer. Requests that are still being served may
// get 503.
func (m *Method) Close() error {
	if m.opaque != nil {
		m.opaque.flights.Close()
	}
	if m.keys != nil {
		_ = m.keys.Close()
	}
	if m.metadata != nil {
		m.metadata.Close()
	}
	m.client.Close()
	return nil
}

// Credentials says that tokens stand in Authorization.
func (m *Method) Credentials() auth.Credentials { return auth.Credentials{Scheme: "Bearer"} }

// Ambient says that browsers add no tokens by themselves.
func (m *Method) Ambient() bool { return false }

// Authenticate gives the user of the token in r: nil without a token; an error
// of status 401 if it is wrong, 403 if it lacks a scope, 400 if there are
// several Authorization fields, and 503 if nobody can tell.
func (m *Method) Authenticate(_ http.ResponseWriter, r *http.Request) (*auth.User, error) {
	token, found, err := credentials(r.Header)
	if err != nil {
		return nil, m.refusal(err)
	}
	if !found {
		return nil, nil
	}
	id := m.known.id(token)
	if e, ok := m.known.find(id, m.keys); ok {
		return e.answer(m)
	}
	if !wellFormed(token) { // after the known ones, which are
		return nil, m.refusal(&issuer.InvalidError{Reason: "malformed"})
	}
	user, err := m.verify(r.Context(), id, token)
	if err != nil {
		return nil, m.refusal(err)
	}
	return user, nil
}

func (m *Method) verify(ctx context.Context, id tokenID, token string) (*auth.User, error) {
	switch {
	case m.verifier != nil && (m.opaque == nil || looksSigned(token)):
		return m.verifySigned(ctx, id, token)
	default:
		return m.opaque.verify(ctx, id, token)
	}
}

func (m *Method) verifySigned(ctx context.Context, id tokenID, token string) (*auth.User, error) {
	t, err := m.verifier.Verify(ctx, token)
	if err != nil {
		return nil, err
	}
	user, err := m.user(t.Claims)
	if err != nil {
		return nil, err
	}
	m.known.add(id, &remembered{user: user, until: t.Expires.Add(m.cfg.Leeway), keys: t.Keys}, len(token))
	return user, nil
}

// user makes a user of claims that are true.
func (m *Method) user(c issuer.Claims) (*auth.User, error) {
	if err := m.checkScopes(c); err != nil {
		return nil, err
	}
	p, err := m.mapping().Read(c)
	if err != nil {
		return nil, err
	}
	return &auth.User{
		Name: p.Name, Groups: p.Groups, DisplayName: p.DisplayName, Email: p.Email, Claims: c, Method: "bearer",
	}, nil
}

func (m *Method) mapping() issuer.Mapping { return issuer.Mapping(m.cfg.Claims) }

func (m *Method) checkScopes(c issuer.Claims) error {
	if len(m.cfg.Scopes) == 0 {
		return nil
	}
	has, err := c.List("scope")
	if err == nil && has == nil {
		has, err = c.List("scp")
	}
	if err != nil {
		return err
	}
	for _, s := range m.cfg.Scopes {
		if !slices.Contains(has, s) {
			return errScope
		}
	}
	return nil
}

var (
	_ auth.Method = (*Method)(nil)
	_ auth.Holder = (*Method)(nil)
)
