package session_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mountd/mountd/session"
)

// watching serves a request that lasts until its session has ended, and tells
// how long that took and why.
func watching(b *browser, begin func()) (took time.Duration, cause error) {
	b.raw(b.cookie, func(w writer, r req, _ sess) {
		ctx, stop := session.Watch(r.Context())
		defer stop()
		w.WriteHeader(http.StatusOK)
		start := time.Now()
		go begin()
		<-ctx.Done()
		took, cause = time.Since(start), context.Cause(ctx)
	})
	return took, cause
}

// E20: what lasts longer than a request ends with its session.
func TestWatch(t *testing.T) {
	end := func(t *testing.T, m *session.Manager) {
		if _, err := m.EndUser(context.Background(), "joe"); err != nil {
			t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		run  func(t *testing.T, here, elsewhere *session.Manager, store *spy, b *browser)
		took time.Duration
		want error
	}{
		"a logout here": {func(t *testing.T, _, _ *session.Manager, _ *spy, b *browser) {
			b.do(func(_ writer, _ req, s sess) {
				if err := s.Clear(); err != nil {
					t.Error(err)
				}
			})
		}, 0, session.ErrEnded},
		"a login here": {func(t *testing.T, _, _ *session.Manager, _ *spy, b *browser) {
			b.do(func(_ writer, _ req, s sess) {
				if err := s.Login("ann"); err != nil {
					t.Error(err)
				}
			})
		}, 0, session.ErrEnded},
		"an end here":      {func(t *testing.T, here, _ *session.Manager, _ *spy, _ *browser) { end(t, here) }, 0, session.ErrEnded},
		"an end elsewhere": {func(t *testing.T, _, elsewhere *session.Manager, _ *spy, _ *browser) { end(t, elsewhere) }, 30 * time.Second, session.ErrEnded},
		"idle for an hour": {func(*testing.T, *session.Manager, *session.Manager, *spy, *browser) {}, time.Hour, session.ErrEnded},
		"a store that fails": {func(_ *testing.T, _, _ *session.Manager, store *spy, _ *browser) { store.set(errDown) },
			90 * time.Second, session.ErrUnavailable},
		"a manager that is closed": {func(t *testing.T, here, _ *session.Manager, _ *spy, _ *browser) {
			if err := here.Close(); err != nil {
				t.Error(err)
			}
		}, 0, session.ErrEnded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &spy{Store: memory(t)}
				here, _ := newManager(t, session.Config{Store: store})
				elsewhere, _ := newManager(t, session.Config{Store: store})
				b := loggedIn(t, here)
				took, cause := watching(b, func() { c.run(t, here, elsewhere, store, &browser{m: here, cookie: b.cookie}) })
				if took != c.took || !errors.Is(cause, c.want) {
					t.Errorf("ended after %v: %v", took, cause)
				}
			})
		})
	}
}

func TestWatchEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &spy{Store: memory(t)}
		m, _ := newManager(t, session.Config{Store: store})
		loggedIn(t, m).do(func(_ writer, r req, _ sess) {
			parent, cancel := context.WithCancel(r.Context())
			ctx, stop := session.Watch(parent)
			defer stop()
			cancel()
			<-ctx.Done()
			if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		store.took()
		time.Sleep(time.Hour)
		if got := store.took(); got != "" {
			t.Errorf("the store is still asked: %q", got)
		}
		// Nothing to watch.
		for _, ctx := range []context.Context{t.Context()} {
			watched, stop := session.Watch(ctx)
			if watched.Err() != nil {
				t.Error("it has ended at once")
			}
			stop()
			<-watched.Done()
		}
		(&browser{m: m}).do(func(_ writer, r req, _ sess) {
			watched, stop := session.Watch(r.Context())
			if watched.Err() != nil {
				t.Error("it has ended at once")
			}
			stop()
		})
	})
}

func TestValid(t *testing.T) {
	store := &spy{Store: memory(t)}
	m, _ := newManager(t, session.Config{Store: store})
	b := loggedIn(t, m)
	b.do(func(_ writer, r req, s sess) {
		if err := m.Valid(t.Context(), r); err != nil {
			t.Error(err)
		}
		if _, err := m.EndAll(t.Context()); err != nil {
			t.Error(err)
		}
		if err := m.Valid(t.Context(), r); !errors.Is(err, session.ErrEnded) {
			t.Error(err)
		}
		store.set(errDown)
		if err := m.Valid(t.Context(), r); !errors.Is(err, session.ErrUnavailable) {
			t.Error(err)
		}
	})
	b.raw("", func(_ writer, r req, _ sess) {
		if err := m.Valid(t.Context(), r); !errors.Is(err, session.ErrEnded) {
			t.Error(err)
		}
	})
}
