package compress_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/middleware/compress"
)

type vector struct {
	ID      string
	Setup   string
	Fixture string
	Request struct {
		Method, Path string
		Headers      map[string]string
	}
	Expect struct {
		Status  int
		Headers map[string]any
	}
}

// apps are the applications that vectors describe in words.
var apps = map[string]http.HandlerFunc{
	"encoding-005":             set("Content-Encoding", "text"),
	"encoding-008":             set("Vary", "Accept-Encoding"),
	"encoding-009":             set("Vary", "*"),
	"encoding-013":             set("Last-Modified", "Sat, 21 Nov 2026 10:00:00 GMT"),
	"encoding-018":             set("Content-Type", "text/plain; charset=us-ascii"),
	"encoding-075-etag-weaken": set("Etag", `"A"`),
	"encoding-066-sse-flush": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
	},
}

func set(name, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set(name, value)
		w.Header().Set("Content-Length", "4000")
		_, _ = io.WriteString(w, strings.Repeat("x", 4000))
	}
}

func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/vectors/encoding.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	passed, failed := 0, 0
	for _, v := range file.Vectors {
		if t.Run(v.ID, func(t *testing.T) { runVector(t, v) }) {
			passed++
		} else {
			failed++
		}
	}
	fmt.Printf("vectors encoding: %d passed, %d failed, 0 not applicable\n", passed, failed)
}

func runVector(t *testing.T, v vector) {
	cfg := compress.Config{Encodings: []string{"gzip"}}
	if v.Fixture == "three" {
		cfg.Encodings = []string{"gzip", "br", "zstd"}
	}
	if strings.Contains(v.Setup, "types: [text/plain]") {
		cfg.Types = []string{"text/plain"}
	}
	app := apps[v.ID]
	if app == nil {
		app = set("X-App", "text")
	}
	srv := httptest.NewServer(wrap(t, cfg, app))
	defer srv.Close()
	headers := v.Request.Headers
	if _, value, ok := strings.Cut(v.Setup, "Client header: '"); ok {
		headers = map[string]string{"Accept-Encoding": strings.TrimSuffix(value, "'")}
	}
	req, _ := http.NewRequest(v.Request.Method, srv.URL+v.Request.Path, nil)
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	res, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != v.Expect.Status {
		t.Errorf("status %d, want %d", res.StatusCode, v.Expect.Status)
	}
	for name, want := range v.Expect.Headers {
		if msg := unmet(res.Header.Values(name), want); msg != "" {
			t.Errorf("%s: %s", name, msg)
		}
	}
	if tag := res.Header.Get("Etag"); tag != "" {
		roundTrip(t, tag)
	}
}

// roundTrip asks again with the tag of an encoded answer.
func roundTrip(t *testing.T, tag string) {
	h := wrap(t, compress.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"A"`)
		http.ServeContent(w, r, "f8.css", time.Time{}, strings.NewReader(strings.Repeat("x", 4000)))
	}))
	r := httptest.NewRequest("GET", "/f8.css", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("If-None-Match", tag)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	if rec.Code != http.StatusNotModified || rec.Header().Get("Etag") != tag {
		t.Errorf("If-None-Match %s: status %d, ETag %s", tag, rec.Code, rec.Header().Get("Etag"))
	}
}

func unmet(got []string, want any) string {
	switch want := want.(type) {
	case nil:
		return ""
	case string:
		if len(got) != 1 || got[0] != want {
			return fmt.Sprintf("got %q, want %q", got, want)
		}
	case map[string]any:
		for rule, v := range want {
			all := strings.Join(got, ", ")
			ok := false
			switch rule {
			case "absent":
				ok = len(got) == 0
			case "present":
				ok = len(got) > 0
			case "contains":
				ok = strings.Contains(all, v.(string))
			case "not":
				ok = all != v.(string)
			}
			if !ok {
				return fmt.Sprintf("got %q, want %s %v", got, rule, v)
			}
		}
	}
	return ""
}
