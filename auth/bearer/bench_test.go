package bearer_test

import (
	"strings"
	"testing"

	"github.com/mountd/mountd/auth/bearer"
)

func BenchmarkKnownToken(b *testing.B) {
	m := method(b, bearer.Config{JWKS: keyFile(b, jwks("rsa1"))})
	r := with("Bearer " + signed(b, "rsa1", good(claims{"x": strings.Repeat("x", 300)})))
	b.ReportAllocs()
	b.SetBytes(int64(len(r.Header["Authorization"][0])))
	for b.Loop() {
		if _, err := m.Authenticate(nil, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKnownTokenParallel(b *testing.B) {
	m := method(b, bearer.Config{JWKS: keyFile(b, jwks("rsa1"))})
	token := signed(b, "rsa1", good(nil))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := with("Bearer " + token)
		for pb.Next() {
			if _, err := m.Authenticate(nil, r); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkBadSignature(b *testing.B) {
	m := method(b, bearer.Config{JWKS: keyFile(b, jwks("rsa1"))})
	token := signed(b, "rsa1", good(nil))
	r := with("Bearer " + token[:len(token)-4] + "AAAA")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Authenticate(nil, r); err == nil {
			b.Fatal("passed")
		}
	}
}

// What a known token costs must stay small: it is paid with every request.
func TestAKnownTokenAllocatesNothing(t *testing.T) {
	m := method(t, bearer.Config{JWKS: keyFile(t, jwks("rsa1"))})
	r := with("Bearer " + signed(t, "rsa1", good(nil)))
	if n := testing.AllocsPerRun(100, func() { _, _ = m.Authenticate(nil, r) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
