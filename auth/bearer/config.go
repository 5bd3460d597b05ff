package bearer

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mountd/mountd/internal/issuer"
)

// Config says which tokens are good. One of Issuer, JWKS, Secret and
// Introspection must be set. New copies what it holds.
type Config struct {
	// Issuer is what iss must be, to the last slash. Without JWKS, Secret and
	// Introspection its keys are found through its metadata, below
	// /.well-known/openid-configuration. Empty: iss may be anything.
	Issuer string

	// Audience lists names of which aud must have one. Empty: aud may be
	// anything, so that tokens which the issuer made for other services are
	// good here too.
	Audience []string

	// JWKS is where the public keys are: the URL of a JWK Set (RFC 7517), or
	// the name of a file with one or with PEM public keys. A file is looked at
	// again every two seconds.
	JWKS string

	// Secret is the key of tokens with HS256, HS384 or HS512: 32, 48 or 64
	// bytes at least. It excludes JWKS.
	Secret []byte

	// Algorithms lists those allowed: RS256, RS384, RS512, PS256, PS384, PS512,
	// ES256, ES384, ES512 and EdDSA, or with Secret HS256, HS384 and HS512.
	// Empty: RS256, ES256 and EdDSA, or HS256.
	Algorithms []string

	// Claims says which claims tell what of the user.
	Claims Claims

	// Scopes lists what the claim scope (or scp) must hold, all of them: 403
	// else. Empty: nothing.
	Scopes []string

	// Introspection says whom to ask about tokens. With keys too, it is asked
	// about those that are not JSON Web Tokens.
	Introspection Introspection

	// Leeway is how far the issuer's clock may be off, a minute at most. 0: 30
	// seconds. Negative: not at all.
	Leeway time.Duration

	// Realm names what is protected, for the challenge. Empty: "mountd".
	Realm string

	// CacheSize is the number of verified tokens that are remembered. 0: 10000.
	CacheSize int

	// KeyRefresh is how often published keys are looked at again, which is how
	// long a key that was taken back may serve: 10 seconds at least. 0: 10
	// minutes.
	KeyRefresh time.Duration

	// KeyLifetime is how long published keys are used that can't be looked at
	// again. It is not shorter than KeyRefresh. 0: 24 hours.
	KeyLifetime time.Duration

	// InsecureHTTP allows an issuer on another machine without TLS. Whoever is
	// on the way can make tokens then.
	InsecureHTTP bool

	// Transport reaches the issuer. nil: one of its own, which knows the
	// proxies in the environment. What it answers is cut at 1 MiB, and waited
	// for 5 seconds.
	Transport http.RoundTripper

	// Logger is told when the issuer can't be reached, and when it can be again.
	// nil: slog.Default.
	Logger *slog.Logger
}

// Claims name the claims that tell what of a user. A dot leads into an object,
// unless there is a claim of the whole name: "realm_access.roles".
type Claims struct {
	// User must be a text that is not empty. Empty: "sub". An e-mail address
	// names a user only if email_verified stands beside it and is true.
	User string

	// Groups is a text or a list of texts; "scope" is split at its blanks.
	// Empty: "groups".
	Groups string

	// Name and Email. Empty: "name" and "email". An address that is not
	// verified is left out.
	Name, Email string
}

// Introspection is an address that knows tokens (RFC 7662). Without URL there
// is none.
type Introspection struct {
	// URL takes the token by POST.
	URL string

	// ClientID and ClientSecret log this service in there, by HTTP's basic
	// authentication.
	ClientID, ClientSecret string

	// Lifetime is how long an answer counts, though never longer than the
	// token: how long one that was taken back may serve. 0: a minute.
	Lifetime time.Duration
}

const (
	defaultLeeway   = 30 * time.Second
	defaultCache    = 10000
	defaultRefresh  = 10 * time.Minute
	defaultLifetime = 24 * time.Hour
	leastRefresh    = 10 * time.Second
)

func (cfg Config) checked() (Config, error) {
	var errs []error
	wrong := func(path, format string, args ...any) {
		errs = append(errs, optionError{path, fmt.Errorf(format, args...)})
	}
	cfg.Audience, cfg.Scopes, cfg.Secret = slices.Clone(cfg.Audience), slices.Clone(cfg.Scopes), bytes.Clone(cfg.Secret)
	cfg.Claims = Claims(issuer.Mapping(cfg.Claims).WithDefaults())

	secret := len(cfg.Secret) > 0
	if cfg.Issuer == "" && cfg.JWKS == "" && !secret && cfg.Introspection.URL == "" {
		errs = append(errs, errors.New("no token could be verified (write issuer, jwks, secret or introspect)"))
	}
	if cfg.JWKS != "" && secret {
		wrong("jwks", "public keys and a secret exclude each other (leave one out)")
	}
	discovers := cfg.JWKS == "" && !secret && cfg.Introspection.URL == ""
	if cfg.Issuer != "" && discovers {
		cfg.checkURL("issuer", cfg.Issuer, wrong)
	}
	if isURL(cfg.JWKS) {
		cfg.checkURL("jwks", cfg.JWKS, wrong)
	}
	algorithms, err := issuer.CheckAlgorithms(cfg.Algorithms, secret)
	if err != nil {
		wrong("algorithms", "%w", err)
	} else if cfg.Algorithms = algorithms; secret {
		if err := issuer.CheckSecret(cfg.Secret, algorithms); err != nil {
			wrong("secret", "%w", err)
		}
	}
	cfg.checkTexts(wrong)
	cfg.checkTimes(wrong)
	cfg.checkIntrospection(wrong)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return cfg, errors.Join(errs...)
}

func (cfg *Config) checkURL(path, address string, wrong func(string, string, ...any)) {
	if err := issuer.CheckURL(address, cfg.InsecureHTTP); err != nil {
		wrong(path, "%w", err)
	}
}

func (cfg *Config) checkTexts(wrong func(string, string, ...any)) {
	if cfg.Realm == "" {
		cfg.Realm = "mountd"
	}
	if plain(cfg.Realm) != cfg.Realm {
		wrong("realm", "%q cannot stand in a challenge (no quotes, backslashes and characters beyond ASCII)", cfg.Realm)
	}
	for i, s := range cfg.Scopes {
		if s == "" || plain(s) != s || strings.Contains(s, " ") {
			wrong(fmt.Sprintf("scopes[%d]", i), "%q is no scope", s)
		}
	}
	for i, s := range cfg.Audience {
		if s == "" {
			wrong(fmt.Sprintf("audience[%d]", i), "it is empty")
		}
	}
}

func (cfg *Config) checkTimes(wrong func(string, string, ...any)) {
	switch {
	case cfg.Leeway == 0:
		cfg.Leeway = defaultLeeway
	case cfg.Leeway < 0:
		cfg.Leeway = 0
	case cfg.Leeway > issuer.MaxLeeway:
		wrong("leeway", "%v is longer than %v, which is more than clocks differ", cfg.Leeway, issuer.MaxLeeway)
	}
	if cfg.CacheSize == 0 {
		cfg.CacheSize = defaultCache
	} else if cfg.CacheSize < 2 {
		wrong("cache", "%d is too small (write 2 at least)", cfg.CacheSize)
	}
	if cfg.KeyRefresh == 0 {
		cfg.KeyRefresh = defaultRefresh
	} else if cfg.KeyRefresh < leastRefresh {
		wrong("key_refresh", "%v is too short (write %v at least)", cfg.KeyRefresh, leastRefresh)
	}
	if cfg.KeyLifetime == 0 {
		cfg.KeyLifetime = max(defaultLifetime, cfg.KeyRefresh)
	} else if cfg.KeyLifetime < cfg.KeyRefresh {
		wrong("key_lifetime", "%v is shorter than key_refresh, %v", cfg.KeyLifetime, cfg.KeyRefresh)
	}
}

func (cfg *Config) checkIntrospection(wrong func(string, string, ...any)) {
	in := &cfg.Introspection
	if in.URL == "" {
		if in.ClientID != "" || in.ClientSecret != "" {
			wrong("introspect.url", "it is missing")
		}
		return
	}
	cfg.checkURL("introspect.url", in.URL, wrong)
	if in.ClientID == "" {
		wrong("introspect.client_id", "it is missing: who may ask must say so")
	}
	if in.Lifetime == 0 {
		in.Lifetime = time.Minute
	} else if in.Lifetime < 0 {
		wrong("introspect.lifetime", "%v is negative", in.Lifetime)
	}
}

// optionError is a mistake in one option.
type optionError struct {
	path string
	err  error
}

func (e optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e optionError) Unwrap() error      { return e.err }
func (e optionError) OptionPath() string { return e.path }
