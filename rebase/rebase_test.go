package rebase_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/rebase"
)

const (
	public   = "front:8080"
	upstream = "127.0.0.1:9001"
)

func at(prefix string) func(*http.Request) string {
	return func(*http.Request) string { return prefix }
}

func build(t testing.TB, cfg rebase.Config) *rebase.Middleware {
	t.Helper()
	m, err := rebase.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mounted(t testing.TB) *rebase.Middleware {
	return build(t, rebase.Config{Prefix: at("/app"), Upstreams: []string{upstream}})
}

// answer serves one request with an app that answers with one field, and
// gives that field as the client gets it.
func answer(m *rebase.Middleware, target, name string, values ...string) []string {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, v := range values {
			w.Header().Add(name, v)
		}
		w.WriteHeader(http.StatusOK)
	})
	r := httptest.NewRequest("GET", target, nil)
	r.Host = public
	w := httptest.NewRecorder()
	m.Wrap(app).ServeHTTP(w, r)
	return w.Header().Values(name)
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct{ fact, name, app, client string }{
		{"a path from the root", "Location", "/login", "/app/login"},
		{"the root", "Location", "/", "/app/"},
		{"query and fragment stay", "Location", "/a?next=/b#/c", "/app/a?next=/b#/c"},
		{"under the prefix already", "Location", "/app/login", "/app/login"},
		{"the prefix itself", "Location", "/app", "/app"},
		{"the prefix and a query", "Location", "/app?x", "/app?x"},
		{"the prefix and a fragment", "Location", "/app#x", "/app#x"},
		{"another name that begins alike", "Location", "/apple", "/app/apple"},
		{"the prefix escaped", "Location", "/%61pp/x", "/%61pp/x"},
		{"an escaped slash is no separator", "Location", "/app%2Fx", "/app/app%2Fx"},
		{"relative", "Location", "next?x=1", "next?x=1"},
		{"relative to the parent", "Location", "../x", "../x"},
		{"query only", "Location", "?x", "?x"},
		{"empty", "Location", "", ""},
		{"the public host", "Location", "http://front:8080/x", "http://front:8080/app/x"},
		{"the public host in capitals", "Location", "HTTP://FRONT:8080/x", "HTTP://FRONT:8080/app/x"},
		{"the public host without a path", "Location", "http://front:8080", "http://front:8080/app/"},
		{"the public host and a query", "Location", "http://front:8080?q", "http://front:8080/app/?q"},
		{"the public host under the prefix", "Location", "http://front:8080/app/x", "http://front:8080/app/x"},
		{"the public host at another port", "Location", "http://front:9/x", "http://front:9/x"},
		{"the upstream", "Location", "http://127.0.0.1:9001/x", "http://front:8080/app/x"},
		{"the upstream by another name of loopback", "Location", "http://localhost:9001/x", "http://front:8080/app/x"},
		{"the upstream, which knows its prefix", "Location", "http://127.0.0.1:9001/app/x", "http://front:8080/app/x"},
		{"the upstream at another port", "Location", "http://127.0.0.1:9002/x", "http://127.0.0.1:9002/x"},
		{"the upstream without scheme", "Location", "//127.0.0.1:9001/x", "//front:8080/app/x"},
		{"the upstream's WebSocket", "Location", "wss://127.0.0.1:9001/x", "ws://front:8080/app/x"},
		{"the upstream with https, which the public side has not", "Location", "https://127.0.0.1:9001/x", "http://front:8080/app/x"},
		{"another host", "Location", "https://other/", "https://other/"},
		{"another host without scheme", "Location", "//other/x", "//other/x"},
		{"another host as browsers read it", "Location", `/\other/x`, `/\other/x`},
		{"a host that ends like ours", "Location", "http://evil-front:8080/x", "http://evil-front:8080/x"},
		{"a user before our host", "Location", "http://a@front:8080/x", "http://a@front:8080/x"},
		{"our host as a user", "Location", "http://front:8080@evil/x", "http://front:8080@evil/x"},
		{"mailto", "Location", "mailto:a@b", "mailto:a@b"},
		{"javascript", "Location", "javascript:x()", "javascript:x()"},
		{"data", "Location", "data:,/x", "data:,/x"},
		{"another scheme with our host", "Location", "ftp://front:8080/x", "ftp://front:8080/x"},
		{"dot segments cannot leave the mount", "Location", "/../x", "/app/x"},
		{"escaped dot segments neither", "Location", "/a/%2e%2E/../x?y=/../z", "/app/x?y=/../z"},
		{"dots at the end keep their slash", "Location", "/a/b/..", "/app/a/"},
		{"a backslash for a slash", "Location", `\x`, `/app\x`},
		{"doubled slashes below", "Location", "/a//b", "/app/a//b"},

		{"Content-Location", "Content-Location", "/x", "/app/x"},
		{"Service-Worker-Allowed", "Service-Worker-Allowed", "/", "/app/"},
		{"SourceMap", "SourceMap", "/x.map", "/app/x.map"},
		{"X-SourceMap", "X-SourceMap", "/x.map", "/app/x.map"},
		{"X-Pingback", "X-Pingback", "http://front:8080/rpc", "http://front:8080/app/rpc"},
		{"HX-Push-Url", "HX-Push-Url", "/x", "/app/x"},
		{"HX-Push-Url off", "HX-Push-Url", "false", "false"},
		{"HX-Redirect", "HX-Redirect", "/x", "/app/x"},
		{"HX-Replace-Url", "HX-Replace-Url", "/x", "/app/x"},
		{"HX-Location", "HX-Location", "/x", "/app/x"},
		{"HX-Location in JSON", "HX-Location", `{"path":"/x", "target":"#a", "values":{"path":"/y"}}`, `{"path":"/app/x", "target":"#a", "values":{"path":"/y"}}`},
		{"HX-Location in broken JSON", "HX-Location", `{"path":"/x"`, `{"path":"/x"`},
		{"Turbolinks-Location", "Turbolinks-Location", "/x", "/app/x"},
		{"X-Inertia-Location", "X-Inertia-Location", "/x", "/app/x"},
		{"X-Up-Location", "X-Up-Location", "/x", "/app/x"},
		{"X-Up-Expire-Cache", "X-Up-Expire-Cache", "/a/* /b *", "/app/a/* /app/b *"},
		{"X-Up-Evict-Cache off", "X-Up-Evict-Cache", "false", "false"},
		{"X-PJAX-URL", "X-PJAX-URL", "/x", "/app/x"},
		{"X-Nextjs-Redirect", "X-Nextjs-Redirect", "/x", "/app/x"},
		{"X-Nextjs-Rewrite", "X-Nextjs-Rewrite", "/x", "/app/x"},
		{"X-Nextjs-Matched-Path", "X-Nextjs-Matched-Path", "/x", "/app/x"},
		{"X-Action-Redirect", "X-Action-Redirect", "/x;push", "/app/x;push"},
		{"X-Middleware-Rewrite", "X-Middleware-Rewrite", "http://127.0.0.1:9001/x", "http://front:8080/app/x"},
		{"X-Remix-Redirect", "X-Remix-Redirect", "/x", "/app/x"},

		{"Refresh", "Refresh", "7; url=/x", "7; url=/app/x"},
		{"Refresh without a space", "Refresh", "7;URL=/x", "7;URL=/app/x"},
		{"Refresh with a comma", "Refresh", "0, url = /x", "0, url = /app/x"},
		{"Refresh with quotes", "Refresh", `0; url="/x"`, `0; url="/app/x"`},
		{"Refresh with single quotes, more behind", "Refresh", `0; url='/x' y`, `0; url='/app/x' y`},
		{"Refresh without url=", "Refresh", "0; /x", "0; /app/x"},
		{"Refresh of this page", "Refresh", "5", "5"},
		{"Refresh by the upstream's name", "Refresh", "7; url=http://127.0.0.1:9001/x", "7; url=http://front:8080/app/x"},

		{"Link", "Link", "</x>; rel=preload", "</app/x>; rel=preload"},
		{"Link, several", "Link", `</a>; rel="next", <https://other/b>, <c>, < /d>`, `</app/a>; rel="next", <https://other/b>, <c>, < /app/d>`},
		{"Link, brackets in a string", "Link", `</a>; title="</b>"`, `</app/a>; title="</b>"`},
		{"Link, quote in a string", "Link", `</a>; title="\"</b>"`, `</app/a>; title="\"</b>"`},
		{"Link, anchor", "Link", `</a>; anchor="/b"`, `</app/a>; anchor="/app/b"`},
		{"Link, imagesrcset", "Link", `</a>; imagesrcset="/a 1x, /b 2x,/c"`, `</app/a>; imagesrcset="/app/a 1x, /app/b 2x,/app/c"`},
		{"Link, cut off", "Link", "</a", "</a"},

		{"Reporting-Endpoints", "Reporting-Endpoints", `a="/r", b="https://o/r"`, `a="/app/r", b="https://o/r"`},
		{"Speculation-Rules", "Speculation-Rules", `"/r.json", "/s.json"`, `"/app/r.json", "/app/s.json"`},
		{"Report-To", "Report-To", `{"group":"url","endpoints":[{"url":"/r"},{"url":"https://o/"}]}, {"endpoints":[{"url":"/s"}]}`, `{"group":"url","endpoints":[{"url":"/app/r"},{"url":"https://o/"}]}, {"endpoints":[{"url":"/app/s"}]}`},

		{"CSP report-uri", "Content-Security-Policy", "default-src 'self'; report-uri /r /s;img-src *", "default-src 'self'; report-uri /app/r /app/s;img-src *"},
		{"CSP, two policies", "Content-Security-Policy", "report-uri /r, report-uri /s", "report-uri /app/r, report-uri /app/s"},
		{"CSP of reports only", "Content-Security-Policy-Report-Only", "report-uri /r; report-to r", "report-uri /app/r; report-to r"},
		{"CSP, a source with a path", "Content-Security-Policy", "script-src http://front:8080/js/ https://o/js/", "script-src http://front:8080/app/js/ https://o/js/"},
		{"CSP, a source without scheme", "Content-Security-Policy", "script-src front:8080/js/ 'nonce-/x'", "script-src front:8080/app/js/ 'nonce-/x'"},
		{"CSP, the upstream", "Content-Security-Policy", "connect-src ws://127.0.0.1:9001 127.0.0.1:9001 data:", "connect-src ws://front:8080 front:8080 data:"},
		{"CSP, the public host", "Content-Security-Policy", "connect-src http://front:8080 front:8080", "connect-src http://front:8080 front:8080"},

		{"Clear-Site-Data, cache", "Clear-Site-Data", `"cache"`, `"cache"`},
		{"Clear-Site-Data, all", "Clear-Site-Data", `"*"`, `"cache"`},
		{"Clear-Site-Data, what reaches other mounts", "Clear-Site-Data", `"cache", "storage", "executionContexts"`, `"cache"`},

		{"cookie at the root", "Set-Cookie", "a=1; Path=/; HttpOnly", "a=1; Path=/app; HttpOnly"},
		{"cookie below the root", "Set-Cookie", "a=1; path=/x", "a=1; path=/app/x"},
		{"cookie under the prefix", "Set-Cookie", "a=1; Path=/app/", "a=1; Path=/app/"},
		{"cookie without a path", "Set-Cookie", "a=1", "a=1"},
		{"cookie with a path that is none", "Set-Cookie", "a=1; Path=x", "a=1; Path=x"},
		{"cookie with two paths", "Set-Cookie", "a=1; Path=/x; Path=/", "a=1; Path=/app/x; Path=/app"},
		{"cookie's value holds a path", "Set-Cookie", "a=path=/; Path=/", "a=path=/; Path=/app"},
		{"cookie of the upstream's domain", "Set-Cookie", "a=1; Domain=upstream.internal; Path=/", "a=1; Path=/app"},
		{"cookie of the public host", "Set-Cookie", "a=1; Domain=front", "a=1; Domain=front"},
		{"cookie without a name", "Set-Cookie", "a; Path=/", "a; Path=/app"},
		{"__Host- cookie", "Set-Cookie", "__Host-sid=1; Path=/; Secure", "__Secure-~|app~__Host-sid=1; Path=/app; Secure"},
		{"__Host- cookie, odd case", "Set-Cookie", "__hOST-sid=1; Path=/; Secure", "__Secure-~|app~__hOST-sid=1; Path=/app; Secure"},
		{"__Secure- cookie", "Set-Cookie", "__Secure-sid=1; Path=/; Secure", "__Secure-sid=1; Path=/app; Secure"},
		{"empty attributes", "Set-Cookie", "a=1;; ;Path=/;", "a=1;; ;Path=/app;"},

		{"a field that holds no URL", "X-Path", "/x", "/x"},
		{"Origin's counterpart", "Access-Control-Allow-Origin", "http://127.0.0.1:9001", "http://127.0.0.1:9001"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			m := mounted(t)
			got := answer(m, "/", tt.name, tt.app)
			if len(got) != 1 || got[0] != tt.client {
				t.Fatalf("%s: %q became %q, want %q", tt.name, tt.app, got, tt.client)
			}
			if again := answer(m, "/", tt.name, got...); !slices.Equal(again, got) {
				t.Errorf("%s: %q became %q the second time", tt.name, got, again)
			}
		})
	}
}

func TestDomainOfASite(t *testing.T) {
	m := mounted(t)
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Set-Cookie"] = []string{"a=1; Domain=.example.com", "b=1; Domain=ample.com", "c=1; Domain=other.example.com", "d=1; Domain="}
		w.WriteHeader(200)
	})
	r := httptest.NewRequest("GET", "http://www.example.com:81/", nil)
	w := httptest.NewRecorder()
	m.Wrap(app).ServeHTTP(w, r)
	want := []string{"a=1; Domain=.example.com", "b=1", "c=1", "d=1; Domain="}
	if got := w.Header()["Set-Cookie"]; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRequests(t *testing.T) {
	for _, tt := range []struct{ fact, name, client, app string }{
		{"Referer", "Referer", "http://front:8080/app/x?y", "http://front:8080/x?y"},
		{"Referer of the bare prefix", "Referer", "http://front:8080/app", "http://front:8080/"},
		{"Referer of another mount", "Referer", "http://front:8080/apple", "http://front:8080/apple"},
		{"Referer of another host", "Referer", "http://other/app/x", "http://other/app/x"},
		{"Destination", "Destination", "http://front:8080/app/x", "http://front:8080/x"},
		{"Destination as a path", "Destination", "/app/x", "/x"},
		{"no host out of two slashes", "Destination", "/app//x", "/x"},
		{"HX-Current-URL", "HX-Current-URL", "http://front:8080/app/x", "http://front:8080/x"},
		{"Turbo-Referrer", "Turbo-Referrer", "http://front:8080/app/x", "http://front:8080/x"},
		{"X-PJAX-URL", "X-PJAX-URL", "/app/x", "/x"},
		{"Next-Url", "Next-Url", "/app/x", "/x"},
		{"Ping-To", "Ping-To", "http://front:8080/app/x", "http://front:8080/x"},
		{"If", "If", `<http://front:8080/app/x> (<urn:uuid:/app/1> ["/app/x"]) (Not <DAV:no-lock>)`, `<http://front:8080/x> (<urn:uuid:/app/1> ["/app/x"]) (Not <DAV:no-lock>)`},
		{"Origin stays", "Origin", "http://front:8080", "http://front:8080"},
		{"own cookies", "Cookie", "a=1; b=2", "a=1; b=2"},
		{"a renamed cookie", "Cookie", "a=1; __Secure-~|app~__Host-sid=2", "a=1; __Host-sid=2"},
		{"another mount's renamed cookie", "Cookie", "__Secure-~|other~__Host-sid=2; a=1", "a=1"},
		{"a renamed cookie wins over another's", "Cookie", "__Host-sid=3; __Secure-~|app~__Host-sid=2", "__Host-sid=2"},
		{"no cookie left", "Cookie", "~|other~a=2", ""},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			var got string
			app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = strings.Join(r.Header.Values(tt.name), "|") })
			r := httptest.NewRequest("GET", "/", nil)
			r.Host = public
			r.Header.Set(tt.name, tt.client)
			mounted(t).Wrap(app).ServeHTTP(httptest.NewRecorder(), r)
			if got != tt.app {
				t.Errorf("the app saw %q, want %q", got, tt.app)
			}
			if r.Header.Get(tt.name) != tt.client {
				t.Errorf("outer layers see %q", r.Header.Get(tt.name))
			}
		})
	}
}

func TestNamespace(t *testing.T) {
	m := build(t, rebase.Config{Prefix: at("/a/~b"), Cookies: rebase.CookiesNamespace})
	for own, travels := range map[string]string{
		"sid":          "~|a|%7Eb~sid",
		"__Secure-sid": "__Secure-~|a|%7Eb~__Secure-sid",
		"__Host-sid":   "__Secure-~|a|%7Eb~__Host-sid",
		"__Http-sid":   "__Secure-~|a|%7Eb~__Http-sid",
	} {
		set := answer(m, "/", "Set-Cookie", own+"=1; Path=/; Secure")
		if want := travels + "=1; Path=/a/~b; Secure"; set[0] != want {
			t.Errorf("%s travels as %q, want %q", own, set[0], want)
		}
		if again := answer(m, "/", "Set-Cookie", set...); again[0] != set[0] {
			t.Errorf("%q became %q the second time", set, again)
		}
		var got string
		app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Cookie") })
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", "x=0; "+own+"=other; ~|a~sid=parent; "+travels+"=1")
		m.Wrap(app).ServeHTTP(httptest.NewRecorder(), r)
		if want := "x=0; " + own + "=1"; got != want {
			t.Errorf("the app saw %q, want %q", got, want)
		}
	}
}

func TestCookiesOff(t *testing.T) {
	m := build(t, rebase.Config{Prefix: at("/app"), Cookies: rebase.CookiesOff})
	const line = "__Host-a=1; Path=/; Domain=x"
	if got := answer(m, "/", "Set-Cookie", line); got[0] != line {
		t.Errorf("got %q", got)
	}
}

func TestCookieOfTheBarePrefix(t *testing.T) {
	m := mounted(t)
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "a=1;")
		w.WriteHeader(200)
	})
	for target, want := range map[string]string{"/app": "a=1; Path=/app", "/app?x": "a=1; Path=/app", "/app/": "a=1;", "/app/x": "a=1;"} {
		r := httptest.NewRequest("GET", target, nil)
		r.URL.Path = "/"
		w := httptest.NewRecorder()
		m.Wrap(app).ServeHTTP(w, r)
		if got := w.Header().Get("Set-Cookie"); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

func TestCookiesOfOuterLayersStay(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "app=1; Path=/")
		w.WriteHeader(200)
	})
	w := httptest.NewRecorder()
	ww := httpwrap.Of(w)
	ww.Before(httpwrap.HookFunc(func(_ int, h http.Header) { h.Add("Set-Cookie", "late=1; Path=/") }))
	ww.Header().Add("Set-Cookie", "early=1; Path=/")
	mounted(t).Wrap(app).ServeHTTP(ww, httptest.NewRequest("GET", "/", nil))
	want := []string{"early=1; Path=/", "app=1; Path=/app", "late=1; Path=/"}
	if got := w.Header()["Set-Cookie"]; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClearSiteDataExpiresTheMountsCookies(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Clear-Site-Data", `"cookies", "storage"`)
		w.Header().Set("Set-Cookie", "bye=1; Path=/")
		w.WriteHeader(200)
	})
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", "a=1; __Secure-b=2; __Secure-~|app~__Host-c=3; __Host-theirs=4; ~|x~d=5")
	w := httptest.NewRecorder()
	mounted(t).Wrap(app).ServeHTTP(w, r)
	want := []string{
		"bye=1; Path=/app", "a=; Path=/app; Max-Age=0", "__Secure-b=; Path=/app; Max-Age=0; Secure",
		"__Secure-~|app~__Host-c=; Path=/app; Max-Age=0; Secure",
	}
	if got := w.Header()["Set-Cookie"]; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, ok := w.Header()["Clear-Site-Data"]; ok {
		t.Errorf("Clear-Site-Data: %q", got)
	}
}

func TestBasePathOfTheUpstream(t *testing.T) {
	m := build(t, rebase.Config{Prefix: at("/api"), Upstreams: []string{"http://backend/v1/", "unix:/run/x.sock"}})
	for app, client := range map[string]string{
		"/v1/users":               "/api/users",
		"/v1":                     "/api/",
		"/v10/x":                  "/api/v10/x",
		"http://backend/v1/users": "http://front:8080/api/users",
		"http://backend:80/other": "http://front:8080/api/other",
	} {
		if got := answer(m, "/", "Location", app); got[0] != client {
			t.Errorf("%s became %s, want %s", app, got[0], client)
		}
	}
	if got := answer(m, "/", "Set-Cookie", "a=1; Path=/v1"); got[0] != "a=1; Path=/api" {
		t.Errorf("cookie: %q", got)
	}
}

func TestRootMountMapsItsUpstreamOnly(t *testing.T) {
	m := build(t, rebase.Config{Prefix: at("/"), Upstreams: []string{"https://backend"}})
	for app, client := range map[string]string{
		"/x":                     "/x",
		"/../x":                  "/../x",
		"https://backend/x":      "http://front:8080/x",
		"http://front:8080/../x": "http://front:8080/../x",
		"https://backend":        "http://front:8080/",
	} {
		if got := answer(m, "/", "Location", app); got[0] != client {
			t.Errorf("%s became %s, want %s", app, got[0], client)
		}
	}
	if got := answer(m, "/", "Set-Cookie", "__Host-a=1; Path=/; Domain=backend"); got[0] != "__Host-a=1; Path=/" {
		t.Errorf("cookie: %q", got)
	}
}

func TestUnknownPublicHost(t *testing.T) {
	m := mounted(t)
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://127.0.0.1:9001//x")
		w.WriteHeader(302)
	})
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = ""
	w := httptest.NewRecorder()
	m.Wrap(app).ServeHTTP(w, r)
	if got := w.Header().Get("Location"); got != "/app//x" {
		t.Errorf("Location: %q", got)
	}
}

func TestRecordTellsThePublicSide(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request.From(r.Context()).Upstream = "10.0.0.7:31337"
		w.Header().Set("Location", "http://10.0.0.7:31337/x")
		w.WriteHeader(302)
	})
	m := build(t, rebase.Config{Prefix: at("/app")})
	w := httptest.NewRecorder()
	rec := request.New(w, httptest.NewRequest("GET", "/", nil))
	rec.Scheme, rec.HostPort = "https", "www.example.com"
	m.Wrap(app).ServeHTTP(&rec.Writer, &rec.Request)
	if got := w.Header().Get("Location"); got != "https://www.example.com/app/x" {
		t.Errorf("Location: %q", got)
	}
}

func TestPrefixes(t *testing.T) {
	for prefix, want := range map[string]string{
		"":            "/x",
		"/":           "/x",
		"/app/":       "/app/x",
		"/a/b":        "/a/b/x",
		"/café":       "/caf%C3%A9/x",
		"/caf%C3%A9":  "/caf%C3%A9/x",
		"/a b%":       "/a%20b%25/x",
		"/tenant;v=1": "/tenant%3Bv=1/x",
	} {
		m := build(t, rebase.Config{Prefix: at(prefix)})
		got := answer(m, "/", "Location", "/x")
		if got[0] != want {
			t.Errorf("%q: %q, want %q", prefix, got[0], want)
		}
		if again := answer(m, "/", "Location", got[0]); again[0] != want {
			t.Errorf("%q: %q the second time", prefix, again[0])
		}
	}
	for _, prefix := range []string{"app", "//evil", `/\evil`, "https://x", "/a?b"} {
		var failed error
		m := build(t, rebase.Config{Prefix: at(prefix), ErrorFunc: func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err }})
		answer(m, "/", "Location", "/x")
		var status interface{ HTTPStatus() int }
		if !errors.As(failed, &status) || status.HTTPStatus() != 500 {
			t.Errorf("%q: %v", prefix, failed)
		}
	}
}

func TestAwareAppsKeepTheirReferer(t *testing.T) {
	referer := func(m *rebase.Middleware) (got string) {
		app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Referer") })
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = public
		r.Header.Set("Referer", "http://front:8080/app/x")
		m.Wrap(app).ServeHTTP(httptest.NewRecorder(), r)
		return got
	}
	const whole, stripped = "http://front:8080/app/x", "http://front:8080/x"
	m := mounted(t)
	if got := referer(m); got != stripped {
		t.Errorf("before any answer: %q", got)
	}
	answer(m, "/", "Location", "/app/y")
	if got := referer(m); got != whole || !m.Aware() {
		t.Errorf("after an answer with the prefix: %q", got)
	}
	answer(m, "/", "Location", "/y")
	if got := referer(m); got != stripped || m.Aware() {
		t.Errorf("after an answer without: %q", got)
	}
	answer(m, "/", "Location", "/app/y")
	if m.Aware() {
		t.Error("one answer without the prefix should have settled it")
	}
	if got := referer(build(t, rebase.Config{Prefix: at("/app"), Aware: true})); got != whole {
		t.Errorf("told: %q", got)
	}
}

func TestHeadersLeftWithoutAnAnswer(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Link", "</x>") })
	w := httptest.NewRecorder()
	mounted(t).Wrap(app).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Header().Get("Link"); got != "</app/x>" {
		t.Errorf("Link: %q", got)
	}
}

func TestSharedValuesAreNotChanged(t *testing.T) {
	links, cookies := []string{"</a>", "</b>"}, []string{"a=1; Path=/"}
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Link"], w.Header()["Set-Cookie"] = links, cookies
		w.WriteHeader(200)
	})
	mounted(t).Wrap(app).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if links[0] != "</a>" || cookies[0] != "a=1; Path=/" {
		t.Errorf("changed: %q %q", links, cookies)
	}
}

func TestOff(t *testing.T) {
	m := build(t, rebase.Config{Mode: rebase.ModeOff, Prefix: at("/app")})
	if got := answer(m, "/", "Location", "/x"); got[0] != "/x" {
		t.Errorf("got %q", got)
	}
}

func TestMistakes(t *testing.T) {
	_, err := rebase.New(rebase.Config{Mode: "fulll", Cookies: "name"})
	for _, want := range []string{"Prefix must be set", `"fulll"`, `"name"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
	var field interface{ OptionPath() string }
	if !errors.As(err, &field) || field.OptionPath() != "mode" {
		t.Errorf("no option path in %v", err)
	}
	for _, mode := range []rebase.Mode{"", "auto", "off", "headers", "full"} {
		build(t, rebase.Config{Mode: mode, Prefix: at("/app")})
	}
}

func TestEarlyHints(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Link", "</b.css>; rel=preload")
		w.WriteHeader(http.StatusOK)
	})
	srv := httptest.NewServer(mounted(t).Wrap(app))
	defer srv.Close()
	var hints []string
	r, _ := http.NewRequest("GET", srv.URL, nil)
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, h textproto.MIMEHeader) error { hints = h["Link"]; return nil },
	}))
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := fmt.Sprint(hints, resp.Header["Link"]); got != "[</app/a.css>; rel=preload] [</app/b.css>; rel=preload]" {
		t.Error(got)
	}
}

func TestStreamsAndTakeOvers(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if r.URL.Path == "/hijack" {
			conn, _, err := rc.Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello")
			_ = conn.Close()
			return
		}
		_, _ = io.WriteString(w, "one")
		if err := rc.Flush(); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
	})
	srv := httptest.NewServer(mounted(t).Wrap(app))
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := bufio.NewReader(resp.Body).Peek(3); string(b) != "one" {
		t.Errorf("flushed %q", b)
	}
	resp.Body.Close()
	r, _ := http.NewRequest("GET", srv.URL+"/hijack", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "x")
	if resp, err = http.DefaultClient.Do(r); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
}

func TestRequestsDoNotMix(t *testing.T) {
	m := build(t, rebase.Config{Prefix: func(r *http.Request) string { return "/" + r.URL.Query().Get("tenant") }})
	h := m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/x")
		w.Header().Add("Set-Cookie", "__Host-a=1; Path=/; Secure")
		w.WriteHeader(302)
	}))
	done := make(chan string)
	for i := range 8 {
		go func() {
			for range 200 {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", fmt.Sprintf("/?tenant=t%d", i), nil))
				want := fmt.Sprintf("/t%d/x __Secure-~|t%d~__Host-a=1; Path=/t%d; Secure", i, i, i)
				if got := w.Header().Get("Location") + " " + w.Header().Get("Set-Cookie"); got != want {
					done <- got
					return
				}
			}
			done <- ""
		}()
	}
	for range 8 {
		if got := <-done; got != "" {
			t.Error(got)
		}
	}
}

func TestAPanicLeavesOtherRequestsAlone(t *testing.T) {
	m := mounted(t)
	func() {
		defer func() { _ = recover() }()
		m.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") })).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}()
	if got := answer(m, "/", "Location", "/x"); got[0] != "/app/x" {
		t.Errorf("got %q", got)
	}
}
