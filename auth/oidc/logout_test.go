package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mountd/mountd/auth/oidc"
)

func TestLogout(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, func(cfg *oidc.Config) { cfg.KeepIDToken, cfg.AfterLogout = true, "/bye" })
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "joe")

	// A link asks first.
	res := b.get(g.URL + "/.mountd/logout")
	res.expect(t, 200, `<form method="post" action="/.mountd/logout">`)
	if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%v", res.Header)
	}
	b.get(g.URL+"/app").expect(t, 200, "joe")

	// The row F22: another site can't log out.
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "null"}, {"Origin", "https://evil.example.org"},
		{"Origin", strings.Replace(g.URL, "127.0.0.1", "localhost", 1)}, {"Sec-Fetch-Site", "cross-site", "Origin", g.URL},
	} {
		b.do("POST", g.URL+"/.mountd/logout", url.Values{}, header...).expect(t, 403, "")
		b.get(g.URL+"/app").expect(t, 200, "joe")
	}
	b.do("DELETE", g.URL+"/.mountd/logout", nil).expect(t, 405, "")

	b.before = "/"
	res = b.do("POST", g.URL+"/.mountd/logout", url.Values{}, "Origin", g.URL, "Sec-Fetch-Site", "same-origin")
	to, _ := res.Location()
	if res.StatusCode != 303 || to == nil || to.Path != "/end" || to.Query().Get("client_id") != clientID ||
		to.Query().Get("post_logout_redirect_uri") != g.URL+"/bye" || strings.Count(to.Query().Get("id_token_hint"), ".") != 2 {
		t.Errorf("%d %v", res.StatusCode, to)
	}
	if g.sessions.count() != 0 {
		t.Error("the session is still there")
	}
	b.get(g.URL+"/app").expect(t, 302, "")

	// Nobody is logged out too.
	b.do("POST", g.URL+"/.mountd/logout", url.Values{}, "Origin", g.URL).expect(t, 303, "")
}

func TestLogoutWithoutTheProvider(t *testing.T) {
	p := newProvider(t)
	p.metadata = claims{"end_session_endpoint": nil}
	g := newGate(t, p, nil)
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	b.before = "/"
	res := b.do("POST", g.URL+"/.mountd/logout", url.Values{})
	if res.StatusCode != 303 || res.Header.Get("Location") != "/" || g.sessions.count() != 0 {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

func logoutClaims(p *provider, more claims) claims {
	return with(claims{
		"iss": p.URL, "aud": clientID, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		"sub": "joe", "jti": time.Now().String(), "events": claims{logoutEvent: claims{}},
	}, more)
}

func TestBackChannelLogout(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	logout := func(token string, want int) {
		t.Helper()
		res := newBrowser(t).do("POST", g.URL+"/.mountd/oidc/backchannel", url.Values{"logout_token": {token}})
		res.expect(t, want, "")
		if res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v", res.Header)
		}
	}
	for name, c := range map[string]claims{
		"a nonce":         {"nonce": "x"},
		"no events":       {"events": nil},
		"another event":   {"events": claims{"x": claims{}}},
		"event no object": {"events": claims{logoutEvent: 1}},
		"events a list":   {"events": []string{logoutEvent}},
		"nobody":          {"sub": nil},
		"sub a number":    {"sub": 1},
		"no jti":          {"jti": nil},
		"no iat":          {"iat": nil},
		"no exp":          {"exp": nil},
		"expired":         {"exp": 1},
		"other audience":  {"aud": "x"},
		"other issuer":    {"iss": "x"},
	} {
		t.Run(name, func(t *testing.T) { logout(signed(logoutClaims(p, c)), 400) })
	}
	logout(signedWith(claims{"alg": "none"}, logoutClaims(p, nil)), 400)
	logout("x", 400)
	logout("", 400)
	logout(strings.Repeat("x", 100<<10), 413)
	newBrowser(t).do("POST", g.URL+"/.mountd/oidc/backchannel", nil).expect(t, 400, "")
	newBrowser(t).do("GET", g.URL+"/.mountd/oidc/backchannel", nil).expect(t, 405, "")
	b.get(g.URL+"/app").expect(t, 200, "joe")

	token := signedWith(claims{"alg": "ES256", "kid": "k1", "typ": "logout+jwt"}, logoutClaims(p, nil))
	logout(token, 200)
	b.before = "/.mountd"
	b.get(g.URL+"/app").expect(t, 302, "")
	logout(token, 400) // again

	// A new login counts, and one of somebody else was not harmed.
	b.before = ""
	time.Sleep(2 * time.Millisecond)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	logout(signed(logoutClaims(p, claims{"sub": "bob"})), 200)
	logout(signed(logoutClaims(p, claims{"sub": nil, "sid": "another"})), 200)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	logout(signed(logoutClaims(p, claims{"sub": nil, "sid": "sid1"})), 200)
	b.before = "/.mountd"
	b.get(g.URL+"/app").expect(t, 302, "")
}

func TestBackChannelLogoutEndsSessions(t *testing.T) {
	p := newProvider(t)
	var mu sync.Mutex
	var ended []string
	fail := true
	g := newGate(t, p, func(cfg *oidc.Config) {
		cfg.Claims.User = "name"
		cfg.EndSessions = func(_ context.Context, user string) error {
			mu.Lock()
			defer mu.Unlock()
			if fail {
				fail = false
				return errors.New("the store is down")
			}
			ended = append(ended, user)
			return nil
		}
	})
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "Joe Doe")
	token := url.Values{"logout_token": {signed(logoutClaims(p, claims{"sid": "sid1"}))}}
	b.do("POST", g.URL+"/.mountd/oidc/backchannel", token).expect(t, 400, "")
	b.do("POST", g.URL+"/.mountd/oidc/backchannel", token).expect(t, 200, "")
	mu.Lock()
	defer mu.Unlock()
	if len(ended) != 1 || ended[0] != "Joe Doe" {
		t.Errorf("%q", ended)
	}
}

// age makes the logins in the sessions of g older.
func (g *gate) age(t *testing.T, by time.Duration) {
	t.Helper()
	g.sessions.mu.Lock()
	defer g.sessions.mu.Unlock()
	for _, s := range g.sessions.byID {
		for key, value := range s {
			if strings.HasPrefix(key, "oidc.") {
				s[key] = older(t, value, by)
			}
		}
	}
}

func older(t *testing.T, value string, by time.Duration) string {
	t.Helper()
	c := claims{}
	decode(t, value, &c)
	x, ok := c["x"].(float64)
	if !ok {
		t.Fatalf("the login is not refreshed: %s", value)
	}
	c["x"] = int64(x) - int64(by/time.Second)
	return encode(t, c)
}

// The row E05.
func TestManyRequestsRefreshOnce(t *testing.T) {
	p := newProvider(t)
	p.refresh = true
	g := newGate(t, p, nil)
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	g.age(t, 2*time.Minute)
	p.change(func() {
		p.claims = claims{"groups": []string{"admins"}}
		p.intercept = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/token" {
				time.Sleep(50 * time.Millisecond)
			}
			return false
		}
	})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { b.get(g.URL+"/app").expect(t, 200, `joe ["admins"]`) })
	}
	wg.Wait()
	if n := p.count("/token"); n != 2 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	b.get(g.URL+"/app").expect(t, 200, `joe ["admins"]`)
	g.age(t, 2*time.Minute)
	b.get(g.URL+"/app").expect(t, 200, `joe ["admins"]`)
	if n := p.count("/token"); n != 3 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
}

// Whoever comes with the session as it was before a refresh gets the same
// answer: the old token must not be used twice.
func TestALateRequestDoesNotRefreshAgain(t *testing.T) {
	p := newProvider(t)
	p.refresh = true
	g := newGate(t, p, nil)
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	g.age(t, 2*time.Minute)
	before := map[string]map[string]string{}
	for id, s := range g.sessions.byID {
		before[id] = map[string]string{}
		for key, value := range s {
			before[id][key] = value
		}
	}
	b.get(g.URL+"/app").expect(t, 200, "joe")
	g.sessions.mu.Lock()
	g.sessions.byID = before
	g.sessions.mu.Unlock()
	b.get(g.URL+"/app").expect(t, 200, "joe")
	if n := p.count("/token"); n != 2 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
}

func TestARefreshThatIsRefusedEndsTheLogin(t *testing.T) {
	for name, change := range map[string]func(*provider){
		"refused":      func(p *provider) { clear(p.tokens) },
		"another user": func(p *provider) { p.claims = claims{"sub": "root"} },
		"wrong token":  func(p *provider) { p.claims = claims{"aud": "x"} },
		"expired":      func(p *provider) { p.claims = claims{"exp": 1} },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			p.refresh = true
			g := newGate(t, p, nil)
			b := newBrowser(t)
			b.get(g.URL+"/app").expect(t, 200, "joe")
			g.age(t, 2*time.Minute)
			p.change(func() { change(p) })
			b.before = "/.mountd"
			b.get(g.URL+"/app").expect(t, 302, "")
			b.get(g.URL+"/app").expect(t, 302, "")
			if g.sessions.count() != 0 {
				t.Error("the session with what else its user left is there")
			}
			if n := p.count("/token"); n != 2 {
				t.Errorf("the token endpoint was asked %d times", n)
			}
		})
	}
}

func TestARefreshThatFailsWaits(t *testing.T) {
	p := newProvider(t)
	p.refresh = true
	g := newGate(t, p, nil)
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	g.age(t, 2*time.Minute)
	p.change(func() {
		p.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(500)
			return true
		}
	})
	for range 5 {
		b.get(g.URL+"/app").expect(t, 200, "joe")
	}
	if n := p.count("/token"); n != 2 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	g.age(t, 20*time.Minute)
	b.get(g.URL+"/app").expect(t, 503, "")
}
