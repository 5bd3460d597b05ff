package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/mountd/mountd/compose"
)

const fullStack = "use: [request_id, access_log, errors, compress, {timeout: {after: 5s}}]"

// G05: a part of mountd that panics.
func TestPanics(t *testing.T) {
	explode := compose.Define("panics", struct{}{}, func(struct{}) (compose.Instance, error) {
		return compose.Instance{Wrap: func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/nil":
					panic(any(nil)) //nolint:govet // that is the case
				case "/abort":
					panic(http.ErrAbortHandler)
				case "/late":
					_, _ = io.WriteString(w, "begun")
					_ = http.NewResponseController(w).Flush()
				case "/hijacked":
					if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
						t.Error(err)
					}
				}
				panic("boom")
			})
		}}, nil
	})
	d := prepare(t, "mounts: {/: {respond: x, use: [default, explode]}}\n")
	d.middlewares = compose.Registry{"explode": explode}
	d.run()
	for _, row := range []struct {
		path   string
		status int // 0: no answer
		cut    bool
		logged int // times as an error
	}{
		{"/early", 500, false, 1},
		{"/nil", 500, false, 1},
		{"/late", 200, true, 1},
		{"/hijacked", 0, true, 1},
		{"/abort", 0, true, 0},
	} {
		t.Run("G05 "+row.path[1:], func(t *testing.T) {
			before := strings.Count(d.stderr.String(), `"level":"ERROR"`)
			a := get(t, d, row.path)
			if a.status != row.status || (a.err != nil) != row.cut {
				t.Errorf("%d %q %v", a.status, a.body, a.err)
			}
			if strings.Contains(a.body, "boom") {
				t.Errorf("the client reads %q", a.body)
			}
			d.logged(row.path)
			if got := strings.Count(d.stderr.String(), `"level":"ERROR"`) - before; got != row.logged {
				t.Errorf("%d errors in the log, want %d:\n%s", got, row.logged, d.stderr.String())
			}
		})
	}
	if a := get(t, d, "/early"); a.status != 500 {
		t.Errorf("afterwards: %d", a.status)
	}
}

// G07: a client that leaves takes the upstream's work with it.
func TestClientsThatLeave(t *testing.T) {
	for _, kind := range []string{"closed", "reset", "HTTP/2"} {
		t.Run("G07 "+kind, func(t *testing.T) {
			o := listen(t, func(c *originConn, _ *received) error {
				_, _ = c.r.ReadByte() // until the gateway leaves
				return errDone
			})
			d := start(t, fullStack+"\nmounts: {/app: "+o.url()+"}\n")
			var left time.Time
			if kind == "HTTP/2" {
				ctx, leave := context.WithCancel(t.Context())
				req, _ := http.NewRequestWithContext(ctx, "GET", d.url("/app/x"), nil)
				go func() {
					for o.count() == 0 {
						time.Sleep(time.Millisecond)
					}
					leave()
				}()
				if _, err := h2Client(t).Do(req); err == nil {
					t.Fatal("an answer")
				}
				left = time.Now()
			} else {
				w := dial(t, d.addr)
				w.send("GET /app/x HTTP/1.1\r\nHost: a\r\n\r\n")
				eventually(t, 3*time.Second, "request", func() bool { return o.count() == 1 })
				left = time.Now()
				if kind == "reset" {
					w.reset()
				} else {
					_ = w.Close()
				}
			}
			// Less than a second where the machine is not busy, and on any
			// before the mount's own limit of time.
			eventually(t, 4*time.Second, "end of the upstream's connection", func() bool { return o.connections()[0].ended() })
			t.Logf("the upstream was told after %v", time.Since(left))
			if line := d.logged("/app/x"); line["status"] != 499.0 {
				t.Errorf("logged %v", line)
			}
			if strings.Contains(d.stderr.String(), `"level":"ERROR"`) {
				t.Errorf("a client that leaves is no error:\n%s", d.stderr.String())
			}
		})
	}
}

// G08: a client that takes nothing holds up nobody but itself.
func TestClientsThatTakeNothing(t *testing.T) {
	o := listen(t, func(c *originConn, r *received) error {
		if r.target == "/big" {
			return stream(c, 100<<20)
		}
		return c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	d := start(t, "http: {write_timeout: 1s}\nmounts: {/app: "+o.url()+"}\n")
	var before, during runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		w := dial(t, d.addr)
		w.send("GET /app/big HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	eventually(t, 3*time.Second, "ten requests", func() bool { return o.count() == 10 })
	if a := get(t, d, "/app/small"); a.body != "ok" {
		t.Errorf("%d %q", a.status, a.body)
	}
	runtime.ReadMemStats(&during)
	if grown := int64(during.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("the heap has grown by %d MiB", grown>>20)
	}
	eventually(t, 8*time.Second, "end of the stalled transfers", func() bool {
		for _, c := range o.connections() {
			if !c.ended() && c.n < 10 {
				// A sender does not read: its end shows when it writes.
				c.mu.Lock()
				up := c.up
				c.mu.Unlock()
				if !up && strings.Count(d.stderr.String(), `"path":"/app/big"`) < 10 {
					return false
				}
			}
		}
		return true
	})
}

// stream answers with n bytes.
func stream(c *originConn, n int) error {
	if err := c.send("HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(n) + "\r\n\r\n"); err != nil {
		return err
	}
	piece := make([]byte, 64<<10)
	for ; n > 0; n -= len(piece) {
		if _, err := c.Write(piece[:min(n, len(piece))]); err != nil {
			return err
		}
	}
	return nil
}

// G10: the application gets what was sent so far, and answers before it has
// all.
func TestBothDirectionsAtOnce(t *testing.T) {
	answer := func(c *originConn, r *received) error {
		_ = c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for {
			line, err := readLine(c.r)
			if err != nil {
				return err
			}
			n, err := strconv.ParseUint(line, 16, 31)
			if err != nil {
				return err
			}
			piece := make([]byte, n+2)
			if _, err := io.ReadFull(c.r, piece); err != nil {
				return err
			}
			if n == 0 {
				return c.send("0\r\n\r\n")
			}
			_ = c.send(line + "\r\n" + string(piece))
		}
	}
	for _, proto := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run("G10 "+proto, func(t *testing.T) {
			o := listen(t, answer)
			d := start(t, fullStack+"\nmounts: {/app: {proxy: "+o.url()+", rebase: off}}\n")
			in, out := io.Pipe()
			req, _ := http.NewRequestWithContext(t.Context(), "POST", d.url("/app/x"), in)
			req.Header.Set("X-Lazy", "1")
			c := client(t)
			if proto == "HTTP/2" {
				c = h2Client(t)
			}
			go func() { _, _ = io.WriteString(out, "first") }()
			res, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			got := make([]byte, 5)
			for i := range 5 {
				if i > 0 {
					_, _ = fmt.Fprintf(out, "more%d", i)
				}
				if _, err := io.ReadFull(res.Body, got); err != nil {
					t.Fatal(err)
				}
			}
			_ = out.Close()
			if rest, err := io.ReadAll(res.Body); err != nil || string(rest) != "" || string(got) != "more4" {
				t.Errorf("%q %q %v", got, rest, err)
			}
		})
	}
}

// G11: each event is with the client before the next one is sent, whatever
// stands in between.
func TestEventsAreNotHeldBack(t *testing.T) {
	for _, kind := range []string{"text/event-stream", "text/plain", "application/x-ndjson"} {
		for _, framing := range []string{"chunked", "close"} {
			t.Run("G11 "+kind+" "+framing, func(t *testing.T) {
				taken := make(chan bool)
				o := listen(t, func(c *originConn, _ *received) error {
					head, format := "HTTP/1.1 200 OK\r\nContent-Type: "+kind+"\r\n", "%s"
					if framing == "chunked" {
						head, format = head+"Transfer-Encoding: chunked\r\n", "8\r\n%s\r\n"
					}
					_ = c.send(head + "\r\n")
					for i := range 10 {
						_ = c.send(fmt.Sprintf(format, fmt.Sprintf("data:%d\n\n", i)))
						select {
						case <-taken:
						case <-t.Context().Done():
							return errDone
						}
					}
					if framing == "chunked" {
						return c.send("0\r\n\r\n")
					}
					return errDone
				})
				d := start(t, fullStack+"\nmounts: {/app: "+o.url()+"}\n")
				req, _ := http.NewRequestWithContext(t.Context(), "GET", d.url("/app/x"), nil)
				if kind == "text/event-stream" {
					req.Header.Set("Accept-Encoding", "gzip, br, zstd")
				}
				begun := time.Now()
				res, err := client(t).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if got := res.Header.Get("Content-Encoding"); got != "" {
					t.Fatalf("Content-Encoding: %s", got)
				}
				r := bufio.NewReader(res.Body)
				for i := range 10 {
					line, err := r.ReadString('\n')
					if err != nil || line != fmt.Sprintf("data:%d\n", i) {
						t.Fatalf("%q %v", line, err)
					}
					_, _ = r.ReadString('\n')
					taken <- true
				}
				if took := time.Since(begun); took > time.Second {
					t.Errorf("ten events took %v", took)
				}
			})
		}
	}
}

// G13, G14, G19: redirects and cookies of an application below a prefix.
func TestHeadersOfAnApplicationBelowAPrefix(t *testing.T) {
	o := listen(t, nil)
	var location, cookie string
	o.answer = func(c *originConn, r *received) error {
		return c.send("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + "\r\nSet-Cookie: " + cookie + "\r\n\r\n")
	}
	d := start(t, "mounts: {/app: "+o.url()+"}\n")
	cookie = "a=1"
	for _, row := range []struct{ name, location, want string }{
		{"G13 its own address", o.url() + "/x", "/app/x"},
		{"G13 absolute path", "/x", "/app/x"},
		{"G13 the client's host", "http://a/x", "http://a/app/x"},
		{"G13 relative", "x?y", "x?y"},
		{"G13 another origin", "https://other/", "https://other/"},
		{"G13 its prefix already", "/app/x", "/app/x"},
		{"G19 a metadata service", "http://169.254.169.254/x", "http://169.254.169.254/x"},
	} {
		location = row.location
		a := get(t, d, "/app/y")
		got := a.get("Location")
		if strings.HasPrefix(row.want, "/") {
			got = strings.TrimPrefix(got, "http://a")
		}
		if a.status != 302 || got != row.want {
			t.Errorf("%s: %d %s, want %s", row.name, a.status, got, row.want)
		}
	}
	location = "//x"
	if got := get(t, d, "/app/y").get("Location"); got != "//x" {
		t.Errorf("G13 another host: %s", got)
	}
	for _, row := range []struct{ name, cookie, want, not string }{
		{"G14 the root path", "a=1; Path=/", "Path=/app", "Domain"},
		{"G14 a path", "a=1; Path=/b", "Path=/app/b", "Domain"},
		{"G14 a domain", "a=1; Path=/; Domain=127.0.0.1", "Path=/app", "Domain"},
	} {
		cookie = row.cookie
		got := get(t, d, "/app/y").get("Set-Cookie")
		if !strings.Contains(strings.ToLower(got), strings.ToLower(row.want)) || strings.Contains(got, row.not) {
			t.Errorf("%s: %s", row.name, got)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// G20: a mount that leads back to mountd.
func TestLoops(t *testing.T) {
	addr := freePort(t)
	d := start(t, "listen: "+addr+"\nuse: [errors]\nmounts: {/: http://"+addr+", /h2: {proxy: {to: h2c://"+addr+"/h2}}}\n")
	for _, target := range []string{"/x", "/h2/x"} {
		if a := get(t, d, target); a.status != 508 {
			t.Errorf("%s: %d", target, a.status)
		}
	}
}

// G23: a refused upgrade is an answer like others, and the application knows
// nothing of it.
func TestRefusedUpgrades(t *testing.T) {
	s := newSite(t)
	a := get(t, s.daemon, "/admin/x", websocketFields...)
	if a.status != 403 {
		t.Errorf("status %d", a.status)
	}
	s.untouched(t)
}

func echoSocket(t *testing.T) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 20)
		for {
			kind, p, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if c.Write(r.Context(), kind, p) != nil {
				return
			}
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestWebSockets(t *testing.T) {
	srv := echoSocket(t)
	d := start(t, fullStack+"\nmounts: {/app: "+srv.URL+"}\n")
	c, _, err := websocket.Dial(t.Context(), "ws://"+d.addr+"/app/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(1 << 20)
	for _, n := range []int{0, 1, 125, 126, 70000, 300000} {
		want := strings.Repeat("w", n)
		if err := c.Write(t.Context(), websocket.MessageText, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(t.Context()); err != nil || string(got) != want {
			t.Fatalf("%d bytes: got %d, %v", n, len(got), err)
		}
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	if line := d.logged("/app/ws"); line["status"] != 101.0 {
		t.Errorf("logged %v", line)
	}
}

// G26: trailers reach the client, but for those that mean something else.
func TestTrailersOfAnswers(t *testing.T) {
	h1 := listen(t, say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Grpc-Status, Content-Length, Set-Cookie\r\n\r\n2\r\nok\r\n0\r\nGrpc-Status: 0\r\nGrpc-Message: late\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\nTransfer-Encoding: chunked\r\n\r\n"))
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	h2 := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = io.WriteString(w, "ok")
		w.Header().Set("Grpc-Status", "0")
		w.Header().Set(http.TrailerPrefix+"Grpc-Message", "late")
	}))
	h2.Config.Protocols = &protocols
	h2.Start()
	t.Cleanup(h2.Close)
	d := start(t, "mounts: {/h1: "+h1.url()+", /h2: h2c://"+h2.Listener.Addr().String()+"}\n")
	for proto, c := range map[string]*http.Client{"HTTP/1.1": client(t), "HTTP/2": h2Client(t)} {
		for _, mount := range []string{"/h1", "/h2"} {
			req, _ := http.NewRequestWithContext(t.Context(), "GET", d.url(mount+"/x"), nil)
			req.Header.Set("Te", "trailers")
			res, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || string(b) != "ok" {
				t.Errorf("G26 %s from %s: %q %v", proto, mount, b, err)
			}
			if res.Trailer.Get("Grpc-Status") != "0" || res.Trailer.Get("Grpc-Message") != "late" {
				t.Errorf("G26 %s from %s: trailers %v", proto, mount, res.Trailer)
			}
			for _, name := range []string{"Content-Length", "Set-Cookie", "Transfer-Encoding"} {
				if res.Trailer.Get(name) != "" {
					t.Errorf("G26 %s from %s: trailer %s", proto, mount, name)
				}
			}
		}
	}
}

// G28: an application on a unix socket that is away, comes and goes.
func TestUnixSockets(t *testing.T) {
	dir, err := os.MkdirTemp("", "e2e") // a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	sock := filepath.Join(dir, "s")
	d := start(t, "mounts: {/app: {proxy: {to: 'unix:"+sock+"', fail_timeout: 100ms}}}\n")
	down := func(what string) {
		t.Helper()
		if a := get(t, d, "/app/x"); a.status != 502 && a.status != 503 {
			t.Errorf("%s: %d", what, a.status)
		}
	}
	up := func(what string) *origin {
		t.Helper()
		ln, err := net.Listen("unix", sock)
		if err != nil {
			t.Fatal(err)
		}
		o := listenOn(t, ln, nil)
		eventually(t, 3*time.Second, what, func() bool { return get(t, d, "/app/x").status == 200 })
		return o
	}
	down("missing")
	o := up("an answer when it is there")
	if got := o.last(t).get("X-Forwarded-For"); got != "127.0.0.1" {
		t.Errorf("X-Forwarded-For: %q", got)
	}
	o.close()
	down("gone")
	if err := os.WriteFile(sock, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	down("no socket")
	_ = os.Remove(sock)
	up("an answer when it is back").close()
}

// 103 Early Hints pass, without what belongs to the connection.
func TestEarlyHints(t *testing.T) {
	o := listen(t, say("HTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	d := start(t, fullStack+"\nmounts: {/app: {proxy: "+o.url()+", rebase: off}}\n")
	w := dial(t, d.addr)
	w.send("GET /app/x HTTP/1.1\r\nHost: a\r\n\r\n")
	hint, final := w.read("GET"), w.read("GET")
	if hint.status != 103 || hint.get("Link") != "</x.css>; rel=preload" || hint.get("X-Hop") != "" {
		t.Errorf("hint: %+v", hint)
	}
	if final.status != 200 || final.body != "ok" {
		t.Errorf("answer: %+v", final)
	}
}

// C19: the client is told to go on once somebody wants the body.
func TestExpectations(t *testing.T) {
	s := newSite(t)
	const head = "POST /app/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
	w := dial(t, s.addr)
	w.send(head)
	if a := w.read("POST"); a.status != 100 {
		t.Fatalf("%+v", a)
	}
	w.send("abc")
	if a := w.read("POST"); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	w = dial(t, s.addr)
	w.send(strings.Replace(head, "/app/x", "/admin/x", 1))
	if a := w.read("POST"); a.status != 403 {
		t.Errorf("refused: %+v", a)
	}
	// What was refused without its body is answered soon, though the body
	// does not come.
	w = dial(t, s.addr)
	begun := time.Now()
	w.send("POST /admin/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
	if a := w.read("POST"); a.status != 403 || time.Since(begun) > 4*time.Second {
		t.Errorf("refused, without a body: %+v after %v", a, time.Since(begun))
	}
	s.untouched(t)
	w = dial(t, s.addr)
	w.send("GET /app/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\nGET /app/y HTTP/1.1\r\nHost: a\r\n\r\n")
	for range 2 {
		if a := w.read("GET"); a.status != 200 {
			t.Errorf("an expectation without a body: %+v", a)
		}
	}
}

// Large bodies pass through without being held.
func TestLargeBodiesAreStreamed(t *testing.T) {
	const size = 64 << 20
	var got atomic.Int64
	o := listen(t, func(c *originConn, r *received) error {
		if r.method == "GET" {
			return stream(c, size)
		}
		buf := make([]byte, 64<<10)
		for got.Store(0); got.Load() < size; {
			n, err := c.r.Read(buf)
			got.Add(int64(n))
			if err != nil {
				return err
			}
		}
		return c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	o.quiet.Store(true)
	d := start(t, fullStack+"\nmounts: {/app: "+o.url()+"}\n")
	for _, proto := range []string{"HTTP/1.1", "HTTP/2"} {
		c := client(t)
		if proto == "HTTP/2" {
			c = h2Client(t)
		}
		for _, way := range []string{"GET", "POST"} {
			runtime.GC()
			var before runtime.MemStats
			runtime.ReadMemStats(&before)
			peak := watchHeap(t)
			var body io.Reader
			if way == "POST" {
				body = io.LimitReader(zeros{}, size)
			}
			req, _ := http.NewRequestWithContext(t.Context(), way, d.url("/app/x"), body)
			req.Header.Set("X-Lazy", "1")
			if way == "POST" {
				req.ContentLength = size
			}
			res, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if err != nil || way == "GET" && n != size || way == "POST" && got.Load() != size {
				t.Errorf("%s %s: %d bytes, %v", proto, way, n, err)
			}
			if grown := int64(peak()) - int64(before.HeapAlloc); grown > 24<<20 {
				t.Errorf("%s %s: the heap has grown by %d MiB", proto, way, grown>>20)
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// watchHeap looks at the heap until the function that it gives is called,
// which tells the most that it held.
func watchHeap(t *testing.T) func() uint64 {
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(stop); return <-peak }
}
