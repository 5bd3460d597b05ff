// Package storetest holds a [session.Store] to its contract.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, storetest.Options{New: func(t *testing.T) session.Store { … }})
//	}
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mountd/mountd/session"
)

// Options say how to come by the store.
type Options struct {
	// New makes an empty store, and has it closed when the test is over. It
	// must be set.
	New func(t *testing.T) session.Store

	// Overwrite puts garbage where the store keeps the session with this
	// handle. Nil: nobody but the store can write there.
	Overwrite func(t *testing.T, store session.Store, handle string, garbage []byte)
}

// Run runs the tests, each with a new store. What a store in cookies cannot do
// is left out.
func Run(t *testing.T, o Options) {
	for _, c := range []struct {
		name   string
		test   func(*contract)
		server bool // not for stores in cookies
	}{
		{"a session is found as it was kept", (*contract).found, false},
		{"data and users may hold anything", (*contract).anything, false},
		{"large data", (*contract).large, false},
		{"tokens differ, and are not handles", (*contract).tokens, false},
		{"what is no token is not found", (*contract).junk, false},
		{"an unknown token is not adopted", (*contract).adopted, true},
		{"a commit makes a new version", (*contract).versions, false},
		{"an old version is a conflict", (*contract).conflict, true},
		{"of commits at once one wins", (*contract).race, true},
		{"an ended session stays ended", (*contract).ended, false},
		{"an end may insist on a version", (*contract).endedVersion, true},
		{"an expired session is not found", (*contract).expired, false},
		{"sessions of a user", (*contract).lists, true},
		{"garbage is no session", (*contract).garbage, true},
		{"parallel requests lose no update", (*contract).requests, true},
		{"a call ends with its context", (*contract).cancelled, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := o.New(t)
			if c.server && store.Traits().InCookie {
				return // a store in cookies cannot know
			}
			c.test(&contract{t, store, o})
		})
	}
}

type contract struct {
	*testing.T
	store session.Store
	o     Options
}

func newRecord(user, data string) session.Record {
	now := time.Now()
	return session.Record{
		User: user, Data: []byte(data), Created: now, Seen: now.Add(time.Second),
		Expires: now.Add(time.Hour), Deadline: now.Add(2 * time.Hour),
	}
}

func (c *contract) commit(rec session.Record) session.Record {
	c.Helper()
	kept, err := c.store.Commit(c.Context(), rec)
	if err != nil {
		c.Fatalf("Commit: %v", err)
	}
	return kept
}

func (c *contract) want(what string, err, want error) {
	c.Helper()
	if !errors.Is(err, want) {
		c.Errorf("%s: %v, want %v", what, err, want)
	}
}

func (c *contract) find(token string) (session.Record, error) {
	return c.store.Find(c.Context(), token)
}

// same tells whether two records differ in more than the token.
func same(a, b session.Record) bool {
	return a.Handle == b.Handle && a.Version == b.Version && a.User == b.User && bytes.Equal(a.Data, b.Data) &&
		a.Created.UnixMilli() == b.Created.UnixMilli() && a.Seen.UnixMilli() == b.Seen.UnixMilli() &&
		a.Expires.UnixMilli() == b.Expires.UnixMilli() && a.Deadline.UnixMilli() == b.Deadline.UnixMilli()
}

func (c *contract) found() {
	rec := newRecord("joe", "data")
	kept := c.commit(rec)
	rec.Handle, rec.Version = kept.Handle, 1
	if !same(rec, kept) || kept.Token == "" || kept.Handle == "" {
		c.Errorf("kept %+v, given %+v", kept, rec)
	}
	got, err := c.find(kept.Token)
	if err != nil || !same(got, kept) || got.Token != kept.Token {
		c.Errorf("found %+v, %v, kept %+v", got, err, kept)
	}
}

func (c *contract) anything() {
	for _, text := range []string{"", "\x00\xff\n'\"\\", "é\u2028{}*?[", strings.Repeat("x", 300)} {
		kept := c.commit(newRecord(text, text))
		if got, err := c.find(kept.Token); err != nil || !same(got, kept) {
			c.Errorf("%q: found %+v, %v", text, got, err)
		}
	}
}

func (c *contract) large() {
	size := c.store.Traits().MaxData
	if size == 0 {
		size = session.DefaultMaxBytes
	}
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	kept := c.commit(newRecord("joe", string(data)))
	if got, err := c.find(kept.Token); err != nil || !same(got, kept) {
		c.Errorf("%d bytes: found %d, %v", size, len(got.Data), err)
	}
	if c.store.Traits().InCookie {
		_, err := c.store.Commit(c.Context(), newRecord("joe", strings.Repeat("x", 4096)))
		c.want("4096 bytes", err, session.ErrTooLarge)
	}
}

func (c *contract) tokens() {
	seen := map[string]bool{}
	for range 50 {
		rec := c.commit(newRecord("joe", ""))
		if seen[rec.Token] || seen[rec.Handle] || strings.Contains(rec.Token, rec.Handle) || strings.Contains(rec.Handle, rec.Token) {
			c.Fatalf("token %s, handle %s", rec.Token, rec.Handle)
		}
		seen[rec.Token], seen[rec.Handle] = true, true
		if !c.store.Owns(rec.Token) || c.store.Owns(rec.Handle) {
			c.Errorf("Owns: %v for the token, %v for the handle", c.store.Owns(rec.Token), c.store.Owns(rec.Handle))
		}
		if len(rec.Token) < 22 || strings.ContainsAny(rec.Token, "+/=;, \"") {
			c.Errorf("token %q", rec.Token)
		}
	}
}

func (c *contract) junk() {
	token := c.commit(newRecord("joe", "data")).Token
	flipped := []byte(token)
	flipped[len(flipped)/2] ^= 1
	for _, s := range []string{"", "x", "blarghfasel", token[1:], token[:len(token)-1], token + "A", string(flipped), strings.Repeat("A", 36), strings.Repeat("A", 5000), "\x00", "é"} {
		_, err := c.find(s)
		c.want(fmt.Sprintf("%.50q", s), err, session.ErrNotFound)
	}
	for _, s := range []string{"", "x", "blarghfasel", strings.Repeat("A", 5000), "\x00"} {
		if c.store.Owns(s) {
			c.Errorf("%.50q is taken for a token", s)
		}
	}
}

func (c *contract) adopted() {
	rec := newRecord("joe", "data")
	rec.Token = session.NewToken()
	for _, version := range []uint64{0, 1} {
		rec.Version = version
		_, err := c.store.Commit(c.Context(), rec)
		c.want("commit", err, session.ErrNotFound)
	}
	_, err := c.find(rec.Token)
	c.want("find", err, session.ErrNotFound)
}

func (c *contract) versions() {
	rec := c.commit(newRecord("joe", "one"))
	for i := range 5 {
		handle := rec.Handle
		rec.Data, rec.Seen = fmt.Append(nil, i), time.Now()
		rec = c.commit(rec)
		if rec.Version != uint64(i+2) || rec.Handle != handle {
			c.Fatalf("version %d, handle %s, was %s", rec.Version, rec.Handle, handle)
		}
		if got, err := c.find(rec.Token); err != nil || !same(got, rec) {
			c.Errorf("found %+v, %v, want %+v", got, err, rec)
		}
	}
}

func (c *contract) conflict() {
	old := c.commit(newRecord("joe", "one"))
	now := old
	now.Data = []byte("two")
	now = c.commit(now)
	old.Data = []byte("lost")
	_, err := c.store.Commit(c.Context(), old)
	c.want("an old version", err, session.ErrConflict)
	old.Version = 77
	_, err = c.store.Commit(c.Context(), old)
	c.want("a later version", err, session.ErrConflict)
	if got, err := c.find(now.Token); err != nil || !same(got, now) {
		c.Errorf("found %+v, %v", got, err)
	}
}

func (c *contract) race() {
	const n = 20
	rec := c.commit(newRecord("joe", ""))
	won := make(chan int, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			mine := rec
			mine.Data = fmt.Append(nil, i)
			switch _, err := c.store.Commit(c.Context(), mine); {
			case err == nil:
				won <- i
			case !errors.Is(err, session.ErrConflict):
				c.Errorf("commit: %v", err)
			}
		})
	}
	wg.Wait()
	close(won)
	var winners []int
	for i := range won {
		winners = append(winners, i)
	}
	got, err := c.find(rec.Token)
	if err != nil || len(winners) != 1 || string(got.Data) != fmt.Sprint(winners[0]) || got.Version != 2 {
		c.Errorf("winners %v, found %q version %d, %v", winners, got.Data, got.Version, err)
	}
}

func (c *contract) ended() {
	rec, other := c.commit(newRecord("joe", "data")), c.commit(newRecord("joe", "other"))
	c.want("delete", c.store.Delete(c.Context(), session.Record{Handle: rec.Handle}), nil)
	_, err := c.find(rec.Token)
	c.want("find", err, session.ErrNotFound)
	_, err = c.store.Commit(c.Context(), rec)
	c.want("commit", err, session.ErrNotFound)
	_, err = c.find(rec.Token)
	c.want("find after a commit", err, session.ErrNotFound)
	c.want("delete again", c.store.Delete(c.Context(), session.Record{Handle: rec.Handle}), session.ErrNotFound)
	c.want("delete something else", c.store.Delete(c.Context(), session.Record{Handle: "nobody's\x00"}), session.ErrNotFound)
	if got, err := c.find(other.Token); err != nil || !same(got, other) {
		c.Errorf("the other one: %+v, %v", got, err)
	}
}

func (c *contract) endedVersion() {
	old := c.commit(newRecord("joe", "one"))
	now := c.commit(old)
	c.want("delete an old version", c.store.Delete(c.Context(), old), session.ErrConflict)
	if _, err := c.find(now.Token); err != nil {
		c.Errorf("find: %v", err)
	}
	c.want("delete", c.store.Delete(c.Context(), now), nil)
	_, err := c.find(now.Token)
	c.want("find", err, session.ErrNotFound)
	c.want("delete again", c.store.Delete(c.Context(), now), session.ErrNotFound)
}

func (c *contract) expired() {
	rec := newRecord("joe", "data")
	rec.Expires = time.Now().Add(300 * time.Millisecond)
	short := c.commit(rec)
	long := c.commit(newRecord("joe", "data"))
	if time.Now().Before(rec.Expires) {
		if _, err := c.find(short.Token); err != nil && time.Now().Before(rec.Expires) {
			c.Errorf("before: %v", err)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, err := c.find(short.Token)
		if errors.Is(err, session.ErrNotFound) {
			break
		}
		if err != nil || time.Now().After(deadline) {
			c.Fatalf("after: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !c.store.Traits().InCookie {
		_, err := c.store.Commit(c.Context(), short)
		c.want("commit", err, session.ErrNotFound)
		if all, err := c.store.List(c.Context(), "joe"); err != nil || len(all) != 1 {
			c.Errorf("listed %d, %v", len(all), err)
		}
	}
	if _, err := c.find(long.Token); err != nil {
		c.Errorf("the other one: %v", err)
	}
}

func (c *contract) lists() {
	want := map[string]string{}
	for i, user := range []string{"joe", "ann", "joe", "", "j%e", "joe*"} {
		rec := c.commit(newRecord(user, fmt.Sprint(i)))
		if i == 2 {
			rec = c.commit(rec)
		}
		want[rec.Handle] = user
	}
	ended := c.commit(newRecord("joe", "ended"))
	c.want("delete", c.store.Delete(c.Context(), ended), nil)
	for user, count := range map[string]int{"joe": 2, "ann": 1, "j%e": 1, "joe*": 1, "nobody": 0, "": 5} {
		all, err := c.store.List(c.Context(), user)
		if err != nil || len(all) != count {
			c.Errorf("%q: %d listed, want %d, %v", user, len(all), count, err)
		}
		for _, rec := range all {
			if rec.Token != "" || rec.User == "" || want[rec.Handle] != rec.User || user != "" && rec.User != user || rec.Version == 0 {
				c.Errorf("%q: listed %+v", user, rec)
			}
		}
	}
}

func (c *contract) garbage() {
	if c.o.Overwrite == nil {
		return // nobody else can write there
	}
	good := session.AppendRecord(nil, session.Record{Version: 1, Created: time.Now(), Seen: time.Now(), Expires: time.Now().Add(time.Hour), Deadline: time.Now().Add(time.Hour)})
	future := append([]byte{200}, good[1:]...)
	for _, garbage := range [][]byte{nil, {}, []byte("x"), []byte(`{"user":"admin"}`), good[:20], future, bytes.Repeat([]byte{1}, 41), bytes.Repeat([]byte{0xff}, 1000)} {
		rec := c.commit(newRecord("joe", "data"))
		c.o.Overwrite(c.T, c.store, rec.Handle, garbage)
		if _, err := c.find(rec.Token); !errors.Is(err, session.ErrMalformed) && !errors.Is(err, session.ErrNotFound) {
			c.Errorf("%.20q: find: %v", garbage, err)
		}
		if _, err := c.store.List(c.Context(), "joe"); err != nil {
			c.Errorf("%.20q: list: %v", garbage, err)
		}
		if err := c.store.Delete(c.Context(), session.Record{Handle: rec.Handle}); err != nil {
			c.Errorf("%.20q: delete: %v", garbage, err)
		}
	}
}

// requests come to two managers, as to two machines.
func (c *contract) requests() {
	const n = 20
	var managers []*session.Manager
	for range 2 {
		m, err := session.New(session.Config{Store: c.store, Timeout: time.Minute})
		if err != nil {
			c.Fatal(err)
		}
		defer m.Close()
		managers = append(managers, m)
	}
	serve := func(m *session.Manager, cookie string, app func(*session.Session)) string {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		m.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { app(session.FromRequest(r)) })).ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			c.Errorf("status %d: %s", w.Code, w.Body)
		}
		cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
		return cookie
	}
	cookie := serve(managers[0], "", func(s *session.Session) { s.Put("sum", "") })
	var wg, begun sync.WaitGroup
	begun.Add(n)
	for i := range n {
		wg.Go(func() {
			serve(managers[i%2], cookie, func(s *session.Session) {
				s.Get("sum")
				begun.Done()
				begun.Wait() // all have read before the first one writes
				s.Put(fmt.Sprint("key", i), "x")
				s.Update("sum", func(old string) string { return old + "x" })
			})
		})
	}
	wg.Wait()
	serve(managers[0], cookie, func(s *session.Session) {
		if err := s.Err(); err != nil || len(s.Keys()) != n+1 || len(s.Get("sum")) != n {
			c.Errorf("%d keys, sum %q, %v", len(s.Keys()), s.Get("sum"), err)
		}
	})
}

func (c *contract) cancelled() {
	rec := c.commit(newRecord("joe", "data"))
	ctx, cancel := context.WithCancel(c.Context())
	cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = c.store.Find(ctx, rec.Token) // whatever it says
		_, _ = c.store.Commit(ctx, rec)
		_, _ = c.store.List(ctx, "joe")
		_ = c.store.Delete(ctx, rec)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		c.Fatal("a call does not return when its context is done")
	}
}
