package session_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mountd/mountd/session"
)

// clock is a wall clock that can be set.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func startClock(m *session.Manager) *clock {
	c := &clock{}
	m.SetNow(func() time.Time {
		c.mu.Lock()
		defer c.mu.Unlock()
		return time.Now().Add(c.ahead).Round(0)
	})
	return c
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

func TestLifetimes(t *testing.T) {
	const every = 20 * time.Minute
	for name, store := range map[string]func(testing.TB) session.Store{
		"memory": func(t testing.TB) session.Store { return memory(t) },
		"cookie": func(t testing.TB) session.Store { return cookies(t) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _ := newManager(t, session.Config{Store: store(t), Lifetime: 5 * time.Hour, Idle: time.Hour})
				used, idle := &browser{m: m}, &browser{m: m}
				used.put("a", "b")
				idle.put("a", "b")
				start := time.Now()
				for time.Since(start) < 6*time.Hour {
					time.Sleep(every)
					want := "b"
					if time.Since(start) >= 5*time.Hour {
						want = ""
					}
					if got := used.get("a"); got != want {
						t.Fatalf("used, after %v: %q", time.Since(start), got)
					}
					if time.Since(start) == time.Hour {
						if got := idle.get("a"); got != "" {
							t.Errorf("idle for an hour: %q", got)
						}
					}
				}
			})
		})
	}
}

func TestALoginBeginsALifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, session.Config{Lifetime: 2 * time.Hour, Idle: 2 * time.Hour})
		b := &browser{m: m}
		b.put("a", "b")
		time.Sleep(90 * time.Minute)
		b.do(func(_ writer, _ req, s sess) {
			if err := s.Login("joe"); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(90 * time.Minute)
		if b.get("a") != "b" {
			t.Error("it has ended too early")
		}
		time.Sleep(30 * time.Minute)
		if b.get("a") != "" {
			t.Error("it has not ended")
		}
	})
}

func TestUseIsNotedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &spy{Store: memory(t)}
		m, _ := newManager(t, session.Config{Store: store, Idle: time.Hour})
		b := &browser{m: m}
		b.put("a", "b")
		for range 60 {
			time.Sleep(time.Minute)
			b.get("a")
		}
		if got := strings.Count(store.took(), "commit"); got != 11 { // the first one, and one in six minutes
			t.Errorf("%d commits in an hour", got)
		}
	})
}

// lasting is a store whose own clock forgets nothing.
type lasting struct{ session.Store }

func (l lasting) Commit(ctx context.Context, rec session.Record) (session.Record, error) {
	rec.Expires = rec.Expires.Add(1000 * time.Hour)
	return l.Store.Commit(ctx, rec)
}

// E17: clocks that jump make no session immortal, and end none that should not.
func TestClocksThatJump(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		jump time.Duration
		want string
	}{
		"a little ahead": {2 * time.Minute, "b"},
		"a little back":  {-2 * time.Minute, "b"},
		"an hour back":   {-time.Hour, "b"},
		"a day ahead":    {day, ""},
		"two days back":  {-2 * day, ""}, // no session can be from so far ahead
	} {
		m, _ := newManager(t, session.Config{Store: lasting{memory(t)}})
		clock := startClock(m)
		b := &browser{m: m}
		b.put("a", "b")
		clock.advance(c.jump)
		if got := b.get("a"); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	// Set back for good: the idle time counts from the next use on, and the
	// lifetime ends.
	m, _ := newManager(t, session.Config{Store: lasting{memory(t)}})
	clock := startClock(m)
	b := &browser{m: m}
	b.put("a", "b")
	clock.advance(-20 * time.Hour)
	for range 2 {
		if got := b.get("a"); got != "b" {
			t.Errorf("%q", got)
		}
		clock.advance(30 * time.Minute)
	}
	clock.advance(2 * time.Hour)
	if got := b.get("a"); got != "" {
		t.Errorf("it was idle for two hours: %q", got)
	}
}

func TestPersistentCookiesEndWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newManager(t, session.Config{Store: cookies(t), Lifetime: 2 * time.Hour, Idle: time.Hour, Cookie: session.Cookie{Persist: true}})
		b := &browser{m: m}
		b.put("a", "b")
		time.Sleep(30 * time.Minute)
		w := b.put("a", "c")
		if c := (&http.Response{Header: w.Header()}).Cookies(); len(c) != 1 || c[0].MaxAge != 90*60 {
			t.Errorf("%v", c)
		}
	})
}
