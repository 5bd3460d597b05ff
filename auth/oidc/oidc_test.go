package oidc_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mountd/mountd/auth/oidc"
)

func TestLogin(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	b := newBrowser(t)
	if res := b.do("GET", g.URL+"/app?a=b&c=%2F", nil, "Accept", "application/json"); res.StatusCode != 401 {
		t.Errorf("a program got %d", res.StatusCode)
	}
	if g.sessions.count() != 0 {
		t.Error("there is a session before the login")
	}
	res := b.get(g.URL + "/app?a=b&c=%2F")
	res.expect(t, 200, `joe ["staff"] Joe Doe joe@example.com map[]`)
	if got := res.Request.URL.String(); got != g.URL+"/app?a=b&c=%2F" {
		t.Errorf("the login came back to %s", got)
	}
	b.get(g.URL+"/other").expect(t, 200, "joe")
	if n := p.count("/token"); n != 1 {
		t.Errorf("%d logins", n)
	}
	if g.sessions.count() != 1 {
		t.Errorf("%d sessions", g.sessions.count())
	}
}

func TestAPlantedSessionIsNotLoggedIn(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	g.sessions.byID["planted"] = map[string]string{}
	b := newBrowser(t)
	at, _ := url.Parse(g.URL)
	b.Jar.SetCookies(at, []*http.Cookie{{Name: "session", Value: "planted", Path: "/"}})
	b.get(g.URL+"/app").expect(t, 200, "joe")
	other := newBrowser(t)
	other.before = "/.mountd"
	other.Jar.SetCookies(at, []*http.Cookie{{Name: "session", Value: "planted", Path: "/"}})
	other.get(g.URL+"/app").expect(t, 302, "")
}

// The row F19: a callback that is not the end of a login in this browser.
func TestCallbacks(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	for name, tt := range map[string]struct {
		change func(q url.Values)
		want   int
	}{
		"no state":           {func(q url.Values) { q.Del("state") }, 400},
		"another state":      {func(q url.Values) { q.Set("state", strings.Repeat("x", 43)) }, 400},
		"a long state":       {func(q url.Values) { q.Set("state", strings.Repeat("x", 4300)) }, 400},
		"two states":         {func(q url.Values) { q.Add("state", q.Get("state")) }, 400},
		"no code":            {func(q url.Values) { q.Del("code") }, 400},
		"another code":       {func(q url.Values) { q.Set("code", "x") }, 400},
		"two codes":          {func(q url.Values) { q.Add("code", "x") }, 400},
		"another issuer":     {func(q url.Values) { q.Set("iss", "https://evil.example.org") }, 400},
		"no issuer":          {func(q url.Values) { q.Del("iss") }, 400},
		"an empty issuer":    {func(q url.Values) { q.Set("iss", "") }, 400},
		"an error":           {func(q url.Values) { q.Set("error", "access_denied") }, 403},
		"a hostile error":    {func(q url.Values) { q.Set("error", "<script>alert(1)</script>") }, 400},
		"a described error":  {func(q url.Values) { q.Set("error", "invalid_scope"); q.Set("error_description", "<script>") }, 400},
		"error, wrong state": {func(q url.Values) { q.Set("error", "<script>"); q.Set("state", "<script>") }, 400},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBrowser(t)
			u := b.callback(g)
			q := u.Query()
			tt.change(q)
			u.RawQuery = q.Encode()
			res := b.get(u.String())
			res.expect(t, tt.want, "")
			if strings.Contains(res.text, "<script") || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %v", res.text, res.Header)
			}
			b.before = "/.mountd"
			b.get(g.URL+"/app").expect(t, 302, "")
		})
	}
	if g.sessions.count() != 0 {
		t.Errorf("%d sessions", g.sessions.count())
	}
}

func TestAStateCountsOnceAndInItsBrowser(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	b, other := newBrowser(t), newBrowser(t)
	u := b.callback(g)
	at, _ := url.Parse(g.URL)
	cookies := b.Jar.Cookies(at)

	other.get(u.String()).expect(t, 400, "not begun in this browser")
	b.get(u.String()).expect(t, 200, "joe")
	b.get(u.String()).expect(t, 400, "")
	// Even with the cookie back, the state is used up.
	other.Jar.SetCookies(at, cookies)
	other.get(u.String()).expect(t, 400, "")
	if p.count("/token") != 1 {
		t.Errorf("the token endpoint was asked %d times", p.count("/token"))
	}

	// A cookie of another login, under the name of this one.
	third, fourth := newBrowser(t), newBrowser(t)
	u3, u4 := third.callback(g), fourth.callback(g)
	c3, c4 := third.Jar.Cookies(at)[0], fourth.Jar.Cookies(at)[0]
	fourth.Jar.SetCookies(at, []*http.Cookie{{Name: c4.Name, Value: c3.Value, Path: "/"}})
	fourth.get(u4.String()).expect(t, 400, "")
	third.get(u3.String()).expect(t, 200, "joe")
}

func TestTheCookieOfALogin(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	begin := func(secure bool) *http.Cookie {
		r := httptest.NewRequest("GET", "http://site.example.com/.mountd/oidc/start", nil)
		if secure {
			r = httptest.NewRequest("GET", "https://site.example.com/.mountd/oidc/start", nil)
		}
		rec := httptest.NewRecorder()
		g.Handlers()["/.mountd/oidc/start"].ServeHTTP(rec, r)
		if len(rec.Result().Cookies()) != 1 {
			t.Fatalf("%d %v", rec.Code, rec.Header())
		}
		return rec.Result().Cookies()[0]
	}
	c := begin(false)
	if c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 600 || !g.OwnCookie(c.Name, c.Value) {
		t.Errorf("%v", c)
	}
	c = begin(true)
	if !c.Secure || !strings.HasPrefix(c.Name, "__Host-") || c.Path != "/" || c.Domain != "" || !g.OwnCookie(c.Name, c.Value) {
		t.Errorf("%v", c)
	}
	// Logins that are never ended don't pile up.
	b := newBrowser(t)
	for range 30 {
		b.callback(g)
	}
	at, _ := url.Parse(g.URL)
	if n := len(b.Jar.Cookies(at)); n > 5 {
		t.Errorf("%d cookies", n)
	}
	b.get(g.URL+"/app").expect(t, 200, "joe")
}

func TestIDTokens(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	for name, tt := range map[string]struct {
		claims claims
		sign   func(claims) string
		want   int
	}{
		"fine":             {nil, nil, 200},
		"azp is we":        {claims{"aud": []string{clientID, "other"}, "azp": clientID}, nil, 200},
		"other nonce":      {claims{"nonce": "x"}, nil, 403},
		"no nonce":         {claims{"nonce": nil}, nil, 403},
		"nonce a number":   {claims{"nonce": 1}, nil, 403},
		"other audience":   {claims{"aud": "other"}, nil, 403},
		"several, no azp":  {claims{"aud": []string{clientID, "other"}}, nil, 403},
		"another azp":      {claims{"azp": "other"}, nil, 403},
		"other issuer":     {claims{"iss": "https://evil.example.org"}, nil, 403},
		"expired":          {claims{"exp": 1}, nil, 403},
		"no exp":           {claims{"exp": nil}, nil, 403},
		"no sub":           {claims{"sub": nil}, nil, 403},
		"sub a number":     {claims{"sub": 1}, nil, 403},
		"groups an object": {claims{"groups": claims{}}, nil, 403},
		"alg none":         {nil, func(c claims) string { return signedWith(claims{"alg": "none"}, c) }, 403},
		"unknown key":      {nil, func(c claims) string { return signedWith(claims{"alg": "ES256", "kid": "k2"}, c) }, 403},
		"a logout token":   {nil, func(c claims) string { return signedWith(claims{"alg": "ES256", "kid": "k1", "typ": "logout+jwt"}, c) }, 403},
		"bad signature":    {nil, func(c claims) string { return signed(c)[:100] + signed(claims{})[50:] }, 403},
		"none":             {nil, func(claims) string { return "" }, 403},
		"too many groups":  {claims{"groups": strings.Split(strings.Repeat("group,", 5000), ",")}, nil, 403},
		"large groups":     {claims{"groups": []string{strings.Repeat("x", 1000), strings.Repeat("y", 1000), strings.Repeat("z", 1000), strings.Repeat("a", 1000), strings.Repeat("b", 1000), strings.Repeat("c", 1000), strings.Repeat("d", 1000), strings.Repeat("e", 1000), strings.Repeat("f", 1000)}}, nil, 500},
	} {
		t.Run(name, func(t *testing.T) {
			p.change(func() { p.claims, p.sign = tt.claims, tt.sign })
			before := g.sessions.count()
			res := newBrowser(t).get(g.URL + "/app")
			res.expect(t, tt.want, "")
			if tt.want != 200 && g.sessions.count() != before {
				t.Error("there is a session")
			}
		})
	}
}

// The row F20.
func TestAnEmailCountsOnceItIsVerified(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, func(cfg *oidc.Config) { cfg.Claims = oidc.Claims{User: "email"} })
	for _, tt := range []struct {
		claims claims
		want   int
	}{
		{nil, 200},
		{claims{"email_verified": false}, 403},
		{claims{"email_verified": nil}, 403},
		{claims{"email": "a@evil.example@example.com"}, 403},
		{claims{"email": "joe@example.com\r\nx"}, 403},
	} {
		p.change(func() { p.claims = tt.claims })
		newBrowser(t).get(g.URL+"/app").expect(t, tt.want, "")
	}
	other := newGate(t, p, nil)
	p.change(func() { p.claims = claims{"email_verified": false} })
	newBrowser(t).get(other.URL+"/app").expect(t, 200, `joe ["staff"] Joe Doe  map`)
}

func TestClaimsOfTheUserInfoEndpoint(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, func(cfg *oidc.Config) { cfg.Keep = []string{"department", "team.lead"} })
	p.change(func() {
		p.claims = claims{"groups": nil, "email": nil}
		p.userinfo = claims{
			"groups": []string{"admins"}, "email": "joe@example.org", "name": "Somebody Else", "department": "sales", "team": claims{"lead": true, "size": 5},
		}
	})
	// The name is that of the ID token; the address is not verified by it.
	newBrowser(t).get(g.URL+"/app").expect(t, 200, `joe ["admins"] Joe Doe  map[department:sales team.lead:true]`)

	p.change(func() { p.userinfo = claims{"sub": "root"} })
	newBrowser(t).get(g.URL+"/app").expect(t, 403, "")
	p.change(func() {
		p.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/userinfo" {
				w.WriteHeader(500)
			}
			return r.URL.Path == "/userinfo"
		}
	})
	newBrowser(t).get(g.URL+"/app").expect(t, 503, "")
}

func TestWhereALoginComesBackTo(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	for to, want := range map[string]string{
		"":                              "/",
		"/app":                          "/app",
		"/app?x=http://evil.test/":      "/app?x=http://evil.test/",
		"/a//b":                         "/a//b",
		"app":                           "/",
		"//evil.test/":                  "/",
		"///evil.test/":                 "/",
		`/\evil.test/`:                  "/",
		`\/evil.test/`:                  "/",
		"/\t/evil.test/":                "/",
		"/\n/evil.test/":                "/",
		"http://evil.test/":             "/",
		"https:evil.test":               "/",
		"javascript:alert(1)":           "/",
		"/\u00e9":                       "/",
		"/" + strings.Repeat("a", 2000): "/",
		"/.mountd/oidc/start?to=/app":   "/",
		"/.mountd/logout":               "/",
	} {
		b := newBrowser(t)
		b.before = "/.mountd/oidc/callback"
		res := b.get(g.URL + "/.mountd/oidc/start?to=" + url.QueryEscape(to))
		u, err := res.Location()
		if err != nil {
			t.Fatal(err)
		}
		b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		res = b.get(u.String())
		if got := res.Header.Get("Location"); res.StatusCode != 303 || got != want {
			t.Errorf("%q: %d %q, want %q", to, res.StatusCode, got, want)
		}
	}
}

func TestChallenges(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	for asked, want := range map[string]string{
		"/app?x=1&y":                      "/app?x=1&y",
		"//evil.test/x":                   "/",
		"/.mountd/logout":                 "/",
		"/a?" + strings.Repeat("q", 3000): "/a",
	} {
		c := g.Challenge(httptest.NewRequest("GET", asked, nil))
		if c.Login != "/.mountd/oidc/start?to="+url.QueryEscape(want) {
			t.Errorf("%s: %+v", asked, c)
		}
	}
}

func TestAProviderThatIsAway(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	u := newBrowser(t)
	back := u.callback(g)
	for name, intercept := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"500":  func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true },
		"HTML": func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write([]byte("<html>")); return true },
		"gone": func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		"larger": func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte(`{"access_token":"` + strings.Repeat("x", 3<<20)))
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			p.change(func() { p.intercept = intercept })
			newBrowser(t).get(newGate(t, p, nil).URL+"/app").expect(t, 503, "")
			b.get(g.URL+"/app").expect(t, 200, "joe") // who is logged in notices nothing
			c := newBrowser(t)
			p.change(func() { p.intercept = nil })
			at := c.callback(g)
			p.change(func() { p.intercept = intercept })
			c.get(at.String()).expect(t, 503, "")
		})
	}
	p.change(func() { p.intercept = nil })
	u.get(back.String()).expect(t, 200, "joe")
}

func TestASessionStoreThatIsDown(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	g.sessions.down = errors.New("down")
	if res := b.get(g.URL + "/app"); res.StatusCode < 500 {
		t.Errorf("%d", res.StatusCode)
	}
}

func TestWhatASessionHoldsIsNotTrustedBlindly(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	b.before = "/.mountd"
	for _, value := range []string{"x", "{}", "[]", `{"u":1}`, `{"u":"joe"}`, `{"u":"","s":"x","t":1}`, `{"u":"joe","s":"joe","t":"1"}`, strings.Repeat("x", 10000)} {
		for _, s := range g.sessions.byID {
			for key := range s {
				if strings.HasPrefix(key, "oidc.") {
					s[key] = value
				}
			}
		}
		b.get(g.URL+"/app").expect(t, 302, "")
		for _, s := range g.sessions.byID {
			s["oidc.x"] = "" // another client's
		}
	}
}

func TestLoginsOfAnotherClientDontCount(t *testing.T) {
	p, q := newProvider(t), newProvider(t)
	g := newGate(t, p, nil)
	other := newGate(t, q, nil)
	b := newBrowser(t)
	b.get(g.URL+"/app").expect(t, 200, "joe")
	other.sessions.byID = g.sessions.byID
	b.before = "/.mountd"
	// Cookies don't know ports: the browser sends the same session.
	b.get(other.URL+"/app").expect(t, 302, "")
}
