package oidc_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Whatever comes to the callback without the cookie of a login is refused, and
// not shown.
func FuzzCallback(f *testing.F) {
	p := newProvider(f)
	g := newGate(f, p, nil)
	h := g.handler
	for _, q := range []string{"", "state=x&code=y", "state=x&error=<script>", "state=x&state=y", "%", "state=%ff&code=;", "iss=&state=" + strings.Repeat("s", 43)} {
		f.Add(q, "mountd_login_0123456789abcdef=AAAA")
	}
	f.Fuzz(func(t *testing.T, query, cookie string) {
		r := httptest.NewRequest("GET", "/.mountd/oidc/callback", nil)
		r.URL.RawQuery = query
		r.Header["Cookie"] = []string{cookie}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != 400 || strings.Contains(rec.Body.String(), "<") || rec.Header().Get("Location") != "" {
			t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
		}
	})
}

// Whatever a login is to come back to, a browser stays on the site.
func FuzzWayBack(f *testing.F) {
	p := newProvider(f)
	g := newGate(f, p, nil)
	for _, to := range []string{"/", "/a?b", "//evil.test", `/\evil.test`, "/\t/evil.test", "http://evil.test", "/..//evil.test", "/%2f/evil.test", "/.mountd/oidc/start?to=/"} {
		f.Add(to)
	}
	site, _ := url.Parse("https://site.example.com/x")
	f.Fuzz(func(t *testing.T, to string) {
		r := httptest.NewRequest("GET", "https://site.example.com/", nil)
		r.RequestURI = to
		c := g.Challenge(r)
		login, err := url.Parse(c.Login)
		if err != nil || login.Path != "/.mountd/oidc/start" {
			t.Fatalf("%q: %v", c.Login, err)
		}
		back := login.Query().Get("to")
		u, err := site.Parse(strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(back))
		if err != nil || u.Host != site.Host || u.Scheme != "https" || strings.HasPrefix(back, "//") {
			t.Errorf("%q: %q", to, back)
		}
	})
}

// Whatever a session holds, it is a login or none.
func FuzzStored(f *testing.F) {
	p := newProvider(f)
	g := newGate(f, p, nil)
	b := newBrowser(f)
	b.get(g.URL+"/app").expect(f, 200, "joe")
	var id, key string
	for session, values := range g.sessions.byID {
		for k, value := range values {
			if strings.HasPrefix(k, "oidc.") {
				id, key = session, k
				f.Add(value)
			}
		}
	}
	f.Add(`{"u":"joe","s":"joe","t":1,"x":1,"r":""}`)
	f.Add(`{"u":1}`)
	f.Fuzz(func(t *testing.T, value string) {
		g.sessions.byID[id] = map[string]string{key: value}
		r := httptest.NewRequest("GET", "/app", nil)
		r.AddCookie(&http.Cookie{Name: "session", Value: id})
		rec := httptest.NewRecorder()
		g.handler.ServeHTTP(rec, r)
		if rec.Code != 200 && rec.Code != 401 && rec.Code != 503 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
}

func BenchmarkKnownLogin(b *testing.B) {
	p := newProvider(b)
	g := newGate(b, p, nil)
	newBrowser(b).get(g.URL+"/app").expect(b, 200, "joe")
	var r *http.Request
	for id := range g.sessions.byID {
		r = httptest.NewRequest("GET", "/app", nil)
		r.AddCookie(&http.Cookie{Name: "session", Value: id})
	}
	g.sessions.wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b.ReportAllocs()
		for b.Loop() {
			if u, err := g.Authenticate(nil, r); u == nil || err != nil {
				b.Fatal(u, err)
			}
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
}
