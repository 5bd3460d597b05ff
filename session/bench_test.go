package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/session"
)

// blank is a response writer that costs nothing.
type blank struct{ h http.Header }

func (b *blank) Header() http.Header         { return b.h }
func (b *blank) Write(p []byte) (int, error) { return len(p), nil }
func (b *blank) WriteHeader(int)             {}

// serve benchmarks requests with a session's cookie through app, less what the
// record itself costs.
func serve(b *testing.B, m *session.Manager, app http.HandlerFunc) {
	client := &browser{m: m}
	client.put("user", "joe")
	w := &blank{http.Header{}}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "theme=dark; "+client.cookie)
	rec := request.New(w, r)
	h := m.Wrap(app)
	b.ReportAllocs()
	for b.Loop() {
		rec.Writer.Reset(w)
		clear(w.h)
		h.ServeHTTP(&rec.Writer, &rec.Request)
	}
}

func touch(w http.ResponseWriter, r *http.Request) {
	if session.FromRequest(r).Get("user") != "joe" {
		panic("no session")
	}
	w.WriteHeader(http.StatusOK)
}

func BenchmarkUntouched(b *testing.B) {
	m, _ := newManager(b, session.Config{})
	serve(b, m, func(http.ResponseWriter, *http.Request) {})
}

func BenchmarkUntouchedAlone(b *testing.B) {
	m, _ := newManager(b, session.Config{})
	w, r := &blank{http.Header{}}, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(context.Background())
	r.Header.Set("Cookie", "theme=dark; mountd_session="+session.NewToken())
	h := m.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

func BenchmarkMemory(b *testing.B) {
	m, _ := newManager(b, session.Config{})
	serve(b, m, touch)
}

func BenchmarkCookie(b *testing.B) {
	m, _ := newManager(b, session.Config{Store: cookies(b)})
	serve(b, m, touch)
}

func BenchmarkOwnCookie(b *testing.B) {
	m, _ := newManager(b, session.Config{})
	token := session.NewToken()
	b.ReportAllocs()
	for b.Loop() {
		if !m.OwnCookie("mountd_session", token) {
			b.Fatal("not ours")
		}
	}
}
