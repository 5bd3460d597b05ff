package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// F22: a page of another site logs nobody in and nobody out.
func TestOtherSitesCannotLogInOrOut(t *testing.T) {
	o := listen(t, hello)
	d := start(t, formTable("{}", o.url()), "htpasswd", passwords(t))
	b := newBrowser(t, d)
	b.mustLogin("joe", "pw")
	if p := b.get("/.mountd/login"); p.StatusCode != http.StatusSeeOther { // logged in already: the page leads on
		t.Fatal(p.StatusCode)
	}
	for _, fields := range [][]string{
		{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"},
		{"Origin: https://evil.example", "Sec-Fetch-Site:"},
		{"Origin: http://" + d.addr + ".evil.example", "Sec-Fetch-Site:"},
		{"Origin: null", "Sec-Fetch-Site:"},
		{"Origin: null", "Sec-Fetch-Site: cross-site"},
		{"Origin:", "Sec-Fetch-Site: cross-site"},
		{"Sec-Fetch-Site: same-site"},
	} {
		for _, page := range []string{"/.mountd/logout", "/.mountd/login"} {
			fresh := newBrowser(t, d)
			values := fresh.form("ann", "other")
			if page == "/.mountd/logout" {
				fresh.cookies, values = b.cookies, nil
			}
			if p := fresh.do(http.MethodPost, page, values, fields...); p.StatusCode != http.StatusForbidden || p.Header.Get("Location") != "" {
				t.Errorf("%s %v: %d", page, fields, p.StatusCode)
			}
			if _, value := fresh.session(); page == "/.mountd/login" && value != "" {
				t.Errorf("%v: somebody is logged in", fields)
			}
		}
	}
	if who, status := b.user(); who != "joe" {
		t.Fatalf("joe was logged out: %d", status)
	}
	// A link is no logout, and a form without our token is no login.
	for _, method := range []string{"GET", "HEAD"} {
		if p := b.do(method, "/.mountd/logout", nil); p.StatusCode != 200 {
			t.Errorf("%s: %d", method, p.StatusCode)
		}
	}
	if who, _ := b.user(); who != "joe" {
		t.Error("a link has logged joe out")
	}
	fresh := newBrowser(t, d)
	values := fresh.form("ann", "other")
	for name, change := range map[string]func(url.Values, *browser){
		"no token":     func(v url.Values, _ *browser) { v.Del("token") },
		"another's":    func(v url.Values, _ *browser) { v.Set("token", newBrowser(t, d).form("", "").Get("token")) },
		"no cookie":    func(_ url.Values, b *browser) { b.cookies = map[string]string{} },
		"twice a user": func(v url.Values, _ *browser) { v.Add("username", "joe") },
	} {
		b := newBrowser(t, d)
		for name, value := range fresh.cookies {
			b.cookies[name] = value
		}
		v := url.Values{}
		for name := range values {
			v[name] = append([]string(nil), values[name]...)
		}
		change(v, b)
		if p := b.do(http.MethodPost, "/.mountd/login", v); p.StatusCode != 403 && p.StatusCode != 400 {
			t.Errorf("%s: %d", name, p.StatusCode)
		}
	}
	for _, to := range []string{"//evil.example", `/\evil.example`, "https://evil.example", "/\t/evil.example", "/.mountd/logout"} {
		b := newBrowser(t, d)
		v := b.form("joe", "pw")
		v.Set("to", to)
		if p := b.do(http.MethodPost, "/.mountd/login", v); p.StatusCode != http.StatusSeeOther || p.Header.Get("Location") != "/" {
			t.Errorf("%q: %d to %q", to, p.StatusCode, p.Header.Get("Location"))
		}
	}
	if p := b.get("/.mountd/login?to=//evil.example"); strings.Contains(p.Header.Get("Location"), "evil") {
		t.Errorf("the page leads to %q", p.Header.Get("Location"))
	}
}

// F23: guesses at one account count together, however it is written and
// wherever they say that they come from; its user gets in from where he has been.
func TestGuessesAreCountedTogether(t *testing.T) {
	o := listen(t, hello)
	d := start(t, formTable("{}", o.url()), "htpasswd", passwords(t))
	b := newBrowser(t, d)
	statuses := map[int]int{}
	for i := range 12 {
		name := []string{"joe", "JOE", " joe ", "Joe"}[i%4]
		p := b.login(name, fmt.Sprint("guess", i), fmt.Sprintf("X-Forwarded-For: 203.0.113.%d", i), fmt.Sprintf("X-Real-Ip: 203.0.113.%d", i), fmt.Sprintf("Forwarded: for=203.0.113.%d", i))
		statuses[p.StatusCode]++
		if p.StatusCode == http.StatusTooManyRequests && p.Header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	if statuses[401] < 5 || statuses[401] > 6 || statuses[401]+statuses[429] != 12 {
		t.Errorf("answered %v", statuses)
	}
	if p := b.login("joe", "pw"); p.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the right password, too soon: %d", p.StatusCode)
	}
}

// F10: a user who is removed, or whose password changes, is logged out.
func TestAUserWhoIsRemovedIsLoggedOut(t *testing.T) {
	o := listen(t, hello)
	d := start(t, formTable("{}", o.url()), "htpasswd", passwords(t))
	joe, ann := newBrowser(t, d), newBrowser(t, d)
	joe.mustLogin("joe", "pw")
	ann.mustLogin("ann", "other")
	d.writeFile("htpasswd", "ann:"+hashed(t, "changed", bcrypt.MinCost)+"\n")
	for name, b := range map[string]*browser{"joe": joe, "ann": ann} {
		eventually(t, 10*time.Second, name+" is logged out", func() bool {
			p := b.get("/private/x")
			return p.StatusCode == http.StatusFound && strings.HasPrefix(p.Header.Get("Location"), "/.mountd/login")
		})
	}
	ann.mustLogin("ann", "changed")
}

// A login page's own refusals stay what they are where error answers are
// replaced, and errors elsewhere on it are the site's pages.
func TestErrorPagesLeaveTheLoginAlone(t *testing.T) {
	o := listen(t, func(c *originConn, _ *received) error {
		return c.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\ntheir")
	})
	for _, intercept := range []string{"all", "[401, 403, 429]"} {
		d := start(t, "use: [{errors: {intercept: "+intercept+", pages: {4xx: sorry.html}}}]"+formTable("{}", o.url()),
			"htpasswd", passwords(t), "sorry.html", "<!doctype html>SORRY")
		b := newBrowser(t, d)
		if p := b.login("joe", "wrong"); p.StatusCode != 401 || !strings.Contains(p.body, "is not right") || !strings.Contains(p.body, `name="password"`) && !strings.Contains(p.body, "name=password") {
			t.Errorf("%s: a wrong password: %d %s", intercept, p.StatusCode, p.body)
		}
		form := b.form("joe", "pw")
		form.Set("token", "old")
		if p := b.do(http.MethodPost, "/.mountd/login", form); p.StatusCode != 403 || !strings.Contains(p.body, "open for too long") {
			t.Errorf("%s: an old page: %d %s", intercept, p.StatusCode, p.body)
		}
		if p := b.do(http.MethodPost, "/.mountd/login", b.form("joe", "pw"), "Origin: https://evil.example"); p.StatusCode != 403 || !strings.Contains(p.body, "SORRY") {
			t.Errorf("%s: another site: %d %s", intercept, p.StatusCode, p.body)
		}
		if p := b.get("/app/x"); p.StatusCode != 401 || !strings.Contains(p.body, "SORRY") {
			t.Errorf("%s: the application's own: %d %s", intercept, p.StatusCode, p.body)
		}
		d.stop()
	}
}
