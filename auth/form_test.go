package auth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/request"
)

// fakeSession is a session as package session's are, with what a test looks at.
type fakeSession struct {
	mu     sync.Mutex
	values map[string]string
	user   string
	ids    int // how often the id was renewed
	ended  int
	broken error // of every call that can fail
	fail   struct{ login, clear error }
}

func newFakeSession() *fakeSession { return &fakeSession{values: map[string]string{}} }

func (s *fakeSession) Get(key string) string { s.mu.Lock(); defer s.mu.Unlock(); return s.values[key] }
func (s *fakeSession) Put(key, value string) { s.mu.Lock(); defer s.mu.Unlock(); s.values[key] = value }
func (s *fakeSession) Delete(key string)     { s.mu.Lock(); defer s.mu.Unlock(); delete(s.values, key) }
func (s *fakeSession) User() string          { s.mu.Lock(); defer s.mu.Unlock(); return s.user }
func (s *fakeSession) Err() error            { return s.broken }

func (s *fakeSession) Login(user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.broken, s.fail.login); err != nil {
		return err
	}
	s.user = user
	s.ids++
	return nil
}

func (s *fakeSession) Clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.broken, s.fail.clear); err != nil {
		return err
	}
	clear(s.values)
	s.user = ""
	s.ended++
	return nil
}

// site is a form login with the users joe and ann, whose passwords are "pw".
type site struct {
	*auth.Form
	session  *fakeSession
	users    map[string]*auth.User
	versions map[string]string
	verified int
	trouble  error
	record   bool // requests have a record
	scheme   string
	prefix   string
	client   string
	page1    *httptest.ResponseRecorder // the login page as the browser got it first
}

func newSite(t *testing.T, record bool, change func(*auth.FormConfig)) *site {
	s := &site{
		session:  newFakeSession(),
		users:    map[string]*auth.User{"joe": {Name: "joe", Groups: []string{"staff"}}, "ann": {Name: "ann"}},
		versions: map[string]string{},
		record:   record, scheme: "http", client: "192.0.2.1",
	}
	cfg := auth.FormConfig{
		Verify: func(_ context.Context, user, password string) (*auth.User, error) {
			s.verified++
			if u := s.users[strings.ToLower(user)]; u != nil && password == "pw" {
				return u, s.trouble
			}
			return nil, s.trouble
		},
		Lookup:  func(name string) (*auth.User, bool) { u, ok := s.users[name]; return u, ok },
		Version: func(name string) string { return s.versions[name] },
		Session: func(*http.Request) auth.Session {
			if s.session == nil {
				return nil
			}
			return s.session
		},
	}
	if change != nil {
		change(&cfg)
	}
	form, err := auth.NewForm(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Form = form
	return s
}

// do serves r by h, as the daemon would or as any Go program would.
func (s *site) do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	if addr, err := netip.ParseAddr(s.client); err == nil {
		r.RemoteAddr = netip.AddrPortFrom(addr, 4711).String()
	} else {
		r.RemoteAddr = s.client
	}
	if !s.record {
		if s.scheme == "http" {
			r.TLS = nil
		}
		h.ServeHTTP(w, r)
		return w
	}
	rec := request.New(w, r)
	rec.Scheme, rec.Host, rec.HostPort, rec.Prefix = s.scheme, r.Host, r.Host, s.prefix
	rec.Path, rec.RawPath = r.URL.Path, r.URL.EscapedPath()
	rec.Client, _ = netip.ParseAddr(s.client)
	rec.Peer = rec.Client
	h.ServeHTTP(&rec.Writer, &rec.Request)
	return w
}

func (s *site) target(path string) string { return s.scheme + "://example.com" + path }

func (s *site) page(path string) http.Handler {
	path, _, _ = strings.Cut(path, "?")
	return s.Handlers()[path]
}

func (s *site) get(path string) *httptest.ResponseRecorder {
	return s.do(s.page(path), httptest.NewRequest("GET", s.target(path), nil))
}

// post sends a form, with the token that goes with the cookie unless the form
// has one.
func (s *site) post(path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	if s.page1 == nil {
		s.page1 = s.get("/.mountd/login")
	}
	first := s.page1
	cookies := first.Result().Cookies()
	if !form.Has("token") {
		if m := tokenField.FindStringSubmatch(first.Body.String()); m != nil {
			form.Set("token", m[1])
		}
	}
	r := httptest.NewRequest("POST", s.target(path), strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
		} else {
			r.Header.Add(header[i], header[i+1])
		}
	}
	return s.do(s.page(path), r)
}

var tokenField = regexp.MustCompile(`name="token" value="([^"]+)"`)

func (s *site) login(user, password string) *httptest.ResponseRecorder {
	return s.post("/.mountd/login", url.Values{"username": {user}, "password": {password}, "to": {"/app?x=1"}})
}

// bothWays runs a test with and without a record.
func bothWays(t *testing.T, test func(t *testing.T, record bool)) {
	t.Run("plain", func(t *testing.T) { test(t, false) })
	t.Run("record", func(t *testing.T) { test(t, true) })
}

// authenticate asks the method about a request.
func (s *site) authenticate(r *http.Request) (u *auth.User, w *httptest.ResponseRecorder, err error) {
	w = s.do(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { u, err = s.Authenticate(w, r) }), r)
	return u, w, err
}

func statusOf(err error) int {
	if err == nil {
		return 0
	}
	status, _, _ := request.Describe(err)
	return status
}

func TestALoginIsRemembered(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newSite(t, record, nil)
		w := s.login("joe", "pw")
		if w.Code != 303 || w.Header().Get("Location") != "/app?x=1" {
			t.Fatalf("%d to %q: %s", w.Code, w.Header().Get("Location"), w.Body)
		}
		if s.session.ids != 1 || s.session.user != "joe" {
			t.Errorf("the session was renewed %d times, for %q", s.session.ids, s.session.user)
		}
		u, w, err := s.authenticate(httptest.NewRequest("GET", s.target("/app"), nil))
		if err != nil || u == nil || u.Name != "joe" || u.Method != "form" || !slices.Equal(u.Groups, []string{"staff"}) {
			t.Errorf("%+v, %v", u, err)
		}
		if w.Header().Get("Vary") != "Cookie" {
			t.Errorf("Vary %q", w.Header().Get("Vary"))
		}
		if s.users["joe"].Method != "" {
			t.Error("the user of the configuration was changed")
		}
	})
}

func TestWrongNameAndWrongPasswordLookTheSame(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newSite(t, record, nil)
		normal := func(w *httptest.ResponseRecorder, user string) string {
			return tokenField.ReplaceAllString(strings.ReplaceAll(w.Body.String(), user, "NAME"), "")
		}
		wrong, unknown := s.login("joe", "no"), s.login("eve", "no")
		if wrong.Code != 401 || unknown.Code != 401 {
			t.Errorf("%d, %d", wrong.Code, unknown.Code)
		}
		if normal(wrong, "joe") != normal(unknown, "eve") {
			t.Error("the pages differ")
		}
		if s.verified != 2 {
			t.Errorf("%d of 2 were verified", s.verified)
		}
		for _, want := range []string{`role="alert"`, `aria-invalid="true"`, `value="joe"`, "is not right", "<title>Error: "} {
			if !strings.Contains(wrong.Body.String(), want) {
				t.Errorf("the page lacks %s", want)
			}
		}
		if !strings.HasPrefix(wrong.Header().Get("WWW-Authenticate"), "Form ") {
			t.Errorf("WWW-Authenticate %q", wrong.Header().Get("WWW-Authenticate"))
		}
		if s.session.ids != 0 {
			t.Error("a failed login renewed the session")
		}
	})
}

func TestNamesThatNoHeaderCanHoldAreWrong(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		for _, name := range []string{"joe\r\nX-Admin: 1", "joe\x00", "joe\x7f", "jo\u0085e", "\xff", "", strings.Repeat("j", 300), "joe\u2028"} {
			s := newSite(t, record, nil)
			if w := s.login(name, "pw"); w.Code != 401 || s.verified != 0 {
				t.Errorf("%q: %d, verified %d times", name, w.Code, s.verified)
			}
		}
	})
}

func TestThePageIsStrict(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newSite(t, record, nil)
		for _, path := range []string{"/.mountd/login", "/.mountd/logout"} {
			w := s.get(path)
			for name, want := range map[string]string{
				"Cache-Control": "no-store", "Vary": "Cookie", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
				"Referrer-Policy": "same-origin", "Content-Type": "text/html; charset=utf-8",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %s is %q, not %q", path, name, got, want)
				}
			}
			policy := w.Header().Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "style-src 'sha256-", "base-uri 'none'", "frame-ancestors 'none'"} {
				if !strings.Contains(policy, want) {
					t.Errorf("%s: the policy %q lacks %s", path, policy, want)
				}
			}
			for _, never := range []string{"http://", "https://", "<script", " on", "style=", "javascript:"} {
				if strings.Contains(withoutStyle(w), never) {
					t.Errorf("%s holds %q", path, never)
				}
			}
		}
		page := withoutStyle(s.get("/.mountd/login"))
		for _, want := range []string{
			`<html lang="en">`, `<label for="username">`, `<label for="password">`, `autocomplete="username"`, `autocomplete="current-password"`,
			`name="viewport"`, `<button type="submit">`, "autofocus",
		} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %s", want)
			}
		}
	})
}

// withoutStyle gives the page without its style and its text, in which any word may be.
func withoutStyle(w *httptest.ResponseRecorder) string {
	page := w.Body.String()
	head, rest, _ := strings.Cut(page, "<style>")
	_, rest, _ = strings.Cut(rest, "</style>")
	return head + rest
}

func TestTheCookieIsAsStrictAsItCanBe(t *testing.T) {
	for scheme, want := range map[string]string{"http": "mountd_login", "https": "__Host-mountd_login"} {
		bothWays(t, func(t *testing.T, record bool) {
			s := newSite(t, record, nil)
			s.scheme = scheme
			c := s.get("/.mountd/login").Result().Cookies()
			if len(c) != 1 || c[0].Name != want || !c[0].HttpOnly || c[0].Secure != (scheme == "https") || c[0].SameSite != http.SameSiteLaxMode ||
				c[0].Path != "/" || c[0].Domain != "" || c[0].MaxAge != 0 {
				t.Errorf("%s: %v", scheme, c)
			}
			if len(c[0].Value) < 26 || !s.OwnCookie(c[0].Name, c[0].Value) || s.OwnCookie("other", "") {
				t.Errorf("%v", c)
			}
		})
	}
}

func TestFormsOfOthersAreRefused(t *testing.T) {
	cases := []struct {
		name    string
		header  []string
		token   string
		refused int
	}{
		{"none of the fields", nil, "", 303},
		{"same origin", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://example.com"}, "", 303},
		{"the user himself", []string{"Sec-Fetch-Site", "none"}, "", 303},
		{"the origin with its port", []string{"Origin", "http://example.com:80"}, "", 303},
		{"TLS ends in front", []string{"Origin", "https://example.com"}, "", 303},
		{"hidden by a referrer policy", []string{"Sec-Fetch-Site", "same-origin", "Origin", "null"}, "", 303},
		{"cross-site", []string{"Sec-Fetch-Site", "cross-site"}, "", 403},
		{"same-site", []string{"Sec-Fetch-Site", "same-site"}, "", 403},
		{"two answers", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, "", 403},
		{"an empty field", []string{"Origin", " "}, "", 403},
		{"null", []string{"Origin", "null"}, "", 403},
		{"another host", []string{"Origin", "http://evil.example"}, "", 403},
		{"a sibling host", []string{"Origin", "http://app.example.com"}, "", 403},
		{"another port", []string{"Origin", "http://example.com:8080"}, "", 403},
		{"the host as user", []string{"Origin", "http://example.com@evil.example"}, "", 403},
		{"the host as a prefix", []string{"Origin", "http://example.com.evil.example"}, "", 403},
		{"two origins", []string{"Origin", "http://example.com", "Origin", "http://evil.example"}, "", 403},
		{"no token", nil, "-", 403},
		{"another token", nil, "bm90IG91cnM", 403},
		{"no cookie", []string{"Cookie", ""}, "", 403},
		{"a short cookie", []string{"Cookie", "", "Cookie", "mountd_login=a"}, "", 403},
		{"two cookies", []string{"Cookie", "mountd_login=AAAAAAAAAAAAAAAAAAAAAAAAAA"}, "", 403},
	}
	bothWays(t, func(t *testing.T, record bool) {
		for _, c := range cases {
			s := newSite(t, record, nil)
			form := url.Values{"username": {"joe"}, "password": {"pw"}}
			if c.token != "" {
				form.Set("token", strings.TrimPrefix(c.token, "-"))
			}
			w := s.post("/.mountd/login", form, c.header...)
			if w.Code != c.refused {
				t.Errorf("%s: %d, not %d", c.name, w.Code, c.refused)
			}
			if c.refused != 303 && (s.verified != 0 || s.session.ids != 0) {
				t.Errorf("%s: the password was looked at", c.name)
			}
		}
	})
}

func TestAnHTTPSPageIsNotSentByAnHTTPOne(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newSite(t, record, nil)
		s.scheme = "https"
		if w := s.post("/.mountd/login", url.Values{"username": {"joe"}, "password": {"pw"}}, "Origin", "http://example.com"); w.Code != 403 {
			t.Errorf("%d", w.Code)
		}
		if w := s.post("/.mountd/login", url.Values{"username": {"joe"}, "password": {"pw"}}, "Origin", "https://example.com"); w.Code != 303 {
			t.Errorf("%d", w.Code)
		}
	})
}

func TestABrowserWithoutCookiesIsTold(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newSite(t, record, nil)
		w := s.post("/.mountd/login", url.Values{"username": {"joe"}, "password": {"pw"}}, "Cookie", "")
		if !strings.Contains(w.Body.String(), "Allow cookies") || !strings.Contains(w.Body.String(), `value="joe"`) {
			t.Errorf("%s", w.Body)
		}
		w = s.post("/.mountd/login", url.Values{"username": {"joe"}, "password": {"pw"}, "token": {"old"}})
		if !strings.Contains(w.Body.String(), "try again") || tokenField.FindString(w.Body.String()) == "" {
			t.Errorf("%s", w.Body)
		}
	})
}

func TestFormsThatNoBrowserSendsAreRefusedEarly(t *testing.T) {
	text := func(s string) func() io.Reader { return func() io.Reader { return strings.NewReader(s) } }
	many := strings.Repeat("a=1&", 30)
	cases := []struct {
		name, contentType string
		body              func() io.Reader
		length            int64
		status            int
	}{
		{"announced as huge", "application/x-www-form-urlencoded", text(""), 100 << 20, 413},
		{"endless", "application/x-www-form-urlencoded", func() io.Reader { return endless{} }, -1, 413},
		{"one long line", "application/x-www-form-urlencoded", text("username=" + strings.Repeat("x", 17<<10)), -1, 413},
		{"many fields", "application/x-www-form-urlencoded", text(many), -1, 400},
		{"multipart", "multipart/form-data; boundary=x", func() io.Reader { return endless{} }, -1, 415},
		{"text", "text/plain", text("username=joe"), -1, 415},
		{"JSON", "application/json", text("{}"), -1, 415},
		{"no type", "", text("username=joe"), -1, 415},
		{"twice the user", "application/x-www-form-urlencoded", text("username=joe&username=ann"), -1, 400},
		{"a broken escape", "application/x-www-form-urlencoded", text("username=%zz"), -1, 400},
		{"cut", "application/x-www-form-urlencoded", func() io.Reader { return io.MultiReader(strings.NewReader("username=joe"), cut{}) }, -1, 400},
	}
	bothWays(t, func(t *testing.T, record bool) {
		for _, c := range cases {
			for _, path := range []string{"/.mountd/login", "/.mountd/logout"} {
				if path == "/.mountd/logout" && c.contentType == "" {
					continue // a button of an application may send nothing
				}
				s := newSite(t, record, nil)
				r := httptest.NewRequest("POST", s.target(path), c.body())
				r.ContentLength = c.length
				if c.contentType != "" {
					r.Header.Set("Content-Type", c.contentType)
				}
				w := s.do(s.page(path), r)
				if w.Code != c.status || s.verified != 0 || s.session.ended != 0 {
					t.Errorf("%s at %s: %d, not %d", c.name, path, w.Code, c.status)
				}
			}
		}
	})
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, "aaaaaaaaaaaaaaaa"), nil }

type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestOtherMethodsAreRefused(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newSite(t, record, nil)
		for _, path := range []string{"/.mountd/login", "/.mountd/logout"} {
			for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS"} {
				w := s.do(s.page(path), httptest.NewRequest(method, s.target(path), nil))
				if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD, POST" {
					t.Errorf("%s %s: %d, %v", method, path, w.Code, w.Header())
				}
			}
			w := s.do(s.page(path), httptest.NewRequest("HEAD", s.target(path), nil))
			if w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") == "0" {
				t.Errorf("HEAD %s: %d, %d bytes", path, w.Code, w.Body.Len())
			}
		}
	})
}

func BenchmarkFormAuthenticate(b *testing.B) {
	joe := &auth.User{Name: "joe", Method: "form"}
	s := newFakeSession()
	form, err := auth.NewForm(auth.FormConfig{
		Verify:  func(context.Context, string, string) (*auth.User, error) { return nil, nil },
		Lookup:  func(string) (*auth.User, bool) { return joe, true },
		Session: func(*http.Request) auth.Session { return s },
	})
	if err != nil {
		b.Fatal(err)
	}
	s.Put("auth.form /.mountd/login", "joe")
	r := httptest.NewRequest("GET", "http://example.com/app", nil)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		if u, err := form.Authenticate(w, r); u != joe || err != nil {
			b.Fatal(u, err)
		}
	}
}
