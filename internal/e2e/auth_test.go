package e2e_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func hashed(t testing.TB, password string, cost int) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// hello greets the user that it is told of.
func hello(c *originConn, r *received) error {
	body := "Hello " + r.get("Remote-User")
	return c.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
}

// theLogNamesTheUser runs dispatch-058, and static-066 beside it.
func theLogNamesTheUser(t *testing.T, v vector) {
	o := listen(t, hello)
	d := start(t, "middleware: {team: {auth.basic: {users: ./htpasswd}}}\nmounts:\n  /foo: {proxy: "+o.url()+", slash: pass, use: [default, team]}\n"+
		"  /files: {respond: app, use: [default, team, {share: {exports: {/t: ./shared}}}]}\n",
		"htpasswd", "admin:"+hashed(t, "s3cr3t", bcrypt.MinCost)+"\n", "shared/test.txt", "test")
	a := get(t, d, v.Request.Path, "Authorization: "+v.Request.Headers["Authorization"])
	meets(t, v, a)
	if string(a.body) != "Hello admin" {
		t.Errorf("body %q", a.body)
	}
	if got := d.logged("/foo")["user"]; got != "admin" {
		t.Errorf("the log names %v", got)
	}
	if a := get(t, d, "/files/t/test.txt", "Authorization: "+v.Request.Headers["Authorization"]); a.status != 200 || string(a.body) != "test" {
		t.Errorf("%d %q", a.status, a.body)
	}
	if got := d.logged("/files/t/test.txt")["user"]; got != "admin" {
		t.Errorf("the log names %v", got)
	}
}

const authTable = `
middleware:
  team: {auth.basic: {users: ./htpasswd}}
use: [request_id, access_log, errors]
mounts:
  /: {proxy: %[1]s, rebase: off}
  /admin: {proxy: %[1]s, rebase: off, use: [default, team]}
  /app: {proxy: %[1]s, rebase: off}
  /app/private: {proxy: %[1]s, rebase: off, use: [default, team]}
  /mapped: {proxy: %[1]s, rebase: off, use: [default, team], identity: {user: x-auth-user}}
`

// No spelling of a path gets around the authentication of its mount, and no
// spelling of a field tells the application of another user.
func TestNothingGetsAroundAuthentication(t *testing.T) {
	o := listen(t, hello)
	d := start(t, fmt.Sprintf(authTable, o.url()), "htpasswd", "joe:"+hashed(t, "pw", bcrypt.MinCost)+"\n")
	for _, target := range []string{
		"/admin", "/admin/", "/admin/x", "/admin/missing", "/app/../admin/x", "/app/%2e%2e/admin/x", "/%61dmin/x", "//admin/x", "/./admin", "/admin//x",
		"/app/private/x", "/app//private/x", "/app/%2fprivate/x", "/app/x/../private", "/app/..;/admin/x", "/app/..%5cadmin/x", "/app/%252e%252e/admin/../../admin/x",
		"/admin?x=/app", "/mapped/x",
	} {
		o.reset()
		a := get(t, d, target)
		if a.status != 401 && a.status != 400 {
			t.Errorf("%s: %d", target, a.status)
		}
		if a.status == 401 && (a.get("Cache-Control") != "no-store" || !strings.Contains(strings.Join(a.values("Vary"), ","), "Authorization") || a.get("WWW-Authenticate") != `Basic realm="Restricted", charset="UTF-8"`) {
			t.Errorf("%s: %v %v %v", target, a.get("Cache-Control"), a.values("Vary"), a.values("WWW-Authenticate"))
		}
		if n := o.count(); n != 0 {
			t.Errorf("%s: the application got %d requests", target, n)
		}
	}
	for _, field := range []string{
		"Remote-User: root", "Remote_User: root", "remote-user: root", "Remote.User: root", "REMOTE-USER: root", "X-Auth-User: root", "X_Auth_User: root",
		"x-auth-user: root", "Connection: close, Remote-User, X-Auth-User, Authorization", "X-Forwarded-User: root",
	} {
		for path, name := range map[string]string{"/admin/x": "Remote-User", "/mapped/x": "X-Auth-User"} {
			o.reset()
			if a := get(t, d, path, field, basic("joe", "pw")); a.status != 200 {
				t.Errorf("%s: %d", field, a.status)
				continue
			}
			r := o.last(t)
			if got := r.values(name); len(got) != 1 || got[0] != "joe" {
				t.Errorf("%s, %s: the application is told of %q", path, field, got)
			}
			for _, f := range r.header {
				if strings.Contains(f[1], "root") || strings.EqualFold(f[0], "Authorization") {
					t.Errorf("%s: the application gets %s: %s", field, f[0], f[1])
				}
			}
		}
	}
	if a := get(t, d, "/admin/ws", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"); a.status != 401 {
		t.Errorf("an upgrade: %d", a.status)
	}
}

func TestAUserWhoIsRemovedIsRefused(t *testing.T) {
	o := listen(t, hello)
	joe, ann := hashed(t, "pw", bcrypt.MinCost), hashed(t, "pw", bcrypt.MinCost)
	d := start(t, fmt.Sprintf(authTable, o.url()), "htpasswd", "joe:"+joe+"\nann:"+ann+"\n")
	if a := get(t, d, "/admin/x", basic("joe", "pw")); a.status != 200 {
		t.Fatal(a.status)
	}
	d.writeFile("htpasswd", "ann:"+ann+"\n")
	eventually(t, 10*time.Second, "joe is refused", func() bool { return get(t, d, "/admin/x", basic("joe", "pw")).status == 401 })
	d.writeFile("htpasswd", "ann:plain\n")
	eventually(t, 10*time.Second, "the mistake is told", func() bool { return strings.Contains(d.stderr.String(), "users not replaced") })
	if a := get(t, d, "/admin/x", basic("ann", "pw")); a.status != 200 {
		t.Errorf("a broken file refuses ann: %d", a.status)
	}
}

// A flood of wrong passwords neither fills the processor nor grows without
// bound; those who are known already are served as ever.
func TestAFloodOfPasswordsHarmsNobodyElse(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	o := listen(t, hello)
	d := start(t, fmt.Sprintf(authTable, o.url()), "htpasswd", "joe:"+hashed(t, "pw", 10)+"\n")
	if a := get(t, d, "/admin/x", basic("joe", "pw")); a.status != 200 {
		t.Fatal(a.status)
	}
	end := time.Now().Add(time.Second)
	statuses := map[int]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	c := client(t)
	for i := range 150 {
		wg.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				r, _ := http.NewRequest(http.MethodGet, d.url("/admin/x"), nil)
				r.SetBasicAuth("joe", fmt.Sprint("wrong", i, n))
				resp, err := c.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				mu.Lock()
				statuses[resp.StatusCode]++
				mu.Unlock()
				if resp.StatusCode == http.StatusServiceUnavailable {
					if resp.Header.Get("Retry-After") == "" {
						t.Error("503 without Retry-After")
					}
					time.Sleep(50 * time.Millisecond)
				}
			}
		})
	}
	served := 0
	for time.Now().Before(end) {
		for path, field := range map[string]string{"/app/x": "X: y", "/admin/x": basic("joe", "pw")} {
			if a := get(t, d, path, field); a.status != 200 {
				t.Errorf("%s: %d", path, a.status)
			}
			served++
		}
		time.Sleep(5 * time.Millisecond)
	}
	wg.Wait()
	if statuses[401] == 0 || statuses[503] == 0 || len(statuses) != 2 {
		t.Errorf("the flood was answered %v", statuses)
	}
	t.Logf("%d others were served, the flood got %v", served, statuses)
}
