package configs_test

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/cli"
)

// need gives the path of a program that a test cannot do without.
func need(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name+" is not installed (Debian: "+debian+")")
	}
	return path
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// child starts a program that ends with the test, and collects what it prints.
func child(t *testing.T, cmd *exec.Cmd) *lines {
	t.Helper()
	said := &lines{}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.WaitDelay = 5 * time.Second
	in, err := cmd.StdinPipe() // some end with it
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(cmd.Path), said.String())
		}
	})
	return said
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// started gives the address that a program prints once it listens.
func started(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	said := child(t, cmd)
	eventually(t, func() bool { return address.MatchString(said.String()) })
	return address.FindString(said.String())
}

// redis gives the URL of a server of the test's own.
func redis(t *testing.T) string {
	t.Helper()
	program := need(t, "redis-server", "redis-server")
	dir, err := os.MkdirTemp("", "redis") // short: the path of a socket is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	child(t, exec.Command(program, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no"))
	eventually(t, func() bool {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return false
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		answer := make([]byte, 5)
		_, _ = io.WriteString(conn, "PING\r\n")
		_, err = io.ReadFull(conn, answer)
		return err == nil && string(answer) == "+PONG"
	})
	return "unix://" + socket
}

// people writes a users file with mountd hash-password; everybody's password is
// "right".
func people(t *testing.T, names ...string) string {
	t.Helper()
	var file bytes.Buffer
	for _, name := range names {
		p := cli.New()
		p.Stdin, p.Stdout, p.Stderr = strings.NewReader("right\n"), &file, t.Output()
		if status := p.Run(t.Context(), []string{"hash-password", "--cost", "10", "--user", name}); status != 0 {
			t.Fatal(status)
		}
	}
	path := filepath.Join(t.TempDir(), "htpasswd")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// told is an application that says what it is told of the user.
func told(t *testing.T) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "user=%q groups=%q name=%q email=%q authorization=%q key=%q cookie=%q", r.Header.Get("Remote-User"), r.Header.Get("Remote-Groups"),
			r.Header.Get("Remote-Name"), r.Header.Get("Remote-Email"), r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"), r.Header.Get("Cookie"))
	})
}

// listen serves a site on a port.
func listen(t *testing.T, site http.Handler) string {
	t.Helper()
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	return server.URL
}

// visitor is somebody with a browser, without its pictures.
type visitor struct {
	t      *testing.T
	client *http.Client
}

func newVisitor(t *testing.T) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{t, &http.Client{Jar: jar, Transport: transport, Timeout: time.Minute}}
}

// view is what a visitor sees, after all redirects.
type view struct {
	*http.Response
	text string
}

func (v *visitor) get(address string) view { v.t.Helper(); return v.do("GET", address, nil) }

func (v *visitor) do(method, address string, form url.Values) view {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	resp, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return view{resp, string(text)}
}

var (
	formAction = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	formField  = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)
)

// submit sends the form of a page with some fields filled in.
func (v *visitor) submit(page view, fields ...string) view {
	v.t.Helper()
	action := formAction.FindStringSubmatch(page.text)
	if action == nil {
		v.t.Fatalf("no form: %s %s\n%s", page.Status, page.Request.URL, page.text)
	}
	to, err := page.Request.URL.Parse(html.UnescapeString(action[1]))
	if err != nil {
		v.t.Fatal(err)
	}
	form := url.Values{}
	for _, f := range formField.FindAllStringSubmatch(page.text, -1) {
		form.Set(f[1], html.UnescapeString(f[2]))
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return v.do("POST", to.String(), form)
}

// is checks where a visitor is, and what is to be seen there.
func (p view) is(t *testing.T, status int, path string, texts ...string) {
	t.Helper()
	if p.StatusCode != status || p.Request.URL.Path != path {
		t.Fatalf("%s at %s, want %d at %s\n%s", p.Status, p.Request.URL, status, path, p.text)
	}
	for _, text := range texts {
		if !strings.Contains(p.text, text) {
			t.Errorf("%s: %q is not in\n%s", p.Request.URL, text, p.text)
		}
	}
}
