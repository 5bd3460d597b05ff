package cli_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// browser keeps cookies, as far as tests need it.
type browser struct {
	site    http.Handler
	cookies map[string]string
}

func (b *browser) do(method, target string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+target, strings.NewReader(form.Encode()))
	r.RequestURI = target
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", "http://localhost")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.site.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return w
}

var hidden = regexp.MustCompile(`name="?([a-z_]+)"? value="([^"]*)"`)

// A login page is reached from its mount, whether the login and its session are
// the mount's or global, and lets into all mounts that name them.
func TestALoginThroughTheTable(t *testing.T) {
	login := strings.Replace(joeUser(t), "auth.basic", "auth.form", 1)
	for name, use := range map[string]string{
		"of the mounts": "use: [errors]\nmounts:\n  /app: {proxy: \"${BACKEND}\", rebase: off, use: [default, visit, login]}\n  /two: {proxy: \"${BACKEND}\", rebase: off, use: [default, visit, login]}\n",
		"global":        "use: [errors, visit, login]\nmounts:\n  /app: {proxy: \"${BACKEND}\", rebase: off}\n  /two: {proxy: \"${BACKEND}\", rebase: off}\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := &browser{load(t, table(t, "middleware: {visit: {session: {}}, login: "+login+"}\n"+use+"  /open: {proxy: \"${BACKEND}\", rebase: off, use: [errors]}\n")), map[string]string{}}
			w := b.do("GET", "/app/x?y=1", nil)
			to := w.Header().Get("Location")
			if w.Code != http.StatusFound || !strings.HasPrefix(to, "/.mountd/login") {
				t.Fatalf("%d to %q", w.Code, to)
			}
			w = b.do("GET", to, nil)
			if w.Code != 200 {
				t.Fatalf("the page: %d %s", w.Code, w.Body)
			}
			form := url.Values{}
			for _, m := range hidden.FindAllStringSubmatch(w.Body.String(), -1) {
				form.Set(m[1], m[2])
			}
			for _, field := range regexp.MustCompile(`name="?([a-z_]+)"?`).FindAllStringSubmatch(w.Body.String(), -1) {
				switch field[1] {
				case "user", "username":
					form.Set(field[1], "joe")
				case "password":
					form.Set(field[1], "pw")
				}
			}
			w = b.do("POST", strings.SplitN(to, "?", 2)[0], form)
			if w.Code != http.StatusSeeOther && w.Code != http.StatusFound {
				t.Fatalf("the login: %d %s %v", w.Code, w.Body, form)
			}
			for _, target := range []string{"/app/x", "/two/x"} {
				if w = b.do("GET", target, nil); w.Code != 200 || !strings.Contains(w.Body.String(), `"Remote-User":["joe"]`) || strings.Contains(w.Body.String(), "mountd_session") {
					t.Errorf("%s: %d %s", target, w.Code, w.Body)
				}
			}
			if w = b.do("GET", "/open/x", nil); w.Code != 200 || strings.Contains(w.Body.String(), "mountd_session") || strings.Contains(w.Body.String(), "Remote-User") {
				t.Errorf("/open: %d %s", w.Code, w.Body)
			}
			if w = b.do("GET", "/.mountd/nosuch", nil); name == "of the mounts" && w.Code != 404 {
				t.Errorf("no page: %d", w.Code)
			}
		})
	}
}
