package compose_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/justinas/alice"

	"github.com/mountd/mountd/compose"
)

// ended has a group of layers with an end, beside others.
func ended() compose.Registry {
	r := registry()
	for _, name := range []string{"auth.basic", "auth.key"} {
		f := r[name]
		f.Rules = func(any) compose.Rules {
			return compose.Rules{Provides: []string{"auth"}, Group: "auth", End: compose.End{Name: "auth", Doc: "decides", Wrap: noting("end")}}
		}
		r[name] = f
	}
	return r
}

func TestAnEndStandsInsideTheLastLayerOfItsGroup(t *testing.T) {
	for layers, want := range map[string]string{
		"share compress":                         "share compress",
		"auth.basic":                             "auth.basic end",
		"share auth.basic auth.key require":      "share auth.basic auth.key end require",
		"auth.basic@/x auth.key@/y require@/z":   "end",
		"auth.basic auth.key@/other share":       "auth.basic end share",
		"auth.basic@/other auth.key":             "auth.key end",
		"session auth.basic session@/x auth.key": "",
	} {
		chain, err := ended().Chain(stack(layers)...)
		if want == "" {
			if err == nil {
				t.Errorf("%s: no error", layers)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", layers, err)
			continue
		}
		if got, _ := through(t, chain, "/"); got != want {
			t.Errorf("%s: %s, not %s", layers, got, want)
		}
	}
}

func TestAGroupInsideAnotherTableHasItsOwnEnd(t *testing.T) {
	r := ended()
	outer, inner := stack("auth.basic"), stack("auth.key share")
	b := new(compose.Pool).Begin(r)
	outside, err := b.Chain(outer...)
	if err != nil {
		t.Fatal(err)
	}
	inside, err := b.Inside(outer, inner...)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	outside.Extend(inside).ThenFunc(func(http.ResponseWriter, *http.Request) {}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if got := strings.Join(w.Header()["Through"], " "); got != "auth.basic end auth.key end share" {
		t.Error(got)
	}
}

func TestAnEndIsExplainedAndObserved(t *testing.T) {
	var names []string
	definitions := map[string]string{}
	for _, in := range ended().Explain(nil, stack("share auth.basic=1 auth.key=2@/x require")...) {
		names = append(names, in.Name+" "+in.Doc)
		definitions[in.Name] = in.Definition
	}
	if want := []string{"share ", "auth.basic ", "auth.key ", "auth decides", "require "}; len(names) != len(want) || names[3] != want[3] {
		t.Errorf("%q", names)
	}
	b := new(compose.Pool).Begin(ended())
	var seen []string
	b.Observe = func(l compose.Layer, wrap alice.Constructor) alice.Constructor {
		seen = append(seen, l.Name)
		if l.Name == "auth" && l.Definition != definitions["auth"] {
			t.Errorf("observed as %q, explained as %q", l.Definition, definitions["auth"])
		}
		return wrap
	}
	if _, err := b.Chain(stack("share auth.basic=1 auth.key=2@/x require")...); err != nil {
		t.Fatal(err)
	}
	if want := []string{"share", "auth.basic", "auth.key", "auth", "require"}; !slices.Equal(seen, want) {
		t.Errorf("%q", seen)
	}
}

func TestInstancesAreShownToWhoBuilds(t *testing.T) {
	r := compose.Registry{"a": compose.Define("", struct{}{}, func(struct{}) (compose.Instance, error) {
		return compose.Instance{Wrap: noting("a"), Offers: "offer"}, nil
	})}
	f := r["a"]
	r["a"] = compose.ReservesFor(f, func(struct{}) []string { return []string{"X-A"} })
	pool := new(compose.Pool)
	for i := range 2 {
		b := pool.Begin(r)
		var got []string
		b.Built = func(l compose.Layer, in compose.Instance) { got = append(got, l.Name+" "+fmt.Sprint(in.Offers)) }
		if _, err := b.Chain(compose.Layer{Name: "a", Definition: "1"}); err != nil {
			t.Fatal(err)
		}
		b.Commit()
		if !slices.Equal(got, []string{"a offer"}) {
			t.Errorf("build %d: %q", i, got)
		}
	}
	if got := r.Reserves(compose.Layer{Name: "a"}); !slices.Equal(got, []string{"X-A"}) {
		t.Errorf("%q", got)
	}
	if got := registry().Reserves(compose.Layer{Name: "share"}); got != nil {
		t.Errorf("%q", got)
	}
}
