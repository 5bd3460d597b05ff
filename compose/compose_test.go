package compose_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/justinas/alice"

	"github.com/mountd/mountd/compose"
)

// options are those of the fake layers.
type options struct {
	Label string `json:"label"`
	Fail  bool   `json:"fail"`
}

// text decodes options from JSON.
type text string

func (t text) Decode(v any) error { return json.Unmarshal([]byte(t), v) }

// fake makes a layer that notes its name on the answer.
func fake(name string, rules compose.Rules) compose.Factory {
	f := compose.Define(name+" is for tests", options{Label: name}, func(o options) (compose.Instance, error) {
		if o.Fail {
			return compose.Instance{}, &compose.OptionError{Path: "fail", Err: errors.New("told to fail")}
		}
		return compose.Instance{Wrap: noting(o.Label)}, nil
	})
	return f.WithRules(rules)
}

func noting(label string) alice.Constructor {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Through", label)
			next.ServeHTTP(w, r)
		})
	}
}

// pathIs is a condition on the path; "?" cannot be decided.
type pathIs string

func (p pathIs) Match(r *http.Request) (bool, error) {
	if p == "?" {
		return false, errors.New("in doubt")
	}
	return r.URL.Path == string(p), nil
}

func (p pathIs) String() string { return "path " + string(p) }

// registry has the order rules of a mount table, on fakes.
func registry() compose.Registry {
	pathBound := func(of string) compose.Relation {
		return compose.Relation{Of: of, PathBound: true, Because: "a rewritten path would escape"}
	}
	auth := compose.Rules{Provides: []string{"auth"}, Group: "auth"}
	login := compose.Rules{Provides: []string{"auth", "login"}, Needs: []string{"session"}, Group: "auth"}
	return compose.Registry{
		"session":    fake("session", compose.Rules{Provides: []string{"session"}, Once: true}),
		"auth.form":  fake("auth.form", login),
		"auth.oidc":  fake("auth.oidc", login),
		"auth.basic": fake("auth.basic", auth),
		"auth.key":   fake("auth.key", auth),
		"require":    fake("require", compose.Rules{Needs: []string{"auth"}}),
		"cors":       fake("cors", compose.Rules{Outside: []compose.Relation{{Of: "auth.*", Because: "preflights carry no credentials"}}}),
		"rewrite":    fake("rewrite", compose.Rules{Outside: []compose.Relation{pathBound("auth.*"), pathBound("require"), pathBound("csrf"), pathBound("ip"), pathBound("limit.*")}}),
		"ip":         fake("ip", compose.Rules{}),
		"limit.rate": fake("limit.rate", compose.Rules{}),
		"errors":     fake("errors", compose.Rules{Once: true, Outside: []compose.Relation{{Of: "*", Unless: []string{"request_id", "access_log", "ip", "limit.*", "timeout"}, Warning: true, Because: "its errors get no page"}}}),
		"compress":   fake("compress", compose.Rules{Once: true, Outside: []compose.Relation{{Of: "share", Warning: true}}}),
		"share":      fake("share", compose.Rules{}),
		"timeout":    fake("timeout", compose.Rules{Inside: []compose.Relation{{Of: "errors", Warning: true, Because: "its errors get no page"}}}),
		"csrf":       fake("csrf", compose.Rules{Inside: []compose.Relation{{Of: "login", Warning: true}}}),
		"request_id": fake("request_id", compose.Rules{Outside: []compose.Relation{{Of: "access_log", Warning: true}, {Of: "errors", Warning: true}}}),
		"access_log": fake("access_log", compose.Rules{Outside: []compose.Relation{{Of: "errors", Warning: true}}}),
	}
}

// stack reads "a b@/path c=2": names, paths they are bound to, and what tells
// their definitions apart.
func stack(s string) []compose.Layer {
	var layers []compose.Layer
	for word := range strings.FieldsSeq(s) {
		name, path, bound := strings.Cut(word, "@")
		name, definition, _ := strings.Cut(name, "=")
		l := compose.Layer{Name: name, Definition: "defined " + definition, PathBound: bound}
		if bound {
			l.When = pathIs(path)
		}
		layers = append(layers, l)
	}
	return layers
}

func TestOrderRules(t *testing.T) {
	for _, c := range []struct{ name, outer, stack, want string }{
		{"nothing", "", "", ""},
		{"a usual stack", "", "request_id access_log errors compress session auth.form require", ""},
		{"an unknown name", "", "errors nosuch", `1: "nosuch": unknown middleware "nosuch"`},
		{"a login without session", "", "errors auth.form", `1: "auth.form" needs "session" before it (write session further left in the list)`},
		{"a login before its session", "", "auth.oidc session", `0: "auth.oidc" needs "session" before it (move "session" before "auth.oidc")`},
		{"a login whose session is in the table around", "session", "auth.form", ""},
		{"require without auth", "", "require", `0: "require" needs "auth" before it (write one of auth.basic, auth.form, auth.key, auth.oidc further left in the list)`},
		{"require after auth", "", "auth.basic require", ""},
		{"cors inside auth", "", "auth.basic cors", `1: "cors" stands inside "auth.basic": preflights carry no credentials (move "cors" before "auth.basic")`},
		{"cors inside auth of the table around", "auth.basic", "cors", `0: "cors" stands inside "auth.basic": preflights carry no credentials (move "cors" before "auth.basic")`},
		{"cors outside auth", "", "cors auth.basic", ""},
		{"rewrite inside what is bound to a path", "", "ip@/admin rewrite", `1: "rewrite" stands inside "ip": a rewritten path would escape (move "rewrite" before "ip")`},
		{"rewrite inside a bound limit", "", "limit.rate@/x rewrite", `1: "rewrite" stands inside "limit.rate": a rewritten path would escape (move "rewrite" before "limit.rate")`},
		{"rewrite inside what is not bound", "", "ip rewrite", ""},
		{"auths side by side", "", "session auth.basic auth.key auth.form", ""},
		{"auths apart", "", "auth.basic compress auth.key", `2: "auth.key" does not stand side by side with "auth.basic" (put "auth.key" next to "auth.basic")`},
		{"auths with only what is left out between them", "compress", "auth.basic compress auth.key", ""},
		{"auths of two tables are two groups", "auth.basic compress", "auth.key", ""},
		{"auths apart inside another table", "auth.basic", "auth.basic=2 share auth.key", `2: "auth.key" does not stand side by side with "auth.basic" (put "auth.key" next to "auth.basic")`},
		{"three auths, the last apart", "", "auth.basic auth.key compress auth.basic=2", `3: "auth.basic" does not stand side by side with "auth.key" (put "auth.basic" next to "auth.key")`},
		{"a second session", "", "session session=2", `1: a second "session" with other options in one chain (leave one of them out)`},
		{"a second session, in the table around", "session", "session=2", `0: a second "session" with other options in one chain (leave one of them out)`},
		{"the very same session", "session", "session auth.form", ""},
		{"the same with another condition", "session", "session@/x", `0: a second "session" with other options in one chain (leave one of them out)`},
		{"an id inside the log", "", "access_log request_id", `1: warning: "request_id" stands inside "access_log" (move "request_id" before "access_log")`},
		{"only some stand outside errors", "", "ip limit.rate share errors", `3: warning: "errors" stands inside "share": its errors get no page (move "errors" before "share")`},
		{"a timeout outside errors", "", "timeout errors", `0: warning: "timeout" stands outside "errors": its errors get no page (move "timeout" after "errors")`},
		{"errors that are left out enclose nothing", "errors", "timeout errors", ""},
		{"compress inside share", "", "share compress", `1: warning: "compress" stands inside "share" (move "compress" before "share")`},
		{"csrf before a login", "", "csrf session auth.form", `0: warning: "csrf" stands outside "auth.form" (move "csrf" after "auth.form")`},
		{"csrf before a header auth", "", "csrf auth.basic", ""},
		{"several mistakes in the order of the stack", "", "require auth.form cors", strings.Join([]string{
			`0: "require" needs "auth" before it (move "auth.form" before "require")`,
			`1: "auth.form" needs "session" before it (write session further left in the list)`,
			`2: "cors" stands inside "auth.form": preflights carry no credentials (move "cors" before "auth.form")`,
		}, "\n")},
	} {
		t.Run(c.name, func(t *testing.T) {
			var lines []string
			for _, e := range registry().Check(stack(c.outer), stack(c.stack)...) {
				line := fmt.Sprintf("%d: ", e.Index)
				if e.Warning {
					line += "warning: "
				}
				lines = append(lines, line+e.Error())
			}
			if got := strings.Join(lines, "\n"); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func through(t *testing.T, chain alice.Chain, path string) (order string, status int) {
	t.Helper()
	w := httptest.NewRecorder()
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	chain.Then(app).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return strings.Join(w.Header().Values("Through"), " "), w.Code
}

func TestAChainRunsOutermostFirst(t *testing.T) {
	chain, err := registry().Chain(stack("ip errors compress")...)
	if err != nil {
		t.Fatal(err)
	}
	if order, status := through(t, chain, "/"); order != "ip errors compress" || status != http.StatusNoContent {
		t.Errorf("%q, status %d", order, status)
	}
}

func TestConditionsBindLayersToRequests(t *testing.T) {
	layers := []compose.Layer{
		{Name: "ip", When: pathIs("/a")},
		{Name: "share", Except: pathIs("/a")},
		{Name: "limit.rate", When: pathIs("/b"), Except: pathIs("/b")},
		{Name: "timeout"},
	}
	chain, err := registry().Chain(layers...)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/a": "ip timeout", "/b": "share timeout", "/c": "share timeout"} {
		if order, _ := through(t, chain, path); order != want {
			t.Errorf("%s goes through %q, not %q", path, order, want)
		}
	}
}

func TestADoubtfulConditionRefuses(t *testing.T) {
	for name, l := range map[string]compose.Layer{
		"when": {Name: "ip", When: pathIs("?")}, "except": {Name: "ip", Except: pathIs("?")},
	} {
		chain, err := registry().Chain(l)
		if err != nil {
			t.Fatal(err)
		}
		if order, status := through(t, chain, "/"); status != http.StatusBadRequest || order != "" {
			t.Errorf("%s: status %d through %q", name, status, order)
		}
		b := new(compose.Pool).Begin(registry())
		b.Refuse = func(w http.ResponseWriter, _ *http.Request, err error) { http.Error(w, err.Error(), http.StatusTeapot) }
		if chain, err = b.Chain(l); err != nil {
			t.Fatal(err)
		}
		if _, status := through(t, chain, "/"); status != http.StatusTeapot {
			t.Errorf("%s: Refuse is not asked: %d", name, status)
		}
	}
}

func TestTheSameLayerAgainIsLeftOut(t *testing.T) {
	b := new(compose.Pool).Begin(registry())
	chain, err := b.Inside(stack("errors compress"), stack("errors ip compress session session")...)
	if err != nil {
		t.Fatal(err)
	}
	if order, _ := through(t, chain, "/"); order != "ip session" {
		t.Errorf("through %q", order)
	}
	// Without a definition nobody can know that they are the same.
	if _, err := b.Chain(compose.Layer{Name: "session"}, compose.Layer{Name: "session"}); err == nil {
		t.Error("two sessions are taken for one")
	}
}

func TestAllMistakesAreFoundInOneGo(t *testing.T) {
	_, err := registry().Chain(
		compose.Layer{Name: "nosuch"},
		compose.Layer{Name: "ip", Options: text(`{"label": 1}`)},
		compose.Layer{Name: "share", Options: text(`{"fail": true}`)},
		compose.Layer{Name: "require"},
		compose.Layer{Name: "timeout", Options: text(`{"label": "fine"}`)},
	)
	var indexes []int
	var collect func(error)
	collect = func(err error) {
		switch e := err.(type) {
		case *compose.LayerError:
			indexes = append(indexes, e.Index)
		case interface{ Unwrap() []error }:
			for _, part := range e.Unwrap() {
				collect(part)
			}
		default:
			t.Errorf("%v is no LayerError", err)
		}
	}
	collect(err)
	slices.Sort(indexes)
	if !slices.Equal(indexes, []int{0, 1, 2, 3}) {
		t.Errorf("mistakes of %v: %v", indexes, err)
	}
	var unknown *compose.UnknownError
	var option interface{ OptionPath() string }
	if !errors.As(err, &unknown) || unknown.Name != "nosuch" || len(unknown.Known) != len(registry()) {
		t.Errorf("no UnknownError in %v", err)
	}
	if !errors.As(err, &option) || option.OptionPath() != "fail" {
		t.Errorf("no OptionPath in %v", err)
	}
	if !strings.Contains(err.Error(), `"share": told to fail`) {
		t.Errorf("error %v", err)
	}
}

func TestOptionsBeginWithTheDefaults(t *testing.T) {
	r := registry()
	chain, err := r.Chain(compose.Layer{Name: "ip", Options: text(`{"label": "other"}`)}, compose.Layer{Name: "ip"}, compose.Layer{Name: "share", Options: text(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	if order, _ := through(t, chain, "/"); order != "other ip share" {
		t.Errorf("through %q", order)
	}
}

func TestExplainTellsTheChainAsData(t *testing.T) {
	r := registry()
	r["ip"] = compose.DescribeFor(r["ip"], func(o options) string { return "allows " + o.Label })
	layers := stack("errors ip@/admin compress")
	layers[1].Label = "office"
	layers[1].Options = text(`{"label": "10.0.0.0/8"}`)
	layers = append(layers, compose.Layer{Name: "share", Except: pathIs("/x")}, compose.Layer{Name: "nosuch"})
	got := r.Explain(stack("errors"), layers...)
	want := []compose.Info{
		{Name: "errors", Doc: "errors is for tests", Definition: "defined ", LeftOut: true},
		{Name: "ip", Label: "office", Doc: "ip is for tests", Detail: "allows 10.0.0.0/8", When: "path /admin", Definition: "defined "},
		{Name: "compress", Doc: "compress is for tests", Definition: "defined "},
		{Name: "share", Doc: "share is for tests", Except: "path /x"},
		{Name: "nosuch"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestRulesMayDependOnOptions(t *testing.T) {
	r := registry()
	f := compose.Define("", options{}, func(options) (compose.Instance, error) { return compose.Instance{Wrap: noting("x")}, nil })
	r["limit.rate"] = compose.RulesFor(f, func(o options) compose.Rules {
		if o.Label == "user" {
			return compose.Rules{Needs: []string{"auth"}}
		}
		return compose.Rules{}
	})
	r["headers"] = compose.CapturesFor(f, func(o options) []string { return []string{o.Label} })
	if errs := r.Check(nil, compose.Layer{Name: "limit.rate"}); errs != nil {
		t.Error(errs)
	}
	if errs := r.Check(nil, compose.Layer{Name: "limit.rate", Options: text(`{"label": "user"}`)}); len(errs) != 1 {
		t.Error(errs)
	}
	if got := r.Captures(compose.Layer{Name: "headers", Options: text(`{"label": "tenant"}`)}); !slices.Equal(got, []string{"tenant"}) {
		t.Error(got)
	}
	if got := r.Captures(compose.Layer{Name: "ip"}); got != nil {
		t.Error(got)
	}
	if got := r.Captures(compose.Layer{Name: "headers", Options: text(`[]`)}); got != nil {
		t.Error(got)
	}
}

func TestObserversStandInsideConditions(t *testing.T) {
	var seen []string
	b := new(compose.Pool).Begin(registry())
	b.Observe = func(l compose.Layer, wrap alice.Constructor) alice.Constructor {
		return func(next http.Handler) http.Handler {
			inner := wrap(next)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen = append(seen, l.String())
				inner.ServeHTTP(w, r)
			})
		}
	}
	chain, err := b.Chain(compose.Layer{Name: "ip", Label: "office", When: pathIs("/in")}, compose.Layer{Name: "share"})
	if err != nil {
		t.Fatal(err)
	}
	through(t, chain, "/out")
	through(t, chain, "/in")
	if want := []string{"share", "office", "share"}; !slices.Equal(seen, want) {
		t.Errorf("seen %q, not %q", seen, want)
	}
}

func TestShortFormsNameTheirKind(t *testing.T) {
	apps := compose.Apps{
		"proxy":   {Schemes: []string{"http://", "unix:/"}},
		"static":  {Schemes: []string{"./", "/"}},
		"respond": {},
		"special": {Schemes: []string{"http://special"}},
	}
	for text, want := range map[string]string{
		"http://x": "proxy http://x", "unix:/sock": "proxy unix:/sock", "./dir": "static ./dir", "/dir:x": "static /dir:x",
		"respond:a:b": "respond a:b", "respond:": "respond ", "http://special/x": "special http://special/x", "proxy:http://x": "proxy http://x",
		"nothing": "", "": "", "other:x": "", "ftp://x": "",
	} {
		kind, value, ok := apps.Short(text)
		if got := kind + " " + value; ok != (want != "") || ok && got != want {
			t.Errorf("%q is %q (%v), not %q", text, got, ok, want)
		}
	}
	if names := apps.Names(); !slices.Equal(names, []string{"proxy", "respond", "special", "static"}) {
		t.Error(names)
	}
}

// Notes that an inner layer or the application leaves on the request are seen
// outside after the call (vector compose-045-env), and chains run in the order
// they are written (compose-014, compose-016).
func TestVectorsOfComposition(t *testing.T) {
	type note struct{ text string }
	type key struct{}
	r := registry()
	var seen string
	r["outer"] = compose.Define("", options{}, func(options) (compose.Instance, error) {
		return compose.Instance{Wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				n := &note{}
				next.ServeHTTP(w, req.WithContext(contextWith(req, key{}, n)))
				seen = n.text
			})
		}}, nil
	})
	failed := 0
	check := func(id string, ok bool) {
		if !ok {
			failed++
			t.Errorf("%s failed", id)
		}
	}
	chain, err := r.Chain(stack("outer ip")...)
	if err != nil {
		t.Fatal(err)
	}
	app := http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { req.Context().Value(key{}).(*note).text = "inner" })
	chain.Then(app).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	check("compose-045-env", seen == "inner")
	one, err1 := r.Chain(stack("ip")...)
	two, err2 := r.Chain(stack("share ip")...)
	order1, _ := through(t, one, "/")
	order2, _ := through(t, two, "/")
	check("compose-014", err1 == nil && order1 == "ip")
	check("compose-016", err2 == nil && order2 == "share ip")
	fmt.Printf("vectors compose: %d passed, %d failed, 6 not applicable (they need a table: run by internal/cli)\n", 3-failed, failed)
}

func BenchmarkTenLayers(b *testing.B) {
	r := registry()
	pass := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { next.ServeHTTP(w, req) })
	}
	r["pass"] = compose.Define("", options{}, func(options) (compose.Instance, error) { return compose.Instance{Wrap: pass}, nil })
	for name, word := range map[string]string{"plain": "pass ", "conditional": "pass@/x "} {
		b.Run(name, func(b *testing.B) {
			chain, err := r.Chain(stack(strings.Repeat(word, 10))...)
			if err != nil {
				b.Fatal(err)
			}
			h := chain.Then(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			w, req := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/x", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, req)
			}
		})
	}
}

func BenchmarkBuildTenLayers(b *testing.B) {
	r, layers := registry(), stack("request_id access_log errors limit.rate ip compress cors rewrite share timeout")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Chain(layers...); err != nil {
			b.Fatal(err)
		}
	}
}
