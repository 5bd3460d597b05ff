//go:build !race && !poison

package assemble_test

import (
	"net/http"
	"testing"
)

// TestLayersCostNothing holds the default stack to its price: the request's
// id, and for a proxied one what its answer's header is made of.
func TestLayersCostNothing(t *testing.T) {
	site := fullStack(t)
	for target, want := range map[string]float64{
		"/bare": 0, "/logged": 0, "/caught": 0, "/respond": 1, "/headers": 1, "/timeout": 1, "/static/1k": 1, "/static/100k": 1,
		"/small/": 3, "/large/": 3,
	} {
		w, r := &reusedWriter{nullWriter{header: http.Header{}}}, wireRequest(target)
		serve := func() {
			clear(w.header)
			rewind(r)
			site.ServeHTTP(w, r)
		}
		serve()
		if n := testing.AllocsPerRun(500, serve); n > want {
			t.Errorf("%s: %v allocations, want %v", target, n, want)
		}
	}
}
