package configs_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mountd/mountd"
	"github.com/mountd/mountd/internal/cli"
)

// load reads a table, with its environment variables set.
func load(t *testing.T, file string, env ...string) http.Handler {
	t.Helper()
	for i := 0; i < len(env); i += 2 {
		t.Setenv(env[i], env[i+1])
	}
	site, err := mountd.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := site.Close(); err != nil {
			t.Error(err)
		}
	})
	return site
}

// app is a server that tells its name and what it was asked for.
func app(t *testing.T, name string) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
		case "/missing":
			http.NotFound(w, r)
		case "/broken":
			http.Error(w, "app is broken", http.StatusInternalServerError)
		case "/login":
			http.SetCookie(w, &http.Cookie{Name: "id", Value: "1", Path: "/"})
			http.Redirect(w, r, "/home", http.StatusSeeOther)
		case "/slow":
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
		default:
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprintf(w, "%s %s %s tenant=%s for=%s prefix=%s", name, r.Method, r.URL.RequestURI(),
				r.Header.Get("X-Tenant"), r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Prefix"))
		}
	})
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// exchange is a request and what its answer must hold.
type exchange struct {
	request string // "GET /path", from "192.0.2.1" unless client says otherwise
	host    string
	client  string
	header  string // "Name: value; Name: value"
	body    string
	status  int
	holds   []string // in "Name: value" lines of the header, or the body
	lacks   []string
}

func (e exchange) send(t *testing.T, h http.Handler) {
	t.Helper()
	method, target, _ := strings.Cut(e.request, " ")
	r := httptest.NewRequest(method, target, strings.NewReader(e.body))
	r.RemoteAddr = "192.0.2.1:1234"
	if e.client != "" {
		r.RemoteAddr = e.client + ":1234"
	}
	if e.host != "" {
		r.Host = e.host
	}
	for field := range strings.SplitSeq(e.header, "; ") {
		if name, value, ok := strings.Cut(field, ": "); ok {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var answer bytes.Buffer
	_ = w.Result().Header.Write(&answer)
	answer.Write(w.Body.Bytes())
	if w.Code != e.status {
		t.Errorf("%s: %d, want %d\n%s", e.request, w.Code, e.status, answer.String())
	}
	for _, s := range e.holds {
		if !strings.Contains(answer.String(), s) {
			t.Errorf("%s: %q is not in\n%s", e.request, s, answer.String())
		}
	}
	for _, s := range e.lacks {
		if strings.Contains(answer.String(), s) {
			t.Errorf("%s: %q is in\n%s", e.request, s, answer.String())
		}
	}
}

func send(t *testing.T, h http.Handler, all ...exchange) {
	t.Helper()
	for _, e := range all {
		e.send(t, h)
	}
}

func TestEveryTableIsFine(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) < 21 {
		t.Fatal(files, err)
	}
	more, _ := filepath.Glob("conf.d/*.yaml")
	for _, file := range append(files, more...) {
		t.Run(file, func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			up := strings.Repeat("../", strings.Count(file, "/")+1)
			if want := "# yaml-language-server: $schema=" + up + "docs/mountd.schema.json\n"; !strings.HasPrefix(string(source), want) {
				t.Errorf("the first line is not %q", want)
			}
			if !strings.Contains(file, "/") {
				certificate(t)
				load(t, file)
			}
		})
	}
}

func TestWhatInitWritesIsFineWithAllItSuggests(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mountd.yaml")
	p := cli.New()
	p.Stdout = io.Discard
	if status := p.Run(t.Context(), []string{"init", file}); status != 0 {
		t.Fatal(status)
	}
	load(t, file)
	table, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	suggested := regexp.MustCompile(`(?m)^  # (( *)[^ ]*[:/].*)$`).ReplaceAllString(string(table), "  $1")
	suggested = regexp.MustCompile(`(?m)^  [A-Z].*$`).ReplaceAllString(suggested, "")
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "files"), 0o755), os.MkdirAll(filepath.Join(dir, "blog/static"), 0o755), os.WriteFile(file, []byte(suggested), 0o644)); err != nil {
		t.Fatal(err)
	}
	send(t, load(t, file),
		exchange{request: "GET /", status: 200},
		exchange{request: "GET /files/", status: 200},
		exchange{request: "GET /api/", status: 502},
		exchange{request: "GET /", host: "blog.example.com", status: 502},
		exchange{request: "GET /old/x", status: 307, holds: []string{"Location: /new/x"}},
	)
}

func TestREADMEShowsWhatExplainSays(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	table, rest, _ := strings.Cut(rest, "```")
	_, rest, _ = strings.Cut(rest, "$ mountd explain --client 203.0.113.7 'http://localhost:8080/admin/users?page=2'\n")
	want, _, found := strings.Cut(rest, "           …\n")
	if !found {
		t.Fatal("no table and no explanation in the README")
	}
	t.Chdir(t.TempDir())
	if err := errors.Join(os.Mkdir("public", 0o755), os.Mkdir("docs", 0o755), os.WriteFile("mountd.yaml", []byte(table), 0o644)); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	p := cli.New()
	p.Stdout, p.Stderr = &got, &got
	p.Run(t.Context(), []string{"explain", "--client", "203.0.113.7", "http://localhost:8080/admin/users?page=2"})
	if !strings.HasPrefix(got.String(), want) {
		t.Errorf("explain says\n%s\nthe README\n%s", got.String(), want)
	}
}

// notYet are keys that the grammar knows and this version refuses.
var notYet = regexp.MustCompile("^(tls.acme.*|http.http3|proxy_protocol|user|admin)$")

func TestMountdYAMLNamesEveryKey(t *testing.T) {
	source, err := os.ReadFile("mountd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var reference bytes.Buffer
	p := cli.New()
	p.Stdout = &reference
	if status := p.Run(t.Context(), []string{"schema", "--markdown"}); status != 0 {
		t.Fatal(status)
	}
	section := ""
	for line := range strings.Lines(reference.String()) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "### "); ok {
			section = strings.Trim(name, "`")
			if !regexp.MustCompile(regexp.QuoteMeta(section) + ":").Match(source) {
				t.Errorf("%s is missing", section)
			}
		}
		key := regexp.MustCompile("^\\| `([^`]+)` \\|").FindStringSubmatch(line)
		if key == nil || section == "" && notYet.MatchString(key[1]) {
			continue
		}
		last := key[1][strings.LastIndexByte(key[1], '.')+1:]
		if !regexp.MustCompile(`\b` + last + `(\[\])?:`).Match(source) {
			t.Errorf("%s %s is missing", section, key[1])
		}
	}
}

func TestDemo(t *testing.T) {
	h := load(t, "demo.yaml", "DEMO_SOCKET", filepath.Join(t.TempDir(), "none.sock"))
	send(t, h,
		exchange{request: "GET /", status: 200, holds: []string{"mountd is running", "X-Request-Id: ", "X-Frame-Options: SAMEORIGIN"}},
		exchange{request: "GET /files", status: 307, holds: []string{"Location: /files/"}},
		exchange{request: "GET /files/", header: "Accept: text/html", status: 200, holds: []string{"notes.txt"}},
		exchange{request: "GET /guestbook/", status: 502},
		exchange{request: "GET /down/", header: "Accept: application/json", status: 502, holds: []string{"application/problem+json"}},
		exchange{request: "GET /nothing-here", header: "Accept: text/html", status: 404, holds: []string{"<h1>"}},
		exchange{request: "GET /api/mounts.json", status: 200, holds: []string{`"/files"`}},
		exchange{request: "GET /api/else", status: 200, holds: []string{"no such thing"}},
		exchange{request: "GET /hello", header: "Accept-Language: de-DE,de", status: 200, holds: []string{"Guten Tag"}},
		exchange{request: "GET /hello", status: 200, holds: []string{"Hello"}},
		exchange{request: "GET /people/ada", status: 307, holds: []string{"Location: /guestbook/?who=ada"}},
		exchange{request: "GET /old/notes.txt", status: 307, holds: []string{"Location: /files/notes.txt"}},
		exchange{request: "GET /favicon.ico", status: 307, holds: []string{"Location: /mark.svg"}},
		exchange{request: "GET /about", host: "blog.localhost:8080", status: 200, holds: []string{"A host is a mount"}},
		exchange{request: "GET /limited", status: 200},
		exchange{request: "GET /limited", status: 200},
		exchange{request: "GET /limited", status: 200},
		exchange{request: "GET /limited", status: 429, holds: []string{"Retry-After: "}},
	)
}

func TestEveryLinkOfTheDemoLeadsSomewhere(t *testing.T) {
	h := load(t, "demo.yaml", "DEMO_SOCKET", filepath.Join(t.TempDir(), "none.sock"))
	page, err := os.ReadFile("demo/home/index.html")
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`href="([^":]+)"><strong>(\d*)`).FindAllStringSubmatch(string(page), -1)
	if len(links) < 8 {
		t.Fatal(links)
	}
	for _, link := range links {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/"+link[1], nil))
		wanted := link[2] == strconv.Itoa(w.Code) || link[2] == "" && w.Code < 400
		if !wanted && link[1] != "guestbook/" && link[1] != "limited" { // not running, not yet
			t.Errorf("%s: %d", link[1], w.Code)
		}
	}
}

func TestStatic(t *testing.T) {
	h := load(t, "static.yaml")
	send(t, h,
		exchange{request: "GET /any/view", header: "Accept: text/html; Sec-Fetch-Mode: navigate", status: 200, holds: []string{"<h1>A site</h1>"}},
		exchange{request: "GET /assets/missing.js", status: 404},
		exchange{
			request: "GET /assets/app-3f9a1c.js", header: "Accept-Encoding: gzip", status: 200,
			holds: []string{"Content-Encoding: gzip", "immutable", "Vary: Accept-Encoding"},
		},
		exchange{request: "GET /assets/app-3f9a1c.js", status: 200, holds: []string{"location.pathname", "immutable"}, lacks: []string{"Content-Encoding"}},
		exchange{request: "GET /", status: 200, holds: []string{"Etag: "}, lacks: []string{"immutable"}},
	)
}

func TestApps(t *testing.T) {
	h := load(t, "apps.yaml", "WIKI", app(t, "wiki"), "PHOTOS", app(t, "photos"), "GRAPHS", app(t, "graphs"), "MUSIC", app(t, "music"), "CLOUD", app(t, "cloud"))
	send(t, h,
		exchange{request: "GET /", status: 200, holds: []string{"A site"}},
		exchange{request: "GET /wiki?x=1", status: 307, holds: []string{"Location: /wiki/?x=1"}},
		exchange{request: "GET /wiki/page?x=1", status: 200, holds: []string{"wiki GET /page?x=1", "prefix=/wiki"}},
		exchange{request: "GET /wiki/login", status: 303, holds: []string{"Location: /wiki/home", "Path=/wiki"}},
		exchange{request: "GET /photos/a", status: 200, holds: []string{"photos GET /a"}},
		exchange{request: "GET /graphs/d/1", status: 200, holds: []string{"graphs GET /graphs/d/1"}},
		exchange{request: "GET /music/a", status: 200, holds: []string{"music GET /a"}},
		exchange{request: "PUT /cloud/f", body: "data", status: 200, holds: []string{"cloud PUT /f"}},
	)
}

func TestUpstreams(t *testing.T) {
	var down atomic.Bool
	flaky := func(name string) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			if down.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			fmt.Fprint(w, name)
		})
	}
	h := load(t, "upstreams.yaml", "ONE", flaky("one"), "TWO", flaky("two"), "SPARE", app(t, "spare"), "HEALTH_INTERVAL", "20ms")
	get := func(path, cookie string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	count := map[string]int{}
	for range 40 {
		count[get("/", "").Body.String()]++
	}
	if count["one"] != 30 || count["two"] != 10 {
		t.Errorf("by weight: %v", count)
	}
	first := get("/sticky/", "")
	cookie, _, _ := strings.Cut(first.Header().Get("Set-Cookie"), ";")
	for range 5 {
		if again := get("/sticky/", cookie); again.Body.String() != first.Body.String() {
			t.Errorf("%s after %s with %q", again.Body, first.Body, cookie)
		}
	}
	down.Store(true)
	eventually(t, func() bool { return strings.HasPrefix(get("/", "").Body.String(), "spare") })
	down.Store(false)
	eventually(t, func() bool { return get("/", "").Body.String() == "one" })
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal("it never came true")
}

func TestTenants(t *testing.T) {
	h := load(t, "tenants.yaml", "WIKI", app(t, "wiki"), "API", app(t, "api"))
	send(t, h,
		exchange{request: "GET /", host: "acme.localhost:8080", status: 200, holds: []string{"<h1>Acme"}},
		exchange{request: "GET /", host: "GLOBEX.localhost.", status: 200, holds: []string{"<h1>Globex"}},
		exchange{request: "GET /", host: "nobody.localhost", status: 404},
		exchange{request: "GET /api/x", host: "acme.localhost", header: "X-Tenant: forged", status: 200, holds: []string{"api GET /x tenant=acme"}},
		exchange{request: "GET /", host: "wiki.localhost", status: 200, holds: []string{"wiki GET /"}},
		exchange{request: "GET /about", host: "www.localhost", status: 200, holds: []string{"About us"}},
		exchange{request: "GET /t/acme", host: "localhost", status: 307, holds: []string{"Location: http://acme.localhost:8080/"}},
		exchange{request: "GET /", host: "127.0.0.1", status: 200, holds: []string{"Which tenant?"}},
	)
}

func TestAPI(t *testing.T) {
	h := load(t, "api.yaml", "API", app(t, "api"), "API_TIMEOUT", "100ms")
	send(t, h,
		exchange{
			request: "OPTIONS /v1/things", header: "Origin: https://app.example.com; Access-Control-Request-Method: PUT; Access-Control-Request-Headers: content-type",
			status: 204, holds: []string{"Access-Control-Allow-Origin: https://app.example.com", "Access-Control-Max-Age: 600"},
		},
		exchange{request: "GET /v1/things", header: "Origin: https://x.preview.example.com", status: 200, holds: []string{"Access-Control-Allow-Origin: https://x.preview.example.com", "api GET /things"}},
		exchange{request: "GET /v1/things", header: "Origin: https://evil.example", status: 200, lacks: []string{"Access-Control-Allow-Origin"}},
		exchange{request: "POST /v1/things", body: strings.Repeat("x", 1<<20+1), status: 413, holds: []string{"application/problem+json"}},
		exchange{request: "GET /v1/slow", header: "Origin: https://app.example.com", status: 504, holds: []string{"application/problem+json", "Access-Control-Allow-Origin"}},
	)
	for i := range 6 {
		status := 200
		if i == 5 {
			status = 429
		}
		exchange{request: "POST /v1/sessions", client: "192.0.2.9", status: status}.send(t, h)
	}
	last := 0
	for range 60 {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/v1/x", nil)
		r.RemoteAddr = "192.0.2.10:1"
		h.ServeHTTP(w, r)
		last = max(last, w.Code)
	}
	if last != 429 {
		t.Errorf("60 requests at once: %d", last)
	}
}

func TestMoved(t *testing.T) {
	h := load(t, "moved.yaml", "APP", app(t, "app"))
	send(t, h,
		exchange{request: "GET /old/page?x=1", status: 307, holds: []string{"Location: /new/page?x=1"}},
		exchange{request: "GET /forever/a", status: 308, holds: []string{"Location: /new/a"}},
		exchange{request: "GET /contact.php?a=b", status: 307, holds: []string{"Location: /new/contact"}},
		exchange{request: "GET /contact.php/more", status: 404},
		exchange{request: "GET /a?b", host: "www.localhost", status: 307, holds: []string{"Location: http://localhost:8080/a?b"}},
		exchange{request: "GET /new/articles/17-on-mounting?x", status: 200, holds: []string{"app GET /posts/17?x"}},
		exchange{request: "GET /new/about.php", status: 301, holds: []string{"Location: /new/about"}},
		exchange{request: "GET /new/plain", status: 200, holds: []string{"app GET /plain"}},
	)
}

func TestErrors(t *testing.T) {
	h := load(t, "errors.yaml", "APP", app(t, "app"))
	send(t, h,
		exchange{request: "GET /nothing<b>", header: "Accept: text/html", status: 404, holds: []string{"Nothing is here", "/nothing%3Cb%3E"}, lacks: []string{"<b>"}},
		exchange{request: "GET /nothing", header: "Accept: application/json", status: 404, holds: []string{"application/problem+json"}},
		exchange{request: "GET /app/missing", header: "Accept: text/html", status: 404, holds: []string{"404 page not found"}},
		exchange{request: "GET /legacy/missing", header: "Accept: text/html", status: 404, holds: []string{"Nothing is here"}},
		exchange{request: "GET /legacy/broken", header: "Accept: text/html", status: 500, holds: []string{"We have a problem"}, lacks: []string{"app is broken"}},
	)
	down := load(t, "errors.yaml", "APP", "http://127.0.0.1:9")
	send(t, down, exchange{request: "GET /app/", header: "Accept: text/html", status: 502, holds: []string{"We have a problem", "please name"}})
}

func TestBehindProxy(t *testing.T) {
	h := load(t, "behind-proxy.yaml", "APP", app(t, "app"))
	forwarded := "X-Forwarded-For: 203.0.113.7; X-Request-Id: given"
	send(t, h,
		exchange{request: "GET /", client: "127.0.0.1", header: forwarded, status: 200, holds: []string{"for=203.0.113.7, 127.0.0.1", "X-Request-Id: given"}},
		exchange{request: "GET /", client: "192.0.2.1", header: forwarded, status: 200, holds: []string{"for=192.0.2.1"}, lacks: []string{"203.0.113.7"}},
	)
}

func TestInclude(t *testing.T) {
	h := load(t, "include.yaml", "SHOP", app(t, "shop"))
	send(t, h,
		exchange{request: "GET /", status: 200, holds: []string{"The front page"}},
		exchange{request: "GET /blog/assets/", status: 200, holds: []string{"app-3f9a1c.js"}},
		exchange{request: "GET /shop/cart", status: 200, holds: []string{"shop GET /cart"}},
		exchange{request: "POST /shop/cart", body: strings.Repeat("x", 64<<10+1), status: 413},
	)
}

func TestAdminArea(t *testing.T) {
	h := load(t, "admin-area.yaml", "APP", app(t, "app"))
	send(t, h,
		exchange{request: "GET /", client: "203.0.113.7", status: 200},
		exchange{request: "GET /admin", client: "203.0.113.7", status: 403},
		exchange{request: "GET /admin/users", client: "203.0.113.7", status: 403},
		exchange{request: "GET /x/../%61dmin/users", client: "203.0.113.7", status: 403},
		exchange{request: "GET //admin;x/users", client: "203.0.113.7", status: 403},
		exchange{request: "GET /admin/users", client: "192.0.2.44", status: 200, holds: []string{"app GET /admin/users"}},
		exchange{request: "GET /administrators", client: "203.0.113.7", status: 200},
		exchange{request: "POST /form", header: "Sec-Fetch-Site: cross-site; Origin: https://evil.example", status: 403},
		exchange{request: "POST /hooks/build", header: "Sec-Fetch-Site: cross-site; Origin: https://evil.example", status: 200},
	)
}

func TestCanary(t *testing.T) {
	h := load(t, "canary.yaml", "STABLE", app(t, "stable"), "CANARY", serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/new" && r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "canary")
	}))
	send(t, h,
		exchange{request: "GET /", status: 200, holds: []string{"stable GET /"}},
		exchange{request: "GET /", header: "X-Canary: yes", status: 200, holds: []string{"canary"}},
		exchange{request: "GET /", client: "10.1.2.3", status: 200, holds: []string{"canary"}},
		exchange{request: "POST /", client: "10.1.2.3", status: 200, holds: []string{"stable POST /"}},
		exchange{request: "GET /moving/new", status: 200, holds: []string{"canary"}},
		exchange{request: "POST /moving/old", body: "kept", status: 200, holds: []string{"stable POST /old"}},
	)
}

// certificate makes the files that tls-files.yaml asks for.
func certificate(t *testing.T) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	t.Setenv("TLS_CERT", write("cert.pem", "CERTIFICATE", der))
	t.Setenv("TLS_KEY", write("key.pem", "PRIVATE KEY", keyDER))
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return pool
}

// lines collects what the program prints.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) addresses() []string {
	var all []string
	for _, m := range regexp.MustCompile(`serving .* on (https?://\S+)`).FindAllStringSubmatch(l.String(), -1) {
		all = append(all, m[1])
	}
	return all
}

// run serves a table until the test ends, and gives its two addresses.
func run(t *testing.T, file string) (secure, plain string) {
	t.Helper()
	t.Setenv("HTTPS", "127.0.0.1:0")
	t.Setenv("HTTP", "127.0.0.1:0")
	ctx, stop := context.WithCancel(t.Context())
	out, done := &lines{}, make(chan int, 1)
	p := cli.New()
	p.Stdout, p.Stderr = out, out
	go func() { done <- p.Run(ctx, []string{"run", "-c", file}) }()
	t.Cleanup(func() {
		stop()
		if status := <-done; status != 0 {
			t.Errorf("exit status %d\n%s", status, out.String())
		}
	})
	eventually(t, func() bool { return len(out.addresses()) == 2 })
	for _, address := range out.addresses() {
		if strings.HasPrefix(address, "https:") {
			secure = address
		} else {
			plain = address
		}
	}
	if secure == "" || plain == "" {
		t.Fatal(out.addresses())
	}
	return secure, plain
}

func TestTLS(t *testing.T) {
	for _, file := range []string{"tls.yaml", "tls-files.yaml"} {
		t.Run(file, func(t *testing.T) {
			pool := certificate(t)
			secure, plain := run(t, file)
			config := &tls.Config{RootCAs: pool, ServerName: "localhost"}
			if file == "tls.yaml" {
				config.InsecureSkipVerify = true // nobody knows the certificate
			}
			transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			answer, err := client.Get(secure + "/")
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode != 200 || answer.ProtoMajor != 2 || !strings.Contains(string(body), "A site") || answer.Header.Get("Strict-Transport-Security") == "" {
				t.Errorf("%s %d %v\n%s", answer.Proto, answer.StatusCode, answer.Header, body)
			}
			answer, err = client.Get(plain + "/x?y")
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if location := answer.Header.Get("Location"); answer.StatusCode != 308 && answer.StatusCode != 301 && answer.StatusCode != 307 || !strings.HasPrefix(location, "https://127.0.0.1") || !strings.HasSuffix(location, "/x?y") {
				t.Errorf("%d to %q", answer.StatusCode, location)
			}
		})
	}
}
