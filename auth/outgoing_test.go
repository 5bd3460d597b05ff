package auth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/request"
)

// told answers with the header that an application got, and its target.
var told = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	for _, key := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(w, "%s: %s\n", key, strings.Join(r.Header[key], " | "))
	}
	user, kind := auth.CGI(r)
	fmt.Fprintf(w, "%s %s CGI %q %q\n", r.URL.RequestURI(), r.RequestURI, user, kind)
})

// as lets every request in as one user.
type as struct{ auth.User }

func (a as) Authenticate(http.ResponseWriter, *http.Request) (*auth.User, error) { return &a.User, nil }
func (as) Challenge(*http.Request) auth.Challenge                                { return auth.Challenge{} }

func outgoing(t *testing.T, cfg auth.OutgoingConfig, app http.Handler) http.Handler {
	t.Helper()
	o, err := auth.NewOutgoing(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return o.Wrap(app)
}

var remoteNames = auth.OutgoingConfig{User: "Remote-User", Groups: "Remote-Groups", Name: "Remote-Name", Email: "Remote-Email"}

func TestApplicationsAreToldOfTheUser(t *testing.T) {
	joe := auth.User{Name: "joe", Groups: []string{"staff", "admins"}, DisplayName: "Joe Doe", Email: "joe@example.com", Method: "basic"}
	for _, c := range []struct {
		name string
		user auth.User
		cfg  auth.OutgoingConfig
		want string
	}{
		{"all", joe, remoteNames, "Remote-Email: joe@example.com\nRemote-Groups: staff,admins\nRemote-Name: Joe Doe\nRemote-User: joe\n/ / CGI \"joe\" \"Basic\"\n"},
		{"other names", joe, auth.OutgoingConfig{User: "x-webauth-user"}, "X-Webauth-User: joe\n/ / CGI \"joe\" \"Basic\"\n"},
		{"nothing", joe, auth.OutgoingConfig{}, "/ / CGI \"\" \"\"\n"},
		{"UTF-8", auth.User{Name: "jörg", DisplayName: "Jörg Müller", Method: "form"}, remoteNames, "Remote-Name: Jörg Müller\nRemote-User: jörg\n/ / CGI \"jörg\" \"form\"\n"},
		{"what a field can't hold", auth.User{Name: "joe", DisplayName: "a\r\nX: b", Email: "\xff", Groups: []string{"a,admins", " b", "c\n", "", "ok", "\u0085"}, Method: "bearer"}, remoteNames, "Remote-Groups: ok\nRemote-User: joe\n/ / CGI \"joe\" \"Bearer\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			everywhere(t, auth.Wrap(as{c.user}, outgoing(t, c.cfg, told)), func(t *testing.T, h http.Handler) {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Body.String() != c.want {
					t.Errorf("got\n%swant\n%s", w.Body, c.want)
				}
			})
		})
	}
}

func TestAClientsWordIsOverwritten(t *testing.T) {
	h := outgoing(t, remoteNames, told)
	if w := ask(h, "/", "Remote-User: root", "remote-groups: wheel", "X-Other: 1"); w.Body.String() != "X-Other: 1\n/ / CGI \"\" \"\"\n" {
		t.Errorf("nobody: %s", w.Body)
	}
	known := auth.Wrap(as{auth.User{Name: "joe"}}, h)
	everywhere(t, known, func(t *testing.T, h http.Handler) {
		if w := ask(h, "/", "Remote-User: root", "Remote-Groups: wheel", "Remote-Name: Root"); w.Body.String() != "Remote-User: joe\n/ / CGI \"joe\" \"\"\n" {
			t.Errorf("%s", w.Body)
		}
	})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Remote-User", "root")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if r.Header.Get("Remote-User") != "root" {
		t.Error("somebody else's header was changed")
	}
}

func sum(key string) string {
	s := sha256.Sum256([]byte(key))
	return hex.EncodeToString(s[:])
}

func TestCredentialsGoNoFurther(t *testing.T) {
	key, err := auth.NewKey(auth.KeyConfig{Keys: map[string]string{"ci": sum("k3y")}, Header: "X-API-Key", Query: "api key"})
	if err != nil {
		t.Fatal(err)
	}
	cookies := &auth.Cookies{}
	cookies.Add(func(name, value string) bool { return name == "sid" && strings.HasPrefix(value, "ours") })
	g := gate(t, auth.GateConfig{Methods: []auth.Method{basicFor(t, "", map[string]string{"joe": "pw"}), key}, Optional: true})
	right := authorization("joe", "pw")
	for _, c := range []struct {
		name, target, fields string
		keep                 auth.OutgoingConfig
		want                 string
	}{
		{"a password", "/", right, auth.OutgoingConfig{}, ""},
		{"a password that is asked for", "/", right, auth.OutgoingConfig{ForwardAuthorization: true}, right + "\n"},
		{"another scheme", "/", "Authorization: Bearer abc", auth.OutgoingConfig{}, "Authorization: Bearer abc\n"},
		{"a key", "/", "X-Api-Key: k3y", auth.OutgoingConfig{}, ""},
		{"a key that is asked for", "/", "X-Api-Key: k3y", auth.OutgoingConfig{ForwardKey: true, ForwardSession: true}, "X-Api-Key: k3y\n"},
		{"a key in the query", "/p?a=1&api%20key=k3y&b=%2F", "", auth.OutgoingConfig{}, "/p?a=1&b=%2F /p?a=1&b=%2F"},
		{"a key alone in the query", "/p?api+key=k3y", "", auth.OutgoingConfig{}, "/p /p "},
		{"a key in the query that is asked for", "/p?api+key=k3y", "", auth.OutgoingConfig{ForwardKey: true}, "/p?api+key=k3y /p?api+key=k3y "},
		{"key and password", "/?api+key=k3y", "X-Api-Key: k3y|" + right, auth.OutgoingConfig{}, "/ / "},
		{"our cookie", "/", "Cookie: a=1; sid=ours-1; b=2", auth.OutgoingConfig{}, "Cookie: a=1; b=2\n"},
		{"our cookie alone", "/", "Cookie: sid=ours-1", auth.OutgoingConfig{}, ""},
		{"our cookie, quoted and blank", "/", `Cookie: a; sid = "ours-1" ;sid=ours-2|Cookie: sid=theirs`, auth.OutgoingConfig{}, "Cookie: a; sid=theirs\n"},
		{"an app's cookie of that name", "/", "Cookie: a=1;sid=theirs", auth.OutgoingConfig{}, "Cookie: a=1;sid=theirs\n"},
		{"our cookie that is asked for", "/", "Cookie: sid=ours-1", auth.OutgoingConfig{ForwardSession: true}, "Cookie: sid=ours-1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.keep.Cookies = cookies
			var fields []string
			if c.fields != "" {
				fields = strings.Split(c.fields, "|")
			}
			everywhere(t, g.Wrap(outgoing(t, c.keep, told)), func(t *testing.T, h http.Handler) {
				w := ask(h, c.target, fields...)
				want := c.want
				if c.target == "/" {
					want += "/ / "
				}
				if w.Code != 200 || !strings.HasPrefix(w.Body.String(), want) {
					t.Errorf("%d, got\n%swant\n%s", w.Code, w.Body, want)
				}
			})
		})
	}
}

func TestOurCookiesAreStrippedWithoutAGateToo(t *testing.T) {
	cookies := &auth.Cookies{}
	cookies.Add(func(name, _ string) bool { return name == "sid" })
	everywhere(t, outgoing(t, auth.OutgoingConfig{Cookies: cookies}, told), func(t *testing.T, h http.Handler) {
		if w := ask(h, "/", "Cookie: sid=1", authorization("joe", "pw")); !strings.HasPrefix(w.Body.String(), authorization("joe", "pw")+"\n/ ") {
			t.Errorf("%s", w.Body)
		}
	})
}

func TestFieldsThatCarryNoIdentity(t *testing.T) {
	for _, n := range []string{"X User", "Host", "authorization", "Cookie", "X-Üser", "X_User", "X.User", "Remote-User:", "a\nb"} {
		if _, err := auth.NewOutgoing(auth.OutgoingConfig{User: n}); err == nil {
			t.Errorf("%q: no error", n)
		}
	}
}

func TestNobodyCostsNoAllocation(t *testing.T) {
	h := outgoing(t, remoteNames, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	rec := request.New(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	if n := testing.AllocsPerRun(100, func() { h.ServeHTTP(&rec.Writer, &rec.Request) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
