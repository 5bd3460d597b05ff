package errorhandler_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/request"
)

type nullWriter struct{ h http.Header }

func (w nullWriter) Header() http.Header         { return w.h }
func (w nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w nullWriter) WriteHeader(int)             {}

func benchmark(b *testing.B, accept string, app http.Handler) {
	h := newHandler(b, errorhandler.Config{}).Wrap(app)
	r := httptest.NewRequest("GET", "/some/path", nil)
	r.Header.Set("Accept", accept)
	rec := request.New(httptest.NewRecorder(), r)
	null := nullWriter{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(null.h)
		rec.Writer.Reset(null)
		h.ServeHTTP(&rec.Writer, &rec.Request)
	}
}

func BenchmarkNoError(b *testing.B) {
	benchmark(b, "", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) }))
}

func BenchmarkNotFound(b *testing.B) {
	notFound := failing(&errorhandler.HTTPError{Status: 404})
	for _, accept := range []string{"*/*", "text/html", "application/json"} {
		b.Run(accept, func(b *testing.B) { benchmark(b, accept, notFound) })
	}
}

func TestNoErrorCostsNoAllocation(t *testing.T) {
	h := newHandler(t, errorhandler.Config{}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) }))
	rec := request.New(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if n := testing.AllocsPerRun(100, func() { rec.Writer.Reset(nullWriter{}); h.ServeHTTP(&rec.Writer, &rec.Request) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
