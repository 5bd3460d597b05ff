package frontdoor_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mountd/mountd/internal/frontdoor"
	"github.com/mountd/mountd/internal/request"
)

type recycler struct {
	http.ResponseWriter
	recycled int
}

func (w *recycler) Recycle() { w.recycled++ }

func TestTheServerIsToldWhenNobodyHasKeptTheRequest(t *testing.T) {
	for name, test := range map[string]struct {
		next  func(w *recycler, rec *request.Record)
		times int
	}{
		"nobody vouches":   {func(*recycler, *request.Record) {}, 0},
		"someone vouches":  {func(_ *recycler, rec *request.Record) { rec.Reusable() }, 1},
		"someone keeps it": {func(_ *recycler, rec *request.Record) { rec.Reusable(); rec.Keep() }, 0},
		"a panic":          {func(_ *recycler, rec *request.Record) { rec.Reusable(); panic(http.ErrAbortHandler) }, 0},
	} {
		w := &recycler{ResponseWriter: httptest.NewRecorder()}
		door, err := frontdoor.New(frontdoor.Config{Next: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			test.next(w, request.From(r.Context()))
		})})
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() { _ = recover() }()
			door.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		}()
		if w.recycled != test.times {
			t.Errorf("%s: told %d times, want %d", name, w.recycled, test.times)
		}
	}
}

// TestAWrappedServerIsNotTold: whoever stands between may have kept something.
func TestAWrappedServerIsNotTold(t *testing.T) {
	door, err := frontdoor.New(frontdoor.Config{Next: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		request.From(r.Context()).Reusable()
	})})
	if err != nil {
		t.Fatal(err)
	}
	w := &recycler{ResponseWriter: httptest.NewRecorder()}
	door.ServeHTTP(around{w}, httptest.NewRequest("GET", "/", nil))
	if w.recycled != 0 {
		t.Errorf("told %d times", w.recycled)
	}
}

type around struct{ w http.ResponseWriter }

func (a around) Header() http.Header         { return a.w.Header() }
func (a around) Write(p []byte) (int, error) { return a.w.Write(p) }
func (a around) WriteHeader(status int)      { a.w.WriteHeader(status) }
func (a around) Unwrap() http.ResponseWriter { return a.w }

// TestEverydayNamesMayBeIdentities is about the short way for names that
// usually mean nothing.
func TestEverydayNamesMayBeIdentities(t *testing.T) {
	for _, name := range []string{"Accept", "X-Requested-With", "Sec-Fetch-User"} {
		var header http.Header
		door, err := frontdoor.New(frontdoor.Config{
			IdentityHeaders: []string{name},
			Next:            http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { header = r.Header }),
		})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set(name, "joe")
		r.Header.Set("User-Agent", "x")
		door.ServeHTTP(httptest.NewRecorder(), r)
		if header[name] != nil || header["User-Agent"] == nil {
			t.Errorf("%s: %v", name, header)
		}
	}
}
