package secureheaders_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/middleware/secureheaders"
)

func answer(t testing.TB, cfg secureheaders.Config, app http.Header, secure bool) http.Header {
	t.Helper()
	m, err := secureheaders.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for k, v := range app {
			w.Header()[k] = v
		}
		w.WriteHeader(204)
	}))
	r := httptest.NewRequest("GET", "/", nil)
	if secure {
		r.TLS = &tls.ConnectionState{}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result().Header
}

func TestDefaults(t *testing.T) {
	plain := http.Header{
		"X-Frame-Options": {"SAMEORIGIN"}, "Referrer-Policy": {"strict-origin-when-cross-origin"}, "X-Content-Type-Options": {"nosniff"},
	}
	if got := answer(t, secureheaders.Config{}, nil, false); !reflect.DeepEqual(got, plain) {
		t.Errorf("http: %v", got)
	}
	plain["Strict-Transport-Security"] = []string{"max-age=15552000"}
	if got := answer(t, secureheaders.Config{}, nil, true); !reflect.DeepEqual(got, plain) {
		t.Errorf("https: %v", got)
	}
}

func TestRecordTellsTheScheme(t *testing.T) {
	m, _ := secureheaders.New(secureheaders.Config{})
	for scheme, want := range map[string]bool{"https": true, "http": false} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Forwarded-Proto", "https")
		rec := request.New(w, r)
		rec.Scheme = scheme
		m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) })).ServeHTTP(&rec.Writer, &rec.Request)
		if _, got := w.Header()["Strict-Transport-Security"]; got != want {
			t.Errorf("%s: %v", scheme, w.Header())
		}
	}
}

func TestWhatTheAppSetStays(t *testing.T) {
	app := http.Header{
		"Strict-Transport-Security": {"max-age=1"}, "X-Frame-Options": {"DENY"}, "Referrer-Policy": {"origin"},
		"X-Content-Type-Options": {"nosniff"}, "Content-Security-Policy": {"default-src *"},
	}
	if got := answer(t, secureheaders.Config{CSP: "default-src 'none'"}, app, true); !reflect.DeepEqual(got, app) {
		t.Errorf("%v", got)
	}
	got := answer(t, secureheaders.Config{}, http.Header{"Content-Security-Policy": {"frame-ancestors https://a"}}, false)
	if _, ok := got["X-Frame-Options"]; ok {
		t.Errorf("the app lets others frame it, yet: %v", got)
	}
}

func TestFrameAndPolicy(t *testing.T) {
	tests := []struct{ frame, csp, xfo, want string }{
		{"", "default-src 'self'", "SAMEORIGIN", "default-src 'self'; frame-ancestors 'self'"},
		{"deny", "default-src 'self';", "DENY", "default-src 'self'; frame-ancestors 'none'"},
		{"DENY", "", "DENY", ""},
		{"off", "default-src 'self'", "", "default-src 'self'"},
		{"", "frame-ancestors https://a.example", "SAMEORIGIN", "frame-ancestors https://a.example"},
		{"https://a.example  https://b.example", "", "", "frame-ancestors 'self' https://a.example https://b.example"},
		{"", "default-src\n  'self';\n  img-src *", "SAMEORIGIN", "default-src 'self'; img-src *; frame-ancestors 'self'"},
	}
	for _, tt := range tests {
		got := answer(t, secureheaders.Config{Frame: tt.frame, CSP: tt.csp}, nil, false)
		if got.Get("X-Frame-Options") != tt.xfo || got.Get("Content-Security-Policy") != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

func TestHSTS(t *testing.T) {
	for want, cfg := range map[string]secureheaders.Config{
		"": {HSTS: -1},
		"max-age=31536000; includeSubDomains; preload": {HSTS: 365 * 24 * time.Hour, HSTSSubdomains: true, HSTSPreload: true},
	} {
		if got := answer(t, cfg, nil, true).Get("Strict-Transport-Security"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	_, err := secureheaders.New(secureheaders.Config{HSTSPreload: true, Frame: "ALLOWALL", CSP: "default-src é", Referrer: "none"})
	for _, want := range []string{"hsts", "frame", "csp", "referrer"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestAllocations(t *testing.T) {
	m, _ := secureheaders.New(secureheaders.Config{CSP: "default-src 'self'"})
	h := m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) }))
	rec := request.New(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	null := nullWriter{http.Header{}}
	if n := testing.AllocsPerRun(100, func() { rec.Writer.Reset(null); h.ServeHTTP(&rec.Writer, &rec.Request) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

type nullWriter struct{ h http.Header }

func (w nullWriter) Header() http.Header         { return w.h }
func (w nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w nullWriter) WriteHeader(int)             {}

func Example() {
	secure, err := secureheaders.New(secureheaders.Config{CSP: "default-src 'self'", Frame: "DENY"})
	if err != nil {
		panic(err)
	}
	w := httptest.NewRecorder()
	secure.Wrap(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Header().Get("Content-Security-Policy"))
	// Output: default-src 'self'; frame-ancestors 'none'
}
