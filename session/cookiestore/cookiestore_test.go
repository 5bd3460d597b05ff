package cookiestore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/cookiestore"
	"github.com/mountd/mountd/session/storetest"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func newStore(t testing.TB, cfg cookiestore.Config) *cookiestore.Store {
	t.Helper()
	s, err := cookiestore.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Options{New: func(t *testing.T) session.Store {
		return newStore(t, cookiestore.Config{Keys: [][]byte{key(1)}})
	}})
}

func TestMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  cookiestore.Config
		path []string
	}{
		"no key":       {cookiestore.Config{}, []string{"keys"}},
		"short keys":   {cookiestore.Config{Keys: [][]byte{key(1), []byte("changeme"), key(2)[:31]}}, []string{"keys[1]", "keys[2]"}},
		"the same key": {cookiestore.Config{Keys: [][]byte{key(1), key(1)}}, []string{"keys[1]"}},
		"a negative":   {cookiestore.Config{Keys: [][]byte{key(1)}, MaxEnded: -1}, []string{"max_ended"}},
	} {
		_, err := cookiestore.New(c.cfg)
		var paths []string
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				var o interface{ OptionPath() string }
				if errors.As(e, &o) {
					paths = append(paths, o.OptionPath())
				}
			}
		}
		if fmt.Sprint(paths) != fmt.Sprint(c.path) {
			t.Errorf("%s: %v (%v)", name, paths, err)
		}
	}
}

func begin(t testing.TB, s *cookiestore.Store) session.Record {
	t.Helper()
	now := time.Now()
	rec, err := s.Commit(context.Background(), session.Record{
		User: "joe", Created: now, Seen: now, Expires: now.Add(time.Hour), Deadline: now.Add(time.Hour), Data: []byte("data that nobody sees"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func opens(s *cookiestore.Store, token string) bool {
	_, err := s.Find(context.Background(), token)
	return err == nil
}

func TestKeysTakeTurns(t *testing.T) {
	old := newStore(t, cookiestore.Config{Keys: [][]byte{key(1)}})
	both := newStore(t, cookiestore.Config{Keys: [][]byte{key(2), key(1)}})
	next := newStore(t, cookiestore.Config{Keys: [][]byte{key(2)}})
	first := begin(t, old)
	if !opens(both, first.Token) || opens(next, first.Token) {
		t.Error("the old key's cookie")
	}
	second, err := both.Commit(context.Background(), first)
	if err != nil {
		t.Fatal(err)
	}
	if !opens(both, second.Token) || !opens(next, second.Token) || opens(old, second.Token) {
		t.Error("the new key's cookie")
	}
}

func TestBindingsAreApart(t *testing.T) {
	a := newStore(t, cookiestore.Config{Keys: [][]byte{key(1)}, Binding: "a"})
	b := newStore(t, cookiestore.Config{Keys: [][]byte{key(1)}, Binding: "b"})
	if rec := begin(t, a); opens(b, rec.Token) || b.Owns(rec.Token) {
		t.Error("one layer takes another's cookie")
	}
}

func TestEveryBitCounts(t *testing.T) {
	s := newStore(t, cookiestore.Config{Keys: [][]byte{key(1)}})
	token := begin(t, s).Token
	if strings.Contains(token, "joe") {
		t.Error("the user can be read")
	}
	for i := range token {
		for _, bit := range []byte{1, 4, 32} {
			b := []byte(token)
			if b[i] ^= bit; opens(s, string(b)) {
				t.Fatalf("character %d may be changed from %c to %c", i, token[i], b[i])
			}
		}
	}
	for n := range token {
		if opens(s, token[:n]) {
			t.Fatalf("cut to %d", n)
		}
	}
}

func TestEndedSessionsAreForgottenInTurn(t *testing.T) {
	s := newStore(t, cookiestore.Config{Keys: [][]byte{key(1)}, MaxEnded: 3})
	var all []session.Record
	for range 5 {
		rec := begin(t, s)
		if err := s.Delete(context.Background(), rec); err != nil {
			t.Fatal(err)
		}
		all = append(all, rec)
	}
	for i, rec := range all {
		if opens(s, rec.Token) != (i < 2) {
			t.Errorf("session %d works: %v", i, i >= 2)
		}
	}
}

// The vectors of c2sp.org/XAES-256-GCM.
func TestXAES(t *testing.T) {
	for _, c := range []struct {
		key       byte
		aad, want string
	}{
		{1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		got, err := cookiestore.SealXAES(key(c.key), []byte("ABCDEFGHIJKLMNOPQRSTUVWX"), []byte("XAES-256-GCM"), []byte(c.aad))
		if err != nil || hex.EncodeToString(got) != c.want {
			t.Errorf("key %d: %x, %v", c.key, got, err)
		}
	}
}

func FuzzFind(f *testing.F) {
	s, err := cookiestore.New(cookiestore.Config{Keys: [][]byte{key(1)}})
	if err != nil {
		f.Fatal(err)
	}
	token := begin(f, s).Token
	for _, seed := range []string{"", token, token[:50], strings.Repeat("A", 100), "AQAAAAA" + strings.Repeat("A", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if opens(s, text) && text != token {
			t.Errorf("%q is a session", text)
		}
		s.Owns(text)
	})
}

func BenchmarkFind(b *testing.B) {
	s := newStore(b, cookiestore.Config{Keys: [][]byte{key(1)}})
	token := begin(b, s).Token
	b.ReportAllocs()
	for b.Loop() {
		if !opens(s, token) {
			b.Fatal("no session")
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	s := newStore(b, cookiestore.Config{Keys: [][]byte{key(1)}})
	rec := begin(b, s)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Commit(context.Background(), rec); err != nil {
			b.Fatal(err)
		}
	}
}

func Example() {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // every machine needs the same one: keep it
	store, err := cookiestore.New(cookiestore.Config{Keys: [][]byte{secret}, Binding: session.DefaultCookieName})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = session.New(session.Config{Store: store})
	fmt.Println(err)
	// Output: <nil>
}
