package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/justinas/alice"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/cli"
	"github.com/mountd/mountd/session"
)

// E01: whoever plants a session gets nothing by its user's login.
func TestALoginGetsASessionOfItsOwn(t *testing.T) {
	o := listen(t, hello)
	d := start(t, formTable("{}", o.url()), "htpasswd", passwords(t))
	attacker := newBrowser(t, d)
	name, planted := attacker.mustLogin("ann", "other")
	for _, value := range []string{planted, session.NewToken(), "attacker"} {
		victim := newBrowser(t, d)
		victim.cookies[name] = value
		if who, _ := victim.user(); value != planted && who == "ann" {
			t.Errorf("%q is taken for a session", value)
		}
		// The victim is sent to log in, whoever is logged in by then.
		victim.cookies = map[string]string{}
		form := victim.form("joe", "pw")
		victim.cookies[name] = value
		if p := victim.do(http.MethodPost, "/.mountd/login", form); p.StatusCode != http.StatusSeeOther {
			t.Fatalf("%q: the login: %d %s", value, p.StatusCode, p.body)
		}
		_, own := victim.session()
		if own == value || own == "" {
			t.Errorf("%q is the session after the login", own)
		}
		if who, status := victim.user(); who != "joe" || status != 200 {
			t.Errorf("after the login: %d %q", status, who)
		}
		attacker.cookies[name] = value
		if who, _ := attacker.user(); who == "joe" {
			t.Errorf("%q is joe's session now", value)
		}
	}
}

// E02: a copy of a cookie is worth nothing after the logout.
func TestALogoutEndsTheSession(t *testing.T) {
	stores := map[string]func(t *testing.T) string{
		"memory": func(*testing.T) string { return "{}" },
		"cookie": func(*testing.T) string { return "{store: cookie, keys: [0123456789abcdef0123456789abcdef]}" },
		"sqlite": func(t *testing.T) string { return "{store: 'sqlite:" + filepath.Join(t.TempDir(), "s.db") + "'}" },
		"redis":  func(t *testing.T) string { return "{store: '" + redisServer(t) + "'}" },
	}
	for kind, options := range stores {
		t.Run(kind, func(t *testing.T) {
			o := listen(t, hello)
			d := start(t, formTable(options(t), o.url()), "htpasswd", passwords(t))
			b := newBrowser(t, d)
			name, value := b.mustLogin("joe", "pw")
			if who, status := b.user(); who != "joe" {
				t.Fatalf("%d %q", status, who)
			}
			if p := b.do(http.MethodPost, "/.mountd/logout", nil); p.StatusCode != http.StatusSeeOther {
				t.Fatalf("the logout: %d %s", p.StatusCode, p.body)
			}
			if _, left := b.session(); left != "" {
				t.Errorf("the browser keeps %q", left)
			}
			o.reset()
			b.cookies[name] = value
			if who, status := b.user(); status == 200 {
				t.Errorf("the old cookie is %q's", who)
			}
			if n := o.count(); n != 0 {
				t.Errorf("the application got %d requests", n)
			}
		})
	}
}

// E07: an application beside the login can set a cookie of the session's name;
// it neither logs in nor out, and is the application's own.
func TestCookiesOfOthers(t *testing.T) {
	o := listen(t, func(c *originConn, r *received) error {
		set := ""
		if r.target == "/set" {
			set = "Set-Cookie: mountd_session=their-own; Path=/\r\n"
		}
		body := "Hello " + r.get("Remote-User")
		return c.send(fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", set, len(body), body))
	})
	d := start(t, formTable("{}", o.url()), "htpasswd", passwords(t))
	b := newBrowser(t, d)
	_, joe := b.mustLogin("joe", "pw")
	other := newBrowser(t, d)
	_, ann := other.mustLogin("ann", "other")
	bare := newBrowser(t, d)
	for _, c := range []struct {
		cookies, who, passed string
	}{
		{"mountd_session=" + joe, "joe", ""},
		{"mountd_session=their-own; mountd_session=" + joe, "joe", "mountd_session=their-own"},
		{"mountd_session=" + joe + "; mountd_session=their-own; a=b", "joe", "mountd_session=their-own; a=b"},
		{"mountd_session=" + ann + "; mountd_session=" + joe, "", ""}, // nobody can tell which was planted
		{"mountd_session=" + joe + "; mountd_session=" + ann, "", ""},
		{"mountd_session=their-own", "", ""},
	} {
		o.reset()
		who, status := bare.user("Cookie: " + c.cookies)
		if (status == 200) != (c.who != "") || status == 200 && who != c.who {
			t.Errorf("%s: %d %q", c.cookies, status, who)
		}
		if c.who == "" {
			continue
		}
		if got := o.last(t).get("Cookie"); got != c.passed {
			t.Errorf("%s: the application gets %q", c.cookies, got)
		}
	}
	if p := b.get("/app/set"); p.StatusCode != 200 {
		t.Fatal(p.StatusCode)
	}
}

// E08, E14: cookies that are none, and very many of them.
func TestHostileCookies(t *testing.T) {
	o := listen(t, hello)
	d := start(t, formTable("{}", o.url()), "htpasswd", passwords(t))
	_, joe := newBrowser(t, d).mustLogin("joe", "pw")
	own := "mountd_session=" + joe
	for _, c := range []struct {
		cookies string
		known   bool
	}{
		{"=" + own, false}, {"mountd_session", false}, {";;;", false}, {"; ;" + own, true}, {own + ";", true}, {"a; =b; " + own, true},
		{own + "; " + own, false}, {"$Version=1; " + own, true}, {"\u2000" + own, false}, {"\u00a0" + own, false}, {"x" + own, false},
		{"Mountd_session=" + joe, false}, {"mountd_session =" + joe, false}, {`mountd_session="` + joe + `"`, false}, {"mountd_session= " + joe, false},
		{own + "=", false}, {"mountd_session=" + joe[1:], false}, {"mountd_session=" + strings.Repeat("x", 5000), false}, {"__Host-mountd_session=" + joe, false},
	} {
		a := get(t, d, "/private/x", "Cookie: "+c.cookies)
		if want := map[bool]int{true: 200, false: 401}[c.known]; a.status != want {
			t.Errorf("%.60q: %d, not %d", c.cookies, a.status, want)
		}
	}
	if a := get(t, d, "/private/x", "Cookie: mountd_session=\x00; "+own); a.status != 400 {
		t.Errorf("a NUL: %d", a.status)
	}
	begin := time.Now()
	if a := get(t, d, "/private/x", "Cookie: "+strings.Repeat("a=; ", 12000)+own); a.status != 200 {
		t.Errorf("many cookies: %d", a.status)
	}
	if a := get(t, d, "/private/x", "Cookie: "+strings.Repeat("a=b;", 250_000)); a.status != 431 {
		t.Errorf("a megabyte of cookies: %d", a.status)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("that took %v", took)
	}
}

// E10, E11: how the cookie looks, and where it goes.
func TestTheCookieOfASession(t *testing.T) {
	for _, c := range []struct{ settings, name, more string }{
		{"", "mountd_session", ""},
		{"tls: {self_signed: true}\n", "__Host-mountd_session", "; Secure"},
	} {
		o := listen(t, hello)
		d := start(t, c.settings+formTable("{}", o.url()), "htpasswd", passwords(t))
		b := newBrowser(t, d)
		p := b.login("joe", "pw")
		var line string
		for _, l := range p.Header["Set-Cookie"] {
			if strings.Contains(l, "mountd_session") {
				line = l
			}
		}
		_, value := b.session()
		if want := c.name + "=" + value + "; Path=/; HttpOnly" + c.more + "; SameSite=Lax"; line != want {
			t.Errorf("%q, not %q", line, want)
		}
		if cc := p.Header.Get("Cache-Control"); cc != "no-store" || !strings.Contains(strings.Join(p.Header["Vary"], ","), "Cookie") {
			t.Errorf("Cache-Control %q, Vary %q", cc, p.Header["Vary"])
		}
		b.cookies["theirs"] = "kept"
		for _, path := range []string{"/private/x", "/app/x"} {
			if p := b.get(path); p.StatusCode != 200 {
				t.Errorf("%s: %d", path, p.StatusCode)
			}
			if got := o.last(t).values("Cookie"); len(got) != 1 || got[0] != "theirs=kept" {
				t.Errorf("%s: the application gets %q", path, got)
			}
		}
		d.stop()
	}
}

// putting is a layer that puts into the session what the query says.
func putting() compose.Registry {
	f := compose.Define("puts into the session", struct{}{}, func(struct{}) (compose.Instance, error) {
		return compose.Instance{Wrap: alice.Constructor(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if n := len(r.URL.RawQuery); n > 0 {
					s := session.FromRequest(r)
					var noise strings.Builder
					for noise.Len() < n*100 {
						noise.WriteString(session.NewToken())
					}
					s.Put("noise", noise.String())
				}
				next.ServeHTTP(w, r)
			})
		})}, nil
	}).WithRules(compose.Rules{Needs: []string{"session"}})
	return compose.Registry{"putting": f}
}

// E13: a session that does not fit into its cookie is an error that is told,
// not a session that is lost.
func TestASessionTooLargeForItsCookie(t *testing.T) {
	o := listen(t, hello)
	d := prepare(t, "mounts:\n  /app: {proxy: "+o.url()+", use: [default, {session: {store: cookie, keys: [0123456789abcdef0123456789abcdef]}}, putting]}\n")
	d.middlewares = putting()
	d.run()
	if a := get(t, d, "/app/?x"); a.status != 200 || !strings.Contains(a.get("Set-Cookie"), "mountd_session=") {
		t.Errorf("a small one: %d %q", a.status, a.get("Set-Cookie"))
	}
	if a := get(t, d, "/app/?"+strings.Repeat("x", 50)); a.status != 500 && a.err == nil || a.get("Set-Cookie") != "" {
		t.Errorf("a large one: %d %q", a.status, a.get("Set-Cookie"))
	}
	eventually(t, 5*time.Second, "a line in the log", func() bool { return strings.Contains(d.stderr.String(), "session not saved") })
}

// E19: no cache keeps an answer that sets the cookie, whatever its kind and
// whatever the application says.
func TestAnswersWithCookiesAreNotCached(t *testing.T) {
	o := listen(t, func(c *originConn, r *received) error {
		status := map[string]string{"/304": "304 Not Modified", "/204": "204 No Content", "/200": "200 OK"}[strings.SplitN(r.target, "?", 2)[0]]
		body, length := "hi", "Content-Length: 2\r\n"
		if status[0] != '2' || status[2] == '4' {
			body, length = "", ""
		}
		if r.method == http.MethodHead {
			body = ""
		}
		return c.send("HTTP/1.1 " + status + "\r\nCache-Control: public, max-age=3600\r\nEtag: \"x\"\r\n" + length + "\r\n" + body)
	})
	d := prepare(t, "mounts:\n  /app: {proxy: "+o.url()+", rebase: off, use: [default, session, putting]}\n")
	d.middlewares = putting()
	d.run()
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		for _, path := range []string{"/200", "/204", "/304"} {
			a := ask(t, d.addr, method+" /app"+path+"?x HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"x\"\r\n\r\n")
			if a.get("Set-Cookie") == "" || a.get("Cache-Control") != "no-store" || !strings.Contains(strings.Join(a.values("Vary"), ","), "Cookie") {
				t.Errorf("%s %s: %d %v", method, path, a.status, a.header)
			}
			a = ask(t, d.addr, method+" /app"+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
			if a.get("Set-Cookie") != "" || a.get("Cache-Control") != "public, max-age=3600" {
				t.Errorf("%s %s without a session: %d %v", method, path, a.status, a.header)
			}
		}
	}
}

// command runs a command line about the table of a daemon.
func (d *daemon) command(args ...string) (status int, stdout, stderr string) {
	d.t.Helper()
	var out, err bytes.Buffer
	p := cli.New()
	p.Stdin, p.Stdout, p.Stderr = strings.NewReader(""), &out, &err
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	status = p.Run(ctx, append(args, "-c", d.file))
	return status, out.String(), err.String()
}

// An operator sees who is logged in, and ends it at once, over reloads too.
func TestAnOperatorEndsSessions(t *testing.T) {
	o := listen(t, hello)
	table := formTable("{}", o.url())
	d := start(t, table, "htpasswd", passwords(t))
	joe, again, ann := newBrowser(t, d), newBrowser(t, d), newBrowser(t, d)
	joe.mustLogin("joe", "pw")
	again.mustLogin("joe", "pw")
	ann.mustLogin("ann", "other")
	type list struct {
		Sessions []struct{ ID, User, Store string }
		Total    int
	}
	sessions := func(args ...string) (l list) {
		t.Helper()
		status, out, err := d.command(append([]string{"sessions", "list", "--json"}, args...)...)
		if status != 0 || json.Unmarshal([]byte(out), &l) != nil {
			t.Fatalf("%d %s %s", status, out, err)
		}
		for _, s := range l.Sessions {
			for _, b := range []*browser{joe, again, ann} {
				if _, secret := b.session(); s.ID == secret || strings.Contains(out, secret) && secret != "" {
					t.Error("a cookie is told")
				}
			}
		}
		return l
	}
	if l := sessions(); l.Total != 3 || l.Sessions[0].User != "ann" || l.Sessions[2].User != "joe" || l.Sessions[0].Store != "memory" {
		t.Fatalf("%+v", l)
	}
	if l := sessions("joe"); l.Total != 2 {
		t.Errorf("joe's: %+v", l)
	}
	d.rewrite(strings.Replace(table, "/app:", "/moved:", 1)) // the sessions stay
	if status, out, err := d.command("sessions", "end", "--id", sessions("ann").Sessions[0].ID); status != 0 || out != "mountd: ended 1 session\n" {
		t.Errorf("%d %q %q", status, out, err)
	}
	if who, status := ann.user(); status == 200 {
		t.Errorf("%q is still logged in", who)
	}
	if who, _ := joe.user(); who != "joe" {
		t.Errorf("joe is %q", who)
	}
	if status, out, _ := d.command("sessions", "end", "joe"); status != 0 || out != "mountd: ended 2 sessions\n" {
		t.Errorf("%d %q", status, out)
	}
	for _, b := range []*browser{joe, again} {
		if who, status := b.user(); status == 200 {
			t.Errorf("%q is still logged in", who)
		}
	}
	joe.mustLogin("joe", "pw")
	if status, out, _ := d.command("sessions", "end", "--all"); status != 0 || out != "mountd: ended 1 session\n" {
		t.Errorf("%d %q", status, out)
	}
	if l := sessions(); l.Total != 0 {
		t.Errorf("%+v", l)
	}
	if status, out, err := d.command("sessions", "list"); status != 0 || out != "no sessions\n" {
		t.Errorf("%d %q %q", status, out, err)
	}
}
