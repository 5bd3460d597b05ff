package rebase_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/rebase"
)

// fields hold every form of value that the package reads.
var fields = []string{
	"Location", "Link", "Refresh", "Set-Cookie", "Hx-Location", "X-Up-Expire-Cache", "Reporting-Endpoints",
	"Report-To", "Content-Security-Policy", "Clear-Site-Data",
}

// FuzzAnswer holds the rule: whatever the app writes, mapping twice is mapping
// once, for every field and prefix.
func FuzzAnswer(f *testing.F) {
	for _, v := range []string{
		"/x", "/app", "//x", `\\x`, "http://front:8080/x", "http://127.0.0.1:9001", "//127.0.0.1:9001/app", "/../%2e%2e/..", "/a/..//app/x",
		"a=1; Path=/; Domain=x", "__Host-a=1; Path=/v1;", "; Path=/", "</x>; anchor=\"/y\"; imagesrcset=\"/a 1x,/b\"",
		"7; url='/x'", `{"path":"/x"}`, `{"endpoints":[{"url":"/x"}]},{}`, "report-uri /x; script-src front:8080/x",
		`a="/x";b, c="\""`, "/%", "/v1/x", " /x", `"*", "cookies"`,
	} {
		for i := range fields {
			f.Add(v, uint8(i), "/app")
		}
		f.Add(v, uint8(0), "/a%20~b/c")
	}
	f.Fuzz(func(t *testing.T, value string, field uint8, prefix string) {
		name := fields[int(field)%len(fields)]
		failed := false
		m, err := rebase.New(rebase.Config{
			Prefix:    at(prefix),
			Upstreams: []string{"http://127.0.0.1:9001/v1"},
			Cookies:   []rebase.CookieMode{rebase.CookiesPath, rebase.CookiesNamespace}[int(field)/len(fields)%2],
			ErrorFunc: func(http.ResponseWriter, *http.Request, error) { failed = true },
		})
		if err != nil {
			t.Fatal(err)
		}
		once := answer(m, "/app", name, value)
		if failed {
			return
		}
		twice := answer(m, "/app", name, once...)
		if !slices.Equal(once, twice) {
			t.Errorf("%s below %q: %q became %q, then %q", name, prefix, value, once, twice)
		}
	})
}

// FuzzLocation compares the rule with how clients read URLs.
func FuzzLocation(f *testing.F) {
	for _, v := range []string{"/x", "/../x", "/a/%2e%2e/b", "//front:8080/x", "http://other/x", "x", "/app/../x", `/\x`, "/./", "/a/.."} {
		f.Add(v)
	}
	base, _ := url.Parse("http://front:8080/app/here")
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsAny(value, "\\\t\r\n\x00") || strings.Contains(value, "///") || strings.TrimSpace(value) != value {
			return // url.Parse reads these differently from browsers
		}
		before, err := url.Parse(value)
		if err != nil {
			return
		}
		got, err := url.Parse(answer(mounted(t), "/", "Location", value)[0])
		if err != nil {
			t.Fatalf("%q became no URL: %v", value, err)
		}
		was, is := base.ResolveReference(before), base.ResolveReference(got)
		if was.Host == "front:8080" && was.Scheme == "http" && strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "/app") &&
			!strings.Contains(value, "%") && is.Path != "/app" && !strings.HasPrefix(is.Path, "/app/") {
			t.Errorf("%q leaves the mount as %q", value, is)
		}
		if was.Host != "front:8080" && !strings.HasSuffix(was.Host, ":9001") && is.Host != was.Host {
			t.Errorf("%q changed its host: %q", value, is)
		}
	})
}

// FuzzCookie holds that the app gets back the cookies it has set, and that
// their names travel as tokens.
func FuzzCookie(f *testing.F) {
	f.Add("sid", "1", "/app", false)
	f.Add("__Host-sid", "a~|b", "/a|~b/%2F", true)
	f.Add("__Secure-sid", "", "/é", true)
	f.Fuzz(func(t *testing.T, name, value, prefix string, namespace bool) {
		cookie := http.Cookie{Name: name, Value: value, Path: "/", Secure: true}
		if cookie.Valid() != nil || strings.Contains(name, "~|") {
			return
		}
		cfg := rebase.Config{Prefix: at(prefix), ErrorFunc: func(http.ResponseWriter, *http.Request, error) {}}
		if namespace {
			cfg.Cookies = rebase.CookiesNamespace
		}
		m := build(t, cfg)
		set := answer(m, "/", "Set-Cookie", cookie.String())
		if len(set) == 0 {
			return
		}
		travelling, err := http.ParseSetCookie(set[0])
		if err != nil {
			t.Fatalf("%q: %v", set[0], err)
		}
		var got []*http.Cookie
		app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Cookies() })
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: travelling.Name, Value: value})
		m.Wrap(app).ServeHTTP(httptest.NewRecorder(), r)
		if len(got) != 1 || got[0].Name != name || got[0].Value != value {
			t.Errorf("set %s, travelled as %s, came back as %v", cookie.String(), set[0], got)
		}
	})
}
