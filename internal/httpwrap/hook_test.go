package httpwrap_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mountd/mountd/internal/httpwrap"
)

// A note writes its name into the header.
type note struct{ name string }

func (n *note) BeforeHeader(status int, h http.Header) {
	h.Add("X-Final", fmt.Sprint(n.name, status))
}

type hint struct{ note }

func (n *hint) BeforeInformational(status int, h http.Header) {
	h.Add("X-Hint", fmt.Sprint(n.name, status))
}

func TestInformationalAnswersRunTheirHooksOnly(t *testing.T) {
	w := httpwrap.Of(httptest.NewRecorder())
	w.Before(&note{"a"})
	w.Before(&hint{note{"b"}})
	w.WriteHeader(103)
	if h := w.Header(); fmt.Sprint(h["X-Hint"], h["X-Final"]) != "[b103] []" || w.Started() {
		t.Errorf("after 103: %v", h)
	}
	w.WriteHeader(200)
	w.WriteHeader(103)
	if h := w.Header(); fmt.Sprint(h["X-Hint"], h["X-Final"]) != "[b103] [b200 a200]" {
		t.Errorf("after 200: %v", h)
	}
}

func TestRemovedHooksDoNotRun(t *testing.T) {
	for out := range 9 {
		w := httpwrap.Of(httptest.NewRecorder())
		var hooks []*note
		want := []string{}
		for i := range 9 { // more than fit inside the writer
			hooks = append(hooks, &note{fmt.Sprint("n", i, "-")})
			w.Before(hooks[i])
		}
		w.Before(httpwrap.HookFunc(func(int, http.Header) {}))
		w.Remove(hooks[out])
		w.Remove(hooks[out])
		w.Remove(&note{"never added"})
		w.Remove(hooks[8])
		w.Before(&note{"late-"})
		want = append(want, "late-200")
		for i := 7; i >= 0; i-- {
			if i != out {
				want = append(want, fmt.Sprint("n", i, "-200"))
			}
		}
		w.WriteHeader(200)
		if got := w.Header()["X-Final"]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("without %d: %v, want %v", out, got, want)
		}
	}
}

func TestRemovingMakesRoom(t *testing.T) {
	w := httpwrap.Of(httptest.NewRecorder())
	h := &note{"a"}
	if n := testing.AllocsPerRun(100, func() { w.Before(h); w.Remove(h) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	w.WriteHeader(204)
	if got := w.Header()["X-Final"]; got != nil {
		t.Errorf("ran %v", got)
	}
}
