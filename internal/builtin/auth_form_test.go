package builtin_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/builtin"
	"github.com/mountd/mountd/internal/frontdoor"
	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/memstore"
)

// instance builds an instance from options as they stand in a table.
func instance(t *testing.T, f compose.Factory, options string) (compose.Instance, error) {
	t.Helper()
	o := f.Options()
	if err := value(t, options).Decode(o); err != nil {
		return compose.Instance{}, err
	}
	in, err := f.New(o)
	if err == nil && in.Close != nil {
		t.Cleanup(func() { _ = in.Close() })
	}
	return in, err
}

// optionPaths gives the options that err is about.
func optionPaths(err error) (paths []string) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			paths = append(paths, optionPaths(e)...)
		}
		return paths
	}
	var o interface{ OptionPath() string }
	if errors.As(err, &o) {
		return []string{o.OptionPath()}
	}
	return nil
}

func TestMistakesOfLoginOptionsAreFound(t *testing.T) {
	form, forward := builtin.FormLogin(builtin.Env{}, auth.NewWorkers(0)), builtin.ForwardedAuth(builtin.Env{})
	for _, c := range []struct {
		factory compose.Factory
		options string
		want    []string
	}{
		{form, "{users: {joe: plain}, login: /login}", []string{"login", "users.joe"}},
		{form, "{users: ./missing-file, logout: /x}", []string{"logout", "users"}},
		{form, "{users: {joe: HASH}, login: /.mountd/a/../b, template: ./missing}", []string{"login", "template"}},
		{form, "{users: {joe: HASH}, login: /.mountd/x, logout: /.mountd/x}", []string{"logout"}},
		{form, "{users: {joe: HASH}, groups: {admins: [eve]}}", []string{"groups.admins[0]"}},
		{forward, "{}", []string{"to"}},
		{forward, "{to: ftp://x, copy: [Connection]}", []string{"copy[0]", "to"}},
		{forward, "{to: 'http://127.0.0.1:1', user: X-User, request_headers: [Content-Length]}", []string{"request_headers[0]", "user"}},
	} {
		_, err := instance(t, c.factory, strings.ReplaceAll(c.options, "HASH", hashOf(t, "pw")))
		got := optionPaths(err)
		slices.Sort(got)
		if !slices.Equal(slices.Compact(got), c.want) {
			t.Errorf("%s: %v (%v), not %v", c.options, got, err, c.want)
		}
	}
}

func hashOf(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func TestTheFieldsOfTheAuthServiceAreReserved(t *testing.T) {
	f := builtin.ForwardedAuth(builtin.Env{})
	o := f.Options()
	if err := value(t, "{to: 'http://127.0.0.1:1', copy: [X-User-Id, Authorization, Remote-User]}").Decode(o); err != nil {
		t.Fatal(err)
	}
	if got := f.Reserves(o); !slices.Equal(got, []string{"X-User-Id", "Remote-User"}) {
		t.Errorf("%q", got)
	}
}

// loginSite is a whole site behind a login: sessions in memory, users in a file.
type loginSite struct {
	*httptest.Server
	client *http.Client
	users  string
	store  session.Store
}

func newLoginSite(t *testing.T) *loginSite {
	return loginSiteOf(t, session.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, _ := auth.UserFromContext(r.Context())
		fmt.Fprintf(w, "hello %s %v", u.Name, u.Groups)
	}))
}

func loginSiteOf(t *testing.T, cfg session.Config, application http.Handler) *loginSite {
	s := &loginSite{users: filepath.Join(t.TempDir(), "htpasswd")}
	s.write(t, "joe:"+hashOf(t, "pw")+"\nann:"+hashOf(t, "pw")+"\n")
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Store, s.store = store, store
	sessions, err := session.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	in, err := instance(t, builtin.FormLogin(builtin.Env{}, auth.NewWorkers(0)), "{users: "+s.users+", groups: {staff: [joe]}}")
	if err != nil {
		t.Fatal(err)
	}
	pages := in.Offers.(interface {
		Handlers() map[string]http.Handler
	}).Handlers()
	if own := in.Offers.(interface{ OwnCookie(name, value string) bool }); !own.OwnCookie("mountd_login", "x") {
		t.Error("the cookie of the login page is nobody's")
	}
	mux := http.NewServeMux()
	for path, h := range pages {
		mux.Handle(path, h)
	}
	mux.Handle("/", in.Wrap(auth.End(application)))
	door, err := frontdoor.New(frontdoor.Config{Next: sessions.Wrap(mux)})
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(door)
	t.Cleanup(s.Close)
	jar, _ := cookiejar.New(nil)
	s.client = &http.Client{Jar: jar, Transport: s.Client().Transport}
	return s
}

func (s *loginSite) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(s.users, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *loginSite) do(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	r.Header.Set("Accept", "text/html")
	resp, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func (s *loginSite) get(t *testing.T, path string) (*http.Response, string) {
	t.Helper()
	r, _ := http.NewRequest("GET", s.URL+path, nil)
	return s.do(t, r)
}

var loginField = regexp.MustCompile(`name="(token|to)" value="([^"]*)"`)

func (s *loginSite) login(t *testing.T, page, user, password string) (*http.Response, string) {
	t.Helper()
	form := url.Values{"username": {user}, "password": {password}}
	for _, m := range loginField.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], m[2])
	}
	r, _ := http.NewRequest("POST", s.URL+"/.mountd/login", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", s.URL)
	return s.do(t, r)
}

func (s *loginSite) cookie() *http.Cookie {
	u, _ := url.Parse(s.URL)
	for _, c := range s.client.Jar.Cookies(u) {
		if strings.Contains(c.Name, "session") {
			return c
		}
	}
	return nil
}

func TestALoginWithSessionsAndUsersInAFile(t *testing.T) {
	s := newLoginSite(t)
	resp, page := s.get(t, "/app/x?y=1")
	if resp.Request.URL.Path != "/.mountd/login" || resp.StatusCode != 200 {
		t.Fatalf("%s: %s", resp.Request.URL, resp.Status)
	}
	if s.cookie() != nil {
		t.Error("the login page alone begins a session")
	}
	if resp, page := s.login(t, page, "joe", "wrong"); resp.StatusCode != 401 || !strings.Contains(page, "is not right") {
		t.Errorf("%s: %s", resp.Status, page)
	}
	resp, text := s.login(t, page, "joe", "pw")
	if resp.StatusCode != 200 || resp.Request.URL.RequestURI() != "/app/x?y=1" || text != "hello joe [staff]" {
		t.Fatalf("%s: %s %s", resp.Request.URL, resp.Status, text)
	}
	old := s.cookie()
	if _, text := s.login(t, page, "ann", "pw"); text != "hello ann []" {
		t.Errorf("%s", text)
	}
	replay := func(c *http.Cookie) string {
		r, _ := http.NewRequest("GET", s.URL+"/app", nil)
		r.AddCookie(c)
		r.Header.Set("Accept", "application/json")
		resp, err := s.Client().Transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.Status
	}
	if got := replay(old); got != "401 Unauthorized" {
		t.Errorf("the session of joe, after the login of ann: %s", got)
	}
	old = s.cookie()
	if got := replay(old); got != "200 OK" {
		t.Errorf("the session of ann: %s", got)
	}
	r, _ := http.NewRequest("POST", s.URL+"/.mountd/logout", nil)
	r.Header.Set("Origin", s.URL)
	if resp, page := s.do(t, r); resp.StatusCode != 200 || !strings.Contains(page, "Logged out") {
		t.Errorf("%s: %s", resp.Status, page)
	}
	if got := replay(old); got != "401 Unauthorized" {
		t.Errorf("after the logout: %s", got)
	}
}

func TestAPlantedSessionIsNotTakenOver(t *testing.T) {
	s := newLoginSite(t)
	_, page := s.get(t, "/")
	s.login(t, page, "ann", "pw")
	u, _ := url.Parse(s.URL)
	planted := s.cookie()
	s.client.Jar, _ = cookiejar.New(nil) // the victim's browser
	_, page = s.get(t, "/")
	s.client.Jar.SetCookies(u, []*http.Cookie{planted})
	if _, text := s.login(t, page, "joe", "pw"); text != "hello joe [staff]" {
		t.Fatalf("%s", text)
	}
	if s.cookie().Value == planted.Value {
		t.Error("the id that the attacker knows was kept")
	}
}
