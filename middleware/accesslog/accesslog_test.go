package accesslog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/middleware/accesslog"
)

func newLog(t testing.TB, cfg accesslog.Config) *accesslog.Middleware {
	t.Helper()
	m, err := accesslog.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// line serves one request as mountd's front door would and gives its line.
func line(t *testing.T, cfg accesslog.Config, change func(*http.Request, *request.Record), app http.HandlerFunc) string {
	t.Helper()
	var out bytes.Buffer
	cfg.To = &out
	m := newLog(t, cfg)
	synctest.Test(t, func(t *testing.T) {
		r := httptest.NewRequest("GET", "/blog/caf%C3%A9?a=1&token=s3cret", nil)
		r.Header.Set("User-Agent", "curl/8")
		r.Header.Set("Referer", "http://a/?key=s3cret&x=1")
		r.Header.Set("Authorization", "Basic s3cret")
		r.Header.Set("Cookie", "sid=s3cret")
		rec := request.New(httptest.NewRecorder(), r)
		rec.Start = time.Now()
		rec.ID, rec.Client, rec.HostPort, rec.RawPath = "id-1", netip.MustParseAddr("192.0.2.7"), "a.example:8080", "/blog/caf%C3%A9"
		if change != nil {
			change(&rec.Request, rec)
		}
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				t.Error(v)
			}
		}()
		m.Wrap(app).ServeHTTP(&rec.Writer, &rec.Request)
	})
	if strings.Count(out.String(), "\n") > 1 || strings.Contains(out.String(), "s3cret") {
		t.Errorf("%q", out.String())
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// found finds out what only inner layers know.
func found(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if rec := request.From(r.Context()); rec != nil {
			rec.User, rec.Mount, rec.Upstream, rec.Cause = "joe", "blog", "127.0.0.1:9000", errors.New(`Get "http://up/?key=s3cret": refused`)
		}
		r.URL.Path, r.Method = "/changed", "PUT"
		time.Sleep(1500 * time.Microsecond)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestFormats(t *testing.T) {
	tests := []struct{ name, format, want string }{
		{"json", "", `{"time":"2000-01-01T00:00:00.000Z","level":"INFO","msg":"request","id":"id-1","client":"192.0.2.7","user":"joe","method":"GET","host":"a.example:8080","path":"/blog/caf%C3%A9?a=1&token=REDACTED","proto":"HTTP/1.1","status":502,"bytes":5,"duration_ms":1.500,"mount":"blog","upstream":"127.0.0.1:9000","referer":"http://a/?key=REDACTED&x=1","agent":"curl/8","error":"Get \"http://up/?key=REDACTED\": refused"}`},
		{"combined", "combined", `192.0.2.7 - joe [01/Jan/2000:00:00:00 +0000] "GET /blog/caf%C3%A9?a=1&token=REDACTED HTTP/1.1" 502 5 "http://a/?key=REDACTED&x=1" "curl/8"`},
		{"text", "text", `00:00:00.000 502 GET     /blog/caf%C3%A9?a=1&token=REDACTED           1.5ms      5B  blog  Get "http://up/?key=REDACTED": refused`},
		{"a template", "{method} {path} {status} {{{id}} {duration}ms {bytes} {request.X-None} {request.user-agent} {mount}", `GET /blog/caf%C3%A9?a=1&token=REDACTED 502 {id-1} 1.500ms 5 - curl/8 blog`},
		{"all fields", "{time} {client} {user} {host} {proto} {upstream} {referer} {agent} {error} {aborted} {response.Content-Type}", `2000-01-01T00:00:00.000Z 192.0.2.7 joe a.example:8080 HTTP/1.1 127.0.0.1:9000 http://a/?key=REDACTED&x=1 curl/8 Get \"http://up/?key=REDACTED\": refused false -`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			utc := func(_ *http.Request, rec *request.Record) { rec.Start = rec.Start.UTC() }
			if got := line(t, accesslog.Config{Format: tt.format}, utc, found(502, "sorry")); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestTextIsColouredWhenAsked(t *testing.T) {
	for status, code := range map[int]string{200: "\x1b[32m200", 302: "\x1b[36m302", 404: "\x1b[33m404", 500: "\x1b[31m500"} {
		if got := line(t, accesslog.Config{Format: "text", Color: true}, nil, found(status, "")); !strings.Contains(got, code+"\x1b[0m") {
			t.Errorf("%q", got)
		}
	}
}

func TestWithoutRecord(t *testing.T) {
	var out bytes.Buffer
	m := newLog(t, accesslog.Config{To: &out})
	r := httptest.NewRequest("POST", "http://b.example/x?password=s3cret", nil)
	m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hi") })).ServeHTTP(httptest.NewRecorder(), r)
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"client": "192.0.2.1", "method": "POST", "host": "b.example", "path": "/x?password=REDACTED", "status": 200.0, "bytes": 2.0} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
}

func TestOutcome(t *testing.T) {
	gone := func(r *http.Request, rec *request.Record) {
		ctx, cancel := context.WithCancel(rec.Context)
		cancel()
		rec.Context = ctx
	}
	tests := []struct {
		name   string
		change func(*http.Request, *request.Record)
		app    http.HandlerFunc
		want   string
	}{
		{"nothing written is 200", nil, func(http.ResponseWriter, *http.Request) {}, "200 false"},
		{"the client left before", gone, func(http.ResponseWriter, *http.Request) {}, "499 false"},
		{"the errors layer said so", gone, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(499) }, "499 false"},
		{"the client left halfway", gone, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a") }, "200 true"},
		{"the client left with all of it", gone, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1")
			_, _ = io.WriteString(w, "a")
		}, "200 false"},
		{"the answer was aborted", nil, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "a")
			panic(http.ErrAbortHandler)
		}, "200 true"},
		{"aborted before it began", nil, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "000 true"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := line(t, accesslog.Config{Format: "{status} {aborted}"}, tt.change, tt.app)
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestClientThatLeavesARealServerIs499(t *testing.T) {
	var mu sync.Mutex
	var out bytes.Buffer
	logged := make(chan struct{})
	to := writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		defer close(logged)
		return out.Write(p)
	})
	arrived := make(chan struct{})
	m := newLog(t, accesslog.Config{To: to, Format: "{status} {aborted}"})
	srv := httptest.NewServer(m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-arrived
	conn.Close()
	<-logged
	mu.Lock()
	defer mu.Unlock()
	if out.String() != "499 false\n" {
		t.Errorf("%q", out.String())
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestInjection(t *testing.T) {
	evil := "x\r\n{\"forged\":true}\x1b[31m\u202e\u0085\xff\" HTTP/1.1\" 200"
	change := func(r *http.Request, rec *request.Record) {
		r.Header.Set("User-Agent", evil)
		r.Header.Set("Referer", evil)
		r.Method, rec.HostPort, rec.User, rec.Mount, rec.ID = evil, evil, evil, evil, evil
		r.URL.RawQuery, rec.RawPath = evil, "/"+evil
		rec.Cause = errors.New(evil)
	}
	for _, format := range []string{"json", "combined", "text", "{id} {method} {path} {user} {agent} {error} {request.User-Agent}"} {
		got := line(t, accesslog.Config{Format: format}, change, func(http.ResponseWriter, *http.Request) {})
		for _, c := range got {
			if c < ' ' || c >= 0x7f && c < 0xa0 || c == 0x202e {
				t.Errorf("%s: %U in %q", format, c, got)
			}
		}
		if format == "json" && !json.Valid([]byte(got)) {
			t.Errorf("not JSON: %s", got)
		}
	}
}

func TestSample(t *testing.T) {
	for sample, want := range map[float64]int{0: 1000, 1: 1000, 0.5: 500, 0.01: 10} {
		var out bytes.Buffer
		m := newLog(t, accesslog.Config{To: &out, Sample: sample, Format: "{status}"})
		h := m.Wrap(http.NotFoundHandler())
		for range 1000 {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		}
		if got := strings.Count(out.String(), "\n"); got < want-1 || got > want+1 {
			t.Errorf("%v: %d lines, want %d", sample, got, want)
		}
	}
	var out bytes.Buffer
	h := newLog(t, accesslog.Config{To: &out, Sample: 0.001}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }))
	for range 10 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}
	if got := strings.Count(out.String(), "\n"); got != 10 {
		t.Errorf("%d of 10 server errors are logged", got)
	}
}

func TestMistakes(t *testing.T) {
	for _, cfg := range []accesslog.Config{
		{Format: "apache"}, {Format: "{nope}"}, {Format: "{path"}, {Format: "a\n{path}"}, {Format: "{request.Authorization}"},
		{Format: "{request.cookie}"}, {Format: "{response.set-cookie}"}, {Format: "{request.}"}, {Sample: 1.5}, {Sample: -1},
	} {
		_, err := accesslog.New(cfg)
		var option interface{ OptionPath() string }
		if err == nil || !errors.As(err, &option) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestRedactList(t *testing.T) {
	get := func(redact []string) string {
		var out bytes.Buffer
		h := newLog(t, accesslog.Config{To: &out, Redact: redact, Format: "{path}"}).Wrap(http.NotFoundHandler())
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/?token=1&otp=2", nil))
		return strings.TrimSpace(out.String())
	}
	for want, redact := range map[string][]string{"/?token=REDACTED&otp=2": nil, "/?token=1&otp=2": {}, "/?token=1&otp=REDACTED": {"OTP"}} {
		if got := get(redact); got != want {
			t.Errorf("%q: %q, want %q", redact, got, want)
		}
	}
}

// The way to a login page and back carries the query of the page that was asked
// for, and the answer of an OpenID provider.
func TestSecretsOfLoginsAreNotLogged(t *testing.T) {
	for _, format := range []string{"json", "combined", "text", "{path} {referer} {request.Referer} {response.Location}"} {
		var out bytes.Buffer
		h := newLog(t, accesslog.Config{To: &out, Format: format}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/.mountd/login?to=%2Fsite%2Fx%3Ftoken%3DHUSH")
			w.WriteHeader(http.StatusSeeOther)
		}))
		for _, target := range []string{"/.mountd/login?to=%2Fsite%2Fx%3Ftoken%3DHUSH", "/.mountd/oidc/callback?code=HUSH&state=HUSH"} {
			r := httptest.NewRequest("GET", target, nil)
			r.Header.Set("Referer", "https://example.com"+target)
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
		if got := out.String(); strings.Contains(got, "HUSH") || !strings.Contains(got, "REDACTED") {
			t.Errorf("%s: %s", format, got)
		}
	}
}

func TestBrokenWriterDoesNotHarmRequests(t *testing.T) {
	w := httptest.NewRecorder()
	newLog(t, accesslog.Config{To: brokenWriter{}}).Wrap(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 404 {
		t.Error(w.Code)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func BenchmarkWrap(b *testing.B) {
	for _, format := range []string{"json", "combined", "text", "{method} {path} {status}"} {
		b.Run(format, func(b *testing.B) {
			h := newLog(b, accesslog.Config{To: io.Discard, Format: format}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) }))
			rec := benchRecord()
			b.ReportAllocs()
			for b.Loop() {
				rec.Writer.Reset(nullWriter{})
				h.ServeHTTP(&rec.Writer, &rec.Request)
			}
		})
	}
}

func TestAllocations(t *testing.T) {
	h := newLog(t, accesslog.Config{To: io.Discard}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) }))
	rec := benchRecord()
	if n := testing.AllocsPerRun(200, func() { rec.Writer.Reset(nullWriter{}); h.ServeHTTP(&rec.Writer, &rec.Request) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func benchRecord() *request.Record {
	r := httptest.NewRequest("GET", "/blog/2026/11/a-post?page=2", nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	rec := request.New(httptest.NewRecorder(), r)
	rec.Start, rec.ID, rec.Client, rec.RawPath, rec.Mount = time.Now(), "01jd6w1v5k3rqmz8x2h9f4ctba", netip.MustParseAddr("192.0.2.7"), "/blog/2026/11/a-post", "blog"
	return rec
}

type nullWriter struct{}

func (nullWriter) Header() http.Header         { return nil }
func (nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (nullWriter) WriteHeader(int)             {}

func FuzzLine(f *testing.F) {
	f.Add("/a", "b=c", "agent\r\n", "\x1b[0m")
	var out bytes.Buffer
	var logs []http.Handler
	for _, format := range []string{"json", "combined", "text"} {
		logs = append(logs, newLog(f, accesslog.Config{To: &out, Format: format}).Wrap(http.NotFoundHandler()))
	}
	f.Fuzz(func(t *testing.T, path, query, agent, user string) {
		for i, h := range logs {
			out.Reset()
			rec := benchRecord()
			rec.RawPath, rec.URL.RawQuery, rec.User, rec.Cause = path, query, user, errors.New(agent)
			rec.Request.Header.Set("User-Agent", agent)
			h.ServeHTTP(&rec.Writer, &rec.Request)
			got := strings.TrimSuffix(out.String(), "\n")
			if strings.ContainsAny(got, "\r\n\x1b\x00\u202e\u2028\u009b") {
				t.Errorf("%q", got)
			}
			if i == 0 && !json.Valid([]byte(got)) {
				t.Errorf("not JSON: %s", got)
			}
		}
	})
}

func Example() {
	var lines bytes.Buffer
	log, err := accesslog.New(accesslog.Config{To: &lines, Format: "{method} {path} {status} {bytes}"})
	if err != nil {
		panic(err)
	}
	app := log.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") }))
	app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/hi?token=abc", nil))
	fmt.Print(lines.String())
	// Output: GET /hi?token=REDACTED 200 5
}
