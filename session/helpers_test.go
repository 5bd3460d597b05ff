package session_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/cookiestore"
	"github.com/mountd/mountd/session/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func memory(t testing.TB) *memstore.Store {
	t.Helper()
	s, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func cookies(t testing.TB) *cookiestore.Store {
	t.Helper()
	s, err := cookiestore.New(cookiestore.Config{Keys: [][]byte{bytes.Repeat([]byte("k"), 32)}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stores are those that need nothing else.
func stores(t testing.TB) map[string]session.Store {
	return map[string]session.Store{"memory": memory(t), "cookie": cookies(t)}
}

// journal is a log to look into.
type journal struct {
	mu sync.Mutex
	b  strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func newManager(t testing.TB, cfg session.Config) (*session.Manager, *journal) {
	t.Helper()
	j := &journal{}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(j, nil))
	}
	if cfg.Store == nil {
		cfg.Store = memory(t)
	}
	m, err := session.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m, j
}

// browser keeps cookies, as simply as can be.
type browser struct {
	m      *session.Manager
	cookie string // "name=value"
	secure bool
}

// do serves a request with app.
func (b *browser) do(app func(w http.ResponseWriter, r *http.Request, s *session.Session)) *httptest.ResponseRecorder {
	w := b.raw(b.cookie, app)
	b.take(w.Header())
	return w
}

func (b *browser) raw(cookie string, app func(w http.ResponseWriter, r *http.Request, s *session.Session)) *httptest.ResponseRecorder {
	url := "http://example.com/"
	if b.secure {
		url = "https://example.com/"
	}
	r := httptest.NewRequest(http.MethodGet, url, nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	w := httptest.NewRecorder()
	b.m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		app(w, r, session.FromRequest(r))
	})).ServeHTTP(w, r)
	return w
}

func (b *browser) take(h http.Header) {
	for _, line := range h["Set-Cookie"] {
		pair, attributes, _ := strings.Cut(line, ";")
		if strings.Contains(attributes, "Max-Age=0") {
			pair = ""
		}
		b.cookie = pair
	}
}

func (b *browser) put(key, value string) *httptest.ResponseRecorder {
	return b.do(func(w http.ResponseWriter, _ *http.Request, s *session.Session) {
		s.Put(key, value)
		_, _ = io.WriteString(w, "ok")
	})
}

func (b *browser) get(key string) (value string) {
	b.do(func(_ http.ResponseWriter, _ *http.Request, s *session.Session) { value = s.Get(key) })
	return value
}

// spy counts what a store is asked, and fails when it is told to.
type spy struct {
	session.Store
	mu    sync.Mutex
	calls []string
	fail  error
	hold  chan struct{} // calls wait for it, or their context
	local bool
}

func (s *spy) note(ctx context.Context, what string) error {
	s.mu.Lock()
	s.calls = append(s.calls, what)
	fail, hold := s.fail, s.hold
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fail
}

func (s *spy) set(fail error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

func (s *spy) took() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := strings.Join(s.calls, " ")
	s.calls = nil
	return calls
}

func (s *spy) Traits() session.Traits {
	t := s.Store.Traits()
	t.Local = s.local
	return t
}

func (s *spy) Find(ctx context.Context, token string) (session.Record, error) {
	if err := s.note(ctx, "find"); err != nil {
		return session.Record{}, err
	}
	return s.Store.Find(ctx, token)
}

func (s *spy) Commit(ctx context.Context, rec session.Record) (session.Record, error) {
	if err := s.note(ctx, "commit"); err != nil {
		return session.Record{}, err
	}
	return s.Store.Commit(ctx, rec)
}

func (s *spy) Delete(ctx context.Context, rec session.Record) error {
	if err := s.note(ctx, "delete"); err != nil {
		return err
	}
	return s.Store.Delete(ctx, rec)
}

func (s *spy) List(ctx context.Context, user string) ([]session.Record, error) {
	if err := s.note(ctx, "list"); err != nil {
		return nil, err
	}
	return s.Store.List(ctx, user)
}

var errDown = errors.New("connection refused")
