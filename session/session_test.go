package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/session"
)

type (
	writer = http.ResponseWriter
	req    = *http.Request
	sess   = *session.Session
)

// login is what package auth asks of a session.
type login interface {
	Get(key string) string
	Put(key, value string)
	Delete(key string)
	Login(user string) error
	Clear() error
}

var _ login = (*session.Session)(nil)

func TestARequestThatDoesNotAskCostsTheStoreNothing(t *testing.T) {
	store := &spy{Store: memory(t)}
	m, _ := newManager(t, session.Config{Store: store})
	b := &browser{m: m}
	b.put("a", "b")
	if got := store.took(); got != "commit" {
		t.Errorf("a new session took %q", got)
	}
	for name, c := range map[string]struct {
		app  func(s *session.Session)
		want string
	}{
		"nothing":              {func(*session.Session) {}, ""},
		"a read":               {func(s *session.Session) { s.Get("a"); s.Get("b"); s.User(); s.Keys(); _ = s.Err() }, "find"},
		"what is there again":  {func(s *session.Session) { s.Put("a", "b") }, "find"},
		"deletion of no value": {func(s *session.Session) { s.Delete("x") }, "find"},
		"a change":             {func(s *session.Session) { s.Put("c", "d"); s.Put("e", "f"); s.Delete("c") }, "find commit"},
		"a change that is undone and one that is not": {func(s *session.Session) { s.Delete("e"); s.Put("g", "h") }, "find commit"},
	} {
		w := b.do(func(_ writer, _ req, s sess) { c.app(s) })
		if got := store.took(); got != c.want {
			t.Errorf("%s took %q, want %q", name, got, c.want)
		}
		if w.Header()["Set-Cookie"] != nil {
			t.Errorf("%s set %q", name, w.Header()["Set-Cookie"])
		}
	}
	// Reading, and putting nothing in the end, begins no session.
	for name, app := range map[string]func(s *session.Session){
		"a read":    func(s *session.Session) { s.Get("a") },
		"an undone": func(s *session.Session) { s.Put("a", "b"); s.Delete("a") },
		"a renewal": func(s *session.Session) {
			if err := s.Renew(); err != nil {
				t.Error(err)
			}
		},
		"an end": func(s *session.Session) {
			if err := s.Clear(); err != nil {
				t.Error(err)
			}
		},
	} {
		w := (&browser{m: m}).do(func(_ writer, _ req, s sess) { app(s) })
		if set := w.Header().Get("Set-Cookie"); store.took() != "" || set != "" && !strings.Contains(set, "Max-Age=0") {
			t.Errorf("%s without a session: %q", name, set)
		}
	}
}

func TestValuesLastFromRequestToRequest(t *testing.T) {
	for name, store := range stores(t) {
		m, _ := newManager(t, session.Config{Store: store})
		b := &browser{m: m}
		b.put("a", "1")
		b.put("b", "2")
		b.put("", "empty key")
		b.put("c", "")
		b.put("a", "3\x00é")
		b.do(func(_ writer, _ req, s sess) {
			s.Delete("b")
			s.Flash("note", "saved")
		})
		b.do(func(_ writer, _ req, s sess) {
			if _, ok := s.Lookup("b"); ok {
				t.Error("a deleted value is there")
			}
			if v, ok := s.Lookup("c"); !ok || v != "" {
				t.Error("an empty value is not there")
			}
			if s.Get("a") != "3\x00é" || s.Get("") != "empty key" || s.Get("note") != "" {
				t.Errorf("%s: %q %q %q", name, s.Get("a"), s.Get(""), s.Get("note"))
			}
			if got := s.TakeFlash("note"); got != "saved" {
				t.Errorf("flash %q", got)
			}
			if got := s.TakeFlash("note"); got != "" {
				t.Errorf("flash again %q", got)
			}
		})
		b.do(func(_ writer, _ req, s sess) {
			if got := s.TakeFlash("note"); got != "" {
				t.Errorf("flash later %q", got)
			}
		})
	}
}

func TestTypedValues(t *testing.T) {
	type item struct {
		Name  string
		Count int
	}
	cart := session.NewValue[[]item]("cart")
	m, _ := newManager(t, session.Config{MaxBytes: 200})
	b := &browser{m: m}
	b.do(func(_ writer, _ req, s sess) {
		if err := cart.Put(s, []item{{"tea", 2}}); err != nil {
			t.Error(err)
		}
		if err := cart.Put(s, []item{{strings.Repeat("x", 300), 2}}); !errors.Is(err, session.ErrTooLarge) {
			t.Error(err)
		}
		if err := session.NewValue[func()]("f").Put(s, nil); err == nil {
			t.Error("a function has been kept")
		}
	})
	b.do(func(_ writer, _ req, s sess) {
		if got, ok := cart.Get(s); !ok || len(got) != 1 || got[0] != (item{"tea", 2}) {
			t.Errorf("%v, %v", got, ok)
		}
		if got, ok := session.NewValue[int]("cart").Get(s); ok || got != 0 {
			t.Errorf("another type: %v", got)
		}
		cart.Delete(s)
		if _, ok := cart.Get(s); ok {
			t.Error("it is still there")
		}
	})
}

// E04: no update of parallel requests is lost, on one machine and on two.
func TestParallelRequestsLoseNothing(t *testing.T) {
	store := memory(t)
	one, _ := newManager(t, session.Config{Store: store})
	two, _ := newManager(t, session.Config{Store: store})
	b := &browser{m: one}
	b.put("count", "0")
	const n = 50
	var wg, all sync.WaitGroup
	all.Add(n)
	for i := range n {
		wg.Go(func() {
			client := &browser{m: one, cookie: b.cookie}
			if i%2 == 1 {
				client.m = two
			}
			w := client.do(func(w writer, _ req, s sess) {
				s.Get("count")
				all.Done()
				all.Wait() // all have read before the first one writes
				s.Put(fmt.Sprint("key", i), "x")
				s.Update("count", func(old string) string {
					n, _ := strconv.Atoi(old)
					return strconv.Itoa(n + 1)
				})
				w.WriteHeader(http.StatusNoContent)
			})
			if w.Code != http.StatusNoContent || w.Header()["Set-Cookie"] != nil {
				t.Errorf("status %d, %q", w.Code, w.Header()["Set-Cookie"])
			}
		})
	}
	wg.Wait()
	b.do(func(_ writer, _ req, s sess) {
		if keys := s.Keys(); len(keys) != n+1 || s.Get("count") != strconv.Itoa(n) {
			t.Errorf("%d keys, count %s", len(keys), s.Get("count"))
		}
	})
}

func TestTheLastWriterOfAKeyWins(t *testing.T) {
	m, _ := newManager(t, session.Config{})
	b := &browser{m: m}
	b.put("a", "0")
	b.do(func(_ writer, _ req, slow sess) {
		slow.Put("a", "slow")
		slow.Delete("b")
		(&browser{m: m, cookie: b.cookie}).put("a", "quick")
		(&browser{m: m, cookie: b.cookie}).put("b", "quick")
	})
	b.do(func(_ writer, _ req, s sess) {
		if got := s.Get("a") + " " + s.Get("b"); got != "slow quick" {
			t.Errorf("%q", got) // b was not there to delete
		}
	})
}

// E01: a planted id is worth nothing after the login.
func TestLoginRenewsTheID(t *testing.T) {
	for name, store := range stores(t) {
		m, _ := newManager(t, session.Config{Store: store})
		attacker := &browser{m: m}
		attacker.put("cart", "tea")
		victim := &browser{m: m, cookie: attacker.cookie}
		victim.do(func(w writer, _ req, s sess) {
			s.Put("seen", "yes")
			if err := s.Login("joe"); err != nil {
				t.Error(err)
			}
			s.Put("role", "admin")
			if s.User() != "joe" {
				t.Errorf("user %q", s.User())
			}
		})
		if victim.cookie == attacker.cookie {
			t.Errorf("%s: the id has stayed", name)
		}
		victim.do(func(_ writer, _ req, s sess) {
			if got := s.User() + " " + s.Get("cart") + " " + s.Get("seen") + " " + s.Get("role"); got != "joe tea yes admin" {
				t.Errorf("%s: %q", name, got)
			}
		})
		attacker.do(func(_ writer, _ req, s sess) {
			if s.User() != "" || s.Get("cart") != "" {
				t.Errorf("%s: the old id is alive", name)
			}
		})
		for _, user := range []string{"", "a\nb", strings.Repeat("x", 2000)} {
			victim.do(func(_ writer, _ req, s sess) {
				if err := s.Login(user); err == nil {
					t.Errorf("a user named %.20q", user)
				}
			})
		}
	}
}

func TestRenewKeepsEverythingElse(t *testing.T) {
	m, _ := newManager(t, session.Config{})
	b := &browser{m: m}
	b.do(func(_ writer, _ req, s sess) {
		s.Put("a", "b")
		if err := s.Login("joe"); err != nil {
			t.Error(err)
		}
	})
	old := b.cookie
	var before, after string
	b.do(func(_ writer, _ req, s sess) {
		before = fmt.Sprint(s.User(), s.Get("a"), s.Created())
		// Someone else changes it meanwhile.
		(&browser{m: m, cookie: b.cookie}).put("c", "d")
		if err := s.Renew(); err != nil {
			t.Error(err)
		}
	})
	b.do(func(_ writer, _ req, s sess) {
		after = fmt.Sprint(s.User(), s.Get("a"), s.Created())
		if s.Get("c") != "d" {
			t.Error("an update was lost")
		}
	})
	if before != after || b.cookie == old {
		t.Errorf("%s, then %s", before, after)
	}
}

// E02, and what came later than the end.
func TestAnEndedSessionStaysEnded(t *testing.T) {
	for name, store := range stores(t) {
		m, _ := newManager(t, session.Config{Store: store})
		b := &browser{m: m}
		b.do(func(_ writer, _ req, s sess) {
			if err := s.Login("joe"); err != nil {
				t.Error(err)
			}
		})
		old := b.cookie
		slow := &browser{m: m, cookie: old}
		w := slow.do(func(_ writer, _ req, s sess) {
			s.Put("a", "b")
			b.do(func(_ writer, _ req, s sess) {
				if err := s.Clear(); err != nil {
					t.Error(err)
				}
				if s.User() != "" {
					t.Error("the user is still there")
				}
			})
		})
		if w.Code != http.StatusOK || w.Header()["Set-Cookie"] != nil {
			t.Errorf("%s: the slow one: %d, %q", name, w.Code, w.Header()["Set-Cookie"])
		}
		replay := &browser{m: m, cookie: old}
		replay.do(func(_ writer, _ req, s sess) {
			if s.User() != "" || s.Get("a") != "" {
				t.Errorf("%s: it is back", name)
			}
		})
		again := &browser{m: m, cookie: old}
		again.put("a", "new")
		if again.cookie == old || again.get("a") != "new" {
			t.Errorf("%s: no new session", name)
		}
	}
}

func TestWhatIsPutAfterTheEndIsANewSession(t *testing.T) {
	m, _ := newManager(t, session.Config{})
	b := &browser{m: m}
	b.put("a", "b")
	old := b.cookie
	b.do(func(_ writer, _ req, s sess) {
		if err := s.Clear(); err != nil {
			t.Error(err)
		}
		s.Flash("note", "bye")
	})
	if b.cookie == "" || b.cookie == old {
		t.Errorf("cookie %q", b.cookie)
	}
	b.do(func(_ writer, _ req, s sess) {
		if s.Get("a") != "" || s.TakeFlash("note") != "bye" {
			t.Error("not a new session")
		}
	})
}

func TestListsOfSessions(t *testing.T) {
	m, _ := newManager(t, session.Config{})
	ctx := context.Background()
	clients := map[string][]*browser{}
	for _, user := range []string{"joe", "joe", "ann", "joe"} {
		b := &browser{m: m}
		b.do(func(_ writer, _ req, s sess) {
			if err := s.Login(user); err != nil {
				t.Error(err)
			}
		})
		clients[user] = append(clients[user], b)
	}
	(&browser{m: m}).put("a", "b") // anonymous
	in := func(b *browser) (user string) {
		b.do(func(_ writer, _ req, s sess) { user = s.User() })
		return user
	}
	count := func(user string, want int) []session.Info {
		t.Helper()
		all, err := m.List(ctx, user)
		if err != nil || len(all) != want {
			t.Errorf("%q has %d sessions, %v", user, len(all), err)
		}
		return all
	}
	count("", 4)
	count("ann", 1)
	first := count("joe", 3)[0]
	if strings.Contains(clients["joe"][0].cookie, first.ID) || first.User != "joe" || first.Created.IsZero() {
		t.Errorf("%+v", first)
	}
	if err := m.End(ctx, first.ID); err != nil {
		t.Error(err)
	}
	if err := m.End(ctx, first.ID); !errors.Is(err, session.ErrNotFound) {
		t.Error(err)
	}
	count("joe", 2)
	if n, err := m.EndUser(ctx, "joe"); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := m.EndUser(ctx, ""); err == nil {
		t.Error("nobody's sessions were ended")
	}
	for _, b := range clients["joe"] {
		if in(b) != "" {
			t.Error("joe is still in")
		}
	}
	if in(clients["ann"][0]) != "ann" {
		t.Error("ann is out")
	}
	if n, err := m.EndAll(ctx); n != 1 || err != nil || in(clients["ann"][0]) != "" {
		t.Errorf("%d, %v", n, err)
	}
	stateless, _ := newManager(t, session.Config{Store: cookies(t)})
	if _, err := stateless.List(ctx, ""); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

func TestNoSessionWithoutAManager(t *testing.T) {
	if session.FromRequest(httptest.NewRequest(http.MethodGet, "/", nil)) != nil {
		t.Error("a session from nowhere")
	}
	if session.FromContext(request.New(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))) != nil {
		t.Error("a session from nowhere, with a record")
	}
}

func TestOneSessionToARequest(t *testing.T) {
	m, _ := newManager(t, session.Config{})
	(&browser{m: m}).do(func(w writer, r req, s sess) {
		if session.FromContext(context.WithoutCancel(r.Context())) != s {
			t.Error("another one")
		}
	})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	rec := request.New(httptest.NewRecorder(), r)
	m.Wrap(http.HandlerFunc(func(w writer, r req) {
		s := session.FromRequest(r)
		if s == nil || session.FromContext(rec) != s {
			t.Error("another one, with a record")
		}
		_, _ = io.WriteString(w, s.Get("a"))
	})).ServeHTTP(&rec.Writer, &rec.Request)
}
