package rewrite_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/canonical"
	"github.com/mountd/mountd/middleware/rewrite"
)

// serve sends a request, its path canonical as behind a dispatcher, and gives
// what the application saw.
func serve(t testing.TB, cfg rewrite.Config, target string) (saw string, w *httptest.ResponseRecorder) {
	t.Helper()
	m, err := rewrite.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	path, query, _ := strings.Cut(target, "?")
	p, raw, err := canonical.Parse(path)
	if err != nil {
		t.Fatal(target, err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.URL = &url.URL{RawQuery: query}
	canonical.Set(r.URL, p, raw)
	w = httptest.NewRecorder()
	m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { saw = r.URL.RequestURI() })).ServeHTTP(w, r)
	return saw, w
}

func TestPaths(t *testing.T) {
	tests := []struct{ from, to, target, want string }{
		{"/old", "/new", "/old", "/new"},
		{"/old", "/new", "/old/x", "/old/x"},
		{"/old", "/new", "/older", "/older"},
		{"/old/*", "/new/$1", "/old/x", "/new/x"},
		{"/old/*", "/new/$1", "/old/x/y", "/old/x/y"},
		{"/old/**", "/new/$1", "/old/x/y", "/new/x/y"},
		{"/old/**", "/new/$1", "/old", "/new/"},
		{"/old/**", "/new/$1", "/old/", "/new/"},
		{"/a/**/z", "/$1", "/a/z", "/"},
		{"/a/**/z", "/$1", "/a/b/c/z", "/b/c"},
		{"/u/{id}/p/{page}", "/{page}/of/${id}", "/u/7/p/x", "/x/of/7"},
		{"/v*.txt", "/v/{1}", "/v12.txt", "/v/12"},
		{"^/api(.*)", "/$1", "/api/x", "/x"},
		{"^/api(.*)", "/$1", "/api", "/"},
		{"^/(?P<y>\\d{4})-(?P<m>\\d\\d)", "/{y}/{m}", "/2026-11-21", "/2026/11"},
		{"^/a|/b", "/c", "/x/b", "/x/b"},
		{"^/a|/b", "/c", "/b", "/c"},
		{"^/x(y)?", "/z$1", "/x", "/z"},
		{"/p", "/cost$$5", "/p", "/cost$5"},
		// Escapes come through as what they were.
		{"/old/*", "/new/$1", "/old/a%2Fb", "/new/a%2Fb"},
		{"/old/*", "/new/$1", "/old/a%252Fb", ""},
		{"/old/*", "/new/$1", "/old/100%25", "/new/100%25"},
		{"/old/*", "/new/$1", "/old/a%20b%3Fc%23d", "/new/a%20b%3Fc%23d"},
		{"/old/*", "/new/$1", "/old/caf%C3%A9", "/new/caf%C3%A9"},
		{"/café/*", "/$1", "/caf%C3%A9/x", "/x"},
		{"/old/*", "/new/$1", "/%6fld/x", "/new/x"},
		{"/old/*", "/caf%C3%A9/$1", "/old/x", "/caf%C3%A9/x"},
		{"/old/*", "/new/$1", "/old/x%5Cy", "/new/x%5Cy"},
		// Queries.
		{"/old", "/new", "/old?a=1", "/new?a=1"},
		{"/old", "/new?b=2", "/old?a=1", "/new?b=2"},
		{"/old", "/new?", "/old?a=1", "/new"},
		{"/q/*", "/s?q=$1", "/q/a%26b=c%25%20%2Fd", "/s?q=a%26b%3Dc%25+%2Fd"},
		// Slashes and dots.
		{"^/api(.*)", "/$1", "/api//x", "/x"},
		{"/a/**", "//$1", "/a/evil.example", "/evil.example"},
		{"/a/**", "/b/../c/./$1", "/a/x", "/c/x"},
	}
	for _, tt := range tests {
		if tt.want == "" { // refused before it gets here, as every path that decodes twice
			continue
		}
		if saw, w := serve(t, rewrite.Config{From: tt.from, To: tt.to}, tt.target); saw != tt.want {
			t.Errorf("%s → %s: %s became %q (%d), want %q", tt.from, tt.to, tt.target, saw, w.Code, tt.want)
		}
	}
}

// What a rewrite makes of a path is cleaned again.
func TestResultsThatLeaveTheMountAreRefused(t *testing.T) {
	tests := []struct{ from, to, target string }{
		{"^/api(.*)", "/$1", "/api../admin"},
		{"^/api(.*)x(.*)", "/$1/$2", "/api../bx./admin"},
		{"^/api(.*)", "$1", "/api"},
		{"^/api(.*)", "/$1", "/api..;x/admin"},
		{"^/api(.*)", "/.$1", "/api./admin"},
		{"^/api(.*)", "/.$1", "/api.%2Fadmin"},
		{"^/api(.*)", "/.$1", "/api.%5Cadmin"},
	}
	for _, tt := range tests {
		for _, status := range []int{0, 302} {
			to := tt.to
			if to == "$1" {
				to = "/../x"
			}
			saw, w := serve(t, rewrite.Config{From: tt.from, To: to, Redirect: status}, tt.target)
			if saw != "" || w.Code != http.StatusBadRequest {
				t.Errorf("%s → %s: %s became %q, %d %s", tt.from, to, tt.target, saw, w.Code, w.Header().Get("Location"))
			}
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	cfg := rewrite.Config{From: "/v1/**", To: "/$1", Check: func(_ *http.Request, path, _ string) error {
		if strings.HasPrefix(path, "/private/") {
			return fmt.Errorf("%s belongs to another mount", path)
		}
		return nil
	}}
	if saw, w := serve(t, cfg, "/v1/private/x"); saw != "" || w.Code != 400 {
		t.Error(saw, w.Code)
	}
	if saw, _ := serve(t, cfg, "/v1/public"); saw != "/public" {
		t.Error(saw)
	}
}

func TestRedirects(t *testing.T) {
	prefix := func(*http.Request) string { return "/app" }
	tests := []struct {
		fact     string
		cfg      rewrite.Config
		target   string
		location string
	}{
		{"below the mount", rewrite.Config{From: "/old/*", To: "/new/$1", Prefix: prefix}, "/old/x?q=1", "/app/new/x?q=1"},
		{"at the root", rewrite.Config{From: "/old/*", To: "/new/$1"}, "/old/x", "/new/x"},
		{"escapes stay", rewrite.Config{From: "/old/*", To: "/new/$1"}, "/old/a%2Fb%20c", "/new/a%2Fb%20c"},
		{"to no other host", rewrite.Config{From: "^/go(.*)", To: "/$1"}, "/go//evil.example/x", "/evil.example/x"},
		{"nor with a backslash", rewrite.Config{From: "^/go/(.*)", To: "/$1"}, "/go/%5Cevil.example", "/%5Cevil.example"},
		{"no line breaks", rewrite.Config{From: "/q/*", To: "/s?q=$1"}, "/q/a%C2%85b", "/s?q=a%C2%85b"},
	}
	for _, tt := range tests {
		for _, status := range []int{301, 302, 303, 307, 308} {
			tt.cfg.Redirect = status
			saw, w := serve(t, tt.cfg, tt.target)
			if saw != "" || w.Code != status || w.Header().Get("Location") != tt.location {
				t.Errorf("%s: %d %q, want %q", tt.fact, w.Code, w.Header().Get("Location"), tt.location)
			}
		}
	}
}

func TestRedirectToItselfPasses(t *testing.T) {
	if saw, w := serve(t, rewrite.Config{From: "/**", To: "/$1", Redirect: 301}, "/a/b?c"); saw != "/a/b?c" || w.Code != 200 {
		t.Error(saw, w.Code)
	}
}

func TestTheRequestOfTheCallerStays(t *testing.T) {
	m, err := rewrite.New(rewrite.Config{From: "/old", To: "/new"})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/old", nil)
	m.Wrap(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	if r.URL.Path != "/old" {
		t.Error(r.URL.Path)
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct {
		cfg  rewrite.Config
		want string
	}{
		{rewrite.Config{To: "/x"}, "path.from: is missing"},
		{rewrite.Config{From: "old", To: "/x"}, `path.from: "old" is neither a glob (write "/old")`},
		{rewrite.Config{From: "^/(", To: "/x"}, "no regular expression"},
		{rewrite.Config{From: "/{", To: "/x"}, "starts no name"},
		{rewrite.Config{From: "/{a}/{a}", To: "/x"}, "path.from"},
		{rewrite.Config{From: "/a", To: "x"}, `path.to: "x" does not start with a slash`},
		{rewrite.Config{From: "/a", To: "/$1"}, "path.to: $1 is not captured"},
		{rewrite.Config{From: "/*", To: "/{name}"}, "{name} is not captured"},
		{rewrite.Config{From: "/*", To: "/${}"}, "is not captured"},
		{rewrite.Config{From: "/a", To: "/x#y"}, "fragment"},
		{rewrite.Config{From: "/a", To: "/%zz"}, "invalid escape"},
		{rewrite.Config{From: "/a", To: "/x", Redirect: 200}, "redirect: 200 is no redirect"},
	}
	for _, tt := range tests {
		if _, err := rewrite.New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %s", tt.cfg, err, tt.want)
		}
	}
}

// Whatever comes in, what goes on is canonical.
func FuzzRewrite(f *testing.F) {
	for _, s := range []string{"/api../x", "/api/%2e%2e/", "/api..%2f", "/api//x", "/api.;/x", "/api%25", "/api/%5c.."} {
		f.Add(s)
	}
	var rules []http.Handler
	last := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Saw", r.URL.EscapedPath())
	})
	for _, rule := range [][2]string{{"^/api(.*)", "/$1"}, {"^/(.)(.*)", "/$2/$1"}, {"/**", "/x$1"}, {"/*/**", "/$2.$1?q=$1"}} {
		m, err := rewrite.New(rewrite.Config{From: rule[0], To: rule[1]})
		if err != nil {
			f.Fatal(err)
		}
		rules = append(rules, m.Wrap(last))
	}
	f.Fuzz(func(t *testing.T, s string) {
		path, raw, err := canonical.Parse(s)
		if err != nil {
			return
		}
		for _, h := range rules {
			r := httptest.NewRequest("GET", "/", nil)
			canonical.Set(r.URL, path, raw)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			saw := w.Header().Get("Saw")
			if saw == "" {
				if w.Code != 400 {
					t.Fatalf("%q: %d", s, w.Code)
				}
				continue
			}
			if _, again, err := canonical.Parse(saw); err != nil || again != "" && again != saw || strings.HasPrefix(saw, "//") {
				t.Fatalf("%q became %q: %v", s, saw, err)
			}
		}
	})
}

func BenchmarkPassThrough(b *testing.B) {
	for _, from := range []string{"/old/*", "^/old/(.*)"} {
		b.Run(from, func(b *testing.B) {
			m, err := rewrite.New(rewrite.Config{From: from, To: "/new/$1"})
			if err != nil {
				b.Fatal(err)
			}
			h := m.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r := httptest.NewRequest("GET", "/some/other/path", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(nil, r)
			}
		})
	}
}

func ExampleNew() {
	m, err := rewrite.New(rewrite.Config{From: "/u/{id}/posts/**", To: "/posts/$2?author={id}"})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Println(r.URL) }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/u/joe/posts/2026/11", nil))
	// Output: /posts/2026/11?author=joe
}
