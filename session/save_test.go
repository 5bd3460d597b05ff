package session_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/session"
)

func TestWhatIsPutAfterTheHeader(t *testing.T) {
	t.Run("is saved in the end, of a session that the browser has", func(t *testing.T) {
		m, _ := newManager(t, session.Config{})
		b := &browser{m: m}
		b.put("a", "b")
		b.do(func(w writer, _ req, s sess) {
			_, _ = io.WriteString(w, "begun")
			s.Put("a", "later")
		})
		if got := b.get("a"); got != "later" {
			t.Errorf("%q", got)
		}
	})
	for name, store := range stores(t) {
		t.Run("is lost, and logged, of a session that it has not: "+name, func(t *testing.T) {
			m, log := newManager(t, session.Config{Store: store})
			b := &browser{m: m}
			if name == "cookie" {
				b.put("a", "b") // a new cookie is needed all the same
			}
			w := b.do(func(w writer, _ req, s sess) {
				_, _ = io.WriteString(w, "begun")
				s.Put("a", "later")
				if err := s.Login("joe"); !errors.Is(err, session.ErrTooLate) {
					t.Error(err)
				}
				if err := s.Renew(); !errors.Is(err, session.ErrTooLate) {
					t.Error(err)
				}
			})
			if w.Body.String() != "begun" || !strings.Contains(log.String(), session.ErrTooLate.Error()) {
				t.Errorf("%q, log %q", w.Body, log)
			}
			if got := b.get("a"); got == "later" {
				t.Error("it was saved")
			}
		})
	}
	t.Run("is an error for who saves", func(t *testing.T) {
		m, log := newManager(t, session.Config{})
		(&browser{m: m}).do(func(w writer, _ req, s sess) {
			w.WriteHeader(http.StatusNoContent)
			s.Put("a", "b")
			if err := s.Save(); !errors.Is(err, session.ErrTooLate) {
				t.Error(err)
			}
			s.Delete("a")
		})
		if log.String() != "" {
			t.Errorf("log %q", log)
		}
	})
	t.Run("is lost after the request", func(t *testing.T) {
		m, log := newManager(t, session.Config{})
		b := &browser{m: m}
		b.put("a", "b")
		var kept sess
		b.do(func(_ writer, _ req, s sess) { s.Get("a"); kept = s })
		kept.Put("a", "c")
		if !strings.Contains(log.String(), "request is over") || b.get("a") != "b" {
			t.Errorf("log %q, value %q", log, b.get("a"))
		}
	})
	t.Run("an end works", func(t *testing.T) {
		for name, store := range stores(t) {
			m, _ := newManager(t, session.Config{Store: store})
			b := &browser{m: m}
			b.put("a", "b")
			b.do(func(w writer, _ req, s sess) {
				w.WriteHeader(http.StatusOK)
				if err := s.Clear(); err != nil {
					t.Error(err)
				}
			})
			if got := b.get("a"); got != "" {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}

// aborted runs f, and tells whether it was aborted.
func aborted(f func()) (is bool) {
	defer func() {
		switch e := recover(); e {
		case nil:
		case http.ErrAbortHandler:
			is = true
		default:
			panic(e)
		}
	}()
	f()
	return false
}

// E13: too much is an error, never a silent loss.
func TestTooLargeSessions(t *testing.T) {
	for name, store := range stores(t) {
		size := 64 << 10
		if name == "cookie" {
			size = 3000
		}
		large := strings.Repeat("x", size)
		m, log := newManager(t, session.Config{Store: store})
		b := &browser{m: m}
		b.put("a", "b")

		w := b.do(func(_ writer, _ req, s sess) { s.Put("large", large) })
		if w.Code != http.StatusInternalServerError || !strings.Contains(log.String(), "too large") {
			t.Errorf("%s: status %d, log %q", name, w.Code, log)
		}
		if !aborted(func() { b.put("large", large) }) {
			t.Errorf("%s: the answer was not aborted", name)
		}
		w = b.do(func(w writer, r req, s sess) {
			s.Put("large", large)
			s.Update("a", func(string) string { return large })
			err := s.Err()
			if !errors.Is(err, session.ErrTooLarge) || s.Err() != nil {
				t.Errorf("%s: %v", name, err)
			}
			s.Put("c", "d")
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		})
		if w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: a handler that knows was not left alone: %d", name, w.Code)
		}
		b.do(func(_ writer, _ req, s sess) {
			if got := s.Get("a") + s.Get("c") + s.Get("large"); got != "bd" {
				t.Errorf("%s: %.20q", name, got)
			}
		})
	}
}

// Others may have filled the session meanwhile.
func TestMergingStaysWithinTheBound(t *testing.T) {
	m, _ := newManager(t, session.Config{MaxBytes: 100})
	b := &browser{m: m}
	b.put("a", "b")
	if !aborted(func() {
		b.do(func(w writer, _ req, s sess) {
			s.Put("mine", strings.Repeat("x", 60))
			(&browser{m: m, cookie: b.cookie}).put("theirs", strings.Repeat("x", 60))
			w.WriteHeader(http.StatusOK)
		})
	}) {
		t.Error("not aborted")
	}
	if b.get("theirs") == "" || b.get("mine") != "" {
		t.Error("the wrong one was kept")
	}
}

func TestAnAnswerWithoutItsSessionIsNoSuccess(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w writer, r req)
		abort  bool
		status int
	}{
		"a page":             {func(w writer, _ req) { _, _ = io.WriteString(w, "saved!") }, true, 0},
		"a redirect":         {func(w writer, r req) { http.Redirect(w, r, "/saved", http.StatusSeeOther) }, true, 0},
		"an error":           {func(w writer, _ req) { w.WriteHeader(http.StatusBadGateway) }, false, http.StatusBadGateway},
		"nothing so far":     {func(writer, req) {}, false, http.StatusServiceUnavailable},
		"through the errors": {func(w writer, r req) { request.Fail(w, r, &request.Error{Status: 500}) }, false, 500},
	} {
		for _, record := range []bool{false, true} {
			store := &spy{Store: memory(t), fail: errDown}
			m, log := newManager(t, session.Config{Store: store})
			h := m.Wrap(http.HandlerFunc(func(w writer, r req) {
				session.FromRequest(r).Put("a", "b")
				c.answer(w, r)
			}))
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
			is := aborted(func() {
				if record {
					rec := request.New(w, r)
					h.ServeHTTP(&rec.Writer, &rec.Request)
					return
				}
				h.ServeHTTP(w, r)
			})
			if is != c.abort || !is && w.Code != c.status || w.Header()["Set-Cookie"] != nil {
				t.Errorf("%s: aborted %v, status %d, %q", name, is, w.Code, w.Header()["Set-Cookie"])
			}
			if !strings.Contains(log.String(), "connection refused") {
				t.Errorf("%s: log %q", name, log)
			}
		}
	}
}

func TestSaveTells(t *testing.T) {
	store := &spy{Store: memory(t)}
	m, _ := newManager(t, session.Config{Store: store})
	b := &browser{m: m}
	w := b.do(func(w writer, _ req, s sess) {
		s.Put("a", "b")
		if err := s.Save(); err != nil {
			t.Error(err)
		}
		if got := store.took(); got != "commit" {
			t.Errorf("took %q", got)
		}
		_, _ = io.WriteString(w, "ok")
	})
	if got := store.took(); got != "" || w.Header()["Set-Cookie"] == nil {
		t.Errorf("took %q more, %q", got, w.Header())
	}
	b.do(func(w writer, _ req, s sess) {
		s.Put("a", "c")
		if _, err := m.EndAll(t.Context()); err != nil {
			t.Error(err)
		}
		all, err := store.Store.Find(t.Context(), strings.TrimPrefix(b.cookie, "mountd_session="))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.End(t.Context(), all.Handle); err != nil {
			t.Error(err)
		}
		if err := s.Save(); !errors.Is(err, session.ErrEnded) {
			t.Error(err)
		}
	})
}

// A use that could not be noted harms nobody.
func TestAUseThatIsNotNotedIsNoFailure(t *testing.T) {
	store := &spy{Store: memory(t)}
	m, _ := newManager(t, session.Config{Store: store, Idle: 1e9})
	b := &browser{m: m}
	b.put("a", "b")
	clock := startClock(m)
	clock.advance(5e8)
	w := b.do(func(w writer, _ req, s sess) {
		s.Get("a")
		store.set(errDown)
		_, _ = io.WriteString(w, "page")
	})
	if got := store.took(); got != "commit find commit" || w.Body.String() != "page" {
		t.Errorf("took %q, answered %q", got, w.Body)
	}
}
