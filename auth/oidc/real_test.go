package oidc_test

import (
	"bufio"
	"html"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/auth/oidc"
)

// realProvider starts the provider in testdata, for a site at an address.
func realProvider(t *testing.T, site string) (address string) {
	t.Helper()
	dir := filepath.Join("testdata", "provider")
	missing := func(what string) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("node is not installed")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "oidc-provider")); err != nil {
		missing("oidc-provider is not installed (npm install --no-package-lock --prefix auth/oidc/testdata/provider)")
	}
	cmd := exec.Command(node, "provider.mjs", site)
	var said strings.Builder
	cmd.Dir, cmd.Stderr = dir, &said
	cmd.Env = append(os.Environ(), "NODE_NO_WARNINGS=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if line := lines.Text(); strings.HasPrefix(line, "http://") {
			return line
		}
	}
	t.Fatal("the provider did not start")
	return ""
}

var (
	formAction = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	formField  = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)
)

// submit sends the form of a page with some fields filled in.
func (b *browser) submit(page result, fields ...string) result {
	b.t.Helper()
	action := formAction.FindStringSubmatch(page.text)
	if action == nil {
		b.t.Fatalf("no form: %d %s %s", page.StatusCode, page.Request.URL, page.text)
	}
	to, err := page.Request.URL.Parse(html.UnescapeString(action[1]))
	if err != nil {
		b.t.Fatal(err)
	}
	form := url.Values{}
	for _, f := range formField.FindAllStringSubmatch(page.text, -1) {
		form.Set(f[1], html.UnescapeString(f[2]))
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.do("POST", to.String(), form, "Origin", "http://"+to.Host)
}

func TestARealProvider(t *testing.T) {
	site := httptest.NewUnstartedServer(nil)
	at := "http://" + site.Listener.Addr().String()
	issuer := realProvider(t, at)
	g := buildGate(t, issuer, func(cfg *oidc.Config) {
		cfg.AfterLogout, cfg.KeepIDToken = "/bye", true
		cfg.Scopes = []string{"openid", "profile", "email", "groups"}
	})
	site.Config.Handler = g.handler
	site.Start()
	t.Cleanup(site.Close)
	g.Server = site

	b := newBrowser(t)
	page := b.submit(b.get(at+"/app?x=1"), "login", "joe", "password", "any")
	page = b.submit(page) // consent
	page.expect(t, 200, `joe ["staff"] joe Doe joe@example.com`)
	if got := page.Request.URL.String(); got != at+"/app?x=1" {
		t.Errorf("the login came back to %s", got)
	}

	// Refresh tokens are rotated; one used twice would end the login.
	for range 3 {
		g.age(t, 2*time.Minute)
		b.get(at+"/app").expect(t, 200, `joe ["staff"]`)
	}

	// A second browser, where the provider logs the user out: it tells us.
	other := newBrowser(t)
	page = other.submit(other.submit(other.get(at+"/app"), "login", "bob", "password", "any"))
	page.expect(t, 200, "bob")
	page = other.submit(other.get(issuer+"/session/end"), "logout", "yes")
	other.before = "/.mountd"
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		res := other.get(at + "/app")
		if res.StatusCode == 302 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the back-channel logout had no effect: %d %s; the provider said %s", res.StatusCode, res.text, page.text)
		}
	}
	b.get(at+"/app").expect(t, 200, "joe")

	// Our own logout goes on to the provider, and comes back.
	b.submit(b.submit(b.get(at+"/.mountd/logout")), "logout", "yes")
	b.before = "/.mountd"
	b.get(at+"/app").expect(t, 302, "")
	b.before = ""
	if page = b.get(at + "/app"); !strings.Contains(page.text, `name="password"`) {
		t.Errorf("the provider did not ask who it is: %d %s", page.StatusCode, page.text)
	}
}
