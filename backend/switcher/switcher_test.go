package switcher_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mountd/mountd/backend/switcher"
	"github.com/mountd/mountd/internal/request"
)

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

func path(p string) func(*http.Request) (bool, error) {
	return func(r *http.Request) (bool, error) { return r.URL.Path == p, nil }
}

func TestTheFirstThatHolds(t *testing.T) {
	broken := func(r *http.Request) (bool, error) {
		if r.URL.Path == "/broken" {
			return true, &request.Error{Status: 400, Message: "bad path"}
		}
		return false, nil
	}
	withElse := []switcher.Case{{path("/a"), says("a")}, {path("/a"), says("late")}, {broken, says("never")}, {nil, says("else")}}
	for _, tt := range []struct {
		fact   string
		cases  []switcher.Case
		path   string
		status int
		body   string
	}{
		{"first", withElse, "/a", 200, "a"},
		{"none before the last", withElse, "/x", 200, "else"},
		{"an error ends the search", withElse, "/broken", 400, "400 bad path"},
		{"none at all", withElse[:2], "/x", 404, "404 Not Found"},
	} {
		s, err := switcher.New(switcher.Config{Cases: tt.cases})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", tt.path, nil))
		if w.Code != tt.status || strings.TrimSpace(w.Body.String()) != tt.body {
			t.Errorf("%s: %d %q", tt.fact, w.Code, w.Body)
		}
	}
}

func TestErrorFuncAnswers(t *testing.T) {
	var got error
	s, _ := switcher.New(switcher.Config{
		Cases:     []switcher.Case{{path("/a"), says("a")}},
		ErrorFunc: func(_ http.ResponseWriter, _ *http.Request, err error) { got = err },
	})
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil))
	var e *request.Error
	if !errors.As(got, &e) || e.Status != 404 {
		t.Errorf("got %v", got)
	}
}

func TestMistakes(t *testing.T) {
	for _, cases := range [][]switcher.Case{nil, {{When: path("/")}}, {{App: says("")}, {App: says("")}}} {
		if _, err := switcher.New(switcher.Config{Cases: cases}); err == nil {
			t.Errorf("%v: no mistake found", cases)
		}
	}
	_, err := switcher.New(switcher.Config{Cases: []switcher.Case{{path("/"), says("")}, {path("/"), nil}}})
	var field interface{ OptionPath() string }
	if !errors.As(err, &field) || field.OptionPath() != "[1]" {
		t.Errorf("got %v", err)
	}
}

func TestChoosingCostsNoAllocation(t *testing.T) {
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	s, _ := switcher.New(switcher.Config{Cases: []switcher.Case{{path("/a"), nothing}, {nil, nothing}}})
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/b", nil)
	if n := testing.AllocsPerRun(100, func() { s.ServeHTTP(w, r) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func Example() {
	s, _ := switcher.New(switcher.Config{Cases: []switcher.Case{
		{When: func(r *http.Request) (bool, error) { return r.Header.Get("X-Beta") != "", nil }, App: says("beta")},
		{App: says("stable")},
	}})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Body)
	// Output: stable
}
