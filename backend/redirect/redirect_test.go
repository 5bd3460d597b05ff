package redirect_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mountd/mountd/backend/redirect"
	"github.com/mountd/mountd/internal/request"
)

func build(t testing.TB, cfg redirect.Config) *redirect.Redirect {
	t.Helper()
	a, err := redirect.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestLocations(t *testing.T) {
	for _, tt := range []struct {
		fact, to, target string
		drop             bool
		want             string
	}{
		{"the rest of the path", "https://new/", "/x/y", false, "https://new/x/y"},
		{"one slash between", "https://new/base/", "/x", false, "https://new/base/x"},
		{"a host without a path", "https://new", "/x", false, "https://new/x"},
		{"the mount's root", "https://new/base", "/", false, "https://new/base"},
		{"the mount's root with a slash", "https://new/base/", "/", false, "https://new/base/"},
		{"a path of the site", "/new", "/x", false, "/new/x"},
		{"the site's root", "/", "/x/", false, "/x/"},
		{"no host by two slashes", "/", "//evil.com/x", false, "/evil.com/x"},
		{"no host by a backslash", "/", `/\evil.com`, false, "/%5Cevil.com"},
		{"no other host by a path", "https://new", "/.evil.com", false, "https://new/.evil.com"},
		{"no other host by @", "https://new", "/@evil.com", false, "https://new/@evil.com"},
		{"escapes stay", "https://new", "/a%2Fb%20c/%C3%A9", false, "https://new/a%2Fb%20c/%C3%A9"},
		{"query", "https://new/b", "/x?a=1&b=%20", false, "https://new/b/x?a=1&b=%20"},
		{"queries merged", "https://new/b?q=1", "/x?a=1", false, "https://new/b/x?q=1&a=1"},
		{"fragment last", "https://new/b?q=1#top", "/x?a=1", false, "https://new/b/x?q=1&a=1#top"},
		{"a question mark in the query", "/n", "/?a=?", false, "/n?a=?"},
		{"path dropped", "https://new/b", "/x/y?a=1", true, "https://new/b?a=1"},
		{"path dropped, as written", "https://new/b/", "/x", true, "https://new/b/"},
		{"port", "http://new:81/b", "/x", false, "http://new:81/b/x"},
	} {
		w := httptest.NewRecorder()
		build(t, redirect.Config{To: tt.to, DropPath: tt.drop}).ServeHTTP(w, request1(tt.target))
		if got := w.Header().Get("Location"); w.Code != 307 || got != tt.want {
			t.Errorf("%s: %d %q, want %q", tt.fact, w.Code, got, tt.want)
		}
	}
}

// request1 makes a request for a target without reading it as a URL with a
// host.
func request1(target string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	raw, query, _ := strings.Cut(target, "?")
	path, _ := url.PathUnescape(raw)
	r.URL = &url.URL{Path: path, RawPath: raw, RawQuery: query}
	return r
}

func TestCaptures(t *testing.T) {
	for _, tt := range []struct {
		fact, to, value, want string
		status                int
	}{
		{"in the path", "https://new/{t}/x", "a b/é"[:3], "https://new/a%20b/x/rest", 307},
		{"in the host", "https://{t}.example.com", "acme", "https://acme.example.com/rest", 307},
		{"in the query", "/new?t={t}#{t}", "a&b", "/new/rest?t=a%26b#a%26b", 307},
		{"twice", "/{t}-{t}", "x", "/x-x/rest", 307},
		{"a slash makes no segment", "/new/{t}", "a/b", "", 400},
		{"dots are no segment", "/new/{t}/x", "..", "", 400},
		{"a host is a label", "https://{t}.example.com", "evil.com/", "", 400},
		{"a dot makes another host", "https://{t}", "evil.com", "", 400},
		{"a port is none", "https://{t}", "evil:80", "", 400},
		{"nothing captured", "/{other}", "x", "", 500},
	} {
		r := request1("/rest")
		r.SetPathValue("t", tt.value)
		w := httptest.NewRecorder()
		build(t, redirect.Config{To: tt.to}).ServeHTTP(w, r)
		if got := w.Header().Get("Location"); w.Code != tt.status || got != tt.want {
			t.Errorf("%s: %d %q, want %d %q", tt.fact, w.Code, got, tt.status, tt.want)
		}
	}
}

func TestPathsStandBelowWhatAProxyInFrontHasStripped(t *testing.T) {
	for to, want := range map[string]string{"/new": "/site/new/x", "https://new": "https://new/x"} {
		w := httptest.NewRecorder()
		rec := request.New(w, httptest.NewRequest("GET", "/x", nil))
		rec.Prefix = "/site"
		build(t, redirect.Config{To: to}).ServeHTTP(&rec.Writer, &rec.Request)
		if got := w.Header().Get("Location"); got != want {
			t.Errorf("%s: %q, want %q", to, got, want)
		}
	}
}

func TestStatuses(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		w := httptest.NewRecorder()
		build(t, redirect.Config{To: "/x", Status: status}).ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
		if w.Code != status || w.Header().Get("Content-Length") != "0" {
			t.Errorf("%d: %d %v", status, w.Code, w.Header())
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, to := range []string{
		"", "x", "example.com/x", "//host/x", "ftp://host/", "javascript:alert(1)", "http://", "https:///x",
		"https://a@b/", "/a b", "/a\nb", `/\x`, "/{a", "/a}", "https://h:port/",
	} {
		_, err := redirect.New(redirect.Config{To: to})
		var field interface{ OptionPath() string }
		if !errors.As(err, &field) || field.OptionPath() != "to" {
			t.Errorf("%q: %v", to, err)
		}
	}
	if _, err := redirect.New(redirect.Config{To: "", Status: 304}); err == nil || !strings.Contains(err.Error(), "304") || !strings.Contains(err.Error(), "no target") {
		t.Errorf("not all mistakes: %v", err)
	}
}

// FuzzLocation holds that no request leads to a host that To does not name.
func FuzzLocation(f *testing.F) {
	for _, s := range []string{"/x", "//evil", `/\evil`, "/%2F%2Fevil", "/..//evil", "/\t/evil", ""} {
		f.Add(s, "a=1", "v")
	}
	rooted, _ := redirect.New(redirect.Config{To: "/{t}/"})
	bare, _ := redirect.New(redirect.Config{To: "/"})
	hosted, _ := redirect.New(redirect.Config{To: "https://{t}.example.com"})
	f.Fuzz(func(t *testing.T, path, query, value string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = &url.URL{Path: path, RawQuery: query}
		r.SetPathValue("t", value)
		for _, a := range []*redirect.Redirect{rooted, bare, hosted} {
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			location := w.Header().Get("Location")
			if location == "" {
				continue
			}
			u, err := url.Parse(location)
			if err != nil {
				t.Fatalf("%q: %v", location, err)
			}
			if a != hosted && (u.Host != "" || u.Scheme != "" || len(location) > 1 && strings.ContainsAny(location[1:2], `/\`)) {
				t.Errorf("%q names a host", location)
			}
			if a == hosted && !strings.HasSuffix(u.Host, ".example.com") {
				t.Errorf("%q has another host", location)
			}
			if strings.ContainsAny(location, " \t\r\n\x00\\") {
				t.Errorf("%q holds a byte that no URL has", location)
			}
		}
	})
}

func BenchmarkRedirect(b *testing.B) {
	a := build(b, redirect.Config{To: "https://new.example/base"})
	r := request1("/x/y?a=1")
	b.ReportAllocs()
	for b.Loop() {
		a.ServeHTTP(nowhere{http.Header{}}, r)
	}
}

// nowhere is a response writer that costs nothing.
type nowhere struct{ h http.Header }

func (w nowhere) Header() http.Header         { return w.h }
func (w nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w nowhere) WriteHeader(int)             {}

func Example() {
	a, _ := redirect.New(redirect.Config{To: "https://docs.example.com/v2", Status: http.StatusMovedPermanently})
	w := httptest.NewRecorder()
	http.StripPrefix("/docs", a).ServeHTTP(w, httptest.NewRequest("GET", "/docs/install?os=linux", nil))
	fmt.Println(w.Code, w.Header().Get("Location"))
	// Output: 301 https://docs.example.com/v2/install?os=linux
}
