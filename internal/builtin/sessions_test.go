package builtin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/builtin"
	"github.com/mountd/mountd/session"
)

// TestSessionsOfAllLayers: what is listed and ended is what all layers have
// that have been built and not closed.
func TestSessionsOfAllLayers(t *testing.T) {
	known := &builtin.Sessions{}
	f := builtin.Middlewares(builtin.Env{Sessions: known})["session"]
	layer := func() compose.Instance {
		in, err := f.New(f.Options())
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	login := func(in compose.Instance, user string) *http.Cookie {
		w := httptest.NewRecorder()
		in.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := session.FromRequest(r).Login(user); err != nil {
				t.Error(err)
			}
		})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		return w.Result().Cookies()[0]
	}
	one, two := layer(), layer()
	login(one, "joe")
	login(two, "joe")
	login(two, "ann")
	all, err := known.List(t.Context(), "")
	if err != nil || len(all) != 3 || all[0].User != "ann" || all[1].User != "joe" || all[0].Store != "memory" {
		t.Fatalf("%+v %v", all, err)
	}
	if joes, err := known.List(t.Context(), "joe"); err != nil || len(joes) != 2 {
		t.Errorf("%+v %v", joes, err)
	}
	if ended, err := known.End(t.Context(), all[0].ID); !ended || err != nil {
		t.Error(ended, err)
	}
	if ended, err := known.End(t.Context(), all[0].ID); ended || err != nil {
		t.Error(ended, err)
	}
	if n, err := known.EndUser(t.Context(), "joe"); n != 2 || err != nil {
		t.Error(n, err)
	}
	login(one, "joe")
	login(two, "ann")
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := known.EndAll(t.Context()); n != 1 || err != nil {
		t.Error(n, err)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if all, err := known.List(t.Context(), ""); len(all) != 0 || err != nil {
		t.Errorf("%+v %v", all, err)
	}
}

// Sessions in cookies are known to nobody, which is said and hides nothing
// else.
func TestSessionsInCookies(t *testing.T) {
	known := &builtin.Sessions{}
	env := sessionEnv(false)
	env.Sessions = known
	if _, err := newSession(t, env, "{store: cookie, keys: [0123456789abcdef0123456789abcdef]}"); err != nil {
		t.Fatal(err)
	}
	_, err := known.List(t.Context(), "")
	var failed *builtin.SessionsError
	if !errors.As(err, &failed) || failed.Store != "cookie" || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "browsers alone") {
		t.Error(err)
	}
	if _, err := known.EndAll(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}
