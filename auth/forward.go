package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mountd/mountd/internal/request"
)

// ForwardConfig says which service to ask about requests. To must be set.
type ForwardConfig struct {
	// To is the address that is asked: http://, https:// or unix:/path/to/socket,
	// which may have an address after a colon ("unix:/run/auth.sock:/verify").
	To string

	// Copy names the header fields of the service's answer that are handed on
	// with the request. What the client says in fields of these names is removed
	// first. Nil: Remote-User, Remote-Groups, Remote-Name and Remote-Email.
	Copy []string

	// User, Groups, Name and Email name those of the copied fields that say who
	// the user is. Empty: the first one in Copy that is known to say so, such as
	// Remote-User, X-Auth-Request-User, X-Forwarded-User and
	// X-Authentik-Username, in this order.
	User, Groups, Name, Email string

	// RequestHeaders names the fields of the request that the service gets to
	// see besides the ones that say what is asked for (X-Forwarded-*). Nil: all
	// but those of the body and of the connection, of ranges and conditions, and
	// those in Copy.
	RequestHeaders []string

	// Optional takes the service's 401 and redirects for "nobody is logged in",
	// which an optional gate lets pass, rather than for a refusal.
	Optional bool

	// Timeout is how long the service has for its whole answer. 0: 5 s.
	Timeout time.Duration

	// TLS is for https services. Nil: the system's certificates.
	TLS *tls.Config

	// Logger is told when the service fails, and when it is back. Nil: nobody.
	Logger *slog.Logger
}

// Forward asks another service about every request: with a GET that has no
// body and follows no redirect, as Authelia, Authentik and oauth2-proxy expect
// it. An answer of 2xx lets the request pass; any other with less than 500 is
// the client's answer. Where there is none, or one that cannot be trusted, the
// request is refused with 502 or 503.
//
// X-Forwarded-Uri and X-Original-Url hold the canonical path, so that the
// service decides about the path that is served. Cookies that the service sets
// reach the client. A service that lets a request pass without saying who sent
// it gives a [User] without a name.
//
// A Forward is a [Fallback]. It keeps connections to the service; Close drops
// them. It is safe for concurrent use.
type Forward struct {
	cfg       ForwardConfig
	url       *url.URL
	transport *http.Transport
	fields    identityFields
	secret    map[string]bool // names of fields that only the service may write
	pass      map[string]bool // names of fields the service gets; nil: all
	down      atomic.Bool
}

// Bounds of the service's answer and of the connections to it.
const (
	maxForwardHeader = 64 << 10
	maxForwardBody   = 1 << 20
	maxForwardConns  = 256
)

// NewForward makes a Forward. Its error names every mistake.
func NewForward(cfg ForwardConfig) (*Forward, error) {
	f := &Forward{cfg: cfg}
	if f.cfg.Timeout == 0 {
		f.cfg.Timeout = 5 * time.Second
	}
	if f.cfg.Logger == nil {
		f.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Copy == nil {
		f.cfg.Copy = []string{"Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email"}
	}
	var errs []error
	if f.cfg.Timeout < 0 {
		errs = append(errs, &optionError{"timeout", fmt.Errorf("%v is negative", cfg.Timeout)})
	}
	target, socket, err := parseForwardTarget(cfg.To)
	if err != nil {
		errs = append(errs, &optionError{"to", err})
	}
	errs = append(errs, f.setFields(), f.setPass())
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	f.url = target
	f.transport = newForwardTransport(socket, cfg.TLS)
	return f, nil
}

// Close drops the connections to the service that are idle.
func (f *Forward) Close() error {
	f.transport.CloseIdleConnections()
	return nil
}

// Wrap puts a gate of this method alone before next.
func (f *Forward) Wrap(next http.Handler) http.Handler { return Wrap(f, next) }

// Fallback implements [Fallback].
func (f *Forward) Fallback() {}

// Challenge implements [Method]. The service answers by itself.
func (f *Forward) Challenge(*http.Request) Challenge { return Challenge{} }

// Authenticate implements [Method].
func (f *Forward) Authenticate(w http.ResponseWriter, r *http.Request) (*User, error) {
	ctx, cancel := context.WithTimeout(r.Context(), f.cfg.Timeout)
	defer cancel()
	ask, err := f.question(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := f.transport.RoundTrip(ask)
	if err != nil {
		return nil, f.failed(r, &request.Error{Status: http.StatusServiceUnavailable, Err: fmt.Errorf("ask %s: %w", f.cfg.To, err)})
	}
	defer resp.Body.Close()
	removeHop(resp.Header)
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		u, err := f.accept(w, r, resp)
		drain(resp)
		return u, f.failed(r, err)
	case resp.StatusCode >= 500 || resp.StatusCode < 300 || resp.StatusCode == http.StatusNotModified:
		drain(resp)
		return nil, f.failed(r, badAnswer(fmt.Errorf("the answer of %s is %s", f.cfg.To, resp.Status)))
	case f.cfg.Optional && (resp.StatusCode < 400 || resp.StatusCode == http.StatusUnauthorized):
		drain(resp)
		f.forget(r)
		return nil, f.failed(r, nil)
	}
	refusal, err := readRefusal(resp)
	if err := f.failed(r, err); err != nil {
		return nil, err
	}
	return nil, refusal
}

// failed tells the operator once that the service fails, and once that it no
// longer does. It gives err back. A client that left says nothing.
func (f *Forward) failed(r *http.Request, err error) error {
	if err == nil {
		if f.down.Load() && f.down.CompareAndSwap(true, false) {
			f.cfg.Logger.Info("the auth service answers again", "service", f.cfg.To)
		}
		return nil
	}
	if r.Context().Err() == nil && f.down.CompareAndSwap(false, true) {
		f.cfg.Logger.Error("the auth service fails; requests that it must decide about are refused", "service", f.cfg.To, "error", err)
	}
	return err
}

func badAnswer(err error) error {
	return &request.Error{Status: http.StatusBadGateway, Err: err}
}

// drain reads what is left of a small body, so that the connection can be used
// again.
func drain(resp *http.Response) {
	if resp.StatusCode >= 200 && resp.ContentLength < 64<<10 {
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // a connection less, else
	}
}

// accept takes over what the service says of the user.
func (f *Forward) accept(w http.ResponseWriter, r *http.Request, resp *http.Response) (*User, error) {
	for _, name := range f.cfg.Copy {
		for _, v := range resp.Header[name] {
			if hasControl(v) {
				return nil, badAnswer(fmt.Errorf("%s has answered with control characters in %s", f.cfg.To, name))
			}
		}
	}
	u, err := f.fields.user(resp.Header)
	if err != nil {
		return nil, badAnswer(fmt.Errorf("answer of %s: %w", f.cfg.To, err))
	}
	f.forget(r)
	for _, name := range f.cfg.Copy {
		if v := resp.Header[name]; v != nil {
			r.Header[name] = v
		}
	}
	for _, cookie := range resp.Header["Set-Cookie"] {
		if !hasControl(cookie) {
			w.Header().Add("Set-Cookie", cookie)
		}
	}
	return u, nil
}

// forget removes what the client says in the name of the service. The header
// may be shared with who handed the request to us, the request is not.
func (f *Forward) forget(r *http.Request) {
	r.Header = r.Header.Clone()
	for name := range r.Header {
		if f.secret[http.CanonicalHeaderKey(name)] {
			delete(r.Header, name)
		}
	}
}

// refusal is the service's own answer to a request.
type refusal struct {
	status int
	header http.Header
	body   []byte
}

func readRefusal(resp *http.Response) (*refusal, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxForwardBody+1))
	if err != nil {
		return nil, &request.Error{Status: http.StatusServiceUnavailable, Err: fmt.Errorf("read the answer of the auth service: %w", err)}
	}
	if len(body) > maxForwardBody {
		return nil, badAnswer(errors.New("the answer of the auth service is larger than 1 MiB"))
	}
	a := &refusal{resp.StatusCode, resp.Header, body}
	for name, values := range a.header {
		for _, v := range values {
			if hasControl(strings.ReplaceAll(v, "\t", " ")) {
				delete(a.header, name)
			}
		}
	}
	for _, name := range [...]string{"Content-Length", "Date", "Trailer"} {
		delete(a.header, name)
	}
	if a.header.Get("Cache-Control") == "" {
		a.header["Cache-Control"] = []string{"no-store"}
	}
	return a, nil
}

func (a *refusal) Error() string { return "the auth service has answered " + http.StatusText(a.status) }

// HTTPStatus is for logs.
func (a *refusal) HTTPStatus() int { return a.status }

// ServeHTTP implements [Answer].
func (a *refusal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for name, values := range a.header {
		if name == "Set-Cookie" || name == "Vary" {
			values = append(h[name], values...)
		}
		h[name] = values
	}
	addVary(h, "Cookie")
	addVary(h, "Authorization")
	h["Content-Length"] = []string{fmt.Sprint(len(a.body))}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // the client may have left
	}
}
