package errorhandler_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mountd/mountd/errorhandler"
)

type vector struct {
	ID      string `json:"id"`
	Request struct {
		Method, Path string
		Headers      map[string]string
	} `json:"request"`
	Expect struct {
		Status  any            `json:"status"`
		Headers map[string]any `json:"headers"`
		Body    any            `json:"body"`
	} `json:"expect"`
}

// set-ups of the vectors, which describe them in words
var setups = map[string]struct {
	cfg errorhandler.Config
	app http.Handler
}{
	"errors-006-log-escape": {app: failing(errors.New("first\r\nsecond"))},
	"errors-007":            {errorhandler.Config{Intercept: errorhandler.Intercept{All: true}}, answering(404, "")},
	"errors-012":            {pages("500", "fancy 500", 500), answering(500, "plain 500")},
	"errors-018":            {app: failing(errors.New("ugly stack trace"))},
	"errors-032-xss":        {app: failing(&errorhandler.HTTPError{Status: 404})},
	"errors-033":            {app: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("before start_response") })},
	"errors-043":            {errorhandler.Config{Intercept: errorhandler.Intercept{All: true}}, answering(304, "")},
	"errors-045":            {errorhandler.Config{Intercept: errorhandler.Intercept{All: true}}, answering(200, "ok", "X-Potato", "always")},
	"errors-046":            {app: http.StripPrefix("/sub", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("below") }))},
	"errors-053":            {pages("5xx", "sorry", 500, 501, 503), answering(304, "")},
	"errors-055":            {pages("5xx", "sorry", 500, 501, 503), answering(502, "Bad Gateway")},
	"errors-062":            {pages("401", "intercepted", 401), answering(401, "app", "WWW-Authenticate", "Basic", "WWW-Authenticate", "Digest")},
	"errors-073":            {app: errorhandler.Recover(failing(&errorhandler.HTTPError{Status: 404})), cfg: pages("404", "the outer page")},
}

func pages(key, text string, statuses ...int) errorhandler.Config {
	return errorhandler.Config{
		FS:        fstest.MapFS{"page.html": {Data: []byte(text)}},
		Pages:     map[string]string{key: "page.html"},
		Intercept: errorhandler.Intercept{Statuses: statuses},
	}
}

func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/vectors/errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	passed, failed, missing := 0, 0, 0
	for _, v := range file.Vectors {
		setup, ok := setups[v.ID]
		if !ok {
			missing++
			t.Errorf("%s has no set-up", v.ID)
			continue
		}
		if t.Run(v.ID, func(t *testing.T) { runVector(t, v, setup.cfg, setup.app) }) {
			passed++
		} else {
			failed++
		}
	}
	fmt.Printf("vectors errors: %d passed, %d failed, %d not applicable\n", passed, failed, missing)
}

func runVector(t *testing.T, v vector, cfg errorhandler.Config, app http.Handler) {
	var log syncBuffer
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	srv := httptest.NewServer(newHandler(t, cfg).Wrap(app))
	raw := v.Request.Method + " " + v.Request.Path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
	for name, value := range v.Request.Headers {
		if name != "Host" {
			raw += name + ": " + value + "\r\n"
		}
	}
	got, _ := exchange(t, srv, raw+"\r\n")
	srv.Close()
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), nil)
	if err != nil {
		t.Fatalf("%v in %q", err, got)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "status", v.Expect.Status, float64(resp.StatusCode))
	check(t, "body", v.Expect.Body, string(body))
	for name, want := range v.Expect.Headers {
		if m, ok := want.(map[string]any); ok && m["count"] != nil {
			check(t, name, m["count"], float64(len(resp.Header.Values(name))))
			continue
		}
		check(t, name, want, resp.Header.Get(name))
	}
	for line := range bytes.Lines([]byte(log.String())) {
		if bytes.HasPrefix(line, []byte("second")) || bytes.ContainsRune(line, '\r') {
			t.Errorf("log line %q", line)
		}
	}
}

func check(t *testing.T, what string, want, got any) {
	t.Helper()
	m, ok := want.(map[string]any)
	if !ok {
		if want != nil && want != got {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
		return
	}
	for op, value := range m {
		holds := false
		switch op {
		case "contains":
			holds = strings.Contains(got.(string), value.(string))
		case "not_contains":
			holds = !strings.Contains(got.(string), value.(string))
		case "one_of":
			for _, x := range value.([]any) {
				holds = holds || x == got
			}
		default:
			t.Fatalf("%s: unknown matcher %q", what, op)
		}
		if !holds {
			t.Errorf("%s: %v does not satisfy %s %v", what, got, op, value)
		}
	}
}
