package compose_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/mountd/mountd/compose"
)

// greeting is what the "greet" layer may be told in a configuration file.
type greeting struct {
	Name string `json:"name"`
}

func newGreeter(o greeting) (compose.Instance, error) {
	wrap := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "Hello %s. ", o.Name)
			next.ServeHTTP(w, r)
		})
	}
	return compose.Instance{Wrap: wrap}, nil
}

// A registry gives names to layers; a stack is then data, here from JSON.
func Example() {
	registry := compose.Registry{"greet": compose.Define("greets", greeting{Name: "World"}, newGreeter)}
	chain, err := registry.Chain(
		compose.Layer{Name: "greet"},
		compose.Layer{Name: "greet", Options: json.NewDecoder(strings.NewReader(`{"name": "again"}`))},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Bye.") })
	w := httptest.NewRecorder()
	chain.Then(app).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(w.Body)
	// Output: Hello World. Hello again. Bye.
}

// What is wrong with a stack is found without building it.
func ExampleRegistry_Check() {
	none := func(struct{}) (compose.Instance, error) { return compose.Instance{}, nil }
	registry := compose.Registry{
		"session": compose.Define("remembers", struct{}{}, none).WithRules(compose.Rules{Provides: []string{"session"}}),
		"login":   compose.Define("asks who it is", struct{}{}, none).WithRules(compose.Rules{Needs: []string{"session"}}),
	}
	for _, e := range registry.Check(nil, compose.Layer{Name: "login"}, compose.Layer{Name: "session"}) {
		fmt.Println(e)
	}
	// Output: "login" needs "session" before it (move "session" before "login")
}

// A pool keeps what a reload leaves alone. Closing before the old requests
// have ended would be wrong: Commit gives back a function for later.
func ExamplePool() {
	registry := compose.Registry{"store": compose.Define("", struct{}{}, func(struct{}) (compose.Instance, error) {
		fmt.Println("opened")
		wrap := func(next http.Handler) http.Handler { return next }
		return compose.Instance{Wrap: wrap, Close: func() error { fmt.Println("closed"); return nil }}, nil
	})}
	var pool compose.Pool
	for range 2 { // a start and a reload
		build := pool.Begin(registry)
		if _, err := build.Chain(compose.Layer{Name: "store", Definition: "the only one"}); err != nil {
			fmt.Println(err)
			return
		}
		closeOld := build.Commit()
		// … the old handler's requests end …
		if err := closeOld(); err != nil {
			fmt.Println(err)
		}
	}
	if err := pool.Close(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// opened
	// closed
}
