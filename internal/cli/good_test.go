package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/cli"
)

// seen is what the backend got, as it answers it.
type seen struct {
	Method, URI, Host, Body string
	Header                  http.Header
}

// backend answers with what it saw, and with what its paths ask for.
func backend(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := w.Header()
		h.Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/missing"):
			h.Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusNotFound)
		case strings.HasSuffix(r.URL.Path, "/moved"):
			h.Set("Location", "/target")
			h.Set("Set-Cookie", "a=b; Path=/")
			w.WriteHeader(http.StatusFound)
		case strings.HasSuffix(r.URL.Path, "/send"):
			h.Set("X-Accel-Redirect", "/protected/report.txt")
		}
		_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Host, string(body), r.Header})
	}))
	t.Cleanup(s.Close)
	return s
}

// program is mountd with a backend that tables name as ${BACKEND}.
func program(backend string) *cli.Program {
	return &cli.Program{Name: "mountd", Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Env: func(name string) (string, bool) {
		if name == "BACKEND" {
			return backend, true
		}
		return environment(name)
	}}
}

// exchange is a request to a good table, and what must come of it.
type exchange struct {
	request string            // METHOD URL; a path goes to localhost
	header  map[string]string // of the request; Host too
	body    string

	status  int
	answer  map[string]string // header of the answer; "" is absent
	has     string            // in the body
	is      string            // the whole body
	backend string            // METHOD URI that the backend saw; "-" is nothing
	sees    map[string]string // header that the backend saw; "" is absent
}

var good = map[string][]exchange{
	"forms.yaml": {
		{request: "GET /", status: 200, is: "home\n"},
		{request: "GET /sub/", status: 200, is: "sub\n"},
		{request: "GET /nothing", status: 404},
		{request: "GET /long/", status: 200, is: "home\n", answer: map[string]string{"Cache-Control": "max-age=3600"}},
		{request: "GET /one.txt", status: 200, is: "plain\n", answer: map[string]string{"Content-Type": "text/plain; charset=utf-8"}},
		{request: "GET /one.txt/below", status: 404},
		{request: "POST /one.txt", status: 405},
		{request: "GET /proxy/a?b=c", status: 200, backend: "GET /a?b=c"},
		{request: "POST /proxy-key/a", body: "x", status: 200, backend: "POST /a"},
		{request: "GET /proxy-long/", status: 200, backend: "GET /"},
		{request: "GET /proxy-list/z", status: 200, backend: "GET /z"},
		{request: "GET /redirect/x?y=1", status: 307, answer: map[string]string{"Location": "/elsewhere/x?y=1"}},
		{request: "GET /redirect-long/x", status: 301, answer: map[string]string{"Location": "https://example.com/new"}},
		{request: "GET /respond/any", status: 200, is: "hello", answer: map[string]string{"Content-Type": "text/plain; charset=utf-8"}},
		{request: "GET /respond-env", status: 200, is: "this:bazbar"},
		{request: "GET /respond-default", status: 200, is: "nobody"},
		{request: "GET /respond-plain", status: 200, is: "${INHERIT}"},
		{request: "GET /respond-long", status: 418, is: "teapot", answer: map[string]string{"X-Pot": "tea"}},
		{request: "GET /bazbar", status: 200, is: "key"},
	},
	"stacks.yaml": {
		{request: "GET /default", status: 200, answer: map[string]string{"X-Mark": "mark", "X-Request-Id": "*"}},
		{request: "GET /none", status: 200, answer: map[string]string{"X-Mark": "", "X-Request-Id": ""}},
		{request: "GET /named", status: 200, answer: map[string]string{"X-Mark": "inner, outer", "X-Request-Id": ""}},
		{request: "GET /more", status: 200, answer: map[string]string{"X-Mark": "inner, outer, mark"}},
		{request: "GET /nulluse", status: 200, answer: map[string]string{"X-Mark": "mark"}},
		{request: "GET /when/in/x", status: 200, answer: map[string]string{"X-Mark": "inner, outer"}},
		{request: "HEAD /when/in/x", status: 200, answer: map[string]string{"X-Mark": "inner, outer"}},
		{request: "POST /when/in/x", status: 200, answer: map[string]string{"X-Mark": ""}},
		{request: "GET /when/in/not/x", status: 200, answer: map[string]string{"X-Mark": ""}},
		{request: "GET /when/out", status: 200, answer: map[string]string{"X-Mark": ""}},
		{request: "GET /except", status: 200, answer: map[string]string{"X-Mark": "mark"}},
		{request: "GET /except", header: map[string]string{"X-Quiet": "please"}, status: 200, answer: map[string]string{"X-Mark": "", "X-Request-Id": ""}},
		{request: "GET /status", status: 204},
		{request: "GET /nowhere", status: 404, answer: map[string]string{"X-Mark": "mark", "Content-Type": "application/problem+json"}},
	},
	"nested.yaml": {
		{request: "GET /app", status: 200, is: "app root", answer: map[string]string{"X-Level": "1, 0"}},
		{request: "GET /app/in/x", status: 200, is: "app in", answer: map[string]string{"X-Level": "2, 1, 0"}},
		{request: "GET /app/deep/er/x", status: 200, backend: "GET /x", sees: map[string]string{"X-Forwarded-Prefix": "/app/deep/er"}, answer: map[string]string{"X-Level": "1, 0"}},
		{request: "GET /app/deep/nowhere", status: 404, answer: map[string]string{"X-Level": "1, 0"}},
		{request: "GET /app/again", status: 200, is: "again", answer: map[string]string{"X-Level": "1, 0"}},
		{request: "GET http://EXAMPLE.com./x", status: 200, is: "exact host"},
		{request: "GET http://a.b.example.com/", status: 200, is: "wildcard"},
		{request: "GET http://books.example.com/shop/x", status: 200, backend: "GET /shops/books/x", sees: map[string]string{"X-Shop": "books"}},
		{request: "GET http://books.example.com/other", status: 200, is: "wildcard"},
		{request: "GET http://other.org/exact", status: 200, is: "exactly"},
		{request: "GET http://example.com:8080/exact", status: 200, is: "exact host"},
		{request: "GET /t/acme/files/who.txt", status: 200, is: "acme\n"},
		{request: "GET /t/nobody/files/who.txt", status: 404},
		{request: "GET /t/%2e%2e/files/who.txt", status: 404},
		{request: "GET /t/acme/go/y", status: 307, answer: map[string]string{"Location": "https://acme.example.net/x/y"}},
		{request: "GET /exact", status: 200, is: "exactly"},
		{request: "GET /exact/below", status: 404},
		{request: "GET /caf%C3%A9/x", status: 200, is: "coffee"},
		{request: "GET /.mountd/login", status: 404, answer: map[string]string{"X-Level": "0"}},
	},
	"choice.yaml": {
		{request: "GET /cascade", status: 200, is: "home\n"},
		{request: "GET /cascade/moved", status: 302, answer: map[string]string{"Location": "/cascade/target"}},
		{request: "GET /cascade/plain.txt", status: 200, is: "plain\n"},
		{request: "GET /cascade/site.css", status: 200, is: "body{}\n"},
		{request: "POST /cascade/form", body: "a=b", status: 200, backend: "POST /form", has: `"Body":"a=b"`},
		{request: "GET /cascade/missing", status: 404, backend: "GET /missing"},
		{request: "GET /cascade-on", status: 200, is: "second"},
		{request: "GET /switch", header: map[string]string{"Accept-Language": "de-AT"}, status: 200, is: "Guten Tag"},
		{request: "GET /switch/admin/x", status: 307, answer: map[string]string{"Location": "/login/admin/x"}},
		{request: "POST /switch/x", status: 200, backend: "POST /x"},
		{request: "GET /switch/x", status: 200, is: "Hello"},
		{request: "GET /strict", status: 404},
		{request: "GET https://localhost/strict", status: 200, is: "secret"},
	},
	"slash.yaml": {
		{request: "GET /static?q=1", status: 307, answer: map[string]string{"Location": "/static/?q=1"}},
		{request: "HEAD /static", status: 307, answer: map[string]string{"Location": "/static/"}},
		{request: "GET /proxy", status: 307, answer: map[string]string{"Location": "/proxy/"}, backend: "-"},
		{request: "POST /proxy", status: 200, backend: "POST /"},
		{request: "GET /proxy", header: map[string]string{"Connection": "Upgrade", "Upgrade": "websocket"}, status: 200, backend: "GET /"},
		{request: "GET /proxy/", status: 200, backend: "GET /"},
		{request: "GET /file", status: 200, backend: "GET /metrics"},
		{request: "GET /exact", status: 200, backend: "GET /"},
		{request: "GET /pass?x", status: 200, backend: "GET /?x"},
		{request: "GET /respond", status: 200, is: "hi"},
		{request: "GET /asked", status: 307, answer: map[string]string{"Location": "/asked/"}},
		{request: "GET /guarded", status: 403, answer: map[string]string{"Location": ""}, backend: "-"},
	},
	"errors.yaml": {
		{request: "GET /nowhere", status: 404, answer: map[string]string{"Content-Type": "application/problem+json", "X-Global": "yes"}, has: `"status":404`},
		{request: "GET /json/nothing", status: 404, answer: map[string]string{"Content-Type": "application/problem+json", "X-Global": "yes"}},
		{request: "GET /html/nothing", status: 404, has: "our 404", answer: map[string]string{"X-Global": ""}},
		{request: "GET /taken/missing", status: 404, has: "our 404", backend: "-"},
		{request: "GET /down/x", status: 502, answer: map[string]string{"Content-Type": "application/problem+json"}},
		{request: "GET /..%2f..%2fetc", status: 400, answer: map[string]string{"Content-Type": "application/problem+json", "X-Request-Id": "*"}},
		{request: "TRACE /json", status: 405, answer: map[string]string{"X-Request-Id": "*", "Allow": "*"}},
	},
	"parts.yaml": {
		{request: "GET /share/css/site.css", status: 200, is: "body{}\n"},
		{request: "GET /share/robots.txt", status: 200, is: "plain\n"},
		{request: "GET /share/css/none.css", status: 200, backend: "GET /css/none.css"},
		{request: "GET /send/send", status: 200, is: "secret\n", answer: map[string]string{"X-Accel-Redirect": ""}},
		{request: "GET /identity/", header: map[string]string{"X-Who": "root", "X-Teams": "wheel", "Remote-User": "root", "Remote_User": "root", "X-Other": "kept"}, status: 200,
			sees: map[string]string{"X-Who": "", "X-Teams": "", "Remote-User": "", "Remote_user": "", "X-Other": "kept"}},
		{request: "GET /rebased/moved", status: 302, answer: map[string]string{"Location": "/rebased/target", "Set-Cookie": "a=b; Path=/rebased"}},
		{request: "GET /plain/moved", status: 302, answer: map[string]string{"Location": "/target", "Set-Cookie": "a=b; Path=/"}},
		{request: "GET /limited", status: 200},
		{request: "GET /limited", status: 200},
		{request: "GET /limited", status: 429, answer: map[string]string{"Retry-After": "*"}},
		{request: "POST /small/", body: "1234", status: 200, backend: "POST /"},
		{request: "POST /small/", body: "12345", status: 413},
		{request: "GET /rewritten/old/a?b", status: 200, backend: "GET /new?b"},
	},
	"auth.yaml": {
		{request: "GET /private/x", status: 401, answer: map[string]string{"WWW-Authenticate": "Basic realm=\"Team\", charset=\"UTF-8\", ApiKey header=\"X-Api-Key\"", "Cache-Control": "no-store", "Vary": "Authorization, Accept"}, backend: "-"},
		{request: "GET /private", status: 401, backend: "-"},
		{request: "GET /private/nosuch/page", status: 401, backend: "-"},
		{request: "GET /files/nosuch.txt", status: 401},
		{request: "GET /files/plain.txt", header: map[string]string{"Authorization": "Basic am9lOnB3"}, status: 200},
		{request: "GET /files/nosuch.txt", header: map[string]string{"Authorization": "Basic am9lOnB3"}, status: 404},
		{request: "GET /private/x", header: map[string]string{"Authorization": "Basic am9lOnB3"}, status: 200, backend: "GET /x", sees: map[string]string{"Remote-User": "joe", "Remote-Groups": "staff", "Authorization": ""}},
		{request: "GET /private/x", header: map[string]string{"Authorization": "Basic YW5uOnNlY3JldA=="}, status: 200, sees: map[string]string{"Remote-User": "ann", "Remote-Groups": "admins,staff"}},
		{request: "GET /private/x", header: map[string]string{"X-Api-Key": "key"}, status: 200, sees: map[string]string{"Remote-User": "ci", "X-Api-Key": ""}},
		{request: "GET /private/x?a=1&k=key", status: 200, backend: "GET /x?a=1", sees: map[string]string{"Remote-User": "ci"}},
		{request: "GET /private/x?k=key", header: map[string]string{"Authorization": "Basic am9lOm5v"}, status: 401, backend: "-"},
		{request: "GET /private/x", header: map[string]string{"Authorization": "Basic am9lOnB3", "X-Api-Key": "no"}, status: 401, backend: "-"},
		{request: "GET /private/x", header: map[string]string{"Authorization": "Bearer abc"}, status: 401, backend: "-"},
		{request: "GET /private/x", header: map[string]string{"Authorization": "Basic am9lOnB3", "Connection": "Remote-User, Authorization", "Remote-User": "root", "Remote-user": "root"}, status: 200, sees: map[string]string{"Remote-User": "joe"}},
		{request: "GET /public/open/x", status: 200, sees: map[string]string{"Remote-User": ""}},
		{request: "GET /public/x", status: 401, backend: "-"},
		{request: "GET /public/x?/open/", status: 401, backend: "-"},
		{request: "GET /public//open/../x", status: 401, backend: "-"},
		{request: "GET /half/x", status: 200},
		{request: "GET /half/team/x", status: 401, answer: map[string]string{"WWW-Authenticate": "Basic realm=\"Team\", charset=\"UTF-8\""}},
		{request: "GET /half/ci/x", status: 401, answer: map[string]string{"WWW-Authenticate": "ApiKey header=\"X-Api-Key\""}},
		{request: "GET /half/ci/x", header: map[string]string{"Authorization": "Basic am9lOnB3"}, status: 401},
		{request: "GET /half/both/x", header: map[string]string{"X-Api-Key": "key"}, status: 200, sees: map[string]string{"Remote-User": "ci"}},
		{request: "GET /half/both/x", status: 401, answer: map[string]string{"WWW-Authenticate": "Basic realm=\"Team\", charset=\"UTF-8\", ApiKey header=\"X-Api-Key\""}},
		{request: "PROPFIND /methods/x", status: 401, backend: "-"},
		{request: "GET /methods/x", status: 401, backend: "-"},
		{request: "get /methods/x", status: 400, backend: "-"},
		{request: "GET /admins/x", status: 401, answer: map[string]string{"WWW-Authenticate": "Basic realm=\"Team\", charset=\"UTF-8\", ApiKey header=\"X-Api-Key\""}},
		{request: "GET /admins/x", header: map[string]string{"Authorization": "Basic am9lOnB3"}, status: 403, backend: "-"},
		{request: "GET /admins/x", header: map[string]string{"Authorization": "Basic YW5uOnNlY3JldA=="}, status: 200, sees: map[string]string{"Remote-User": "ann"}},
		{request: "GET /guests/x", status: 200, sees: map[string]string{"Remote-User": ""}},
		{request: "GET /guests/x", header: map[string]string{"X-Api-Key": "key"}, status: 200, sees: map[string]string{"Remote-User": "ci"}},
		{request: "GET /guests/x", header: map[string]string{"X-Api-Key": "no"}, status: 401, backend: "-"},
		{request: "GET /writers/x", status: 200},
		{request: "POST /writers/x", status: 401, answer: map[string]string{"WWW-Authenticate": "ApiKey header=\"X-Api-Key\""}, backend: "-"},
		{request: "POST /writers/x", header: map[string]string{"X-Api-Key": "key"}, status: 200, sees: map[string]string{"Remote-User": "ci"}},
		{request: "GET /front/x", header: map[string]string{"X-Front-User": "joe", "X-Front-Groups": "a, b"}, status: 200, sees: map[string]string{"Remote-User": "joe", "Remote-Groups": "a,b", "X-Front-User": ""}},
		{request: "GET /front/x", status: 401, backend: "-"},
		{request: "GET /", header: map[string]string{"X-Front-User": "joe", "Authorization": "Basic am9lOnB3"}, status: 200, sees: map[string]string{"X-Front-User": "", "Remote-User": "", "Authorization": "Basic am9lOnB3"}},
		{request: "GET /forwarded/x?k=key", header: map[string]string{"Authorization": "Basic am9lOnB3", "X-Api-Key": "key"}, status: 200, backend: "GET /x?k=key", sees: map[string]string{"X-Forwarded-User": "joe", "X-Forwarded-Groups": "staff", "Remote-User": "", "Authorization": "Basic am9lOnB3", "X-Api-Key": "key"}},
		{request: "GET /mapped/x", header: map[string]string{"Authorization": "Basic am9lOnB3", "X-Webauth-User": "root", "X-Api-Key": "key"}, status: 200, sees: map[string]string{"X-Webauth-User": "joe", "Remote-User": "", "Authorization": "", "X-Api-Key": "key"}},
		{request: "GET /silent/x", header: map[string]string{"Authorization": "Basic am9lOnB3"}, status: 200, sees: map[string]string{"X-Webauth-User": "", "Remote-User": "", "Authorization": ""}},
		{request: "GET /nested/plain/x", status: 401, backend: "-"},
		{request: "GET /nested/nosuch", status: 401},
		{request: "GET /nested/nosuch", header: map[string]string{"Authorization": "Basic am9lOnB3"}, status: 404},
		{request: "GET /nested/plain/x", header: map[string]string{"Authorization": "Basic am9lOnB3"}, status: 200, sees: map[string]string{"Remote-User": "joe", "Authorization": ""}},
		{request: "GET /nested/again/x", header: map[string]string{"Authorization": "Basic am9lOnB3"}, status: 401, answer: map[string]string{"WWW-Authenticate": "ApiKey header=\"X-Api-Key\""}, backend: "-"},
		{request: "GET /nested/again/x", header: map[string]string{"X-Api-Key": "key"}, status: 401, answer: map[string]string{"WWW-Authenticate": "Basic realm=\"Team\", charset=\"UTF-8\""}, backend: "-"},
		{request: "GET /nested/again/x", header: map[string]string{"Authorization": "Basic am9lOnB3", "X-Api-Key": "key"}, status: 200, sees: map[string]string{"Remote-User": "ci", "Remote-Groups": "", "Authorization": "", "X-Api-Key": ""}},
		{request: "GET /nested/maybe/x", header: map[string]string{"Authorization": "Basic am9lOnB3"}, status: 200, sees: map[string]string{"Remote-User": "joe"}},
		{request: "GET /nested/open/x", header: map[string]string{"Authorization": "Basic am9lOnB3"}, status: 200, sees: map[string]string{"Remote-User": "", "Authorization": "Basic am9lOnB3"}},
	},
	"include.yaml": {
		{request: "GET /", status: 200, is: "main", answer: map[string]string{"X-Team": "blog"}},
		{request: "GET /blog/plain.txt", status: 200, is: "plain\n"},
	},
	"empty.yaml": {
		{request: "GET /", status: 404},
	},
}

func TestGoodTablesServe(t *testing.T) {
	found, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	requests := 0
	for _, path := range found {
		name := filepath.Base(path)
		if name == "vectors.yaml" {
			continue
		}
		if good[name] == nil {
			t.Errorf("%s is asked for nothing", name)
		}
		requests += len(good[name])
		t.Run(name, func(t *testing.T) {
			site := load(t, path)
			for _, x := range good[name] {
				t.Run(x.request, func(t *testing.T) { x.check(t, site) })
			}
		})
	}
	t.Logf("%d requests to %d tables", requests, len(found)-1)
}

func load(t *testing.T, path string) http.Handler {
	t.Helper()
	site, err := program(backend(t).URL).Load(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := site.Close(); err != nil {
			t.Error(err)
		}
	})
	return site
}

func (x exchange) make() *http.Request {
	method, url, _ := strings.Cut(x.request, " ")
	if strings.HasPrefix(url, "/") {
		url = "http://localhost" + url
	}
	r := httptest.NewRequest(method, url, strings.NewReader(x.body))
	if strings.HasPrefix(url, "http") { // as a server gives it
		r.RequestURI = r.URL.RequestURI()
		r.URL.Scheme, r.URL.Host = "", ""
	}
	for name, value := range x.header {
		r.Header[name] = []string{value}
	}
	return r
}

func (x exchange) check(t *testing.T, site http.Handler) {
	w := httptest.NewRecorder()
	site.ServeHTTP(w, x.make())
	body := w.Body.String()
	if w.Code != x.status {
		t.Errorf("status %d, not %d: %s", w.Code, x.status, body)
	}
	for name, want := range x.answer {
		got := strings.Join(w.Header().Values(name), ", ")
		if got != want && (want != "*" || got == "") {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
	if x.is != "" && body != x.is || !strings.Contains(body, x.has) {
		t.Errorf("body %q, not %q", body, x.is+x.has)
	}
	var saw seen
	if json.Unmarshal(bytes.TrimSpace([]byte(body)), &saw) != nil {
		saw = seen{}
	}
	got := saw.Method + " " + saw.URI
	switch {
	case x.backend == "-" && saw.Method != "", x.backend != "" && x.backend != "-" && got != x.backend:
		t.Errorf("the backend saw %q, not %q", got, x.backend)
	}
	for _, name := range slices.Sorted(maps.Keys(x.sees)) {
		if got := strings.Join(saw.Header[name], ", "); got != x.sees[name] {
			t.Errorf("the backend saw %s: %q, not %q", name, got, x.sees[name])
		}
	}
}

func TestVectorsOfComposition(t *testing.T) {
	site := load(t, "testdata/good/vectors.yaml")
	cases := map[string]exchange{
		"compose-007":     {request: "GET /", status: 200, has: "this:bazbar"},
		"compose-014":     {request: "GET /pipeline", status: 200, is: "This is", answer: map[string]string{"X-Filter": "1"}},
		"compose-016":     {request: "GET /stacked", status: 200, is: "This is", answer: map[string]string{"X-Filter": "1, 2"}},
		"compose-036":     {request: "GET /guarded", status: 401},
		"compose-035":     {request: "GET /sub", status: 200, is: "sub", answer: map[string]string{"Content-Length": "3", "X-Test": "yes"}},
		"compose-048":     {request: "GET /home", status: 200, answer: map[string]string{"X-Test": ""}},
		"compose-048-app": {request: "GET /http", status: 200, answer: map[string]string{"X-Test": "yes"}},
	}
	bad := map[string]string{
		"compose-020": "mounts: {':20/x': respond:hi}\n",
		"compose-041": "use: [errors]\n",
	}
	notHere := map[string]string{
		"compose-045-env": "run by compose, with layers that note things on the request",
	}
	failed := 0
	for _, id := range slices.Sorted(maps.Keys(cases)) {
		if !t.Run(id, func(t *testing.T) { cases[id].check(t, site) }) {
			failed++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(bad)) {
		if !t.Run(id, func(t *testing.T) { refuses(t, bad[id]) }) {
			failed++
		}
	}
	passed := len(cases) - 1 + len(bad) - failed // 048 is two requests
	fmt.Printf("vectors compose (tables): %d passed, %d failed, %d not applicable (%s)\n", passed, failed, len(notHere), strings.Join(slices.Sorted(maps.Values(notHere)), "; "))
}

func refuses(t *testing.T, table string) {
	path := filepath.Join(t.TempDir(), "mountd.yaml")
	write(t, path, table)
	if got := command(t.Context(), "check", "-c", path); got.status != 1 {
		t.Errorf("status %d: %s", got.status, got.stdout)
	}
}
