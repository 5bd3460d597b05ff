package auth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mountd/mountd/auth"
)

// methods are all of this package, each with what a request of its user has.
func methods(t *testing.T) map[string]struct {
	method auth.Method
	adopt  func(r *http.Request)
} {
	t.Helper()
	must := func(m auth.Method, err error) auth.Method {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	users, err := auth.NewUsers(auth.UsersConfig{Inline: map[string]string{"joe": "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = users.Close() })
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "" {
			w.Header().Set("Remote-User", "joe")
		}
	}))
	t.Cleanup(service.Close)
	forward, err := auth.NewForward(auth.ForwardConfig{To: service.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = forward.Close() })
	s := newSite(t, false, nil)
	s.login("joe", "pw")
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	keys := map[string]string{"joe": "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"}
	return map[string]struct {
		method auth.Method
		adopt  func(r *http.Request)
	}{
		"basic": {must(auth.NewBasic(auth.BasicConfig{Users: users})), func(r *http.Request) { r.SetBasicAuth("joe", "password") }},
		"form":  {s.Form, func(*http.Request) {}},
		"cert": {must(auth.NewCert(auth.CertConfig{})), func(r *http.Request) {
			cert := &x509.Certificate{Subject: pkix.Name{CommonName: "joe"}}
			r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}}
		}},
		"forward":        {forward, set("Cookie", "sso=1")},
		"forward nobody": {forward, func(*http.Request) {}},
		"key":            {must(auth.NewKey(auth.KeyConfig{Keys: keys})), set("X-Api-Key", "password")},
		"key in query":   {must(auth.NewKey(auth.KeyConfig{Keys: keys, Query: "key"})), func(r *http.Request) { r.URL.RawQuery = "key=password" }},
		"header": {must(auth.NewHeader(auth.HeaderConfig{User: "Remote-User", Trusted: func(*http.Request) bool { return true }})),
			set("Remote-User", "joe")},
		"another": {red, set("Red", "joe")},
	}
}

func TestUpgradesOfOtherSitesAreRefused(t *testing.T) {
	explicit := map[string]bool{"key": true, "key in query": true, "header": true}
	for kind, m := range methods(t) {
		h := auth.Wrap(m.method, name)
		for _, c := range []struct {
			fields string
			ours   bool
		}{
			{"", true},
			{"Origin: https://example.com", true},
			{"Origin: https://example.com|Sec-Fetch-Site: same-origin", true},
			{"Origin: https://evil.example", false},
			{"Origin: https://app.example.com", false},
			{"Origin: https://example.com|Sec-Fetch-Site: cross-site", false},
			{"Origin: null", false},
		} {
			for _, upgrade := range []bool{true, false} {
				r := httptest.NewRequest(http.MethodGet, "https://example.com/ws", nil)
				m.adopt(r)
				if upgrade {
					r.Header.Set("Connection", "Upgrade")
					r.Header.Set("Upgrade", "websocket")
				}
				for _, f := range strings.Split(c.fields, "|") {
					if key, value, ok := strings.Cut(f, ": "); ok {
						r.Header.Set(key, value)
					}
				}
				want := 200
				if upgrade && !c.ours && !explicit[kind] {
					want = 403
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != want {
					t.Errorf("%s, upgrade %v, %q: %d, not %d", kind, upgrade, c.fields, w.Code, want)
				}
			}
		}
	}
}

// A gate of two: the one that has found the user counts.
func TestTheMethodThatFoundTheUserDecidesAboutUpgrades(t *testing.T) {
	all := methods(t)
	h := gate(t, auth.GateConfig{Methods: []auth.Method{all["key"].method, all["cert"].method}}).Wrap(name)
	for _, c := range []struct {
		by   []string
		want int
	}{{[]string{"key"}, 200}, {[]string{"cert"}, 403}, {[]string{"key", "cert"}, 200}} {
		r := httptest.NewRequest(http.MethodGet, "https://example.com/ws", nil)
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Origin", "https://evil.example")
		for _, by := range c.by {
			all[by].adopt(r)
		}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("%v: %d", c.by, w.Code)
		}
	}
}

func TestAnswersThatCachesCannotTellApartArePrivate(t *testing.T) {
	seen := map[string]bool{"basic": true, "form": true}
	for kind, m := range methods(t) {
		for _, own := range []string{"", "max-age=60"} {
			h := auth.Wrap(m.method, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if own != "" {
					w.Header().Set("Cache-Control", own)
				}
				name(w, r)
			}))
			want := own
			if own == "" && !seen[kind] {
				want = "private"
			}
			everywhere(t, h, func(t *testing.T, h http.Handler) {
				r := httptest.NewRequest(http.MethodGet, "https://example.com/", nil)
				m.adopt(r)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if kind == "header" && w.Code == 401 {
					return // a record has the proxy's word elsewhere
				}
				if got := w.Header().Get("Cache-Control"); w.Code != 200 || got != want {
					t.Errorf("%s: %d %q, not %q", kind, w.Code, got, want)
				}
			})
		}
	}
	public := gate(t, auth.GateConfig{Methods: []auth.Method{red}, Optional: true}).Wrap(name)
	if w := ask(public, "/"); w.Header().Get("Cache-Control") != "" {
		t.Errorf("nobody: %v", w.Header())
	}
}

// A keeper is a badge whose users have sessions.
type keeper struct {
	badge
	ended context.Context
}

func (k keeper) Watch(ctx context.Context) (context.Context, context.CancelFunc) {
	watched, cancel := context.WithCancel(ctx)
	context.AfterFunc(k.ended, cancel)
	return watched, cancel
}

func TestStreamsEndWithTheSession(t *testing.T) {
	for _, c := range []struct {
		fields []string
		ends   bool
	}{
		{[]string{"Red: joe", "Accept: text/event-stream"}, true},
		{[]string{"Red: joe", "Upgrade: websocket"}, true},
		{[]string{"Red: joe", "Accept: text/html"}, false},
	} {
		ended, end := context.WithCancel(context.Background())
		h := auth.Wrap(keeper{red, ended}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			end()
			if c.ends {
				<-r.Context().Done()
			}
			if (r.Context().Err() != nil) != c.ends {
				t.Errorf("%q: %v", c.fields, r.Context().Err())
			}
			name(w, r)
		}))
		everywhere(t, h, func(t *testing.T, h http.Handler) {
			if w := ask(h, "/", c.fields...); w.Body.String() != "joe" {
				t.Errorf("%q: %d %s", c.fields, w.Code, w.Body)
			}
		})
		end()
	}
}
