package rebase_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/rebase"
)

// nowhere is a response writer that costs nothing.
type nowhere struct{ h http.Header }

func (w nowhere) Header() http.Header         { return w.h }
func (w nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w nowhere) WriteHeader(int)             {}

func exchange(m *rebase.Middleware, app http.HandlerFunc) func() {
	h := m.Wrap(app)
	rec := request.New(nowhere{http.Header{}}, httptest.NewRequest("GET", "/x", nil))
	rec.HostPort, rec.Scheme = public, "http"
	out := rec.Writer.ResponseWriter
	return func() {
		rec.Writer.Reset(out)
		h.ServeHTTP(&rec.Writer, &rec.Request)
	}
}

var plain = map[string][]string{
	"Content-Type": {"text/html"}, "Content-Length": {"5"}, "Cache-Control": {"no-store"}, "Date": {"x"},
	"Etag": {`"x"`}, "Vary": {"Accept"}, "Server": {"x"}, "X-Frame-Options": {"DENY"},
}

func plainApp(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	for name, values := range plain {
		h[name] = values
	}
	w.WriteHeader(200)
}

func redirectApp(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Location"] = []string{"/login"}
	w.WriteHeader(302)
}

func TestNothingToMapCostsNoAllocation(t *testing.T) {
	for name, prefix := range map[string]string{"below a prefix": "/app", "at the root": ""} {
		run := exchange(build(t, rebase.Config{Prefix: at(prefix)}), plainApp)
		if n := testing.AllocsPerRun(200, run); n >= 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkPlain(b *testing.B) {
	run := exchange(mounted(b), plainApp)
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}

func BenchmarkRoot(b *testing.B) {
	run := exchange(build(b, rebase.Config{Prefix: at("")}), plainApp)
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}

func BenchmarkRedirect(b *testing.B) {
	run := exchange(mounted(b), redirectApp)
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}
