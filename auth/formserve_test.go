package auth_test

import (
	"context"
	"errors"
	"html"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/request"
)

var returnCases = []struct{ to, want string }{
	{"/", "/"},
	{"/app", "/app"},
	{"/app/?a=b&c=%2F#x", "/app/?a=b&c=%2F#x"},
	{"/a//b", "/a//b"},
	{"/naïve path", "/na%C3%AFve%20path"},
	{"/a?next=https://example.org/", "/a?next=https://example.org/"},
	{"", "/"},
	{"app", "/"},
	{"//evil.example", "/"},
	{"///evil.example", "/"},
	{`/\evil.example`, "/"},
	{`\\evil.example`, "/"},
	{`/a\b`, "/"},
	{"/\tevil.example", "/"},
	{"/\t/evil.example", "/"},
	{"/\n/evil.example", "/"},
	{"/a\r\nSet-Cookie: x=y", "/"},
	{"/a\x00", "/"},
	{"/a\x7f", "/"},
	{"https://evil.example", "/"},
	{"http:evil.example", "/"},
	{"javascript:alert(1)", "/"},
	{" /app", "/"},
	{"\x01//evil.example", "/"},
	{"/" + strings.Repeat("a", 3000), "/"},
	{"/.mountd/login", "/"},
	{"/.mountd/login?to=/x", "/"},
	{"/.mountd/logout", "/"},
	{"/.mountd/logout#x", "/"},
}

func TestALoginLeadsBackToThisSiteOnly(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		for _, c := range returnCases {
			s := newSite(t, record, nil)
			w := s.get("/.mountd/login?to=" + url.QueryEscape(c.to))
			if m := toField.FindStringSubmatch(w.Body.String()); m == nil || html.UnescapeString(m[1]) != c.want {
				t.Errorf("%q: the page has %q, not %q", c.to, m, c.want)
			}
			w = s.post("/.mountd/login", url.Values{"username": {"joe"}, "password": {"pw"}, "to": {c.to}})
			if got := w.Header().Get("Location"); got != c.want {
				t.Errorf("%q: led to %q, not %q", c.to, got, c.want)
			}
			// Who is logged in is led on at once.
			if got := s.get("/.mountd/login?to=" + url.QueryEscape(c.to)).Header().Get("Location"); got != c.want {
				t.Errorf("%q: led on to %q, not %q", c.to, got, c.want)
			}
		}
	})
}

var toField = regexp.MustCompile(`name="to" value="([^"]*)"`)

func FuzzReturnTo(f *testing.F) {
	for _, c := range returnCases {
		f.Add(c.to)
	}
	base, _ := url.Parse("https://example.com/.mountd/login")
	f.Fuzz(func(t *testing.T, to string) {
		got := auth.ReturnTo(to)
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) {
			t.Fatalf("%q became %q", to, got)
		}
		if !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") {
			t.Fatalf("%q became %q", to, got)
		}
		if u, err := base.Parse(got); err == nil && (u.Scheme != "https" || u.Host != "example.com") {
			t.Fatalf("%q leads to %v", to, u)
		}
		if again := auth.ReturnTo(got); again != got && len(got) <= 2048 {
			t.Fatalf("%q became %q, then %q", to, got, again)
		}
	})
}

func FuzzParseForm(f *testing.F) {
	for _, s := range []string{"username=joe&password=a%26b&to=/&token=x", "", "&&&", "a=b=c", "username=%", "username=a&username=b", "user%6eame=a", "a;b", "=", strings.Repeat("&", 30)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		user, password, to, token, err := auth.ParseForm(body)
		if err != nil {
			return
		}
		v, err := url.ParseQuery(body)
		if err != nil {
			if strings.Contains(body, ";") { // which we do not take for a separator
				return
			}
			t.Fatalf("%q: %v", body, err)
		}
		if user != v.Get("username") || password != v.Get("password") || to != v.Get("to") || token != v.Get("token") {
			t.Fatalf("%q: %q %q %q %q, %v", body, user, password, to, token, v)
		}
		if len(v["username"]) > 1 || len(v["password"]) > 1 || strings.Count(body, "&") >= 20 {
			t.Fatalf("%q was taken", body)
		}
	})
}

func TestTheChallengeLeadsToThePage(t *testing.T) {
	for target, want := range map[string]string{
		"/":                                   "/.mountd/login",
		"/app/a%2Fb?x=1&y=%26":                "/.mountd/login?to=%2Fapp%2Fa%252Fb%3Fx%3D1%26y%3D%2526",
		"/app?" + strings.Repeat("q", 3000):   "/.mountd/login?to=%2Fapp",
		"/" + strings.Repeat("p", 3000):       "/.mountd/login",
		"//evil.example/x":                    "/.mountd/login?to=%2Fevil.example%2Fx",
		"/.mountd/login?to=/.mountd/login%3F": "/.mountd/login?to=%2F.mountd%2Flogin%3Fto%3D%2F.mountd%2Flogin%253F",
	} {
		bothWays(t, func(t *testing.T, record bool) {
			s := newSite(t, record, nil)
			var c auth.Challenge
			r := httptest.NewRequest("GET", "http://example.com/", nil)
			r.RequestURI = target
			r.URL, _ = url.ParseRequestURI(target)
			if record {
				rec := request.New(httptest.NewRecorder(), r)
				rec.Path, rec.RawPath = r.URL.Path, r.URL.EscapedPath()
				c = s.Challenge(&rec.Request)
			} else {
				c = s.Challenge(r)
			}
			if c.Login != want {
				t.Errorf("%.40s: %.80q, not %.80q", target, c.Login, want)
			}
			if c.Header != `Form realm="login", action="/.mountd/login"` {
				t.Errorf("%q", c.Header)
			}
		})
	}
}

func TestTheMountsPrefixIsInTheAddress(t *testing.T) {
	s := newSite(t, true, nil)
	r := httptest.NewRequest("GET", "http://example.com/app/x?y", nil)
	rec := request.New(httptest.NewRecorder(), r)
	rec.Path, rec.RawPath, rec.Prefix = "/app/x", "/app/x", "/outer"
	rec.URL.Path = "/x" // below a mount
	if got := s.Challenge(&rec.Request).Login; got != "/outer/.mountd/login?to=%2Fouter%2Fapp%2Fx%3Fy" {
		t.Errorf("%q", got)
	}
	s.prefix = "/outer"
	if page := s.get("/.mountd/login").Body.String(); !strings.Contains(page, `action="/outer/.mountd/login"`) {
		t.Errorf("%s", page)
	}
}

func TestTheOldSessionIsNotHandedOn(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newSite(t, record, nil)
		s.session.Put("basket", "apples")
		s.login("joe", "pw")
		if s.session.Get("basket") != "apples" || s.session.ids != 1 {
			t.Errorf("what the visitor had is %q, %d ids", s.session.Get("basket"), s.session.ids)
		}
		s.session.Put("secret", "of joe")
		s.login("joe", "pw")
		if s.session.Get("secret") != "of joe" || s.session.ids != 2 {
			t.Error("joe has lost his own session, or kept its id")
		}
	})
	bothWays(t, func(t *testing.T, record bool) {
		s := newSite(t, record, nil)
		s.session.user = "joe" // by some other login
		s.session.Put("secret", "of joe")
		s.login("ann", "pw")
		if s.session.Get("secret") != "" || s.session.user != "ann" || s.session.ended != 1 {
			t.Errorf("ann has %q, as %q", s.session.Get("secret"), s.session.user)
		}
	})
}

func TestARemovedUserIsOut(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		for name, change := range map[string]func(*site){
			"removed":          func(s *site) { delete(s.users, "joe") },
			"another password": func(s *site) { s.versions["joe"] = "2" },
			"another name":     func(s *site) { s.users["joe"] = &auth.User{Name: "bob"} },
		} {
			s := newSite(t, record, nil)
			s.versions["joe"] = "1"
			s.login("joe", "pw")
			s.session.Put("secret", "of joe")
			r := func() *auth.User {
				u, _, err := s.authenticate(httptest.NewRequest("GET", s.target("/"), nil))
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				return u
			}
			if r() == nil {
				t.Fatalf("%s: not logged in", name)
			}
			change(s)
			if r() != nil || s.session.Get("secret") != "" {
				t.Errorf("%s: still logged in", name)
			}
		}
		s := newSite(t, record, nil)
		s.login("joe", "pw")
		delete(s.users, "joe")
		s.session.fail.clear = errors.New("down")
		if u, _, err := s.authenticate(httptest.NewRequest("GET", s.target("/"), nil)); u != nil || statusOf(err) != 503 {
			t.Errorf("%v, %v", u, err)
		}
	})
}

func TestGroupsAreThoseOfNow(t *testing.T) {
	s := newSite(t, true, nil)
	s.login("joe", "pw")
	s.users["joe"] = &auth.User{Name: "joe", Groups: []string{"admins"}}
	if u, _, _ := s.authenticate(httptest.NewRequest("GET", s.target("/"), nil)); u == nil || u.Groups[0] != "admins" {
		t.Errorf("%+v", u)
	}
}

func TestTwoLoginsAreApart(t *testing.T) {
	s := newSite(t, true, nil)
	other := newSite(t, true, func(c *auth.FormConfig) { c.Login, c.Logout = "/.mountd/other", "/.mountd/other-logout" })
	other.session = s.session
	s.login("joe", "pw")
	if u, _, _ := other.authenticate(httptest.NewRequest("GET", s.target("/"), nil)); u != nil {
		t.Errorf("%v is known to the other login", u)
	}
}

func TestWithoutASessionNobodyPasses(t *testing.T) {
	down := &request.Error{Status: 503, Err: errors.New("store down")}
	cases := map[string]func(*site){
		"none":                 func(s *site) { s.session = nil },
		"the store fails":      func(s *site) { s.session.broken = down },
		"it fails without 503": func(s *site) { s.session.broken = errors.New("down") },
		"it fails at login":    func(s *site) { s.session.fail.login = errors.New("down") },
		"it fails at the end":  func(s *site) { s.session.fail.clear, s.session.user = errors.New("down"), "ann" },
	}
	for name, breakIt := range cases {
		bothWays(t, func(t *testing.T, record bool) {
			s := newSite(t, record, nil)
			intact := s.session
			form := url.Values{"username": {"joe"}, "password": {"pw"}}
			first := s.get("/.mountd/login")
			form.Set("token", tokenField.FindStringSubmatch(first.Body.String())[1])
			breakIt(s)
			r := httptest.NewRequest("POST", s.target("/.mountd/login"), strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.AddCookie(first.Result().Cookies()[0])
			if w := s.do(s.page("/.mountd/login"), r); w.Code != 503 || w.Header().Get("Cache-Control") == "public" {
				t.Errorf("%s: %d", name, w.Code)
			}
			*intact = fakeSession{values: intact.values} // works again
			s.session = intact
			if u, _, err := s.authenticate(httptest.NewRequest("GET", s.target("/"), nil)); u != nil || err != nil {
				t.Errorf("%s: afterwards %v, %v", name, u, err)
			}
			if name == "none" || strings.HasPrefix(name, "the store") || strings.HasPrefix(name, "it fails without") {
				breakIt(s)
				if u, _, err := s.authenticate(httptest.NewRequest("GET", s.target("/"), nil)); u != nil || statusOf(err) != 503 {
					t.Errorf("%s: %v, %v", name, u, err)
				}
				for _, page := range []string{"/.mountd/login", "/.mountd/logout"} {
					if w := s.get(page); w.Code != 503 {
						t.Errorf("%s: %s is %d", name, page, w.Code)
					}
				}
			}
		})
	}
}

func TestAVerifierThatCannotTell(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newSite(t, record, nil)
		for range 20 { // none counts as a failure
			s.trouble = errors.New("directory down")
			if w := s.login("joe", "pw"); w.Code != 503 || s.session.ids != 0 {
				t.Fatalf("%d", w.Code)
			}
		}
		s.trouble = &request.Error{Status: 503, Header: map[string][]string{"Retry-After": {"7"}}}
		if w := s.login("joe", "pw"); w.Code != 503 || w.Header().Get("Retry-After") != "7" {
			t.Errorf("%d, %v", w.Code, w.Header())
		}
		s.trouble = nil
		if w := s.login("joe", "pw"); w.Code != 303 {
			t.Errorf("%d", w.Code)
		}
	})
}

func TestLogout(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newSite(t, record, nil)
		if page := s.get("/.mountd/logout").Body.String(); !strings.Contains(page, "Logged out") {
			t.Errorf("%s", page)
		}
		s.login("joe", "pw")
		w := s.get("/.mountd/logout?to=/app")
		if !strings.Contains(w.Body.String(), "<strong>joe</strong>") || !strings.Contains(w.Body.String(), `<form method="post" action="/.mountd/logout">`) {
			t.Errorf("%s", w.Body)
		}
		if s.session.ended != 0 {
			t.Error("a GET has ended the session")
		}
		for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "null"}, {"Origin", "http://evil.example"}} {
			if w := s.post("/.mountd/logout", url.Values{}, header...); w.Code != 403 || s.session.ended != 0 {
				t.Errorf("%v: %d", header, w.Code)
			}
		}
		w = s.post("/.mountd/logout", url.Values{"to": {"/app"}}, "Sec-Fetch-Site", "same-origin")
		if w.Code != 303 || w.Header().Get("Location") != "/.mountd/logout?to=%2Fapp" || s.session.ended != 1 {
			t.Errorf("%d to %q", w.Code, w.Header().Get("Location"))
		}
		if u, _, _ := s.authenticate(httptest.NewRequest("GET", s.target("/"), nil)); u != nil {
			t.Error("still logged in")
		}
		if page := s.get("/.mountd/logout?to=%2Fapp").Body.String(); !strings.Contains(page, `href="/.mountd/login?to=%2Fapp"`) {
			t.Errorf("%s", page)
		}
		// A button of an application sends nothing.
		s.login("joe", "pw")
		r := httptest.NewRequest("POST", s.target("/.mountd/logout?to=//evil.example"), nil)
		r.Header.Set("Origin", s.target(""))
		if w := s.do(s.page("/.mountd/logout"), r); w.Code != 303 || w.Header().Get("Location") != "/.mountd/logout" {
			t.Errorf("%d to %q", w.Code, w.Header().Get("Location"))
		}
		s.session.fail.clear = errors.New("down")
		if w := s.post("/.mountd/logout", url.Values{}); w.Code != 503 {
			t.Errorf("%d", w.Code)
		}
	})
}

func TestUpgradesAreOfThisSite(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		for _, c := range []struct {
			origin string
			status int
		}{{"", 200}, {"http://example.com", 200}, {"https://example.com", 200}, {"http://EXAMPLE.com:80", 200}, {"null", 403}, {"http://evil.example", 403}, {"http://example.com:81", 403}, {"file://", 403}, {"http://app.example.com", 403}, {"::", 403}} {
			s := newSite(t, record, nil)
			r := httptest.NewRequest("GET", s.target("/ws"), nil)
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			h := s.Wrap(name)
			if w := s.do(h, r.Clone(context.Background())); w.Code != 401 {
				t.Errorf("without a login: %d", w.Code)
			}
			s.login("joe", "pw")
			if w := s.do(h, r.Clone(context.Background())); w.Code != c.status {
				t.Errorf("%q: %d", c.origin, w.Code)
			}
			r.Header.Del("Upgrade")
			if w := s.do(h, r); w.Code != 200 {
				t.Errorf("%q without an upgrade: %d", c.origin, w.Code)
			}
		}
	})
}

// A password that changes while it is verified logs nobody in.
func TestAPasswordThatChangesMeanwhile(t *testing.T) {
	for _, typed := range []string{"joe", "Joe"} {
		var s *site
		s = newSite(t, false, func(cfg *auth.FormConfig) {
			verify := cfg.Verify
			cfg.Verify = func(ctx context.Context, user, password string) (*auth.User, error) {
				defer func() { s.versions["joe"] += "x" }()
				return verify(ctx, user, password)
			}
		})
		s.login(typed, "pw")
		if u, _, err := s.authenticate(httptest.NewRequest("GET", s.target("/"), nil)); u != nil || err != nil {
			t.Errorf("%s: %v, %v", typed, u, err)
		}
	}
}

func TestAnotherKindOfLoginGoes(t *testing.T) {
	s := newSite(t, false, nil)
	s.session.user = "joe"
	s.session.values["oidc"] = "joe of somewhere else"
	s.login("joe", "pw")
	if s.session.Get("oidc") != "" || s.session.User() != "joe" {
		t.Errorf("%v", s.session.values)
	}
}

func TestFailuresAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		next func(s *site, n int) (user string) // of the n-th failure
		want int                                // failures until the first 429
	}{
		"one user, one address":    {func(*site, int) string { return "joe" }, 5},
		"many users, one address":  {func(_ *site, n int) string { return "u" + strconv.Itoa(n) }, 5},
		"one user, many addresses": {func(s *site, n int) string { s.client = "192.0.2." + strconv.Itoa(n); return "joe" }, 5},
		"names of one account": {func(s *site, n int) string {
			s.client = "192.0.2." + strconv.Itoa(n)
			return []string{"joe", "Joe", "JOE", " joe", "joe ", "jOe", "joE"}[n]
		}, 5},
		"unknown user, many addresses": {func(s *site, n int) string { s.client = "192.0.2." + strconv.Itoa(n); return "eve" }, 5},
		"one network":                  {func(s *site, n int) string { s.client = "2001:db8::" + strconv.Itoa(n); return "u" + strconv.Itoa(n) }, 5},
		"many networks": {func(s *site, n int) string {
			s.client = "2001:db8:0:" + strconv.Itoa(n) + "::1"
			return "u" + strconv.Itoa(n)
		}, 0},
		"IPv4 in IPv6":               {func(s *site, n int) string { s.client = "::ffff:192.0.2.1"; return "u" + strconv.Itoa(n) }, 5},
		"many users, many addresses": {func(s *site, n int) string { s.client = "192.0.2." + strconv.Itoa(n); return "u" + strconv.Itoa(n) }, 0},
		"no address":                 {func(s *site, n int) string { s.client = "@"; return "u" + strconv.Itoa(n) }, 5},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, record bool) {
				synctest.Test(t, func(t *testing.T) {
					s := newSite(t, record, nil)
					failed := 0
					for n := range 7 {
						user := c.next(s, n)
						w := s.login(user, "no")
						if w.Code == 429 {
							if w.Header().Get("Retry-After") != "12" || !strings.Contains(w.Body.String(), "Try again in 12 seconds.") {
								t.Errorf("Retry-After %q: %s", w.Header().Get("Retry-After"), w.Body)
							}
							break
						}
						failed++
					}
					if want := c.want; want == 0 && failed != 7 || want != 0 && failed != want {
						t.Errorf("%d failures", failed)
					}
				})
			})
		})
	}
}

func TestAForgedAddressIsNotBelieved(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newSite(t, record, nil)
		last := 0
		for n := range 7 {
			w := s.post("/.mountd/login", url.Values{"username": {"u" + strconv.Itoa(n)}, "password": {"no"}}, "X-Forwarded-For", "10.0.0."+strconv.Itoa(n))
			last = w.Code
		}
		if last != 429 {
			t.Errorf("%d", last)
		}
	})
}

func TestWaitingHelps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, true, nil)
		for range 5 {
			s.login("joe", "no")
		}
		for range 50 { // refused attempts count for nothing
			if w := s.login("joe", "pw"); w.Code != 429 || s.verified != 5 {
				t.Fatalf("%d", w.Code)
			}
		}
		time.Sleep(11 * time.Second)
		if w := s.login("joe", "pw"); w.Code != 429 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "in 1 second.") {
			t.Errorf("%d, %q", w.Code, w.Header().Get("Retry-After"))
		}
		time.Sleep(time.Second)
		if w := s.login("joe", "pw"); w.Code != 303 {
			t.Errorf("%d", w.Code)
		}
	})
}

func TestLongWaitsAreToldInMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, true, func(c *auth.FormConfig) { c.Attempts, c.Per = 2, time.Hour })
		s.login("joe", "no")
		s.login("joe", "no")
		w := s.login("joe", "no")
		if w.Header().Get("Retry-After") != "1800" || !strings.Contains(w.Body.String(), "in 30 minutes.") {
			t.Errorf("%q: %s", w.Header().Get("Retry-After"), w.Body)
		}
	})
}

func TestSuccessIsNoFailure(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newSite(t, record, nil)
		for range 20 {
			if w := s.login("joe", "pw"); w.Code != 303 {
				t.Fatalf("%d", w.Code)
			}
		}
		// It does not wash away the failures of the address either.
		for range 4 {
			s.login("ann", "no")
		}
		s.login("joe", "pw")
		s.login("ann", "no")
		if w := s.login("bob", "no"); w.Code != 429 {
			t.Errorf("%d", w.Code)
		}
	})
}

func TestStrangersDoNotKeepAUserOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, true, nil)
		s.client = "198.51.100.7"
		s.login("joe", "pw") // from home
		attack := func() (status int) {
			for n := range 20 {
				s.client = "203.0.113." + strconv.Itoa(n)
				status = s.login("joe", "no").Code
			}
			return status
		}
		if attack() != 429 {
			t.Fatal("the attack goes on")
		}
		s.client = "192.0.2.99"
		if w := s.login("joe", "pw"); w.Code != 429 {
			t.Errorf("from elsewhere: %d", w.Code)
		}
		s.client = "198.51.100.7"
		if w := s.login("joe", "pw"); w.Code != 303 {
			t.Errorf("from home: %d", w.Code)
		}
		for range 5 { // home has no more attempts than others
			s.login("joe", "no")
		}
		if w := s.login("joe", "pw"); w.Code != 429 {
			t.Errorf("from home, after 5 failures: %d", w.Code)
		}
		time.Sleep(31 * 24 * time.Hour)
		attack()
		s.client = "198.51.100.7"
		if w := s.login("joe", "pw"); w.Code != 429 {
			t.Errorf("after a month away: %d", w.Code)
		}
	})
}

func TestAttemptsAtOnceDoNotPassTogether(t *testing.T) {
	begin, done := make(chan struct{}), make(chan int)
	s := newSite(t, true, func(c *auth.FormConfig) {
		c.Verify = func(context.Context, string, string) (*auth.User, error) { <-begin; return nil, nil }
	})
	first := s.get("/.mountd/login")
	form := url.Values{"username": {"joe"}, "password": {"no"}, "token": {tokenField.FindStringSubmatch(first.Body.String())[1]}}
	cookie := first.Result().Cookies()[0]
	for range 40 {
		go func() {
			r := httptest.NewRequest("POST", s.target("/.mountd/login"), strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.AddCookie(cookie)
			done <- s.do(s.page("/.mountd/login"), r).Code
		}()
	}
	for range 35 {
		if code := <-done; code != 429 {
			t.Errorf("%d", code)
		}
	}
	close(begin)
	for range 5 {
		if code := <-done; code != 401 {
			t.Errorf("%d", code)
		}
	}
}

func TestMistakesOfAFormAreAllReported(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	_, err := auth.NewForm(auth.FormConfig{Login: "login", Logout: "/a/../b", Attempts: -1, Template: filepath.Join(dir, "missing")})
	for _, want := range []string{"Verify", "Lookup", "Session", "login: ", "logout: ", "attempts: ", "template: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	for name, text := range map[string]string{
		"broken.html": "{{", "field.html": "{{.Token}}{{.Nothing}}", "tokenField.html": "<form>", "logout.html": `{{define "logout"}}{{.Nothing}}{{end}}{{.Token}}`,
		"large.html": "{{.Token}}" + strings.Repeat("x", 1<<20),
	} {
		_, err := auth.NewForm(auth.FormConfig{Template: write(name, text)})
		if err == nil || !strings.Contains(err.Error(), "template: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []auth.FormConfig{{Login: "/x", Logout: "/x"}, {Login: "/"}, {Login: "/x/"}, {Login: "/x y"}, {Login: "/x?y"}, {Per: time.Microsecond}, {Attempts: 5000}} {
		if _, err := auth.NewForm(c); err == nil || !strings.Contains(err.Error(), "(write ") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestAnOwnTemplate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "login.html")
	text := `{{define "logout"}}bye {{.User}}{{end}}<h1>Ours</h1>{{.Error}}<form action="{{.Action}}"><input name="token" value="{{.Token}}"><input name=to value="{{.To}}"><input value="{{.User}}"></form>`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, true, func(c *auth.FormConfig) { c.Template = path })
	w := s.login(`<script>`, "no")
	if !strings.Contains(w.Body.String(), "<h1>Ours</h1>") || strings.Contains(w.Body.String(), "<script>") {
		t.Errorf("%s", w.Body)
	}
	if p := w.Header().Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'self'") || !strings.Contains(p, "frame-ancestors 'none'") {
		t.Errorf("%q", p)
	}
	s.post("/.mountd/login", url.Values{"username": {"joe"}, "password": {"pw"}})
	if page := s.get("/.mountd/logout").Body.String(); page != "bye joe" {
		t.Errorf("%s", page)
	}
}
