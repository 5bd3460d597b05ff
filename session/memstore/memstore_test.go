package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/memstore"
	"github.com/mountd/mountd/session/storetest"
)

func newStore(t testing.TB, cfg memstore.Config) *memstore.Store {
	t.Helper()
	s, err := memstore.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Options{New: func(t *testing.T) session.Store { return newStore(t, memstore.Config{}) }})
	t.Run("one part", func(t *testing.T) {
		storetest.Run(t, storetest.Options{New: func(t *testing.T) session.Store { return newStore(t, memstore.Config{Max: 60}) }})
	})
}

func TestMistakes(t *testing.T) {
	_, err := memstore.New(memstore.Config{Max: -1, MaxBytes: -1})
	for _, path := range []string{"max", "max_bytes"} {
		if !hasPath(err, path) {
			t.Errorf("%v does not name %s", err, path)
		}
	}
}

func hasPath(err error, path string) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if hasPath(e, path) {
				return true
			}
		}
		return false
	}
	var o interface{ OptionPath() string }
	return errors.As(err, &o) && o.OptionPath() == path
}

// begin commits a session that lasts so long.
func begin(t *testing.T, s *memstore.Store, user string, lasts time.Duration, data string) string {
	t.Helper()
	now := time.Now()
	rec, err := s.Commit(context.Background(), session.Record{User: user, Created: now, Seen: now, Expires: now.Add(lasts), Deadline: now.Add(lasts), Data: []byte(data)})
	if err != nil {
		t.Fatal(err)
	}
	return rec.Token
}

func there(s *memstore.Store, token string) bool {
	_, err := s.Find(context.Background(), token)
	return err == nil
}

func TestWhatIsForgottenFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, memstore.Config{Max: 5})
		user := begin(t, s, "joe", time.Hour, "")
		short := begin(t, s, "joe", time.Minute, "")
		first := begin(t, s, "", time.Hour, "")
		second := begin(t, s, "", time.Hour, "")
		third := begin(t, s, "", time.Hour, "")
		there(s, first) // used later than second
		check := func(when string, want map[string]bool) {
			t.Helper()
			for token, is := range want {
				if there(s, token) != is {
					t.Errorf("%s: session %d is there: %v", when, map[string]int{user: 0, short: 1, first: 2, second: 3, third: 4}[token], !is)
				}
			}
		}
		time.Sleep(2 * time.Minute)
		begin(t, s, "", time.Hour, "")
		if n := s.Len(); n != 5 {
			t.Errorf("%d sessions", n)
		}
		check("the expired one goes", map[string]bool{user: true, short: false, third: true, first: true, second: true})
		// check has used them in any order: this is the order from here on.
		for _, token := range []string{user, second, third, first} {
			there(s, token)
		}
		for range 2 {
			begin(t, s, "ann", time.Hour, "")
		}
		check("then anonymous ones", map[string]bool{user: true, second: false, third: true, first: true})
		for range 3 {
			begin(t, s, "ann", time.Hour, "")
		}
		if there(s, first) || there(s, third) {
			t.Error("an anonymous session has outlived one of a user")
		}
	})
}

func TestBytesAreBounded(t *testing.T) {
	s := newStore(t, memstore.Config{Max: 1000, MaxBytes: 100_000})
	for i := range 1000 {
		begin(t, s, fmt.Sprint("user", i), time.Hour, string(make([]byte, 10_000)))
	}
	if n := s.Len(); n > 9 || n == 0 {
		t.Errorf("%d sessions of 10 kB in 100 kB", n)
	}
	token := begin(t, s, "joe", time.Hour, "")
	rec, err := s.Find(context.Background(), token)
	if err != nil {
		t.Fatal(err)
	}
	rec.Data = make([]byte, 99_000)
	if _, err := s.Commit(context.Background(), rec); err != nil {
		t.Fatal(err)
	}
	if n := s.Len(); n != 1 || !there(s, token) {
		t.Errorf("%d sessions; the one that has grown is there: %v", n, there(s, token))
	}
}

func BenchmarkFind(b *testing.B) {
	s := newStore(b, memstore.Config{})
	now := time.Now()
	rec, err := s.Commit(context.Background(), session.Record{User: "joe", Created: now, Seen: now, Expires: now.Add(time.Hour), Deadline: now.Add(time.Hour), Data: make([]byte, 200)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Find(context.Background(), rec.Token); err != nil {
			b.Fatal(err)
		}
	}
}

func Example() {
	store, err := memstore.New(memstore.Config{Max: 10_000})
	if err != nil {
		fmt.Println(err)
		return
	}
	sessions, err := session.New(session.Config{Store: store})
	fmt.Println(sessions.CookieName(), err)
	// Output: mountd_session <nil>
}
