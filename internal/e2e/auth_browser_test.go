package e2e_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// browser keeps cookies as a browser would, as far as tests need it.
type browser struct {
	t       testing.TB
	base    string // scheme://host:port
	client  *http.Client
	cookies map[string]string
}

func newBrowser(t testing.TB, d *daemon) *browser {
	b := &browser{t: t, base: "http://" + d.addr, client: client(t), cookies: map[string]string{}}
	if strings.Contains(d.stdout.String(), " on https://") {
		b.base = "https://" + d.addr
		b.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
	return b
}

// page is an answer that was read.
type page struct {
	*http.Response
	body string
}

// do asks for a page as a browser's navigation does. Fields win over what it
// would send; those with empty values are left out.
func (b *browser) do(method, target string, form url.Values, fields ...string) page {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequest(method, b.base+target, body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == http.MethodPost {
		r.Header.Set("Origin", b.base)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ":")
		if value = strings.TrimSpace(value); value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		b.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return page{resp, string(text)}
}

func (b *browser) get(target string, fields ...string) page {
	b.t.Helper()
	return b.do(http.MethodGet, target, nil, fields...)
}

var tokenField = regexp.MustCompile(`name="?token"? value="([^"]*)"`)

// form is what the login page would send.
func (b *browser) form(user, password string) url.Values {
	b.t.Helper()
	p := b.get("/.mountd/login")
	m := tokenField.FindStringSubmatch(p.body)
	if p.StatusCode != http.StatusOK || m == nil {
		b.t.Fatalf("the login page: %d %s", p.StatusCode, p.body)
	}
	return url.Values{"username": {user}, "password": {password}, "token": {m[1]}, "to": {"/private/x"}}
}

func (b *browser) login(user, password string, fields ...string) page {
	b.t.Helper()
	return b.do(http.MethodPost, "/.mountd/login", b.form(user, password), fields...)
}

// mustLogin logs in, and says which cookie holds the session.
func (b *browser) mustLogin(user, password string) (name, value string) {
	b.t.Helper()
	p := b.login(user, password)
	if p.StatusCode != http.StatusSeeOther || p.Header.Get("Location") != "/private/x" {
		b.t.Fatalf("the login: %d to %q %s", p.StatusCode, p.Header.Get("Location"), p.body)
	}
	return b.session()
}

func (b *browser) session() (name, value string) {
	for name, value := range b.cookies {
		if strings.HasSuffix(name, "mountd_session") {
			return name, value
		}
	}
	return "", ""
}

// user gives whom the application is told of, and how the request was answered.
func (b *browser) user(fields ...string) (name string, status int) {
	b.t.Helper()
	p := b.get("/private/x", fields...)
	return strings.TrimPrefix(p.body, "Hello "), p.StatusCode
}

// formTable has a login page before one mount, and another mount beside it.
func formTable(session, o string) string {
	return `
middleware:
  visit: {session: ` + session + `}
  login: {auth.form: {users: ./htpasswd}}
mounts:
  /private: {proxy: ` + o + `, rebase: off, use: [default, visit, login]}
  /app: {proxy: ` + o + `, rebase: off}
`
}

// passwords are joe's and ann's.
func passwords(t testing.TB) string {
	return "joe:" + hashed(t, "pw", bcrypt.MinCost) + "\nann:" + hashed(t, "other", bcrypt.MinCost) + "\n"
}

// redisServer starts one on a unix socket.
func redisServer(t *testing.T) (url string) {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed")
	}
	dir, err := os.MkdirTemp("", "redis") // the path of a socket is bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(program, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, 20*time.Second, "redis", func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	return "unix://" + socket
}
