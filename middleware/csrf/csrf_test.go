package csrf_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/canonical"
	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/middleware/csrf"
)

func wrap(t testing.TB, cfg csrf.Config) http.Handler {
	t.Helper()
	m, err := csrf.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "done") }))
}

func TestRequests(t *testing.T) {
	h := wrap(t, csrf.Config{TrustedOrigins: []string{"https://app.example"}})
	tests := []struct {
		fact, method string
		header       []string
		ok           bool
	}{
		{"GET passes", "GET", []string{"Sec-Fetch-Site", "cross-site"}, true},
		{"no browser", "POST", nil, true},
		{"same origin", "POST", []string{"Sec-Fetch-Site", "same-origin", "Origin", "https://evil.example"}, true},
		{"typed by the user", "POST", []string{"Sec-Fetch-Site", "none"}, true},
		{"cross-site", "POST", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"same site, other origin", "POST", []string{"Sec-Fetch-Site", "same-site"}, false},
		{"unknown value", "DELETE", []string{"Sec-Fetch-Site", "x"}, false},
		{"old browser, own origin", "POST", []string{"Origin", "https://site.example"}, true},
		{"old browser, other origin", "PUT", []string{"Origin", "https://evil.example"}, false},
		{"Origin: null", "POST", []string{"Origin", "null"}, false},
		{"trusted origin", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example"}, true},
		{"not quite the trusted origin", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example.evil"}, false},
		{"cross-site WebSocket", "GET", []string{"Upgrade", "websocket", "Sec-Fetch-Site", "cross-site"}, false},
		{"old cross-site WebSocket", "GET", []string{"Upgrade", "websocket", "Origin", "https://evil.example"}, false},
		{"own WebSocket", "GET", []string{"Upgrade", "websocket", "Origin", "https://site.example"}, true},
		{"unknown method", "FROB", []string{"Sec-Fetch-Site", "cross-site"}, false},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(tt.method, "https://site.example/x", nil)
		for i := 0; i < len(tt.header); i += 2 {
			r.Header.Set(tt.header[i], tt.header[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if ok := w.Body.String() == "done"; ok != tt.ok || !ok && w.Code != http.StatusForbidden {
			t.Errorf("%s: %d %q", tt.fact, w.Code, w.Body)
		}
	}
}

func TestHostThatATrustedProxyTells(t *testing.T) {
	h := wrap(t, csrf.Config{})
	for origin, want := range map[string]int{"https://public.example": 200, "https://inner.example": 403} {
		r := httptest.NewRequest("POST", "http://inner.example/", nil)
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		rec := request.New(w, r)
		rec.HostPort = "public.example"
		h.ServeHTTP(&rec.Writer, &rec.Request)
		if w.Code != want {
			t.Errorf("%s: %d", origin, w.Code)
		}
	}
}

func TestExemptPaths(t *testing.T) {
	h := wrap(t, csrf.Config{Exempt: []string{"/hook", "/hooks/**", "/a/*/b", "/n/x*"}})
	for target, ok := range map[string]bool{
		"/hook": true, "/hook?x": true, "/hook/": false, "/hooks": false, "/hooks/": true, "/hooks/x/y": true, "/hooks//x": true,
		"/Hook": false, "/x?/hook": false, "/x/hook": false, "/%68ook": true, "/a/1/b": true, "/a/1/2/b": false, "/a//b": false,
		"/a/1%2F2/b": false, "/hooks/x;y": false, "/hooks/%5c": false, "/n/xyz": true, "/n/xy/z": false, "/hookx": false,
	} {
		r := httptest.NewRequest("POST", target, nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		path, raw, err := canonical.Parse(r.URL.EscapedPath())
		if err != nil {
			t.Fatal(target, err)
		}
		canonical.Set(r.URL, path, raw)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Code == 200; got != ok {
			t.Errorf("%s: exempt %v", target, got)
		}
	}
}

func TestMistakes(t *testing.T) {
	_, err := csrf.New(csrf.Config{
		TrustedOrigins: []string{"*", "app.example", "https://a.example/", "https://A.example", "https://*.a.example"},
		Exempt:         []string{"hooks", "/a/../b", "/a//b", "/a;b"},
	})
	for _, want := range []string{"trusted_origins[0]", "trusted_origins[1]", "trusted_origins[2]", "trusted_origins[3]", "trusted_origins[4]", "exempt[0]", "exempt[1]", "exempt[2]", "exempt[3]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func BenchmarkPassThrough(b *testing.B) {
	m, err := csrf.New(csrf.Config{Exempt: []string{"/hooks/**"}})
	if err != nil {
		b.Fatal(err)
	}
	h := m.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, method := range []string{"GET", "POST"} {
		b.Run(method, func(b *testing.B) {
			r := httptest.NewRequest(method, "/", nil)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(nil, r)
			}
		})
	}
}

func ExampleNew() {
	m, err := csrf.New(csrf.Config{Exempt: []string{"/hooks/**"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Println(r.URL.Path, "passes") }))
	for _, path := range []string{"/transfer", "/hooks/payment"} {
		r := httptest.NewRequest("POST", path, nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 403
	// /hooks/payment passes
	// 200
}
