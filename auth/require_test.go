package auth_test

import (
	"net/http"
	"testing"

	"github.com/mountd/mountd/auth"
)

func TestWhoMayPass(t *testing.T) {
	joe := auth.User{Name: "joe", Groups: []string{"staff", "dev"}, Claims: map[string]any{
		"department": "sales", "level": float64(3), "verified": true, "roles": []any{"a", "b"}, "dotted.name": "x",
		"realm": map[string]any{"roles": []any{"admin", []any{"deep"}}}, "none": nil,
	}}
	claims := func(name string, values ...string) auth.RequireConfig {
		return auth.RequireConfig{Claims: map[string][]string{name: values}}
	}
	for _, c := range []struct {
		name string
		cfg  auth.RequireConfig
		want bool
	}{
		{"any known user", auth.RequireConfig{}, true},
		{"any of no lists", auth.RequireConfig{Any: true}, true},
		{"by name", auth.RequireConfig{Users: []string{"ann", "joe"}}, true},
		{"another name", auth.RequireConfig{Users: []string{"ann", "Joe"}}, false},
		{"by group", auth.RequireConfig{Groups: []string{"ops", "dev"}}, true},
		{"another group", auth.RequireConfig{Groups: []string{"ops"}}, false},
		{"all lists", auth.RequireConfig{Users: []string{"joe"}, Groups: []string{"dev"}}, true},
		{"one list of two", auth.RequireConfig{Users: []string{"joe"}, Groups: []string{"ops"}}, false},
		{"one of two is enough", auth.RequireConfig{Users: []string{"ann"}, Groups: []string{"dev"}, Any: true}, true},
		{"none of two", auth.RequireConfig{Users: []string{"ann"}, Groups: []string{"ops"}, Any: true}, false},
		{"a claim", claims("department", "hr", "sales"), true},
		{"another claim", claims("department", "hr"), false},
		{"no such claim", claims("nosuch", "x"), false},
		{"a claim of nothing", claims("none", ""), false},
		{"a number", claims("level", "3"), true},
		{"a truth", claims("verified", "true"), true},
		{"a list", claims("roles", "b"), true},
		{"a path", claims("realm.roles", "admin"), true},
		{"a list in a list", claims("realm.roles", "deep"), false},
		{"a path to nothing", claims("department.x", "sales"), false},
		{"a name with a dot", claims("dotted.name", "x"), true},
		{"all claims", auth.RequireConfig{Claims: map[string][]string{"department": {"sales"}, "level": {"4"}}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := auth.NewRequire(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			everywhere(t, auth.Wrap(as{joe}, q.Wrap(name)), func(t *testing.T, h http.Handler) {
				want := http.StatusForbidden
				if c.want {
					want = http.StatusOK
				}
				if w := ask(h, "/"); w.Code != want {
					t.Errorf("%d", w.Code)
				}
			})
		})
	}
}

func TestWhereNobodyIsKnownNobodyPasses(t *testing.T) {
	q, err := auth.NewRequire(auth.RequireConfig{})
	if err != nil {
		t.Fatal(err)
	}
	everywhere(t, q.Wrap(name), func(t *testing.T, h http.Handler) {
		if w := ask(h, "/"); w.Code != 401 {
			t.Errorf("without a gate: %d", w.Code)
		}
	})
	g := gate(t, auth.GateConfig{Methods: []auth.Method{red, blue}, Optional: true})
	everywhere(t, g.Wrap(q.Wrap(name)), func(t *testing.T, h http.Handler) {
		w := ask(h, "/")
		if w.Code != 401 || len(w.Header()["Www-Authenticate"]) != 2 {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		if w := ask(h, "/", "Accept: text/html"); w.Code != 302 || w.Header().Get("Location") != "/login" {
			t.Errorf("a browser: %d %v", w.Code, w.Header())
		}
		if w := ask(h, "/", "Red: joe"); w.Code != 200 {
			t.Errorf("joe: %d", w.Code)
		}
	})
	for _, cfg := range []auth.RequireConfig{{Users: []string{""}}, {Groups: []string{"a", ""}}, {Claims: map[string][]string{"a": nil}}, {Claims: map[string][]string{"": {"x"}}}} {
		if _, err := auth.NewRequire(cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}
