package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// What decides by a path decides by the one that the application gets, and by
// every other way to read it.
func TestConditionsSeeEveryReading(t *testing.T) {
	o := listen(t, nil)
	const guard = "ip: {allow: [203.0.113.1]}"
	d := start(t, fmt.Sprintf(`
mounts:
  /when: {proxy: %[1]s, use: [errors, {%[2]s, when: {path: [/admin, /admin/**]}}]}
  /except: {proxy: %[1]s, use: [errors, {%[2]s, except: {path: [/public/**]}}]}
  /method: {proxy: %[1]s, use: [errors, {%[2]s, except: {method: [GET, HEAD]}}]}
  /only: {proxy: %[1]s, use: [errors, {%[2]s, when: {method: [GET, POST]}}]}
  /host: {proxy: %[1]s, use: [errors, {%[2]s, except: {host: [good.example]}}]}
  /rewritten: {proxy: %[1]s, use: [errors, {rewrite: {path: {from: '^/api(.*)$', to: '/$1'}}}, {%[2]s, when: {path: [/admin, /admin/**]}}]}
`, o.url(), guard))
	refused := []int{400, 403}
	open := []int{200}
	for _, row := range []struct {
		name, raw string
		want      []int
	}{
		{"open", "GET /when/x", open},
		{"the path", "GET /when/admin/x", refused},
		{"A10 an encoded letter", "GET /when/%61dmin/x", refused},
		{"A01 dot segments", "GET /when/x/../admin/x", refused},
		{"A02 encoded dot segments", "GET /when/x/%2e%2e/admin/x", refused},
		{"A13 a doubled slash", "GET /when//admin/x", refused},
		{"A13 a doubled slash below", "GET /when/admin//x", refused},
		{"A13 an encoded slash", "GET /when/admin%2fx", refused},
		{"A04 an encoded backslash", "GET /when/admin%5cx", refused},
		{"A14 a parameter", "GET /when/admin;a=b/x", refused},
		{"A14 an encoded semicolon", "GET /when/admin%3ba/x", refused},
		{"A19 encoded twice", "GET /when/%2561dmin/x", refused},
		{"A11 case-sensitive", "GET /when/ADMIN/x", open},
		{"A28 a public path", "GET /except/public/x", open},
		{"A28 the public path in the query", "GET /except/admin?x=/public/", refused},
		{"A28 the public path in the fragment", "GET /except/admin#/public/x", refused},
		{"A28 the public path further down", "GET /except/admin/public/x", refused},
		{"A28 out of the public path", "GET /except/public/../admin", refused},
		{"A28 out of it, encoded", "GET /except/public/%2e%2e/admin", refused},
		{"A28 out of it, by a parameter", "GET /except/public/..;/admin", refused},
		{"A28 out of it, by an encoded slash", "GET /except/public%2f..%2fadmin", refused},
		{"A28 a parameter of the public path", "GET /except/public;x/y", append(refused, 200)},
		{"A28 a longer name", "GET /except/publicx/y", refused},
		{"A28 an encoded slash behind it", "GET /except/public%2fx", refused},
		{"A25 an open method", "GET /method/x", open},
		{"A25 another method", "POST /method/x", refused},
		{"A25 an unknown method", "JEFF /method/x", refused},
		{"A25 lower case", "get /method/x", refused},
		{"A25 a listed method", "POST /only/x", refused},
		{"A25 HEAD is served as GET", "HEAD /only/x", refused},
		{"A25 a method that nobody thought of", "PROPFIND /only/x", refused},
		{"A34 another host", "GET /host/x", refused},
		{"A07 a rewritten path", "GET /rewritten/api/admin/x", refused},
		{"A07 dots by a rewrite", "GET /rewritten/api../admin/x", refused},
		{"A07 dots by a rewrite, encoded", "GET /rewritten/api%2e%2e/admin/x", refused},
		{"A07 not rewritten", "GET /rewritten/admin/x", refused},
		{"A07 open", "GET /rewritten/api/x", open},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := o.count()
			a := ask(t, d.addr, row.raw+" HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: good.example\r\n\r\n")
			if !slices.Contains(row.want, a.status) {
				t.Errorf("%d, want one of %v", a.status, row.want)
			}
			if (o.count() > before) != (a.status == 200) {
				t.Errorf("%d, and the application got %d requests", a.status, o.count()-before)
			}
		})
	}
	for _, host := range []string{"good.example", "GOOD.example", "good.example.", "good.example:80"} {
		if a := ask(t, d.addr, "GET /host/x HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); a.status != 200 {
			t.Errorf("A34 %s: %d", host, a.status)
		}
	}
}

// J16: a log that cannot be written holds nobody up.
func TestFullDisks(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	d := start(t, "use: [{access_log: {to: /dev/full}}, errors]\nmounts: {/x: respond:x}\n")
	for range 50 {
		if a := get(t, d, "/x"); a.body != "x" {
			t.Fatalf("%d %q", a.status, a.body)
		}
	}
	if n := strings.Count(d.stderr.String(), "no space"); n > 5 {
		t.Errorf("the log tells %d times", n)
	}
}

// J17: a reader of the log that has stopped holds nobody up.
func TestLogsThatNobodyReads(t *testing.T) {
	name, err := build()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := &process{daemon: prepare(t, "mounts: {/x: respond:x}\n")}
	p.cmd = exec.Command(name, "run", "-c", p.file)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	defer func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() }()
	eventually(t, 10*time.Second, "listening mountd", func() bool {
		if m := served.FindStringSubmatch(p.stdout.String()); m != nil {
			p.addr = m[1]
		}
		return p.addr != ""
	})
	c := dial(t, p.addr)
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	for i := range 3000 {
		begun := time.Now()
		c.send("GET /x/" + strings.Repeat("a", 1000) + " HTTP/1.1\r\nHost: a\r\n\r\n")
		if a := c.read("GET"); a.status != 200 {
			t.Fatalf("request %d: %d %v", i, a.status, a.err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Fatalf("request %d took %v", i, took)
		}
	}
}
