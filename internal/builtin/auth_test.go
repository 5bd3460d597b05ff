package builtin_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/builtin"
)

const (
	basicLayer = `{auth.basic: {users: {joe: "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="}}}`
	keyLayer   = `{auth.key: {keys: {ci: 2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683}}}`
)

func TestTheOrderRulesOfAuthentication(t *testing.T) {
	registry := builtin.Middlewares(builtin.Env{})
	for _, c := range []struct {
		stack    string
		mistakes int
	}{
		{"[errors, auth.basic, auth.key, auth.cert, auth.header, require]", 0},
		{"[errors, auth.basic, compress, auth.key]", 1},
		{"[errors, require]", 1},
		{"[errors, require, auth.key]", 1},
		{"[errors, auth.key, {limit.rate: {by: user}}]", 0},
		{"[errors, {limit.rate: {by: user}}, auth.key]", 1},
		{"[errors, auth.key, {cors: {}}]", 1},
		{"[errors, {cors: {}}, auth.key, csrf]", 0},
		{"[errors, {auth.key: {}, when: {path: /a}}, {rewrite: {path: {from: /b, to: /a}}}]", 1},
		{"[errors, auth.key, {require: {}, when: {path: /a}}, {rewrite: {path: {from: /b, to: /a}}}]", 1},
		{"[errors, auth.key, {rewrite: {path: {from: /b, to: /a}}}]", 0},
	} {
		mistakes := 0
		var lines []string
		for _, e := range registry.Check(nil, layers(t, c.stack)...) {
			lines = append(lines, e.Error())
			if !e.Warning {
				mistakes++
			}
		}
		if mistakes != c.mistakes {
			t.Errorf("%s: %d mistakes, not %d:\n%s", c.stack, mistakes, c.mistakes, strings.Join(lines, "\n"))
		}
	}
}

func TestSideBySideLayersAreOneGate(t *testing.T) {
	chain, err := builtin.Middlewares(builtin.Env{}).Chain(layers(t, "[errors, "+basicLayer+", "+keyLayer+"]")...)
	if err != nil {
		t.Fatal(err)
	}
	h := chain.ThenFunc(func(w http.ResponseWriter, r *http.Request) {
		u, _ := auth.UserFromContext(r.Context())
		w.Write([]byte(u.Name))
	})
	for _, c := range []struct{ user, key, want string }{{"", "", ""}, {"joe", "", "joe"}, {"", "key", "ci"}, {"joe", "key", "joe"}, {"joe", "no", ""}} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if c.user != "" {
			r.SetBasicAuth(c.user, "password")
		}
		if c.key != "" {
			r.Header.Set("X-API-Key", c.key)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if c.want == "" && (w.Code != 401 || len(w.Header()["Www-Authenticate"]) != 2) || c.want != "" && w.Body.String() != c.want {
			t.Errorf("%+v: %d %v %s", c, w.Code, w.Header(), w.Body)
		}
	}
}

func TestCertificatesAndProxiesNeedTheirSettings(t *testing.T) {
	for _, env := range []builtin.Env{{}, {ClientCA: true, TrustsProxies: true}} {
		for _, name := range []string{"auth.cert", "auth.header"} {
			f := builtin.Middlewares(env)[name]
			if _, err := f.New(f.Options()); (err == nil) != env.ClientCA {
				t.Errorf("%s, %+v: %v", name, env, err)
			}
		}
	}
	fields := builtin.Middlewares(builtin.Env{}).Reserves(layers(t, "[{auth.header: {user: X-Who, groups: X-Teams, name: '', email: 'a b'}}]")[0])
	if strings.Join(fields, " ") != "X-Who X-Teams" {
		t.Errorf("%q", fields)
	}
}

// jar offers its cookies, as a session layer does.
type jar struct{}

func (*jar) OwnCookie(name, value string) bool { return name == "sid" && value == "ours" }

func TestOurCookiesReachNoApplication(t *testing.T) {
	out := builtin.NewOutgoing()
	ours := &jar{}
	for range 2 {
		out.Built(compose.Layer{}, compose.Instance{Offers: ours})
	}
	out.Built(compose.Layer{}, compose.Instance{Offers: "something else"})
	for forward, want := range map[string]string{"": "a=1; sid=theirs", "true": "sid=ours; a=1; sid=theirs", "false": "a=1; sid=theirs", "[session]": "sid=ours; a=1; sid=theirs", "[authorization, key]": "a=1; sid=theirs"} {
		var d compose.Decoder
		if forward != "" {
			d = value(t, forward)
		}
		wrap, headers, err := out.Identity(nil, d)
		if err != nil || len(headers) != 4 {
			t.Fatal(headers, err)
		}
		got := ""
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", "sid=ours; a=1; sid=theirs")
		wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Cookie") })).ServeHTTP(httptest.NewRecorder(), r)
		if got != want {
			t.Errorf("%q: %q", forward, got)
		}
	}
}
