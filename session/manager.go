package session

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// Defaults of a [Config].
const (
	DefaultLifetime = 24 * time.Hour
	DefaultIdle     = time.Hour
	DefaultMaxBytes = 64 << 10
	DefaultTimeout  = 2 * time.Second
	DefaultRecheck  = 30 * time.Second
)

// maxAhead is how far another machine's clock, or ours before it was set, may
// be ahead before a session's stamps are taken for wrong.
const maxAhead = 5 * time.Minute

// Config says how sessions are kept. Its zero value, with Store, is fine.
type Config struct {
	// Store keeps the sessions. It must be set. Several managers may share
	// one; the manager does not close it.
	Store Store

	// Lifetime is how long a session lasts, however much it is used; a login
	// begins a new one. 0: 24 hours. At least a millisecond, at most 10 years.
	Lifetime time.Duration

	// Idle is how long a session lasts without being used. Use is noted once
	// in a tenth of it, so a session may end that much earlier. 0: 1 hour; more
	// than Lifetime is the same as Lifetime.
	Idle time.Duration

	// Cookie says how the cookie looks.
	Cookie Cookie

	// MaxBytes bounds what a session holds, encoded: keys, values and a few
	// bytes for each. 0: 64 KiB. A store may allow less.
	MaxBytes int

	// Timeout bounds each call of the Store. After one that failed, for a
	// second no other is made and whoever needs a session gets an error at
	// once. 0: 2 seconds.
	Timeout time.Duration

	// Recheck is how often [Watch] looks at whether a session still is there.
	// 0: 30 seconds.
	Recheck time.Duration

	// Logger is told of a store that fails, of malformed sessions, and of
	// changes that could not be saved. Nil: [slog.Default].
	Logger *slog.Logger
}

// Manager gives requests their sessions. It is safe for concurrent use.
type Manager struct {
	guard    guard
	jar      *jar
	lifetime time.Duration
	idle     time.Duration
	maxBytes int
	recheck  time.Duration
	log      *slog.Logger
	now      func() time.Time
	watchers watchers

	// Commits of one session take turns, so that requests of one machine have
	// no conflicts to resolve.
	seed  maphash.Seed
	turns [64]sync.Mutex
}

// New makes a Manager. Its error joins every mistake in cfg; those of one
// option have a method OptionPath() string.
func New(cfg Config) (*Manager, error) {
	var errs []error
	bad := func(path string, format string, args ...any) {
		errs = append(errs, &optionError{path, fmt.Errorf(format, args...)})
	}
	if cfg.Store == nil {
		bad("store", "a session needs a store")
	}
	for _, d := range []struct {
		path  string
		value *time.Duration
		zero  time.Duration
	}{
		{"lifetime", &cfg.Lifetime, DefaultLifetime}, {"idle", &cfg.Idle, DefaultIdle},
		{"timeout", &cfg.Timeout, DefaultTimeout}, {"recheck", &cfg.Recheck, DefaultRecheck},
	} {
		switch {
		case *d.value == 0:
			*d.value = d.zero
		case *d.value < time.Millisecond || *d.value > 10*365*24*time.Hour:
			bad(d.path, "%v is not between 1ms and 10 years", *d.value)
		}
	}
	switch {
	case cfg.MaxBytes == 0:
		cfg.MaxBytes = DefaultMaxBytes
	case cfg.MaxBytes < 0:
		bad("max_bytes", "%d is below zero", cfg.MaxBytes)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	jar, mistakes := newJar(cfg.Cookie, func(token string) bool { return cfg.Store.Owns(token) })
	if errs = append(errs, mistakes...); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	m := &Manager{
		jar: jar, lifetime: cfg.Lifetime, idle: min(cfg.Idle, cfg.Lifetime), maxBytes: cfg.MaxBytes, recheck: cfg.Recheck,
		log: cfg.Logger, now: time.Now, seed: maphash.MakeSeed(),
	}
	m.guard = newGuard(cfg.Store, cfg.Timeout, cfg.Logger)
	if n := m.guard.traits.MaxData; n > 0 {
		m.maxBytes = min(m.maxBytes, n)
	}
	return m, nil
}

// optionError is a mistake in one option.
type optionError struct {
	path string
	err  error
}

func (e *optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e *optionError) Unwrap() error      { return e.err }
func (e *optionError) OptionPath() string { return e.path }

// Close ends what [Watch] has begun. Sessions stay in the store.
func (m *Manager) Close() error {
	m.watchers.close()
	return nil
}

// Wrap gives the requests to next their sessions, to be had by [FromContext]. A
// request that does not ask for its session costs next to nothing.
func (m *Manager) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := request.From(r.Context())
		if rec == nil {
			m.serveAlone(w, r, next)
			return
		}
		outer := rec.Session
		rec.Session = m
		next.ServeHTTP(w, r)
		if s, ok := rec.Session.(*Session); ok {
			s.end(w, r)
		}
		rec.Session = outer
	})
}

// visit is a request outside mountd: a context that knows its session.
type visit struct {
	context.Context
	writer  httpwrap.Writer
	session Session
}

type visitKey struct{}

// Value gives the session for its own key.
func (v *visit) Value(key any) any {
	if _, ok := key.(visitKey); ok {
		return &v.session
	}
	return v.Context.Value(key)
}

func (m *Manager) serveAlone(w http.ResponseWriter, r *http.Request, next http.Handler) {
	v := &visit{Context: r.Context()}
	writer, ok := w.(*httpwrap.Writer)
	if !ok {
		v.writer.Reset(w)
		writer = &v.writer
	}
	v.session.begin(m, v.Context, writer, m.jar.read(r.Header, r.TLS != nil), r.TLS != nil)
	r = r.WithContext(v)
	next.ServeHTTP(writer, r)
	v.session.end(writer, r)
}

// FromContext gives the session of the request that ctx belongs to, nil where
// there is none. It must be called on the goroutine that serves the request;
// the session it gives may be used from any, until the request is over.
func FromContext(ctx context.Context) *Session {
	rec := request.From(ctx)
	if rec == nil {
		s, _ := ctx.Value(visitKey{}).(*Session)
		return s
	}
	switch v := rec.Session.(type) {
	case *Session:
		return v
	case *Manager:
		rec.Keep() // its writer may be asked for by a session that someone keeps
		s, secure := new(Session), rec.Scheme == "https"
		s.begin(v, rec, &rec.Writer, v.jar.read(rec.Request.Header, secure), secure)
		rec.Session = s
		return s
	}
	return nil
}

// ManagerFromContext gives the manager of the sessions that [FromContext] would
// give, nil where there is none. It asks no store.
func ManagerFromContext(ctx context.Context) *Manager {
	rec := request.From(ctx)
	if rec == nil {
		if s, ok := ctx.Value(visitKey{}).(*Session); ok {
			return s.m
		}
		return nil
	}
	switch v := rec.Session.(type) {
	case *Session:
		return v.m
	case *Manager:
		return v
	}
	return nil
}

// FromRequest is [FromContext] for a request.
func FromRequest(r *http.Request) *Session { return FromContext(r.Context()) }

// CookieName is the name of the cookie, without the prefix that it has over
// HTTPS.
func (m *Manager) CookieName() string { return m.jar.plain }

// OwnCookie reports whether a cookie is this manager's, by its name and by the
// form of its value: an application's own cookie of that name is not. It asks
// no store.
func (m *Manager) OwnCookie(name, value string) bool {
	return (name == m.jar.plain || name == m.jar.secure) && len(value) <= maxCookie && m.jar.owns(value)
}

// find gives the session with this token, if it is still to be used.
func (m *Manager) find(ctx context.Context, token string) (Record, values, error) {
	rec, err := m.guard.find(ctx, token)
	if err == nil && m.expired(rec) {
		err = ErrNotFound
	}
	var v values
	if err == nil {
		v, err = decodeValues(rec.Data)
	}
	if errors.Is(err, ErrMalformed) {
		m.log.WarnContext(ctx, "session ignored", "error", err)
		err = ErrNotFound
	}
	return rec, v, err
}

// expired tells by the clock of now. Stamps that are further ahead than a
// session can last are as bad as old ones; what is ahead less than that counts
// as now, until the next commit sets it right.
func (m *Manager) expired(rec Record) bool {
	now := m.now()
	age, quiet := now.Sub(rec.Created), now.Sub(rec.Seen)
	return age >= m.lifetime || quiet >= m.idle || -age > m.lifetime || -quiet > m.lifetime || !now.Before(rec.Deadline)
}

// due tells whether the session's use is to be noted.
func (m *Manager) due(rec Record) bool {
	quiet := m.now().Sub(rec.Seen)
	return quiet >= m.idle/10 || -quiet > maxAhead
}

// turn is the lock of commits of the session with this token.
func (m *Manager) turn(token string) *sync.Mutex {
	return &m.turns[maphash.String(m.seed, token)%uint64(len(m.turns))]
}
