package session_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/memstore"
)

// The manager is the innermost one around, before and after the session has
// been asked for, with a record and without.
func TestManagerFromContext(t *testing.T) {
	manager := func() *session.Manager {
		store, err := memstore.New(memstore.Config{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := session.New(session.Config{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	outer, inner := manager(), manager()
	for _, record := range []bool{false, true} {
		check := func(r *http.Request, want *session.Manager) {
			t.Helper()
			if got := session.ManagerFromContext(r.Context()); got != want {
				t.Errorf("record %v: another manager", record)
			}
		}
		h := outer.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			check(r, outer)
			inner.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				check(r, inner)
				session.FromRequest(r).Put("a", "b")
				check(r, inner)
			})).ServeHTTP(w, r)
			check(r, outer)
		}))
		var w http.ResponseWriter = httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		if record {
			rec := request.New(w, r)
			w, r = &rec.Writer, &rec.Request
		}
		check(r, nil)
		h.ServeHTTP(w, r)
	}
}
