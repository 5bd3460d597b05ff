package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/cli"
)

// explainTable has nested mounts, hosts, captures and conditions.
const explainTable = `
middleware:
  lan: {ip: {allow: [192.0.2.0/24]}}
stacks:
  web: [request_id, errors, {headers: {response: {set: {X-Chain: web}}}}]
use: [web]
mounts:
  /: {respond: {body: root, headers: {X-App: root}}}
  /app:
    proxy: ${BACKEND}/base
    use: [default, {lan: , when: {path: [/admin/**]}}, {headers: {request: {set: {X-Seen: gateway}}}, except: {method: [POST]}}]
  /app/deep: {proxy: "${BACKEND}", use: [default, {rewrite: {path: {from: "/old/**", to: "/new/$1"}}}]}
  "{tenant}.example.com/t/{id}": {proxy: "${BACKEND}/{tenant}/{id}"}
  "*.example.com/": {respond: wildcard}
  /nested:
    use: [default, secure_headers]
    mounts:
      /: respond:inner
      /away: redirect:/elsewhere
  /switch:
    switch:
      - {when: {header: {X-Canary: "yes"}}, proxy: "${BACKEND}/canary"}
      - proxy: ${BACKEND}/stable
  /exact: {respond: exact, exact: true}
`

// TestExplainAgreesWithServing asks explain about URLs, serves the very same
// requests, and compares what was foretold with what happened.
func TestExplainAgreesWithServing(t *testing.T) {
	var seen *http.Request
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen = r }))
	defer backend.Close()
	file := filepath.Join(t.TempDir(), "mountd.yaml")
	if err := os.WriteFile(file, []byte(explainTable), 0o600); err != nil {
		t.Fatal(err)
	}
	program := func(out io.Writer) *cli.Program {
		return &cli.Program{Name: "mountd", Stdout: out, Stderr: t.Output(), Env: func(name string) (string, bool) {
			return backend.URL, name == "BACKEND"
		}}
	}
	site, err := program(io.Discard).Load(file)
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()

	for _, test := range []struct {
		method, url string
		header      string
		client      string
	}{
		{"GET", "http://localhost/", "", ""},
		{"GET", "http://localhost/app/x%2Fy?q=1&q=2", "", ""},
		{"POST", "http://localhost/app/x", "", ""},
		{"GET", "http://localhost/app", "", ""},
		{"GET", "http://localhost/app/admin/x", "", "198.51.100.7"},
		{"GET", "http://localhost/app/admin/x", "", "192.0.2.7"},
		{"GET", "http://localhost/app/deep/old/a/b", "", ""},
		{"GET", "http://acme.example.com/t/7/files", "", ""},
		{"GET", "http://acme.example.com/other", "", ""},
		{"GET", "http://localhost/nested/away/there?x", "", ""},
		{"GET", "http://localhost/nested/nothing", "", ""},
		{"GET", "http://localhost/switch/a", "X-Canary: yes", ""},
		{"GET", "http://localhost/switch/a", "", ""},
		{"GET", "http://localhost/exact/below", "", ""},
		{"GET", "http://localhost/app/..%5cadmin", "", ""},
		{"GET", "http://localhost/app;a/x", "", ""},
		{"TRACE", "http://localhost/", "", ""},
	} {
		t.Run(test.method+" "+test.url+" "+test.header+test.client, func(t *testing.T) {
			var out bytes.Buffer
			args := []string{"explain", "-c", file, "-X", test.method, "--json"}
			if test.client != "" {
				args = append(args, "--client", test.client)
			}
			if test.header != "" {
				args = append(args, "-H", test.header)
			}
			if status := program(&out).Run(context.Background(), append(args, test.url)); status != 0 {
				t.Fatalf("explain ended with status %d", status)
			}
			var said struct {
				App *struct {
					Sent *struct {
						Method, Target string
						Header         http.Header
					}
				}
				Answer *struct {
					Status int
					Header http.Header
				}
			}
			if err := json.Unmarshal(out.Bytes(), &said); err != nil {
				t.Fatal(err)
			}

			seen = nil
			w := httptest.NewRecorder()
			site.ServeHTTP(w, requestFor(t, test.method, test.url, test.header, test.client))
			if said.App != nil && said.App.Sent != nil {
				if seen == nil {
					t.Fatalf("explain says that %s is sent, but nothing was", said.App.Sent.Target)
				}
				if got := seen.Method + " " + backend.URL + seen.RequestURI; got != said.App.Sent.Method+" "+said.App.Sent.Target {
					t.Errorf("explain says %s %s, the backend saw %s", said.App.Sent.Method, said.App.Sent.Target, got)
				}
				compareHeader(t, said.App.Sent.Header, withHost(seen))
				return
			}
			if seen != nil {
				t.Fatalf("explain says that nothing is sent, but the backend saw %s", seen.RequestURI)
			}
			if said.Answer.Status != w.Code {
				t.Errorf("explain says %d, the answer was %d", said.Answer.Status, w.Code)
			}
			compareHeader(t, said.Answer.Header, w.Result().Header)
		})
	}
}

func requestFor(t *testing.T, method, url, header, client string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, url, nil)
	r.RequestURI = strings.TrimPrefix(strings.TrimPrefix(url, "http://"), r.Host)
	r.RemoteAddr = "127.0.0.1:40000"
	if client != "" {
		r.RemoteAddr = client + ":40000"
	}
	if name, value, ok := strings.Cut(header, ": "); ok {
		r.Header.Set(name, value)
	}
	return r
}

func withHost(r *http.Request) http.Header {
	h := r.Header.Clone()
	h.Set("Host", r.Host)
	return h
}

// compareHeader leaves out what differs from one request to the next.
func compareHeader(t *testing.T, said, was http.Header) {
	t.Helper()
	for _, h := range []http.Header{said, was} {
		h.Del("X-Request-Id")
		h.Del("Date")
	}
	if !maps.EqualFunc(said, was, slices.Equal) {
		t.Errorf("headers differ\nsaid: %v\nwere: %v", said, was)
	}
}
