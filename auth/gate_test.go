package auth_test

import (
	"cmp"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/request"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// badge is a method: a field with the user's name. "wrong" is refused, "down"
// can't be checked, "page" is answered, "split" has a line break.
type badge struct {
	field, challenge, login string
	asked                   *int
}

func (b badge) Authenticate(_ http.ResponseWriter, r *http.Request) (*auth.User, error) {
	if b.asked != nil {
		*b.asked++
	}
	switch v := r.Header.Get(b.field); v {
	case "":
		return nil, nil
	case "wrong":
		return nil, &request.Error{Status: http.StatusUnauthorized, Err: errors.New("wrong badge")}
	case "expired":
		return nil, &request.Error{Status: http.StatusUnauthorized, Header: http.Header{"Www-Authenticate": {b.challenge + ` error="expired"`}}}
	case "down":
		return nil, &request.Error{Status: http.StatusServiceUnavailable}
	case "page":
		return nil, page{}
	case "split":
		return &auth.User{Name: "a\r\nX: b"}, nil
	case "blank":
		return &auth.User{Name: "root "}, nil
	default:
		return &auth.User{Name: v, Method: b.field}, nil
	}
}

func (b badge) Challenge(*http.Request) auth.Challenge {
	return auth.Challenge{Header: b.challenge, Login: b.login}
}

type page struct{}

func (page) Error() string { return "a page" }

func (page) ServeHTTP(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }

// remote is a badge that asks somebody else.
type remote struct{ badge }

func (remote) Fallback() {}

// name answers with the user's name.
var name = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	u, ok := auth.UserFromContext(r.Context())
	if !ok {
		w.Write([]byte("nobody"))
		return
	}
	w.Write([]byte(u.Name))
})

func ask(h http.Handler, target string, fields ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, f := range fields {
		key, value, _ := strings.Cut(f, ": ")
		if key == ":method" {
			r.Method = value
			continue
		}
		r.Header.Add(key, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// recorded gives requests a record, as mountd's front door does.
func recorded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := request.New(w, r)
		h.ServeHTTP(&rec.Writer, &rec.Request)
	})
}

// everywhere runs a test with and without a record.
func everywhere(t *testing.T, h http.Handler, test func(*testing.T, http.Handler)) {
	t.Helper()
	t.Run("alone", func(t *testing.T) { test(t, h) })
	t.Run("in mountd", func(t *testing.T) { test(t, recorded(h)) })
}

func gate(t *testing.T, cfg auth.GateConfig) *auth.Gate {
	t.Helper()
	g, err := auth.NewGate(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var (
	red  = badge{field: "Red", challenge: `Red realm="a"`}
	blue = badge{field: "Blue", challenge: `Blue realm="b"`, login: "/login"}
)

func TestAGateOfTwoMethods(t *testing.T) {
	required := gate(t, auth.GateConfig{Methods: []auth.Method{red, blue}}).Wrap(name)
	optional := gate(t, auth.GateConfig{Methods: []auth.Method{red, blue}, Optional: true}).Wrap(name)
	for _, c := range []struct {
		name, fields string
		status       int
		body         string
		optional     int
	}{
		{"none", "", 401, "", 200},
		{"the first", "Red: joe", 200, "joe", 200},
		{"the second", "Blue: ann", 200, "ann", 200},
		{"both: the first is kept", "Red: joe|Blue: ann", 200, "joe", 200},
		{"a wrong first", "Red: wrong|Blue: ann", 401, "", 401},
		{"a wrong second", "Red: joe|Blue: wrong", 401, "", 401},
		{"one that can't be checked", "Red: joe|Blue: down", 503, "", 503},
		{"an answer", "Red: joe|Blue: page", 418, "", 418},
		{"a name that splits fields", "Red: split", 401, "", 401},
		{"a name that looks like another", "Red: blank", 401, "", 401},
	} {
		var fields []string
		if c.fields != "" {
			fields = strings.Split(c.fields, "|")
		}
		t.Run(c.name, func(t *testing.T) {
			everywhere(t, required, func(t *testing.T, h http.Handler) {
				w := ask(h, "/x", fields...)
				if w.Code != c.status || c.body != "" && w.Body.String() != c.body {
					t.Errorf("%d %q", w.Code, w.Body)
				}
				if lines := w.Header()["Www-Authenticate"]; (w.Code == 401) != slices.Equal(lines, []string{red.challenge, blue.challenge}) {
					t.Errorf("challenges %q", lines)
				}
				if w.Code == 401 && (w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Vary") != "Authorization") {
					t.Errorf("header %v", w.Header())
				}
			})
			everywhere(t, optional, func(t *testing.T, h http.Handler) {
				if w := ask(h, "/x", fields...); w.Code != c.optional {
					t.Errorf("optional: %d", w.Code)
				}
			})
		})
	}
}

func TestAMethodsOwnChallengeReplacesItsUsualOne(t *testing.T) {
	h := gate(t, auth.GateConfig{Methods: []auth.Method{red, blue}}).Wrap(name)
	w := ask(h, "/", "Red: expired")
	if got := w.Header()["Www-Authenticate"]; !slices.Equal(got, []string{`Red realm="a" error="expired"`, blue.challenge}) {
		t.Errorf("%q", got)
	}
}

func TestBrowsersAreSentToTheLoginPage(t *testing.T) {
	h := gate(t, auth.GateConfig{Methods: []auth.Method{red, blue}}).Wrap(name)
	for _, c := range []struct {
		fields string
		login  bool
	}{
		{"", false},
		{"Accept: text/html,*/*", true},
		{"Accept: text/html|:method: HEAD", true},
		{"Accept: text/html|:method: POST", false},
		{"Accept: */*|Sec-Fetch-Mode: navigate", true},
		{"Accept: text/html|Sec-Fetch-Mode: cors", false},
		{"Accept: text/html|X-Requested-With: XMLHttpRequest", false},
		{"Accept: text/html|Upgrade: websocket", false},
		{"Accept: application/json", false},
		{"Accept: text/html|Red: wrong", false},
	} {
		var fields []string
		if c.fields != "" {
			fields = strings.Split(c.fields, "|")
		}
		w := ask(h, "/page", fields...)
		if login := w.Code == http.StatusFound && w.Header().Get("Location") == "/login" && w.Header().Get("Cache-Control") == "no-store"; login != c.login || !login && w.Code != 401 {
			t.Errorf("%q: %d %v", c.fields, w.Code, w.Header())
		}
	}
}

func TestWhoAsksSomebodyElseIsAskedLast(t *testing.T) {
	times := 0
	far := remote{badge{field: "Far", challenge: "Far", asked: &times}}
	h := gate(t, auth.GateConfig{Methods: []auth.Method{far, red}}).Wrap(name)
	if w := ask(h, "/", "Red: joe", "Far: ann"); w.Body.String() != "joe" || times != 0 {
		t.Errorf("%q, asked %d times", w.Body, times)
	}
	if w := ask(h, "/", "Far: ann"); w.Body.String() != "ann" || times != 1 {
		t.Errorf("%q, asked %d times", w.Body, times)
	}
	if w := ask(h, "/"); w.Code != 401 || !slices.Equal(w.Header()["Www-Authenticate"], []string{"Far", red.challenge}) {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// when binds a layer to requests with a field, as conditions do.
func when(field string, wrap func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		with := wrap(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get(field) != "" {
				with.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func TestLayersSideBySideAreOneGate(t *testing.T) {
	h := when("Use-Red", auth.NewLayer(red, false).Wrap)(when("Use-Blue", auth.NewLayer(blue, true).Wrap)(auth.End(name)))
	for _, c := range []struct {
		fields string
		status int
		body   string
	}{
		{"", 200, "nobody"}, // no layer's conditions hold
		{"Red: joe", 200, "nobody"},
		{"Use-Red: 1", 401, ""},
		{"Use-Red: 1|Red: joe", 200, "joe"},
		{"Use-Red: 1|Blue: ann", 401, ""},
		{"Use-Blue: 1", 200, "nobody"},
		{"Use-Blue: 1|Blue: wrong", 401, ""},
		{"Use-Red: 1|Use-Blue: 1", 401, ""},
		{"Use-Red: 1|Use-Blue: 1|Blue: ann", 200, "ann"},
		{"Use-Red: 1|Use-Blue: 1|Red: wrong|Blue: ann", 401, ""},
	} {
		var fields []string
		if c.fields != "" {
			fields = strings.Split(c.fields, "|")
		}
		everywhere(t, h, func(t *testing.T, h http.Handler) {
			if w := ask(h, "/", fields...); w.Code != c.status || c.body != "" && w.Body.String() != c.body {
				t.Errorf("%s: %d %q", c.fields, w.Code, w.Body)
			}
		})
	}
}

func TestALayerWithoutEndLetsNobodyPass(t *testing.T) {
	out, err := auth.NewOutgoing(auth.OutgoingConfig{})
	if err != nil {
		t.Fatal(err)
	}
	any, err := auth.NewRequire(auth.RequireConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, inside := range []func(http.Handler) http.Handler{out.Wrap, any.Wrap} {
		everywhere(t, auth.NewLayer(red, true).Wrap(inside(name)), func(t *testing.T, h http.Handler) {
			if w := ask(h, "/", "Red: joe"); w.Code != 500 {
				t.Errorf("%d %q", w.Code, w.Body)
			}
		})
	}
}

func TestAGateInsideAnother(t *testing.T) {
	inner := gate(t, auth.GateConfig{Methods: []auth.Method{blue}}).Wrap(name)
	maybe := gate(t, auth.GateConfig{Methods: []auth.Method{blue}, Optional: true}).Wrap(name)
	siblings := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, h := range []http.Handler{name, inner, name, maybe, name} {
			h.ServeHTTP(w, r)
			w.Write([]byte(" "))
		}
	})
	h := gate(t, auth.GateConfig{Methods: []auth.Method{red}}).Wrap(siblings)
	everywhere(t, h, func(t *testing.T, h http.Handler) {
		if w := ask(h, "/", "Red: joe", "Blue: ann"); w.Body.String() != "joe ann joe ann joe " {
			t.Errorf("%q", w.Body)
		}
	})
	everywhere(t, gate(t, auth.GateConfig{Methods: []auth.Method{red}}).Wrap(inner), func(t *testing.T, h http.Handler) {
		if w := ask(h, "/", "Red: joe"); w.Code != 401 {
			t.Errorf("the outer gate's user opens the inner one: %d", w.Code)
		}
		if w := ask(h, "/", "Blue: ann"); w.Code != 401 {
			t.Errorf("the inner gate's user opens the outer one: %d", w.Code)
		}
	})
	everywhere(t, gate(t, auth.GateConfig{Methods: []auth.Method{red}}).Wrap(maybe), func(t *testing.T, h http.Handler) {
		if w := ask(h, "/", "Red: joe"); w.Body.String() != "joe" {
			t.Errorf("%q", w.Body)
		}
	})
}

func TestTheUserIsKnownToOuterLayers(t *testing.T) {
	g := gate(t, auth.GateConfig{Methods: []auth.Method{red}}).Wrap(name)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Red", "joe")
	rec := request.New(httptest.NewRecorder(), r)
	g.ServeHTTP(&rec.Writer, &rec.Request)
	if rec.User != "joe" {
		t.Errorf("%q", rec.User)
	}
	if _, ok := auth.UserFromContext(rec); ok {
		t.Error("the user is known outside of the gate")
	}
}

func TestAnErrorFuncAnswers(t *testing.T) {
	h := gate(t, auth.GateConfig{Methods: []auth.Method{red}, ErrorFunc: func(w http.ResponseWriter, _ *http.Request, err error) {
		status, _, header := request.Describe(err)
		w.WriteHeader(status + 50)
		w.Write([]byte(header.Get("WWW-Authenticate")))
	}}).Wrap(name)
	if w := ask(h, "/"); w.Code != 451 || w.Body.String() != red.challenge {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestAnEmptyGateIsAMistake(t *testing.T) {
	for _, methods := range [][]auth.Method{nil, {nil}} {
		if _, err := auth.NewGate(auth.GateConfig{Methods: methods}); err == nil {
			t.Errorf("%v: no error", methods)
		}
	}
}

func TestASingleMethodIsAGate(t *testing.T) {
	everywhere(t, auth.Wrap(red, name), func(t *testing.T, h http.Handler) {
		if w := ask(h, "/", "Red: joe"); w.Body.String() != "joe" {
			t.Errorf("%q", w.Body)
		}
		if w := ask(h, "/"); w.Code != 401 {
			t.Errorf("%d", w.Code)
		}
	})
}

// Every combination of three layers, compared with what the rules say.
func TestEveryGateOfThreeLayers(t *testing.T) {
	fields := [...]string{"A", "B", "C"}
	values := [...]string{"", "joe", "wrong"}
	const kinds = 2 * 2 * 3 // applies, optional, credentials
	for n := range kinds * kinds * kinds {
		h := auth.End(name)
		want, user, refused, needed := 200, "", false, false
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for i := len(fields) - 1; i >= 0; i-- {
			kind := n
			for range i {
				kind /= kinds
			}
			applies, optional, value := kind&1 == 1, kind>>1&1 == 1, values[kind/4%3]
			if value != "" {
				r.Header.Set(fields[i], value)
			}
			if !applies {
				continue
			}
			h = auth.NewLayer(badge{field: fields[i]}, optional).Wrap(h)
			refused = refused || value == "wrong"
			needed = needed || !optional
			if value == "joe" {
				user = "joe"
			}
		}
		if refused || needed && user == "" {
			want = 401
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want || want == 200 && w.Body.String() != cmp.Or(user, "nobody") {
			t.Fatalf("%d %v: %d %q, not %d %q", n, r.Header, w.Code, w.Body, want, user)
		}
	}
}

// waved lets every request pass without naming anyone.
type waved struct{ calls *int }

func (m waved) Authenticate(http.ResponseWriter, *http.Request) (*auth.User, error) {
	*m.calls++
	return &auth.User{}, nil
}
func (waved) Challenge(*http.Request) auth.Challenge { return auth.Challenge{} }
func (waved) Fallback()                              {}

// A method that asks somebody else may let a request pass as nobody's; that is
// enough for the gate, and not for whoever requires a user.
func TestAFallbackMayLetNobodyPass(t *testing.T) {
	require, err := auth.NewRequire(auth.RequireConfig{})
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	gate := func(next http.Handler) http.Handler {
		h := auth.End(next)
		for _, m := range []auth.Method{waved{&calls}, badge{field: "Red"}, waved{&calls}} {
			h = auth.NewLayer(m, false).Wrap(h)
		}
		return h
	}
	for _, c := range []struct {
		red, want string
		code, ask int
		require   bool
	}{
		{"", "nobody", 200, 1, false},
		{"joe", "joe", 200, 0, false},
		{"wrong", "", 401, 0, false},
		{"", "", 401, 1, true},
		{"joe", "joe", 200, 0, true},
	} {
		calls = 0
		h := gate(name)
		if c.require {
			h = gate(require.Wrap(name))
		}
		r := httptest.NewRequest("GET", "/", nil)
		if c.red != "" {
			r.Header.Set("Red", c.red)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.code || c.code == 200 && w.Body.String() != c.want || calls != c.ask {
			t.Errorf("%+v: %d %q after %d questions", c, w.Code, w.Body, calls)
		}
	}
	// Who is no fallback must name the user.
	w := httptest.NewRecorder()
	auth.Wrap(nameless{}, name).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 401 {
		t.Errorf("a user without a name: %d", w.Code)
	}
}

type nameless struct{}

func (nameless) Authenticate(http.ResponseWriter, *http.Request) (*auth.User, error) {
	return &auth.User{}, nil
}
func (nameless) Challenge(*http.Request) auth.Challenge { return auth.Challenge{} }
