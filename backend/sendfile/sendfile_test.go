package sendfile_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mountd/mountd/backend/sendfile"
)

const text = "0123456789"

// roots has /files/a.txt and more in a directory of its own.
func roots(t testing.TB) (map[string]sendfile.Root, string) {
	t.Helper()
	dir := t.TempDir()
	for name, body := range map[string]string{"a.txt": text, "a b%.txt": "odd", "sub/c.pdf": "%PDF", "big": strings.Repeat("x", 1<<20)} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "inner ", r.URL.Path) })
	return map[string]sendfile.Root{
		"/files/":      {Handler: http.FileServer(http.Dir(dir)), Dir: dir},
		"/files/inner": {Handler: inner},
	}, dir
}

// app answers with a status, fields as "Name: value" and a body.
func app(status int, body string, fields ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, f := range fields {
			name, value, _ := strings.Cut(f, ": ")
			w.Header().Add(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

type failure struct{ err error }

func wrap(t testing.TB, next http.Handler) (http.Handler, *failure) {
	t.Helper()
	given, _ := roots(t)
	got := &failure{}
	m, err := sendfile.New(sendfile.Config{Roots: given, ErrorFunc: func(w http.ResponseWriter, _ *http.Request, err error) {
		got.err = err
		w.WriteHeader(err.(interface{ HTTPStatus() int }).HTTPStatus())
	}})
	if err != nil {
		t.Fatal(err)
	}
	return m.Wrap(next), got
}

func TestXAccelRedirect(t *testing.T) {
	for _, tt := range []struct {
		fact, value string
		status      int
		body        string
	}{
		{"a file", "/files/a.txt", 200, text},
		{"below", "/files/sub/c.pdf", 200, "%PDF"},
		{"escaped", "/files/a%20b%25.txt", 200, "odd"},
		{"not escaped", "/files/a b%.txt", 200, "odd"},
		{"with a query", "/files/a.txt?x", 200, text},
		{"the longest root", "/files/inner/x", 200, "inner /x"},
		{"whole segments", "/files/innerx", 404, "404 page not found\n"},
		{"dots inside", "/files/sub/../a.txt", 200, text},
		{"missing", "/files/nope", 404, "404 page not found\n"},
		{"no such root", "/other/a.txt", 502, ""},
		{"a name that begins alike", "/filesystem/a.txt", 502, ""},
		{"the root alone", "/files", 502, ""},
		{"out of the root", "/files/../etc/passwd", 502, ""},
		{"out of the root, escaped", "/files/%2e%2e/etc/passwd", 502, ""},
		{"above all", "/../../etc/passwd", 502, ""},
		{"relative", "files/a.txt", 502, ""},
		{"a location by name", "@files", 502, ""},
		{"a URL", "http://evil/files/a.txt", 502, ""},
		{"NUL", "/files/a.txt%00", 502, ""},
	} {
		h, failed := wrap(t, app(200, "the app's", "X-Accel-Redirect: "+tt.value))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != tt.status || w.Body.String() != tt.body {
			t.Errorf("%s: %d %q", tt.fact, w.Code, w.Body)
		}
		if (failed.err != nil) != (tt.status == 502) {
			t.Errorf("%s: %v", tt.fact, failed.err)
		}
		if w.Header().Get("X-Accel-Redirect") != "" {
			t.Errorf("%s: the header reached the client", tt.fact)
		}
	}
}

func TestXSendfile(t *testing.T) {
	given, dir := roots(t)
	m, err := sendfile.New(sendfile.Config{Roots: given})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		fact, name, value string
		status            int
		body              string
	}{
		{"a file", "X-Sendfile", dir + "/a.txt", 200, text},
		{"lighttpd's name", "X-LIGHTTPD-send-file", dir + "/a.txt", 200, text},
		{"never decoded", "X-Sendfile", dir + "/a b%.txt", 200, "odd"},
		{"missing", "X-Sendfile", dir + "/nope", 404, "404 page not found\n"},
		{"beside the root", "X-Sendfile", dir + "x/a.txt", 502, "502 Bad Gateway\n"},
		{"out of the root", "X-Sendfile", dir + "/../x", 502, "502 Bad Gateway\n"},
		{"elsewhere", "X-Sendfile", "/etc/passwd", 502, "502 Bad Gateway\n"},
		{"relative", "X-Sendfile", "a.txt", 502, "502 Bad Gateway\n"},
		{"a prefix is no directory", "X-Sendfile", "/files/a.txt", 502, "502 Bad Gateway\n"},
	} {
		w := httptest.NewRecorder()
		m.Wrap(app(200, "the app's", tt.name+": "+tt.value)).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != tt.status || w.Body.String() != tt.body || w.Header().Get(tt.name) != "" {
			t.Errorf("%s: %d %q %v", tt.fact, w.Code, w.Body, w.Header())
		}
	}
}

func TestHeadersOfTheAppAndOfTheFile(t *testing.T) {
	h, _ := wrap(t, app(404, "the app's",
		"X-Accel-Redirect: /files/a.txt", "X-Accel-Buffering: no", "X-Accel-Expires: 5", "Content-Type: application/x-secret",
		"Content-Disposition: attachment; filename=b", "Cache-Control: private", "Set-Cookie: a=1", "Set-Cookie: b=2", "X-Powered-By: app",
		"Content-Length: 9", "Content-Encoding: gzip", "ETag: \"app\"", "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT"))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 200 || w.Body.String() != text {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/x-secret", "Content-Disposition": "attachment; filename=b", "Cache-Control": "private",
		"Set-Cookie": "a=1|b=2", "X-Powered-By": "app", "Content-Length": "10", "Content-Encoding": "", "Etag": "",
		"X-Accel-Buffering": "", "X-Accel-Expires": "",
	} {
		if got := strings.Join(w.Header()[name], "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if strings.Contains(w.Header().Get("Last-Modified"), "1970") {
		t.Error("the app's Last-Modified went out")
	}
}

func TestAMissingFileIsNotTheAppsDownload(t *testing.T) {
	h, _ := wrap(t, app(200, "", "X-Accel-Redirect: /files/nope", "Content-Type: application/pdf", "Content-Disposition: attachment", "Cache-Control: max-age=9"))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Header(); w.Code != 404 || got.Get("Content-Disposition") != "" || got.Get("Cache-Control") != "" || strings.Contains(got.Get("Content-Type"), "pdf") {
		t.Errorf("%d %v", w.Code, got)
	}
}

func TestRangesAndConditions(t *testing.T) {
	h, _ := wrap(t, app(200, "", "X-Accel-Redirect: /files/a.txt", "Content-Type: text/x"))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	modified := w.Header().Get("Last-Modified")
	for _, tt := range []struct {
		fact, method, name, value string
		status                    int
		body, contentType         string
	}{
		{"a range", "GET", "Range", "bytes=2-4", 206, "234", "text/x"},
		{"no such range", "GET", "Range", "bytes=20-", 416, "", ""},
		{"not modified", "GET", "If-Modified-Since", modified, 304, "", "text/x"},
		{"HEAD", "HEAD", "X", "", 200, "", "text/x"},
		{"POST", "POST", "X", "", 200, text, "text/x"},
	} {
		r := httptest.NewRequest(tt.method, "/", strings.NewReader("form"))
		r.Header.Set(tt.name, tt.value)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || tt.body != "" && w.Body.String() != tt.body || tt.contentType != "" && w.Header().Get("Content-Type") != tt.contentType {
			t.Errorf("%s: %d %q %v", tt.fact, w.Code, w.Body, w.Header())
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Range", "bytes=0-1,4-5")
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "multipart/byteranges") {
		t.Errorf("two ranges: %v", w.Header())
	}
}

func TestClientsCannotTellTheAppHowToNameFiles(t *testing.T) {
	h, _ := wrap(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header["X-Sendfile-Type"], r.Header["X-Accel-Mapping"], r.Header["X-Other"])
	}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Sendfile-Type", "X-Accel-Redirect")
	r.Header.Set("X-Accel-Mapping", "/srv/=/files/")
	r.Header.Set("X-Other", "x")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got := w.Body.String(); got != "[] [] [x]" || r.Header.Get("X-Accel-Mapping") == "" {
		t.Errorf("got %q", got)
	}
}

func TestWithoutRootsTheHeaderPasses(t *testing.T) {
	m, err := sendfile.New(sendfile.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	m.Wrap(app(200, "body", "X-Accel-Redirect: /x")).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Header().Get("X-Accel-Redirect") != "/x" || w.Body.String() != "body" {
		t.Errorf("%v %q", w.Header(), w.Body)
	}
}

func TestOtherAnswersPass(t *testing.T) {
	h, _ := wrap(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		switch r.URL.Path {
		case "/hijack":
			w.Header().Set("X-Accel-Redirect", "/files/a.txt")
			conn, _, err := rc.Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
			_ = conn.Close()
		case "/stream":
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "one")
			if err := rc.Flush(); err != nil {
				t.Error(err)
			}
			<-r.Context().Done()
		case "/copy":
			_, _ = io.Copy(w, strings.NewReader("copied"))
		case "/late":
			w.WriteHeader(200)
			w.Header().Set("X-Accel-Redirect", "/files/a.txt")
		}
	}))
	srv := httptest.NewServer(h)
	defer srv.Close()
	for path, want := range map[string]string{"/hijack": "hi", "/stream": "one", "/copy": "copied", "/late": "", "/nothing": ""} {
		resp, err := srv.Client().Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := bufio.NewReader(resp.Body).Peek(max(1, len(want)))
		resp.Body.Close()
		if string(got) != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestTheAppsOwnBodyMattersNoMore(t *testing.T) {
	for fact, next := range map[string]http.HandlerFunc{
		"aborted": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Accel-Redirect", "/files/a.txt")
			w.WriteHeader(200)
			panic(http.ErrAbortHandler)
		},
		"never begun": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Accel-Redirect", "/files/a.txt") },
		"flushed and copied": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Accel-Redirect", "/files/a.txt")
			w.(http.Flusher).Flush()
			_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("x"))
			_, _ = io.WriteString(w, "x")
			_, _ = w.Write([]byte("x"))
			w.Header().Set("X-Trailer", "x")
			if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
				t.Error("took over a connection that a file goes to")
			}
		},
	} {
		h, _ := wrap(t, next)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != 200 || w.Body.String() != text || w.Header().Get("X-Trailer") != "" {
			t.Errorf("%s: %d %q", fact, w.Code, w.Body)
		}
	}
	h, _ := wrap(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Accel-Redirect", "/files/a.txt")
		w.WriteHeader(200)
		panic("x")
	}))
	defer func() {
		if recover() == nil {
			t.Error("the app's panic was hidden")
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

func TestMistakes(t *testing.T) {
	_, err := sendfile.New(sendfile.Config{Roots: map[string]sendfile.Root{
		"files": {Handler: http.NotFoundHandler()}, "/a/../b": {Handler: http.NotFoundHandler()},
		"/nil": {}, "/rel": {Handler: http.NotFoundHandler(), Dir: "x"}, "/all": {Handler: http.NotFoundHandler(), Dir: "/"},
	}})
	for _, want := range []string{"files: is no clean path", "/a/../b: is no clean path from the root (write /b)", "/nil: has no handler", `/rel: "x"`, `/all: "/"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
	var field interface{ OptionPath() string }
	if !errors.As(err, &field) {
		t.Error("no option path")
	}
}

// FuzzNames holds that whatever the app names, nothing outside the root is
// asked for.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"/files/a", "/files/../x", "/files/%2e%2e/x", "/srv/f/a", "/srv/f/../x", "/files//", "\\files\\..", "/files/\x00"} {
		f.Add(s)
	}
	var asked string
	m, err := sendfile.New(sendfile.Config{Roots: map[string]sendfile.Root{"/files": {
		Dir:     "/srv/f",
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.Path }),
	}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, name := range []string{"X-Accel-Redirect", "X-Sendfile"} {
			asked = ""
			h := m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header()[name] = []string{value} }))
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			if asked == "" {
				continue
			}
			if asked[0] != '/' || strings.Contains(asked+"/", "/../") || strings.ContainsAny(asked, "\x00\r\n") {
				t.Errorf("%s %q asked for %q", name, value, asked)
			}
		}
	})
}

func BenchmarkPassing(b *testing.B) {
	h, _ := wrap(b, app(200, "hello"))
	r := httptest.NewRequest("GET", "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "reports")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "q3.txt"), []byte("numbers"), 0o600); err != nil {
		log.Fatal(err)
	}
	// The app decides who may read, the gateway sends the file.
	reports := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Accel-Redirect", "/protected/q3.txt")
	})
	m, err := sendfile.New(sendfile.Config{Roots: map[string]sendfile.Root{
		"/protected": {Handler: http.FileServer(http.Dir(dir)), Dir: dir},
	}})
	if err != nil {
		log.Fatal(err)
	}
	w := httptest.NewRecorder()
	m.Wrap(reports).ServeHTTP(w, httptest.NewRequest("GET", "/report", nil))
	fmt.Println(w.Body)
	// Output: numbers
}
