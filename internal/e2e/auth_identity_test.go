package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// F08: credentials that are malformed are wrong, and nothing worse.
func TestMalformedCredentials(t *testing.T) {
	o := listen(t, hello)
	d := start(t, fmt.Sprintf(authTable, o.url()), "htpasswd", "joe:"+hashed(t, "pw", bcrypt.MinCost)+"\n")
	good := strings.TrimPrefix(basic("joe", "pw"), "Authorization: Basic ")
	for _, value := range []string{
		"Basic !!!", "Basic", "Basic ", "Basic " + base64.StdEncoding.EncodeToString([]byte("joe")), "Basic " + strings.Repeat("QUFB", 10_000),
		"Negotiate abc", "Bearer x", "Digest username=\"joe\"", "Basic " + good + ", Basic " + good, "Basic" + good, "Basic=" + good, good,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("joe:pw\x00")), "Basic " + base64.StdEncoding.EncodeToString([]byte("\x00joe:pw")),
		"Basic " + base64.StdEncoding.EncodeToString([]byte(":")), "Basic " + base64.RawStdEncoding.EncodeToString([]byte("joe:pwpw")),
	} {
		o.reset()
		a := get(t, d, "/admin/x", "Authorization: "+value)
		if a.status != 401 || a.get("WWW-Authenticate") == "" || o.count() != 0 {
			t.Errorf("%.80q: %d, %d requests passed", value, a.status, o.count())
		}
	}
	if a := get(t, d, "/admin/x", "Authorization: Basic "+good, "Authorization: Basic "+good); a.status != 400 {
		t.Errorf("two fields: %d", a.status)
	}
	if a := get(t, d, "/admin/x", "Authorization: Basic "+strings.Repeat("A", 1<<20)); a.status != 431 {
		t.Errorf("a megabyte: %d", a.status)
	}
	for _, value := range []string{"Basic " + good, "basic " + good, "BASIC   " + good, "Basic\t" + good} {
		if a := get(t, d, "/admin/x", "Authorization: "+value); a.status != 200 {
			t.Errorf("%q: %d", value, a.status)
		}
	}
}

// F28, F29: what is refused says nothing of what is there, and no cache keeps
// it.
func TestARefusalTellsNothing(t *testing.T) {
	d := start(t, `
middleware: {team: {auth.basic: {users: ./htpasswd, realm: "a \"b\" \\c"}}}
mounts:
  /files: {static: ./files, use: [default, team]}
  /bare: {redirect: /files, use: [default, team]}
`, "htpasswd", "joe:"+hashed(t, "pw", bcrypt.MinCost)+"\n", "files/there.txt", "secret", "files/sub/index.html", "secret")
	var first *answer
	for _, target := range []string{"/files/there.txt", "/files/missing", "/files/sub", "/files/sub/", "/files", "/files/", "/files/.hidden", "/bare", "/files/there.txt?download"} {
		for _, fields := range [][]string{nil, {"If-None-Match: *"}, {"Range: bytes=0-1"}, {basic("joe", "wrong")}, {basic("nobody", "x")}} {
			a := get(t, d, target, fields...)
			if first == nil {
				first = a
			}
			if a.status != 401 || a.get("Cache-Control") != "no-store" || !strings.Contains(strings.Join(a.values("Vary"), ","), "Authorization") {
				t.Errorf("%s %v: %d %v", target, fields, a.status, a.header)
			}
			if got := a.values("WWW-Authenticate"); len(got) != 1 || got[0] != `Basic realm="a \"b\" \\c", charset="UTF-8"` {
				t.Errorf("%s: %q", target, got)
			}
			for _, name := range []string{"Etag", "Last-Modified", "Location", "Content-Range", "Accept-Ranges", "Allow"} {
				if a.get(name) != "" {
					t.Errorf("%s tells %s: %s", target, name, a.get(name))
				}
			}
			if len(a.body) != len(first.body) {
				t.Errorf("%s %v: %q", target, fields, a.body)
			}
		}
	}
	if a := get(t, d, "/files/there.txt", basic("joe", "pw")); a.status != 200 || a.body != "secret" {
		t.Errorf("%d %q", a.status, a.body)
	}
}

// B04, B05, B14: credentials stay at the gateway, and what it says of the user
// arrives, whatever the client's Connection field lists.
func TestCredentialsStayAtTheGateway(t *testing.T) {
	o := listen(t, hello)
	key := sha256.Sum256([]byte("secret-key-of-a-robot"))
	d := start(t, fmt.Sprintf(`
mounts:
  /basic: {proxy: %[1]s, rebase: off, use: [default, {auth.basic: {users: ./htpasswd, groups: {staff: [joe]}}}], identity: {user: x-auth-user, groups: X-AUTH-GROUPS}}
  /key: {proxy: %[1]s, rebase: off, use: [default, {auth.key: {query: key, keys: {robot: %[2]x}}}]}
  /kept: {proxy: %[1]s, rebase: off, use: [default, {auth.basic: {users: ./htpasswd}}], forward_credentials: [authorization]}
  /open: {proxy: %[1]s, rebase: off}
`, o.url(), key), "htpasswd", "joe:"+hashed(t, "pw", bcrypt.MinCost)+"\n")
	for _, c := range []struct {
		target string
		fields []string
		want   map[string]string // of what the application gets; "": nothing
		gets   string            // target
	}{
		{"/basic/x", []string{basic("joe", "pw"), "X-Auth-User: admin", "x-auth-user: admin", "X_Auth_User: admin", "X-Auth-Groups: admins"},
			map[string]string{"X-Auth-User": "joe", "X-Auth-Groups": "staff", "Authorization": "", "Remote-User": ""}, "/x"},
		{"/basic/x", []string{basic("joe", "pw"), "Connection: close, X-Auth-User, X-Auth-Groups, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Prefix, Remote-User, Authorization, Cookie, Host"},
			map[string]string{"X-Auth-User": "joe", "X-Auth-Groups": "staff", "Authorization": "", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Prefix": "/basic"}, "/x"},
		{"/key/x?a=1&key=secret-key-of-a-robot&b=2", nil, map[string]string{"Remote-User": "robot"}, "/x?a=1&b=2"},
		{"/key/x?a=1&%6bey=secret-key-of-a-robot", nil, map[string]string{"Remote-User": "robot"}, "/x?a=1"},
		{"/key/x", []string{"X-API-Key: secret-key-of-a-robot", "Authorization: Bearer theirs"}, map[string]string{"Remote-User": "robot", "X-Api-Key": "", "Authorization": "Bearer theirs"}, "/x"},
		{"/kept/x", []string{basic("joe", "pw")}, map[string]string{"Remote-User": "joe", "Authorization": strings.TrimPrefix(basic("joe", "pw"), "Authorization: ")}, "/x"},
		{"/open/x", []string{basic("joe", "pw")}, map[string]string{"Remote-User": "", "Authorization": strings.TrimPrefix(basic("joe", "pw"), "Authorization: ")}, "/x"},
	} {
		o.reset()
		if a := get(t, d, c.target, c.fields...); a.status != 200 {
			t.Errorf("%s: %d %s", c.target, a.status, a.body)
			continue
		}
		r := o.last(t)
		if r.target != c.gets {
			t.Errorf("%s: the application is asked for %q", c.target, r.target)
		}
		for name, want := range c.want {
			if got := r.values(name); want == "" && len(got) > 0 || want != "" && (len(got) != 1 || got[0] != want) {
				t.Errorf("%s %v: %s is %q, not %q", c.target, c.fields, name, got, want)
			}
		}
		if strings.Contains(c.target, "key=") || strings.Contains(c.target, "%6bey") {
			for _, f := range r.header {
				if strings.Contains(f[1], "secret-key") {
					t.Errorf("the application gets %s: %s", f[0], f[1])
				}
			}
		}
	}
	if strings.Contains(d.stderr.String(), "secret-key-of-a-robot") {
		t.Errorf("the log holds the key:\n%s", d.stderr.String())
	}
}

const tokenSecret = "0123456789abcdef0123456789abcdef"

// token makes a JWT that the table's secret signs.
func token(t testing.TB, claims map[string]any) string {
	t.Helper()
	claims["exp"] = time.Now().Add(time.Hour).Unix()
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString(text)
	mac := hmac.New(sha256.New, []byte(tokenSecret))
	mac.Write([]byte(signed))
	return "Authorization: Bearer " + signed + "." + enc.EncodeToString(mac.Sum(nil))
}

// B19, and groups: no name makes two fields, two users or two groups of one.
func TestNamesThatCouldBeTakenForOthers(t *testing.T) {
	o := listen(t, hello)
	d := start(t, fmt.Sprintf(`
middleware: {api: {auth.bearer: {secret: %[2]s}}}
mounts:
  /api: {proxy: %[1]s, rebase: off, use: [default, api]}
  /staff: {proxy: %[1]s, rebase: off, use: [default, api, {require: {groups: [admins]}}]}
  /basic: {proxy: %[1]s, rebase: off, use: [default, {auth.basic: {users: {"j\u00f6": %[3]q}}}]}
`, o.url(), tokenSecret, hashed(t, "pw", bcrypt.MinCost)))
	for _, name := range []string{"joe\r\nX-Admin: 1", "joe\nX-Admin: 1", "joe\x00", "\x7fjoe", "joe\u0085", " joe", "joe ", "", strings.Repeat("j", 2000), "\u2028joe\n"} {
		o.reset()
		if a := get(t, d, "/api/x", token(t, map[string]any{"sub": name})); a.status != 401 || o.count() != 0 {
			t.Errorf("%.40q: %d", name, a.status)
		}
	}
	for claim, value := range map[string]any{
		"groups": []string{"x\r\nRemote-Groups: admins", "ok"}, "name": "Joe\r\nX-Admin: 1", "email": "a@example.com\r\nX-Admin: 1",
	} {
		o.reset()
		if a := get(t, d, "/api/x", token(t, map[string]any{"sub": "joe", claim: value, "email_verified": true})); a.status != 401 || o.count() != 0 {
			t.Errorf("%s %q: %d", claim, value, a.status)
		}
	}
	for _, name := range []string{"jö", "Joe Doe", "joe@example.com", `a"b`, "日本"} {
		if a := get(t, d, "/api/x", token(t, map[string]any{"sub": name})); a.status != 200 {
			t.Errorf("%q: %d", name, a.status)
			continue
		}
		if got := o.last(t).values("Remote-User"); len(got) != 1 || got[0] != name {
			t.Errorf("%q: the application is told of %q", name, got)
		}
	}
	for _, c := range []struct {
		groups []string
		told   []string
		admin  bool
	}{
		{[]string{"staff", "admins"}, []string{"staff,admins"}, true},
		{[]string{"staff,admins"}, nil, false},
		{[]string{"staff", "x,admins", "more"}, []string{"staff,more"}, false},
		{[]string{" admins", "admins ", "", "ok", "Admins"}, []string{"ok,Admins"}, false},
	} {
		field := token(t, map[string]any{"sub": "joe", "groups": c.groups})
		if a := get(t, d, "/api/x", field); a.status != 200 {
			t.Errorf("%q: %d", c.groups, a.status)
			continue
		}
		if got := o.last(t).values("Remote-Groups"); strings.Join(got, "|") != strings.Join(c.told, "|") {
			t.Errorf("%q: the application is told of %q", c.groups, got)
		}
		want := map[bool]int{true: 200, false: 403}[c.admin]
		if a := get(t, d, "/staff/x", field); a.status != want {
			t.Errorf("%q before require: %d, not %d", c.groups, a.status, want)
		}
	}
	if a := get(t, d, "/basic/x", basic("jö", "pw")); a.status != 200 || o.last(t).get("Remote-User") != "jö" {
		t.Errorf("%d %q", a.status, o.last(t).get("Remote-User"))
	}
	if a := get(t, d, "/basic/x", basic("j\xf6", "pw")); a.status != 401 {
		t.Errorf("the name in Latin-1: %d", a.status)
	}
}

// An auth service may let a request pass without naming anyone: its rules make
// some paths public. Nobody is told of then, and require refuses.
func TestAnAuthServiceLetsNobodyPass(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.Header.Get("X-Forwarded-Uri"); {
		case strings.Contains(path, "/public"):
		case r.Header.Get("Cookie") == "login=joe":
			w.Header().Set("Remote-User", "joe")
			w.Header().Set("Remote-Groups", "staff")
		default:
			http.Redirect(w, r, "https://auth.example.com/", http.StatusFound)
		}
	}))
	defer service.Close()
	o := listen(t, hello)
	d := start(t, fmt.Sprintf(`
middleware: {sso: {auth.forward: {to: %q}}}
mounts:
  /app: {proxy: %[2]s, rebase: off, use: [default, sso]}
  /staff: {proxy: %[2]s, rebase: off, use: [default, sso, require]}
`, service.URL, o.url()))
	for _, c := range []struct {
		target, cookie string
		status         int
		user           string
	}{
		{"/app/public/x", "", 200, ""},
		{"/app/public/x", "login=joe", 200, ""},
		{"/app/x", "login=joe", 200, "joe"},
		{"/app/x", "", 302, ""},
		{"/staff/public/x", "", 401, ""},
		{"/staff/x", "login=joe", 200, "joe"},
		{"/staff/x", "", 302, ""},
	} {
		o.reset()
		a := get(t, d, c.target, "Remote-User: root", "Remote-Groups: root", "Cookie: "+c.cookie)
		if a.status != c.status {
			t.Errorf("%s %q: %d, not %d", c.target, c.cookie, a.status, c.status)
			continue
		}
		if c.status != 200 {
			if o.count() != 0 {
				t.Errorf("%s %q: it reached the application", c.target, c.cookie)
			}
			continue
		}
		if got := strings.Join(o.last(t).values("Remote-User"), "|"); got != c.user {
			t.Errorf("%s %q: the application is told of %q", c.target, c.cookie, got)
		}
	}
}
