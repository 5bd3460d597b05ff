package dispatcher_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mountd/mountd/dispatcher"
)

func TestKeeps(t *testing.T) {
	var asked string
	var keeps bool
	ask := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { keeps = dispatcher.Keeps(r, asked) })
	nobody := http.NotFoundHandler()
	inner, err := dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{{Pattern: "/a", Handler: ask}, {Pattern: "/a/private", Handler: nobody}}})
	if err != nil {
		t.Fatal(err)
	}
	outer, err := dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{
		{Pattern: "/n", Handler: inner.Wrap(nil)}, {Pattern: "/n/a/taken", Handler: nobody}, {Pattern: "/app", Handler: ask},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		at, path string
		want     bool
	}{
		{"/n/a/x", "/y", true},
		{"/n/a/x", "/", true},
		{"/n/a/x", "/private/x", false},
		{"/n/a/x", "/privates", true},
		{"/n/a/x", "/taken", false},
		{"/n/a/x", "/%2e%2e/x", false},
		{"/app", "/private", true},
	} {
		asked = test.path
		outer.Wrap(nil).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", test.at, nil))
		if keeps != test.want {
			t.Errorf("at %s: Keeps(%q) = %v", test.at, test.path, keeps)
		}
	}
}
