package oidc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/issuer"
	"github.com/mountd/mountd/internal/request"
)

// Config says who the provider is, and where the client's own addresses are.
// Issuer, ClientID and Session must be set. New copies what it holds.
type Config struct {
	// Issuer is the provider, as it calls itself, to the last slash. Its
	// addresses are found below /.well-known/openid-configuration.
	Issuer string

	// ClientID and ClientSecret are what the provider knows this client by. A
	// client without a secret is a public one; logins that were begun before a
	// restart are lost then.
	ClientID, ClientSecret string

	// Scopes are asked for. openid is always among them. Empty: openid, profile
	// and email.
	Scopes []string

	// Claims says which claims tell what of the user.
	Claims Claims

	// Keep lists claims that stay in the session, for [auth.User].Claims.
	Keep []string

	// Algorithms lists those that tokens may be signed with. Empty: RS256,
	// ES256 and EdDSA.
	Algorithms []string

	// Start, Callback, Logout and BackChannel are paths at the root of each
	// host. Empty: /.mountd/oidc/start, /.mountd/oidc/callback, /.mountd/logout
	// and /.mountd/oidc/backchannel.
	Start, Callback, Logout, BackChannel string

	// AfterLogout is the path where a browser goes after it was logged out.
	// Empty: "/".
	AfterLogout string

	// KeepIDToken keeps the ID token in the session, so that a provider that
	// asks for it logs out without asking the user again.
	KeepIDToken bool

	// Session gives the session of a request, which holds the login.
	Session auth.SessionFunc

	// Watch gives a context that ends with the session of the request that ctx
	// belongs to. WebSockets and streams of events run under it. nil: they outlive
	// the session.
	Watch auth.WatchFunc

	// EndSessions ends all sessions of a user, when the provider says so
	// (back-channel logout). nil: sessions that began before are refused by
	// this process alone.
	EndSessions func(ctx context.Context, user string) error

	// Leeway is how far the provider's clock may be off, a minute at most. 0: 30
	// seconds. Negative: not at all.
	Leeway time.Duration

	// InsecureHTTP allows a provider on another machine without TLS. Whoever is
	// on the way can log in as anybody then.
	InsecureHTTP bool

	// Transport reaches the provider. nil: one of its own, which knows the
	// proxies in the environment. What it answers is cut at 1 MiB, and waited
	// for 5 seconds.
	Transport http.RoundTripper

	// Logger is told when the provider can't be reached, and when it can be
	// again. nil: slog.Default.
	Logger *slog.Logger

	// ErrorFunc answers requests to the client's own addresses that fail. nil:
	// the errors layer around them, or plain text without one.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// Claims name the claims that tell what of a user. A dot leads into an object,
// unless there is a claim of the whole name: "realm_access.roles".
type Claims struct {
	// User must be a text that is not empty, and should be one that the
	// provider gives nobody else later. Empty: "sub". An e-mail address names a
	// user only if email_verified stands beside it and is true.
	User string

	// Groups is a text or a list of texts. Empty: "groups".
	Groups string

	// Name and Email. Empty: "name" and "email". An address that is not
	// verified is left out.
	Name, Email string
}

const defaultLeeway = 30 * time.Second

func (cfg Config) checked() (Config, error) {
	var errs []error
	wrong := func(path, format string, args ...any) {
		errs = append(errs, optionError{path, fmt.Errorf(format, args...)})
	}
	cfg.Claims = Claims(issuer.Mapping(cfg.Claims).WithDefaults())
	cfg.Keep = slices.Clone(cfg.Keep)

	if cfg.Issuer == "" {
		wrong("issuer", "it is missing (write the provider's address)")
	} else if err := issuer.CheckURL(cfg.Issuer, cfg.InsecureHTTP); err != nil {
		wrong("issuer", "%w", err)
	} else if strings.Contains(cfg.Issuer, "?") {
		wrong("issuer", "%q has a query", cfg.Issuer)
	}
	if cfg.ClientID == "" {
		wrong("client_id", "it is missing (the provider gives it when this client is registered)")
	}
	if cfg.Session == nil {
		errs = append(errs, errors.New("oidc: Session must be set: a login needs a place to be kept"))
	}
	if cfg.Watch == nil {
		cfg.Watch = context.WithCancel
	}
	cfg.checkScopes(wrong)
	algorithms, err := issuer.CheckAlgorithms(cfg.Algorithms, false)
	if err != nil {
		wrong("algorithms", "%w", err)
	}
	cfg.Algorithms = algorithms
	cfg.checkPaths(wrong)
	switch {
	case cfg.Leeway == 0:
		cfg.Leeway = defaultLeeway
	case cfg.Leeway < 0:
		cfg.Leeway = 0
	case cfg.Leeway > issuer.MaxLeeway:
		wrong("leeway", "%v is longer than %v, which is more than clocks differ", cfg.Leeway, issuer.MaxLeeway)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.ErrorFunc == nil {
		cfg.ErrorFunc = request.Fail
	}
	return cfg, errors.Join(errs...)
}

func (cfg *Config) checkScopes(wrong func(string, string, ...any)) {
	if len(cfg.Scopes) == 0 {
		cfg.Scopes = []string{"openid", "profile", "email"}
		return
	}
	cfg.Scopes = slices.Clone(cfg.Scopes)
	for i, s := range cfg.Scopes {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			wrong(fmt.Sprintf("scopes[%d]", i), "%q is no scope", s)
		}
	}
	if !slices.Contains(cfg.Scopes, "openid") {
		cfg.Scopes = append([]string{"openid"}, cfg.Scopes...)
	}
}

func (cfg *Config) checkPaths(wrong func(string, string, ...any)) {
	names := map[string]string{}
	for _, p := range []struct {
		option   string
		path     *string
		standard string
	}{
		{"start", &cfg.Start, "/.mountd/oidc/start"},
		{"callback", &cfg.Callback, "/.mountd/oidc/callback"},
		{"logout", &cfg.Logout, "/.mountd/logout"},
		{"back_channel", &cfg.BackChannel, "/.mountd/oidc/backchannel"},
	} {
		if *p.path == "" {
			*p.path = p.standard
		}
		if !isLocal(*p.path) || strings.ContainsAny(*p.path, "?#%") || strings.Contains(*p.path, "//") {
			wrong(p.option, "%q is no path (write it like %s)", *p.path, p.standard)
		}
		if other, taken := names[*p.path]; taken {
			wrong(p.option, "%s is the address of %s too", *p.path, other)
		}
		names[*p.path] = p.option
	}
	if cfg.AfterLogout == "" {
		cfg.AfterLogout = "/"
	}
	if !isLocal(cfg.AfterLogout) {
		wrong("after_logout", "%q is no path of this site (write it like /)", cfg.AfterLogout)
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
