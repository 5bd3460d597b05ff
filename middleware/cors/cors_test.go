package cors_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/middleware/cors"
)

func wrap(t testing.TB, cfg cors.Config, next http.Handler) http.Handler {
	t.Helper()
	m, err := cors.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m.Wrap(next)
}

var page = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "page") })

func send(h http.Handler, method string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestOrigins(t *testing.T) {
	cfg := cors.Config{Origins: []string{"https://a.example", "https://*.b.example:8443", "http://localhost:3000"}, Credentials: true}
	h := wrap(t, cfg, page)
	tests := []struct {
		origin string
		ok     bool
	}{
		{"https://a.example", true}, {"https://x.b.example:8443", true}, {"https://x.y.b.example:8443", true}, {"http://localhost:3000", true},
		{"http://a.example", false}, {"https://a.example:444", false}, {"https://x.a.example", false}, {"https://a.example.evil", false},
		{"https://b.example:8443", false}, {"https://xb.example:8443", false}, {"https://x.b.example", false},
		{"https://evil/.b.example:8443", false}, {"https://evil#.b.example:8443", false}, {"https://e@.b.example:8443", false},
		{"https://.b.example:8443", false}, {"null", false}, {"", false}, {"*", false}, {"HTTPS://A.EXAMPLE", false},
	}
	for _, tt := range tests {
		w := send(h, "GET", "Origin", tt.origin)
		want, credentials := "", ""
		if tt.ok {
			want, credentials = tt.origin, "true"
		}
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != want || w.Header().Get("Access-Control-Allow-Credentials") != credentials {
			t.Errorf("%q: allowed %q", tt.origin, got)
		}
		if w.Body.String() != "page" || w.Header().Get("Vary") != "Origin" {
			t.Errorf("%q: %q, Vary %q", tt.origin, w.Body, w.Header().Get("Vary"))
		}
	}
}

func TestPreflightIsAnsweredHere(t *testing.T) {
	h := wrap(t, cors.Config{
		Origins: []string{"https://a.example"}, Methods: []string{"PUT"}, Headers: []string{"X-Token"}, MaxAge: 10 * time.Minute,
	}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the application saw a preflight") }))
	tests := []struct {
		fact, origin, method, headers string
		ok                            bool
	}{
		{"all is allowed", "https://a.example", "PUT", "x-token", true},
		{"safe methods always", "https://a.example", "POST", "x-token", true},
		{"other origin", "https://b.example", "PUT", "", false},
		{"other method", "https://a.example", "DELETE", "", false},
		{"other header", "https://a.example", "PUT", "x-other", false},
	}
	for _, tt := range tests {
		header := []string{"Origin", tt.origin, "Access-Control-Request-Method", tt.method}
		if tt.headers != "" {
			header = append(header, "Access-Control-Request-Headers", tt.headers)
		}
		w := send(h, "OPTIONS", header...)
		if ok := w.Header().Get("Access-Control-Allow-Origin") != ""; ok != tt.ok || w.Code != http.StatusNoContent {
			t.Errorf("%s: %d, granted %v", tt.fact, w.Code, ok)
		}
		if tt.ok && w.Header().Get("Access-Control-Max-Age") != "600" {
			t.Errorf("%s: max age %q", tt.fact, w.Header().Get("Access-Control-Max-Age"))
		}
	}
}

func TestPlainOptionsPass(t *testing.T) {
	if w := send(wrap(t, cors.Config{Origins: []string{"*"}}, page), "OPTIONS", "Origin", "https://a.example"); w.Body.String() != "page" {
		t.Error("the application did not see OPTIONS")
	}
}

func TestAnyOrigin(t *testing.T) {
	w := send(wrap(t, cors.Config{Origins: []string{"*"}, Expose: []string{"X-Total"}}, page), "GET", "Origin", "https://a.example")
	if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Access-Control-Expose-Headers") != "X-Total" {
		t.Error(w.Header())
	}
}

func TestTheApplicationsPolicyIsReplaced(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Access-Control-Allow-Origin", "*")
		w.Header().Add("Access-Control-Allow-Credentials", "true")
		w.Header().Add("Vary", "Cookie")
	})
	h := wrap(t, cors.Config{Origins: []string{"https://a.example"}}, app)
	for origin, want := range map[string]string{"https://a.example": "[https://a.example]", "https://b.example": "[]"} {
		w := send(h, "GET", "Origin", origin)
		if got := fmt.Sprint(w.Header().Values("Access-Control-Allow-Origin")); got != want {
			t.Errorf("%s: %s", origin, got)
		}
		if w.Header().Get("Access-Control-Allow-Credentials") != "" || fmt.Sprint(w.Header()["Vary"]) != "[Cookie Origin]" {
			t.Error(w.Header())
		}
	}
}

func TestTwoOriginsAreNone(t *testing.T) {
	w := send(wrap(t, cors.Config{Origins: []string{"https://a.example"}}, page), "GET", "Origin", "https://a.example", "Origin", "https://evil.example")
	if v := w.Header()["Access-Control-Allow-Origin"]; v != nil {
		t.Error(v)
	}
}

func TestMistakes(t *testing.T) {
	a := []string{"https://a.example"}
	tests := []struct {
		cfg  cors.Config
		want string
	}{
		{cors.Config{}, "origins: the list is empty"},
		{cors.Config{Origins: []string{"*"}, Credentials: true}, "credentials: cannot go together"},
		{cors.Config{Origins: []string{"*", "https://a.example"}}, "origins[0]"},
		{cors.Config{Origins: []string{"null"}}, "origins[0]"},
		{cors.Config{Origins: []string{"a.example"}}, "origins[0]"},
		{cors.Config{Origins: []string{"https://a.example/"}}, "origins[0]"},
		{cors.Config{Origins: []string{"https://a.example?"}}, "origins[0]"},
		{cors.Config{Origins: []string{"https://u@a.example"}}, "origins[0]"},
		{cors.Config{Origins: []string{"https://A.example"}}, "lower case"},
		{cors.Config{Origins: []string{"https://a.example:443"}}, "default port"},
		{cors.Config{Origins: []string{"https://*.com"}}, "top-level"},
		{cors.Config{Origins: []string{"https://a.*.com"}}, "origins[0]"},
		{cors.Config{Origins: a, Methods: []string{"*"}, Credentials: true}, "methods[0]"},
		{cors.Config{Origins: a, Methods: []string{"put"}}, "upper case"},
		{cors.Config{Origins: a, Methods: []string{"TRACE"}}, "methods[0]"},
		{cors.Config{Origins: a, Headers: []string{"X Y"}}, "headers[0]"},
		{cors.Config{Origins: a, Expose: []string{"*"}}, "expose[0]"},
		{cors.Config{Origins: a, MaxAge: time.Millisecond}, "max_age"},
	}
	for _, tt := range tests {
		if _, err := cors.New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %s", tt.cfg, err, tt.want)
		}
	}
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func BenchmarkPassThrough(b *testing.B) {
	h := wrap(b, cors.Config{Origins: []string{"https://a.example"}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }))
	d := discard{make(http.Header)}
	rec := request.New(d, httptest.NewRequest("GET", "/", nil))
	b.ReportAllocs()
	for b.Loop() {
		clear(d.h)
		rec.Writer.Reset(d)
		h.ServeHTTP(&rec.Writer, &rec.Request)
	}
}

func ExampleNew() {
	m, err := cors.New(cors.Config{Origins: []string{"https://app.example.com"}, Methods: []string{"PUT"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Origin", "https://app.example.com")
	w := httptest.NewRecorder()
	m.Wrap(page).ServeHTTP(w, r)
	fmt.Println(w.Header().Get("Access-Control-Allow-Origin"))

	_, err = cors.New(cors.Config{Origins: []string{"*"}, Credentials: true})
	fmt.Println(err)
	// Output:
	// https://app.example.com
	// credentials: cannot go together with the origin "*" (list the origins)
}
