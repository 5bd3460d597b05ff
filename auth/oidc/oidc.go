// Package oidc logs users in at an OpenID Connect provider (OpenID Connect
// Core 1.0, the authorization code flow), and keeps the login in the session.
//
// A [Method] is a client. Its four addresses ([Method.Handlers]) stand at the
// root of every host, behind the layer that gives the session; one client
// serves all mounts.
//
// # How a login goes
//
// A request without a login is sent to the start address, with the path to
// come back to, which is always one of the same origin. From there the browser
// goes to the provider with PKCE (S256), a nonce and a state; the three are
// kept for ten minutes in an encrypted cookie of that browser, without which
// the callback refuses. A state is used once. The ID token is verified
// (signature, algorithm, iss, aud, azp, exp, iat, nonce), and so is the iss of
// the callback (RFC 9207). The session gets a new id, and holds who the user
// is: name, groups, and what else is configured, 8 KiB at most.
//
// # How long it lasts
//
// As long as the session. If the provider gives a refresh token, it is asked
// again each time the access token has expired, and may end the login or change
// the user's groups then; requests that come at the same time ask once. If it
// can't be reached, the login goes on for ten minutes.
//
// # How it ends
//
// A POST to the logout address from a page of the same origin ends the session
// and goes on to the provider's own logout. The provider may end it too
// (OpenID Connect Back-Channel Logout 1.0). Whatever ends a login ends the session
// with everything in it, and so does the login of another user. WebSockets and
// streams of events end with the session, see package auth.
//
// # When the provider is away
//
// Its metadata and keys are fetched with the first login, and kept for a day
// when they can't be fetched again. Logins are answered with 503 meanwhile;
// users who are logged in notice nothing.
package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/issuer"
	"github.com/mountd/mountd/internal/request"
)

// Method is the client of a provider. It is an [auth.Method], safe for
// concurrent use.
type Method struct {
	cfg      Config
	client   *issuer.Client
	metadata *issuer.Cell[*issuer.Metadata]
	keys     *issuer.Keys
	idTokens *issuer.Verifier
	logouts  *issuer.Verifier
	refresh  *issuer.Flights[[32]byte, string]
	seal     *seal
	key      string // of the session's value

	logins *issuer.Generations[string, *login]   // by the session's value
	paused *issuer.Generations[string, int64]    // refresh tokens that failed, until when
	used   *issuer.Generations[string, struct{}] // states, and ids of logout tokens
	ended  *issuer.Generations[string, int64]    // subjects and sids, when they were logged out
	names  *issuer.Generations[string, string]   // of users, by subjects and sids
	once   sync.Mutex                            // over used
}

// New makes a client. Its error names everything that is wrong with cfg. It
// asks no provider: one that is away is no mistake.
func New(cfg Config) (*Method, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	seal, err := newSeal(cfg)
	if err != nil {
		return nil, err
	}
	m := &Method{
		cfg: cfg, seal: seal, key: sessionKey(cfg), client: issuer.NewClient(cfg.Transport),
		refresh: issuer.NewFlights[[32]byte, string](64, time.Minute),
		logins:  issuer.NewGenerations[string, *login](10000, 32<<20),
		paused:  issuer.NewGenerations[string, int64](10000, 32<<20),
		used:    issuer.NewGenerations[string, struct{}](100000, 32<<20),
		names:   issuer.NewGenerations[string, string](100000, 32<<20),
		ended:   issuer.NewGenerations[string, int64](100000, 32<<20),
	}
	m.metadata = issuer.Discover(issuer.DiscoveryConfig{Client: m.client, Issuer: cfg.Issuer, AllowHTTP: cfg.InsecureHTTP, Log: m.log})
	m.keys = issuer.RemoteKeys(issuer.RemoteConfig{
		Client: m.client, Lifetime: 24 * time.Hour, Log: m.log,
		URL: func(ctx context.Context) (string, error) {
			found, err := m.metadata.Get(ctx)
			if err != nil {
				return "", err
			}
			return found.JWKS, nil
		},
	})
	tokens := issuer.VerifierConfig{
		Keys: m.keys, Algorithms: cfg.Algorithms, Issuer: cfg.Issuer, Audience: []string{cfg.ClientID}, Leeway: cfg.Leeway,
		Types: []string{"jwt"},
	}
	m.idTokens = issuer.NewVerifier(tokens)
	tokens.Types = []string{"jwt", "logout+jwt"}
	m.logouts = issuer.NewVerifier(tokens)
	return m, nil
}

// sessionKey tells the logins of one client, and of one reading of its claims,
// from those of others in the same session.
func sessionKey(cfg Config) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", cfg.Issuer, cfg.ClientID, cfg.Claims, cfg.Keep))
	return "oidc." + base64.RawURLEncoding.EncodeToString(sum[:9])
}

func (m *Method) log(err error) {
	if err != nil {
		m.cfg.Logger.Warn("the login provider cannot be reached; it is tried again", "issuer", m.cfg.Issuer, "error", err)
		return
	}
	m.cfg.Logger.Info("the login provider can be reached again", "issuer", m.cfg.Issuer)
}

// Close ends what asks the provider. Logins that are under way may get 503.
func (m *Method) Close() error {
	m.refresh.Close()
	_ = m.keys.Close()
	m.metadata.Close()
	m.client.Close()
	return nil
}

// Handlers gives the client's addresses, to be served at the root of every
// host, with the session in reach.
func (m *Method) Handlers() map[string]http.Handler {
	return map[string]http.Handler{
		m.cfg.Start:       m.page(m.start, http.MethodGet, http.MethodHead),
		m.cfg.Callback:    m.page(m.callback, http.MethodGet),
		m.cfg.Logout:      m.page(m.logout, http.MethodGet, http.MethodPost),
		m.cfg.BackChannel: m.page(m.backChannel, http.MethodPost),
	}
}

// page makes a handler of one that may fail.
func (m *Method) page(serve func(http.ResponseWriter, *http.Request) error, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := error(&request.Error{
			Status: http.StatusMethodNotAllowed, Header: http.Header{"Allow": {strings.Join(methods, ", ")}},
		})
		for _, method := range methods {
			if r.Method == method {
				w.Header().Set("Cache-Control", "no-store")
				w.Header().Set("Referrer-Policy", "no-referrer")
				err = serve(w, r)
			}
		}
		if err != nil {
			m.cfg.ErrorFunc(w, r, unstored(err))
		}
	})
}

// unstored is err, answered so that no cache keeps it.
func unstored(err error) error {
	var e request.Error
	if known, ok := err.(*request.Error); ok { //nolint:errorlint // a cause has its say through Describe
		e = *known
	} else {
		e.Status, e.Message, e.Header = request.Describe(err)
		e.Err = err
	}
	if e.Header = e.Header.Clone(); e.Header == nil {
		e.Header = http.Header{}
	}
	e.Header.Set("Cache-Control", "no-store")
	return &e
}

// Authenticate gives the user whose login the session of r holds: nil without
// one, an error of status 503 if nobody can tell.
func (m *Method) Authenticate(_ http.ResponseWriter, r *http.Request) (*auth.User, error) {
	s := m.cfg.Session(r)
	if s == nil {
		return nil, nil
	}
	value := s.Get(m.key)
	if value == "" {
		return nil, failure(s)
	}
	l, ok := m.read(value)
	if !ok || m.hasEnded(l) {
		return nil, over(s)
	}
	if l.Expires > 0 && time.Now().Unix() >= l.Expires {
		return m.renewed(r.Context(), s, l)
	}
	return l.user, nil
}

// over ends a session whose login no longer holds, with everything that its user
// has left in it.
func over(s auth.Session) error {
	if err := s.Clear(); err != nil {
		return &request.Error{
			Status: http.StatusServiceUnavailable, Message: "Logging in is not possible at the moment.",
			Err: fmt.Errorf("end the session of a login that is over: %w", err),
		}
	}
	return nil
}

// Ambient says that browsers add cookies by themselves.
func (m *Method) Ambient() bool { return true }

// Watch implements [auth.Keeper].
func (m *Method) Watch(ctx context.Context) (watched context.Context, stop context.CancelFunc) {
	return m.cfg.Watch(ctx)
}

// failure gives what keeps a session from being read, if it can tell.
func failure(s auth.Session) error {
	if s, ok := s.(interface{ Err() error }); ok {
		return s.Err()
	}
	return nil
}

// Challenge sends browsers to the start address.
func (m *Method) Challenge(r *http.Request) auth.Challenge {
	at := siteOf(r)
	return auth.Challenge{Login: at.prefix + m.cfg.Start + "?to=" + url.QueryEscape(m.wayBack(at, r))}
}

// unavailable is the answer while the provider can't be asked.
func unavailable(err error) error {
	return &request.Error{
		Status:  http.StatusServiceUnavailable,
		Message: "The login provider cannot be reached at the moment.",
		Header:  http.Header{"Retry-After": {"5"}},
		Err:     err,
	}
}

// refused is the answer to a login or logout that is not as it should be.
func refused(message string, err error) error {
	return &request.Error{Status: http.StatusBadRequest, Message: message, Err: err}
}

var errNoSession = errors.New("there is no session where the login is to be kept (the session layer must stand before the client's addresses too)")

var _ auth.Keeper = (*Method)(nil)
