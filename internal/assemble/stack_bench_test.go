package assemble_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/assemble"
	"github.com/mountd/mountd/internal/builtin"
	"github.com/mountd/mountd/internal/frontdoor"
	"github.com/mountd/mountd/internal/mountfile"
)

// stackTable mounts one application of each kind behind the layers of a
// table that names none, and with others in addition.
const stackTable = `
use: [request_id, {access_log: {to: access.log}}, errors]
mounts:
  /respond: {respond: "hello, world!"}
  /headers: {respond: "hello, world!", use: [default, {headers: {response: {set: {X-One: "1"}}}}, secure_headers]}
  /timeout: {respond: "hello, world!", use: [default, timeout]}
  /limit: {respond: "hello, world!", use: [default, limit.concurrent, {limit.rate: {rate: 1000000000/s}}, limit.body]}
  /compress: {respond: "hello, world!", use: [default, compress]}
  /static: ./files
  /small: %[1]s
  /large: %[2]s
  /bare: {respond: "hello, world!", use: []}
  /logged: {respond: "hello, world!", use: [{access_log: {to: access.log}}]}
  /numbered: {respond: "hello, world!", use: [request_id]}
  /caught: {respond: "hello, world!", use: [errors]}
`

// stackOf builds a table as the daemon does, over files below dir.
func stackOf(tb testing.TB, dir, table string, adapt func(*assemble.Parts), more ...func(*assemble.Config)) http.Handler {
	tb.Helper()
	name := filepath.Join(dir, "mountd.yaml")
	if err := os.WriteFile(name, []byte(table), 0o600); err != nil {
		tb.Fatal(err)
	}
	parsed, err := mountfile.Load(name, mountfile.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	env := builtin.Env{Stderr: io.Discard, Stdout: io.Discard, Logger: slog.New(slog.DiscardHandler), Reopen: &builtin.Reopener{}}
	pool := new(compose.Pool)
	cfg := assemble.Config{Table: parsed, Pool: pool, Parts: parts(env), Logger: env.Logger}
	if adapt != nil {
		adapt(&cfg.Parts)
	}
	for _, f := range more {
		f(&cfg)
	}
	site, err := assemble.Build(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	site.Commit()
	tb.Cleanup(func() {
		if err := pool.Close(); err != nil {
			tb.Error(err)
		}
	})
	return site.Handler
}

func parts(env builtin.Env) assemble.Parts {
	return assemble.Parts{
		Middlewares: builtin.Middlewares(env), Apps: builtin.Apps(),
		Condition: builtin.Condition, Rebase: builtin.Rebase, Sendfile: builtin.Sendfile, Identity: builtin.NewOutgoing().Identity,
		Front: func(identity []string, refused func(http.ResponseWriter, *http.Request, error), next http.Handler) (http.Handler, error) {
			return frontdoor.New(frontdoor.Config{IdentityHeaders: identity, ErrorFunc: refused, Next: next})
		},
	}
}

func fullStack(tb testing.TB) http.Handler {
	tb.Helper()
	return stackOf(tb, filesIn(tb), fmt.Sprintf(stackTable, rawOrigin(tb, 13), rawOrigin(tb, 10<<10)), nil)
}

// filesIn gives a directory with files in it.
func filesIn(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "files"), 0o700); err != nil {
		tb.Fatal(err)
	}
	for name, size := range map[string]int{"1k": 1 << 10, "100k": 100 << 10, "1m": 1 << 20} {
		if err := os.WriteFile(filepath.Join(dir, "files", name), []byte(strings.Repeat("x", size)), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// rawOrigin answers every request with the same bytes, and allocates nothing.
func rawOrigin(tb testing.TB, size int) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { ln.Close() })
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
		size, strings.Repeat("x", size))
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go serveRaw(c, answer)
		}
	}()
	return "http://" + ln.Addr().String()
}

func serveRaw(c net.Conn, answer []byte) {
	defer c.Close()
	var buf [16 << 10]byte
	for n := 0; ; {
		k, err := c.Read(buf[n:])
		if err != nil {
			return
		}
		if n += k; n >= 4 && string(buf[n-4:n]) == "\r\n\r\n" {
			n = 0
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}
}

// nullWriter is a response writer that costs nothing. It takes files as a
// server does, and may be one that is used again.
type nullWriter struct {
	header           http.Header
	recycled         int
	writes, readFrom int
	last             io.Reader
}

func (w *nullWriter) Header() http.Header { return w.header }
func (w *nullWriter) WriteHeader(int)     {}

func (w *nullWriter) Write(p []byte) (int, error) {
	w.writes++
	return len(p), nil
}

func (w *nullWriter) ReadFrom(src io.Reader) (int64, error) {
	w.readFrom++
	w.last = src
	return src.(*io.LimitedReader).N, nil
}

// reusedWriter tells the front door that it is used again.
type reusedWriter struct{ nullWriter }

func (w *reusedWriter) Recycle() { w.recycled++ }

// wireRequest is a request as a server makes it.
func wireRequest(target string) *http.Request {
	ctx := context.WithValue(context.Background(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{}))
	path, query, _ := strings.Cut(target, "?")
	r := (&http.Request{
		Method: "GET", RequestURI: target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Host: "example.com", RemoteAddr: "127.0.0.1:40000", Body: http.NoBody, Header: http.Header{},
	}).WithContext(ctx)
	r.URL = &url.URL{Path: path, RawQuery: query}
	return r
}

// rewind makes r what the server would give for another request.
func rewind(r *http.Request) {
	clear(r.Header)
	r.Header["User-Agent"] = userAgent
	r.Header["Accept"] = acceptAll
	r.Header["Accept-Encoding"] = acceptCodings
}

var (
	userAgent     = []string{"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}
	acceptAll     = []string{"*/*"}
	acceptCodings = []string{"gzip, deflate, br, zstd"}
)

// BenchmarkStack measures what the layers cost without a server before them.
func BenchmarkStack(b *testing.B) {
	h := fullStack(b)
	for _, target := range []string{
		"/bare", "/numbered", "/logged", "/caught", "/respond", "/headers", "/timeout", "/limit", "/compress",
		"/static/1k", "/static/100k", "/static/1m", "/small/x?y=1", "/large/x?y=1", "/nowhere",
	} {
		b.Run(strings.TrimPrefix(target, "/"), func(b *testing.B) {
			w, r := &reusedWriter{nullWriter{header: http.Header{}}}, wireRequest(target)
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				rewind(r)
				h.ServeHTTP(w, r)
			}
		})
	}
}
