package auth_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/request"
)

func basicFor(t testing.TB, realm string, users map[string]string) *auth.Basic {
	t.Helper()
	hashes := map[string]string{}
	for name, password := range users {
		hashes[name] = quick(t, password)
	}
	b, err := auth.NewBasic(auth.BasicConfig{Users: newUsers(t, auth.UsersConfig{Inline: hashes}), Realm: realm})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func authorization(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestBasicCredentials(t *testing.T) {
	h := basicFor(t, "", map[string]string{"joe": "pw", "empty": "", "colon": "a:b", "jörg": "schön"}).Wrap(name)
	good := strings.TrimPrefix(authorization("joe", "pw"), "Authorization: Basic ")
	for _, c := range []struct {
		field string
		want  string // the user; empty: 401
	}{
		{"X: y", ""},
		{authorization("joe", "pw"), "joe"},
		{"Authorization: basic " + good, "joe"},
		{"Authorization: BASIC   " + good, "joe"},
		{"Authorization: Basic\t" + good, "joe"},
		{authorization("empty", ""), "empty"},
		{authorization("colon", "a:b"), "colon"},
		{authorization("jörg", "schön"), "jörg"},
		{authorization("j\xf6rg", "sch\xf6n"), ""},
		{authorization("joe", "pw2"), ""},
		{authorization("joe", ""), ""},
		{authorization("joe", "pw\x00"), ""},
		{authorization("Joe", "pw"), ""},
		{authorization("ann", "pw"), ""},
		{authorization("", ""), ""},
		{"Authorization: Basic", ""},
		{"Authorization: Basic ", ""},
		{"Authorization: Basic !!!", ""},
		{"Authorization: Basic Zm9v", ""},
		{"Authorization: Basic " + good + " " + good, ""},
		{"Authorization: Basic " + good + "=", ""},
		{"Authorization: Basic" + good, ""},
		{"Authorization: Basic " + strings.Repeat("A", 1<<20), ""},
		{"Authorization: Negotiate abc", ""},
		{"Authorization: Bearer " + good, ""},
		{"Authorization: ", ""},
	} {
		w := ask(h, "/", c.field)
		want := 200
		if c.want == "" {
			want = 401
		}
		if w.Code != want || want == 200 && w.Body.String() != c.want {
			t.Errorf("%.60q: %d %q", c.field, w.Code, w.Body)
		}
		if want == 401 && w.Header().Get("WWW-Authenticate") != `Basic realm="Restricted", charset="UTF-8"` {
			t.Errorf("%.60q: %v", c.field, w.Header())
		}
	}
	if w := ask(h, "/", authorization("joe", "pw"), authorization("joe", "pw")); w.Code != 401 {
		t.Errorf("two fields: %d", w.Code)
	}
}

func TestOtherSchemesAreNoBasicCredentials(t *testing.T) {
	g := gate(t, auth.GateConfig{Methods: []auth.Method{basicFor(t, "", map[string]string{"joe": "pw"})}, Optional: true}).Wrap(name)
	for field, status := range map[string]int{"Authorization: Bearer x": 200, "Authorization: Basic x": 401, "Authorization: Basic": 401, "Authorization: Basically x": 200} {
		if w := ask(g, "/", field); w.Code != status {
			t.Errorf("%s: %d", field, w.Code)
		}
	}
}

func TestRealms(t *testing.T) {
	w := ask(basicFor(t, `a "b" \c`, map[string]string{"joe": "pw"}).Wrap(name), "/")
	if got := w.Header().Get("WWW-Authenticate"); got != `Basic realm="a \"b\" \\c", charset="UTF-8"` {
		t.Errorf("%s", got)
	}
	users := newUsers(t, auth.UsersConfig{Inline: map[string]string{"joe": quick(t, "pw")}})
	for _, realm := range []string{"a\r\nX: y", "a\x00", "\xff"} {
		if _, err := auth.NewBasic(auth.BasicConfig{Users: users, Realm: realm}); err == nil {
			t.Errorf("%q: no error", realm)
		}
	}
	if _, err := auth.NewBasic(auth.BasicConfig{}); err == nil {
		t.Error("no users: no error")
	}
}

// steady gives a request of a known user with a record of its own.
func steady(t testing.TB) (*auth.Basic, *http.Request) {
	b := basicFor(t, "", map[string]string{"joe": "a password of usual length"})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	_, value, _ := strings.Cut(authorization("joe", "a password of usual length"), ": ")
	r.Header.Set("Authorization", value)
	if u, err := b.Authenticate(nil, r); u == nil || err != nil {
		t.Fatal(u, err)
	}
	return b, r
}

func TestARememberedPasswordCostsNoAllocation(t *testing.T) {
	b, r := steady(t)
	if n := testing.AllocsPerRun(100, func() { _, _ = b.Authenticate(nil, r) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRememberedPassword(b *testing.B) {
	basic, r := steady(b)
	b.ReportAllocs()
	for b.Loop() {
		if u, _ := basic.Authenticate(nil, r); u == nil {
			b.Fatal("refused")
		}
	}
}

func BenchmarkGate(b *testing.B) {
	basic, r := steady(b)
	out, _ := auth.NewOutgoing(auth.OutgoingConfig{User: "Remote-User"})
	h := basic.Wrap(out.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	rec := request.New(httptest.NewRecorder(), r)
	value := r.Header["Authorization"]
	b.ReportAllocs()
	for b.Loop() {
		rec.Request.Header["Authorization"] = value
		h.ServeHTTP(&rec.Writer, &rec.Request)
	}
}

func BenchmarkRememberedPasswordParallel(b *testing.B) {
	basic, r := steady(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = basic.Authenticate(nil, r)
		}
	})
}

func FuzzHtpasswd(f *testing.F) {
	for _, k := range known {
		f.Add([]byte("joe:"+k.hash+"\n"), "joe", "password")
	}
	f.Add([]byte("\uFEFF#\r\na:b:c\n:"), "a", "b")
	f.Fuzz(func(t *testing.T, text []byte, user, password string) {
		path := file(t, string(text))
		u, err := auth.NewUsers(auth.UsersConfig{File: path})
		if err != nil {
			return
		}
		u.Close()
		if !bytes.Contains(text, []byte(":")) {
			t.Errorf("users without a colon: %q", text)
		}
	})
}

func FuzzBasic(f *testing.F) {
	b := basicFor(f, "", map[string]string{"joe": "pw"})
	h := b.Wrap(name)
	for _, seed := range []string{"Basic am9lOnB3", "basic  am9lOnB3 ", "Basic", "Basic Zm9v", "Bearer x", "Basic =", "Basic am9lOnB3\tx"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{value}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == 200 && !strings.Contains(value, "am9lOnB3") {
			decoded, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(strings.TrimSpace(value)[5:]))
			if string(decoded) != "joe:pw" {
				t.Errorf("%q lets in", value)
			}
		}
	})
}
