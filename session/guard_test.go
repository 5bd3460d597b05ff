package session_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/session"
)

// private needs its session.
func private(w writer, r req, s sess) {
	user := s.User()
	if err := s.Err(); err != nil {
		request.Fail(w, r, err)
		return
	}
	if user == "" {
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func loggedIn(t *testing.T, m *session.Manager) *browser {
	t.Helper()
	b := &browser{m: m}
	b.do(func(_ writer, _ req, s sess) {
		if err := s.Login("joe"); err != nil {
			t.Fatal(err)
		}
	})
	return b
}

func TestAStoreThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &spy{Store: memory(t)}
		m, log := newManager(t, session.Config{Store: store})
		b := loggedIn(t, m)
		store.set(errDown)
		store.took()
		for range 10 {
			w := b.do(private)
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" {
				t.Errorf("status %d, %v", w.Code, w.Header())
			}
		}
		if got := store.took(); got != "find" {
			t.Errorf("the store was asked %q", got)
		}
		for name, call := range map[string]func(s sess) error{
			"Login": func(s sess) error { return s.Login("ann") }, "Renew": sess.Renew, "Clear": sess.Clear, "Save": sess.Save,
			"Put":   func(s sess) error { return session.NewValue[int]("x").Put(s, 1) },
			"Watch": func(sess) error { _, err := m.List(t.Context(), ""); return err },
			"End":   func(sess) error { return m.End(t.Context(), "x") },
		} {
			b.raw(b.cookie, func(_ writer, _ req, s sess) {
				if err := call(s); !errors.Is(err, session.ErrUnavailable) {
					t.Errorf("%s: %v", name, err)
				}
				if s.Get("a") != "" || s.User() != "" || s.Keys() != nil || !s.Created().IsZero() {
					t.Errorf("%s: something was read", name)
				}
			})
		}
		public := b.do(func(writer, req, sess) {})
		if public.Code != http.StatusOK || len(public.Header()) != 0 {
			t.Errorf("a public page: %d, %v", public.Code, public.Header())
		}
		store.took()
		for range 5 { // it is tried once a second
			time.Sleep(time.Second)
			b.do(private)
			b.do(private)
			if got := store.took(); got != "find" {
				t.Errorf("the store was asked %q", got)
			}
		}
		store.set(nil)
		time.Sleep(time.Second)
		if w := b.do(private); w.Code != http.StatusOK {
			t.Errorf("status %d once it is back", w.Code)
		}
		if n := strings.Count(log.String(), "session store"); n != 2 || !strings.Contains(log.String(), "is back") {
			t.Errorf("%d lines: %s", n, log)
		}
	})
}

// J11: a slow store costs no more than the time limit, and the next requests
// nothing.
func TestAStoreThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &spy{Store: memory(t)}
		m, _ := newManager(t, session.Config{Store: store})
		b := loggedIn(t, m)
		hold := make(chan struct{})
		store.mu.Lock()
		store.hold = hold
		store.mu.Unlock()
		for i, want := range []time.Duration{2 * time.Second, 0, 0} {
			start := time.Now()
			if w := b.do(private); w.Code != http.StatusServiceUnavailable || time.Since(start) != want {
				t.Errorf("request %d: status %d after %v", i, w.Code, time.Since(start))
			}
		}
		// While one request tries, the others don't wait.
		time.Sleep(time.Second)
		first := make(chan time.Duration)
		go func() {
			start := time.Now()
			(&browser{m: m, cookie: b.cookie}).do(private)
			first <- time.Since(start)
		}()
		synctest.Wait()
		start := time.Now()
		b.do(private)
		if time.Since(start) != 0 {
			t.Errorf("a second one waited %v", time.Since(start))
		}
		close(hold)
		if took := <-first; took != 0 {
			t.Errorf("the first one took %v", took)
		}
		if w := b.do(private); w.Code != http.StatusOK {
			t.Errorf("status %d", w.Code)
		}
	})
}

// E16: what someone else has written into the store is no session.
func TestMalformedSessions(t *testing.T) {
	for _, data := range []string{"", "x", "\x01\x05a", "\x02", `{"user":"admin"}`, "\x01\x80\x00"} {
		store := memory(t)
		m, log := newManager(t, session.Config{Store: store})
		now := time.Now()
		rec, err := store.Commit(t.Context(), session.Record{User: "admin", Created: now, Seen: now, Expires: now.Add(time.Hour), Deadline: now.Add(time.Hour), Data: []byte(data)})
		if err != nil {
			t.Fatal(err)
		}
		b := &browser{m: m, cookie: "mountd_session=" + rec.Token}
		if w := b.do(private); w.Code != http.StatusUnauthorized {
			t.Errorf("%q: status %d", data, w.Code)
		}
		if !strings.Contains(log.String(), "session ignored") || strings.Contains(log.String(), "admin") || strings.Contains(log.String(), rec.Token) {
			t.Errorf("%q: log %q", data, log)
		}
		b.put("a", "b")
		if b.cookie == "mountd_session="+rec.Token || b.get("a") != "b" {
			t.Errorf("%q: no new session", data)
		}
	}
}

func ExampleSession_Err() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		s := session.FromRequest(r)
		user := s.Get("user")
		if err := s.Err(); err != nil { // the store is down: nobody is let in
			http.Error(w, "try again later", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "hello", user)
	}
	_ = handler
}
