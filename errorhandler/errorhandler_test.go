package errorhandler_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/request"
)

func newHandler(t testing.TB, cfg errorhandler.Config) *errorhandler.Handler {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	h, err := errorhandler.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func failing(err error) http.Handler {
	return errorhandler.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return err })
}

func answering(status int, body string, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Add(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func get(h http.Handler, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/a%20b?token=s3cret", nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// inFront stands for mountd's front door.
func inFront(next http.Handler, fill func(*request.Record)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := request.New(w, r)
		fill(rec)
		next.ServeHTTP(&rec.Writer, &rec.Request)
	})
}

func TestFormatFollowsAccept(t *testing.T) {
	h := newHandler(t, errorhandler.Config{}).Wrap(failing(&errorhandler.HTTPError{Status: 404}))
	tests := []struct{ name, accept, want string }{
		{"a browser gets a page", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"},
		{"curl gets text", "*/*", "text/plain; charset=utf-8"},
		{"no Accept is text", "", "text/plain; charset=utf-8"},
		{"an API client gets a problem", "application/json", "application/problem+json"},
		{"a problem client gets one", "application/problem+json", "application/problem+json"},
		{"application/* is a problem", "application/*", "application/problem+json"},
		{"axios names json first", "application/json, text/plain, */*", "application/problem+json"},
		{"a weight decides", "application/json;q=0.5, text/html;q=0.6", "text/html; charset=utf-8"},
		{"a type refused is not sent", "text/html;q=0, */*;q=0.1, text/plain;q=0", "application/problem+json"},
		{"nothing fits, so text", "image/png", "text/plain; charset=utf-8"},
		{"garbage is passed over", ";;q=,,/,text/html", "text/html; charset=utf-8"},
		{"upper case is the same", "TEXT/HTML", "text/html; charset=utf-8"},
		{"a quoted comma does not cut", `application/json;x="a,text/html", text/plain;q=0.1`, "application/problem+json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := get(h, tt.accept)
			if got := w.Header().Get("Content-Type"); got != tt.want {
				t.Errorf("Content-Type %q, want %q", got, tt.want)
			}
			if w.Code != 404 || w.Header().Get("Vary") != "Accept" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("status %d, header %v", w.Code, w.Header())
			}
		})
	}
}

func TestFixedFormat(t *testing.T) {
	for format, want := range map[string]string{"html": "text/html", "json": "application/problem+json", "text": "text/plain"} {
		h := newHandler(t, errorhandler.Config{Format: format}).Wrap(failing(errors.New("x")))
		w := get(h, "image/png")
		if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, want) || w.Header().Get("Vary") != "" {
			t.Errorf("%s: Content-Type %q, Vary %q", format, got, w.Header().Get("Vary"))
		}
	}
}

func TestProblemHoldsWhatTheClientMayKnow(t *testing.T) {
	h := newHandler(t, errorhandler.Config{}).Wrap(failing(fmt.Errorf("load: %w", &errorhandler.HTTPError{
		Status: 409, Message: "someone was faster", Err: errors.New("row 17 of secrets"),
	})))
	h = inFront(h, func(rec *request.Record) { rec.ID, rec.RawPath = "id-1", "/a%20b" })
	w := get(h, "application/json")
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"type": "about:blank", "title": "Conflict", "status": 409.0, "detail": "someone was faster", "instance": "/a%20b", "request_id": "id-1"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestCauseStaysInTheLog(t *testing.T) {
	var log bytes.Buffer
	h := newHandler(t, errorhandler.Config{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	for _, accept := range []string{"text/html", "application/json", "*/*"} {
		w := get(h.Wrap(failing(errors.New("dial db: password=hunter2"))), accept)
		if w.Code != 500 || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: %d %s", accept, w.Code, w.Body)
		}
	}
	if !strings.Contains(log.String(), "dial db") || strings.Contains(log.String(), "s3cret") {
		t.Errorf("log: %s", log.String())
	}
}

func TestHeaderOfTheErrorIsKeptAndTheAppsIsNot(t *testing.T) {
	h := newHandler(t, errorhandler.Config{}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Content-Encoding", "Etag", "Last-Modified", "Content-Range", "Content-Length", "Expires", "Content-Disposition"} {
			w.Header().Set(name, "1")
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000")
		w.Header().Set("Set-Cookie", "a=1")
		errorhandler.Error(w, r, &errorhandler.HTTPError{Status: 401, Header: http.Header{
			"WWW-Authenticate": {"Basic realm=a", "Bearer"}, "Retry-After": {"3"}, "Content-Length": {"9999"},
		}})
	}))
	w := get(h, "text/html")
	for _, name := range []string{"Content-Encoding", "Etag", "Last-Modified", "Content-Range", "Expires", "Content-Disposition"} {
		if v := w.Header().Get(name); v != "" {
			t.Errorf("%s: %q is still there", name, v)
		}
	}
	for name, want := range map[string]string{"Retry-After": "3", "Set-Cookie": "a=1", "Cache-Control": "no-store", "Content-Length": fmt.Sprint(w.Body.Len())} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := w.Header()["Www-Authenticate"]; len(got) != 2 {
		t.Errorf("challenges: %q", got)
	}
	if got := strings.Join(w.Header()["Vary"], ", "); got != "Authorization, Accept" {
		t.Errorf("Vary: %q", got)
	}
}

func TestStatusOfAnError(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want int
	}{
		{"any error is 500", errors.New("x"), 500},
		{"wrapped status", fmt.Errorf("a: %w", &errorhandler.HTTPError{Status: 418}), 418},
		{"no error status is 500", &errorhandler.HTTPError{Status: 200}, 500},
		{"zero value is 500", &errorhandler.HTTPError{}, 500},
		{"body too large", fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 1}), 413},
		{"deadline", context.DeadlineExceeded, 504},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if w := get(newHandler(t, errorhandler.Config{}).Wrap(failing(tt.err)), ""); w.Code != tt.want {
				t.Errorf("%d, want %d", w.Code, tt.want)
			}
		})
	}
}

func TestHeadHasNoBodyButItsLength(t *testing.T) {
	h := newHandler(t, errorhandler.Config{}).Wrap(failing(&errorhandler.HTTPError{Status: 404}))
	r := httptest.NewRequest("HEAD", "/", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 404 || w.Body.Len() != 0 || w.Header().Get("Content-Length") == "0" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
}

func TestClientThatLeftIsNoError(t *testing.T) {
	var log bytes.Buffer
	h := newHandler(t, errorhandler.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	err := &errorhandler.HTTPError{Status: 502, Err: fmt.Errorf("upstream: %w", context.Canceled)}
	h.Wrap(failing(err)).ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	if w.Code != 499 || w.Body.Len() != 0 || log.Len() != 0 {
		t.Errorf("%d %q, log %q", w.Code, w.Body, log.String())
	}
}

func TestLogLineIsOneLine(t *testing.T) {
	var log bytes.Buffer
	raw := slog.New(rawHandler{&log})
	h := newHandler(t, errorhandler.Config{Logger: raw}).Wrap(failing(errors.New("first\r\nlevel=INFO msg=forged \x1b[2J \u202e \u009b")))
	get(h, "")
	if got := log.String(); strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "\r\x1b\u202e\u009b") || !strings.Contains(got, `first\x0d\x0alevel`) {
		t.Errorf("log: %q", got)
	}
}

// rawHandler escapes nothing.
type rawHandler struct{ w io.Writer }

func (rawHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h rawHandler) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += fmt.Sprintf(" %s=%v", a.Key, a.Value); return true })
	_, err := fmt.Fprintln(h.w, line)
	return err
}
func (h rawHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h rawHandler) WithGroup(string) slog.Handler      { return h }

func TestLevels(t *testing.T) {
	for status, want := range map[int]string{404: "DEBUG", 401: "DEBUG", 500: "ERROR", 503: "ERROR"} {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		get(newHandler(t, errorhandler.Config{Logger: logger}).Wrap(failing(&errorhandler.HTTPError{Status: status})), "")
		if !strings.Contains(log.String(), "level="+want) || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("%d: %s", status, log.String())
		}
	}
}

func TestPages(t *testing.T) {
	files := fstest.MapFS{
		"404.html":  {Data: []byte(`<h1>{{.Status}} {{.StatusText}}</h1><a title="{{.Path}}">{{.Message}}</a> {{.RequestID}} {{.Method}}`)},
		"oops.html": {Data: []byte(`<style>a{}</style><!-- {kept} -->fancy 500`)},
		"500.txt":   {Data: []byte(`{{not a template}}`)},
	}
	h := newHandler(t, errorhandler.Config{FS: files, Pages: map[string]string{"404": "404.html", "5XX": "oops.html", "500": "500.txt"}})
	tests := []struct {
		name   string
		err    error
		accept string
		want   string
	}{
		{"a template is filled in and escaped", &errorhandler.HTTPError{Status: 404, Message: "<script>"}, "text/html", `<h1>404 Not Found</h1><a title="/a%20b">&lt;script&gt;</a>  GET`},
		{"a class", &errorhandler.HTTPError{Status: 502}, "", `<style>a{}</style><!-- {kept} -->fancy 500`},
		{"a status before its class, as it is", errors.New("x"), "*/*", `{{not a template}}`},
		{"programs still get a problem", &errorhandler.HTTPError{Status: 502}, "application/json", `"about:blank"`},
		{"others get the built-in", &errorhandler.HTTPError{Status: 403}, "", `403 Forbidden`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if w := get(h.Wrap(failing(tt.err)), tt.accept); !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("%s", w.Body)
			}
		})
	}
}

func TestMistakesAreToldTogether(t *testing.T) {
	_, err := errorhandler.New(errorhandler.Config{
		FS:        fstest.MapFS{"bad.html": {Data: []byte("{{.Nope}}")}, "open.html": {Data: []byte("{{if}")}, "big.html": {Data: make([]byte, 2<<20)}},
		Pages:     map[string]string{"200": "x", "6xx": "x", "404": "missing.html", "500": "bad.html", "501": "open.html", "502": "big.html"},
		Format:    "xml",
		Intercept: errorhandler.Intercept{Statuses: []int{302, 404}},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"pages.200", "pages.6xx", "pages.404", "pages.500", "pages.501", "pages.502", "format", "intercept[0]"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	var option interface{ OptionPath() string }
	if !errors.As(err, &option) {
		t.Error("no OptionPath")
	}
}

func TestInnermostHandlerAnswers(t *testing.T) {
	outer := newHandler(t, errorhandler.Config{Format: "text"})
	inner := newHandler(t, errorhandler.Config{Format: "json"})
	fail := failing(&errorhandler.HTTPError{Status: 403})
	after := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(httptest.NewRecorder(), r)
			errorhandler.Error(w, r, &errorhandler.HTTPError{Status: 404})
		})
	}
	for name, front := range map[string]func(http.Handler) http.Handler{
		"with a record": func(h http.Handler) http.Handler { return inFront(h, func(*request.Record) {}) },
		"alone":         func(h http.Handler) http.Handler { return h },
	} {
		t.Run(name, func(t *testing.T) {
			if w := get(front(outer.Wrap(inner.Wrap(fail))), ""); w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("inside: %v", w.Header())
			}
			w := get(front(outer.Wrap(after(inner.Wrap(http.NotFoundHandler())))), "")
			if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
				t.Errorf("outside again: %v", w.Header())
			}
		})
	}
}

func TestIntercept(t *testing.T) {
	all := errorhandler.Intercept{All: true}
	list := errorhandler.Intercept{Statuses: []int{500, 401}}
	tests := []struct {
		name      string
		intercept errorhandler.Intercept
		app       http.Handler
		status    int
		body      string
		header    map[string]string
	}{
		{"gateway leaves the app alone", errorhandler.Intercept{}, answering(404, ""), 404, "", nil},
		{"all replaces pages", all, answering(404, "app's own", "Etag", `"1"`, "X-Potato", "always"), 404, "404 Not Found", map[string]string{"Etag": "", "X-Potato": "always"}},
		{"all keeps JSON", all, answering(404, `{"a":1}`, "Content-Type", "application/json; charset=utf-8"), 404, `{"a":1}`, nil},
		{"all keeps a problem", all, answering(400, `{"type":"x"}`, "Content-Type", "application/problem+json"), 400, `{"type":"x"}`, nil},
		{"an empty JSON answer gets a page", all, answering(400, "", "Content-Type", "application/json"), 400, "400 Bad Request", nil},
		{"a declared empty one too", all, answering(400, "", "Content-Type", "application/json", "Content-Length", "0"), 400, "400 Bad Request", nil},
		{"all leaves what is no error", all, answering(304, ""), 304, "", nil},
		{"a list replaces JSON", list, answering(500, `{"trace":1}`, "Content-Type", "application/json"), 500, "500 Internal Server Error", nil},
		{"a list leaves the rest", list, answering(502, "Bad Gateway!"), 502, "Bad Gateway!", nil},
		{"challenges stay", list, answering(401, "no", "Www-Authenticate", "Basic"), 401, "401 Unauthorized", map[string]string{"Www-Authenticate": "Basic", "Cache-Control": "no-store"}},
		{"our own answers are not replaced twice", all, failing(&errorhandler.HTTPError{Status: 404, Message: "no such user"}), 404, "No such user.", nil},
		{"a panic is answered", all, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") }), 500, "500 Internal", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := get(newHandler(t, errorhandler.Config{Intercept: tt.intercept}).Wrap(tt.app), "")
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) || tt.body == "" && w.Body.Len() > 0 {
				t.Errorf("%d %q", w.Code, w.Body)
			}
			for name, want := range tt.header {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

// A login page that answers 401 or 429 is no application's answer.
func TestInterceptLeavesOurOwnPages(t *testing.T) {
	h := newHandler(t, errorhandler.Config{Intercept: errorhandler.Intercept{All: true, Statuses: []int{401, 403}}})
	outer := newHandler(t, errorhandler.Config{Intercept: errorhandler.Intercept{All: true}})
	for _, c := range []struct {
		page   http.Handler
		status int
		body   string
	}{
		{answering(401, "log in"), 401, "log in"},
		{answering(403, ""), 403, ""},
		{failing(&errorhandler.HTTPError{Status: 403, Message: "this is from elsewhere"}), 403, "This is from elsewhere."},
		{http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") }), 500, "500 Internal"},
	} {
		w := get(outer.Wrap(h.Wrap(errorhandler.Own(c.page))), "")
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) || c.body == "" && w.Body.Len() > 0 {
			t.Errorf("%d %q, want %d %q", w.Code, w.Body, c.status, c.body)
		}
	}
	if w := get(errorhandler.Own(answering(401, "alone")), ""); w.Code != 401 || w.Body.String() != "alone" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestInterceptKeepsStreaming(t *testing.T) {
	h := newHandler(t, errorhandler.Config{Intercept: errorhandler.Intercept{All: true}})
	step := make(chan struct{})
	srv := httptest.NewServer(h.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_, _ = io.WriteString(w, "one\n")
		if err := rc.Flush(); err != nil {
			t.Error(err)
		}
		<-step
		_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("two\n"))
		if err := rc.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
	})))
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := bufio.NewReader(resp.Body)
	first, _ := body.ReadString('\n')
	close(step)
	rest, err := io.ReadAll(body)
	if first != "one\n" || string(rest) != "two\n" || err != nil {
		t.Errorf("%q %q %v", first, rest, err)
	}
}

func TestHijackThroughIntercept(t *testing.T) {
	h := newHandler(t, errorhandler.Config{Intercept: errorhandler.Intercept{All: true}})
	srv := httptest.NewServer(h.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "hello")
		_ = conn.Close()
	})))
	defer srv.Close()
	if got, _ := exchange(t, srv, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); got != "hello" {
		t.Errorf("%q", got)
	}
}

// exchange sends raw bytes and reads until the server closes.
func exchange(t *testing.T, srv *httptest.Server, raw string) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	return string(got), err
}

func TestDebugPageOnlyForLocalClients(t *testing.T) {
	app := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the reason") })
	h := newHandler(t, errorhandler.Config{Debug: true}).Wrap(app)
	loopback := netip.MustParseAddr("127.0.0.1")
	secret := strings.Repeat("hush", 2) // the page shows these lines, too
	tests := []struct {
		name   string
		fill   func(*request.Record) // nil: without a record
		peer   string
		host   string
		header string
		shown  bool
	}{
		{"loopback", nil, "127.0.0.1:5", "localhost:8080", "", true},
		{"loopback, IPv6", nil, "[::1]:5", "[::1]:8080", "", true},
		{"loopback, mapped", nil, "[::ffff:127.0.0.1]:5", "127.0.0.1", "", true},
		{"a name below localhost", nil, "127.0.0.1:5", "blog.localhost", "", true},
		{"another machine", nil, "192.0.2.7:5", "localhost", "", false},
		{"a name anyone could point here", nil, "127.0.0.1:5", "evil.org", "", false},
		{"X-Forwarded-For", nil, "127.0.0.1:5", "localhost", "X-Forwarded-For", false},
		{"Forwarded", nil, "127.0.0.1:5", "localhost", "Forwarded", false},
		{"X-Real-IP", nil, "127.0.0.1:5", "localhost", "X-Real-Ip", false},
		{"Via", nil, "127.0.0.1:5", "localhost", "Via", false},
		{"no address", nil, "@", "localhost", "", false},
		{"record, loopback", func(rec *request.Record) { rec.Peer, rec.Client = loopback, loopback }, "127.0.0.1:5", "localhost", "", true},
		{"record, forwarded", func(rec *request.Record) { rec.Peer, rec.Forwarded = loopback, true }, "127.0.0.1:5", "localhost", "", false},
		{"record, another client", func(rec *request.Record) { rec.Peer, rec.Client = loopback, netip.MustParseAddr("192.0.2.7") }, "127.0.0.1:5", "localhost", "", false},
		{"record, unix socket", func(*request.Record) {}, "@", "localhost", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, accept := range []string{"text/html", "*/*", "application/json"} {
				r := httptest.NewRequest("GET", "/x?token="+secret, nil)
				r.RemoteAddr, r.Host = tt.peer, tt.host
				r.Header.Set("Accept", accept)
				r.Header.Set("Authorization", "Basic "+secret)
				r.Header.Set("Cookie", "session="+secret)
				if tt.header != "" {
					r.Header.Set(tt.header, "1")
				}
				served := h
				if tt.fill != nil {
					served = inFront(h, tt.fill)
				}
				w := httptest.NewRecorder()
				served.ServeHTTP(w, r)
				body := w.Body.String()
				if got := strings.Contains(body, "the reason"); got != tt.shown {
					t.Errorf("%s: shown %v", accept, got)
				}
				if strings.Contains(body, secret) {
					t.Errorf("%s: secrets in %s", accept, body)
				}
				if tt.shown && !strings.Contains(body, "TestDebugPageOnlyForLocalClients") {
					t.Errorf("%s: no stack in %s", accept, body)
				}
			}
		})
	}
}

type pythonError struct{}

func (pythonError) Error() string     { return "ValueError: x" }
func (pythonError) DebugText() string { return "Traceback <most recent call last>" }

func TestDebugPageOpensTheAppsFramesOnly(t *testing.T) {
	h := newHandler(t, errorhandler.Config{Debug: true}).Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") }))
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	for _, part := range strings.Split(w.Body.String(), "<details")[1:] {
		_, file, _ := strings.Cut(part, "</code><span>")
		file, _, _ = strings.Cut(file, "<")
		name, _, _ := strings.Cut(filepath.Base(file), ":")
		if open := strings.HasPrefix(part, " open"); open != strings.HasSuffix(name, "_test.go") {
			t.Errorf("%s: open %v", file, open)
		}
	}
}

func TestDebugPageShowsWhatTheErrorSays(t *testing.T) {
	h := newHandler(t, errorhandler.Config{Debug: true}).Wrap(failing(fmt.Errorf("wsgi: %w", errors.Join(pythonError{}, errors.New("second")))))
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	for _, want := range []string{"Traceback &lt;most recent call last&gt;", "errorhandler_test.pythonError", "second", `<details open`, `class="here"`, "<script", "no-store"} {
		has := strings.Contains(w.Body.String()+w.Header().Get("Cache-Control"), want)
		if has != (want != "<script") {
			t.Errorf("%q: %v", want, has)
		}
	}
}
