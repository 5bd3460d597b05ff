package oidc_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/mountd/mountd/auth/oidc"
)

func (s *sessions) values(key string) (values []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.byID {
		if v[key] != "" {
			values = append(values, v[key])
		}
	}
	return values
}

func (s *sessions) putEverywhere(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.byID {
		v[key] = value
	}
}

func TestALoginTakesNothingOver(t *testing.T) {
	for name, tt := range map[string]struct {
		planted map[string]string
		stays   bool
	}{
		"nobody's":         {map[string]string{"cart": "x"}, true},
		"another user's":   {map[string]string{"cart": "x", "user": "mallory", "auth.form /login": "mallory"}, false},
		"of another login": {map[string]string{"cart": "x", "user": "joe", "auth.form /login": "joe"}, false},
	} {
		p := newProvider(t)
		g := newGate(t, p, nil)
		g.sessions.byID["planted"] = tt.planted
		b := newBrowser(t)
		at, _ := url.Parse(g.URL)
		b.Jar.SetCookies(at, []*http.Cookie{{Name: "session", Value: "planted", Path: "/"}})
		b.get(g.URL+"/app").expect(t, 200, "joe")
		if got := g.sessions.values("cart"); (len(got) != 0) != tt.stays {
			t.Errorf("%s: %q", name, got)
		}
		if got := g.sessions.values("auth.form /login"); len(got) != 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestTheNextUserFindsNothing(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	g.sessions.putEverywhere("cart", "joe's")
	b.get(g.URL+"/.mountd/oidc/start?to=/app").expect(t, 200, "joe")
	if got := g.sessions.values("cart"); len(got) != 1 {
		t.Errorf("joe again: %q", got)
	}
	p.change(func() { p.claims = claims{"sub": "ann"} })
	b.get(g.URL+"/.mountd/oidc/start?to=/app").expect(t, 200, "ann")
	if got := g.sessions.values("cart"); len(got) != 0 {
		t.Errorf("ann has %q", got)
	}
}

func TestAnEndedLoginLeavesNothing(t *testing.T) {
	p := newProvider(t)
	p.refresh, p.expires = true, 1
	g := newGate(t, p, nil)
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	g.sessions.putEverywhere("cart", "joe's")
	res := b.do("POST", g.URL+"/.mountd/oidc/backchannel", url.Values{"logout_token": {signed(claims{
		"iss": p.URL, "aud": clientID, "iat": time.Now().Unix() + 1, "exp": time.Now().Unix() + 60, "jti": "1", "sub": "joe",
		"events": claims{"http://schemas.openid.net/event/backchannel-logout": claims{}},
	})}})
	res.expect(t, 200, "")
	b.before = "/.mountd"
	b.get(g.URL+"/app").expect(t, 302, "")
	if got := g.sessions.values("cart"); len(got) != 0 || g.sessions.count() != 0 {
		t.Errorf("%q in %d sessions", got, g.sessions.count())
	}
}

func TestALoginThatCannotBeEndedIsNone(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, func(*oidc.Config) {})
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	g.sessions.mu.Lock()
	g.sessions.unclearable = errors.New("down")
	g.sessions.mu.Unlock()
	p.change(func() { p.claims = claims{"sub": "ann"} })
	b.get(g.URL+"/.mountd/oidc/start?to=/app").expect(t, 503, "")
}

func TestUpgradesAreOfThisSite(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	for origin, want := range map[string]int{g.URL: 200, "https://evil.example": 403} {
		b.do("GET", g.URL+"/app", nil, "Connection", "Upgrade", "Upgrade", "websocket", "Origin", origin).expect(t, want, "")
	}
	b.do("GET", g.URL+"/app", nil, "Connection", "Upgrade", "Upgrade", "websocket").expect(t, 200, "joe")
}
