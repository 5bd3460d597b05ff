package respond_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mountd/mountd/backend/respond"
)

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		fact        string
		cfg         respond.Config
		method      string
		status      int
		contentType string
		length      int64
		body        string
	}{
		{"text", respond.Config{Body: "hi"}, "GET", 200, "text/plain; charset=utf-8", 2, "hi"},
		{"nothing", respond.Config{}, "GET", 200, "text/plain; charset=utf-8", 0, ""},
		{"HEAD", respond.Config{Body: "hi"}, "HEAD", 200, "text/plain; charset=utf-8", 2, ""},
		{"any method", respond.Config{Body: "hi"}, "PROPFIND", 200, "text/plain; charset=utf-8", 2, "hi"},
		{"status and type", respond.Config{Status: 503, Body: "{}", Type: "application/json"}, "GET", 503, "application/json", 2, "{}"},
		{"no content", respond.Config{Status: 204}, "GET", 204, "", 0, ""},
		{"no template", respond.Config{Body: "{x} <b>"}, "GET", 200, "text/plain; charset=utf-8", 7, "{x} <b>"},
		{"type by header", respond.Config{Headers: map[string]string{"content-type": "text/css"}}, "GET", 200, "text/css", 0, ""},
	} {
		a, err := respond.New(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(a)
		r, _ := http.NewRequest(tt.method, srv.URL, nil)
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		srv.Close()
		if resp.StatusCode != tt.status || resp.Header.Get("Content-Type") != tt.contentType || resp.ContentLength != tt.length || string(body) != tt.body {
			t.Errorf("%s: %d %q %d %q", tt.fact, resp.StatusCode, resp.Header.Get("Content-Type"), resp.ContentLength, body)
		}
	}
}

func TestHeaders(t *testing.T) {
	a, err := respond.New(respond.Config{Status: 301, Headers: map[string]string{"location": "/x", "X-A": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 301 || w.Header().Get("Location") != "/x" || w.Header().Get("X-A") != "b" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestMistakes(t *testing.T) {
	for path, cfg := range map[string]respond.Config{
		"status":                 {Status: 103},
		"body":                   {Status: 204, Body: "x"},
		"type":                   {Type: "a\r\nb"},
		"headers.Content-Length": {Headers: map[string]string{"Content-Length": "3"}},
		"headers.X A":            {Headers: map[string]string{"X A": "3"}},
		"headers.":               {Headers: map[string]string{"": "3"}},
		"headers.X-A":            {Headers: map[string]string{"X-A": "a\nb"}},
	} {
		_, err := respond.New(cfg)
		var field interface{ OptionPath() string }
		if !errors.As(err, &field) || field.OptionPath() != path {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// nowhere is a response writer that costs nothing.
type nowhere struct{ h http.Header }

func (w nowhere) Header() http.Header         { return w.h }
func (w nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w nowhere) WriteHeader(int)             {}

func TestAnsweringCostsNoAllocation(t *testing.T) {
	a, _ := respond.New(respond.Config{Body: "hi", Headers: map[string]string{"X-A": "b"}})
	w, r := nowhere{http.Header{}}, httptest.NewRequest("GET", "/", nil)
	if n := testing.AllocsPerRun(100, func() { a.ServeHTTP(w, r) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRespond(b *testing.B) {
	a, _ := respond.New(respond.Config{Body: strings.Repeat("x", 100)})
	w, r := nowhere{http.Header{}}, httptest.NewRequest("GET", "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		a.ServeHTTP(w, r)
	}
}

func Example() {
	a, _ := respond.New(respond.Config{Status: http.StatusServiceUnavailable, Body: "back at noon\n"})
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/any/path", nil))
	fmt.Print(w.Code, " ", w.Body)
	// Output: 503 back at noon
}
