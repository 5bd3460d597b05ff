package proxy_test

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
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/mountd/mountd/backend/proxy"
	"github.com/mountd/mountd/internal/request"
)

func TestEventsArriveAtOnce(t *testing.T) {
	for name, head := range map[string]string{
		"chunked":     "Transfer-Encoding: chunked\r\n\r\n",
		"until close": "\r\n",
		"with length": "Content-Length: 1000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			next := make(chan string)
			o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
				if _, err := o.readHead(br); err != nil {
					return
				}
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"+head)
				for s := range next {
					if name == "chunked" {
						s = fmt.Sprintf("%x\r\n%s\r\n", len(s), s)
					}
					io.WriteString(c, s)
				}
			})
			srv, _ := front(t, to(o.url()))
			resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(httptest.NewRequest("GET", srv.URL, nil))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			buf := make([]byte, 100)
			for i := range 5 {
				event := fmt.Sprintf("data: %d\n\n", i)
				next <- event
				start := time.Now()
				n, err := io.ReadFull(resp.Body, buf[:len(event)])
				if err != nil || string(buf[:n]) != event {
					t.Fatalf("%q, %v", buf[:n], err)
				}
				if took := time.Since(start); took > 100*time.Millisecond {
					t.Errorf("event %d took %v", i, took)
				}
			}
			close(next)
		})
	}
}

// echoWebSocket is an upstream that sends back what it gets.
func echoWebSocket(t *testing.T) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		c.SetReadLimit(4 << 20)
		defer c.CloseNow()
		for {
			kind, msg, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), kind, msg); err != nil {
				return
			}
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestWebSocket(t *testing.T) {
	up := echoWebSocket(t)
	srv, p := front(t, to(up.URL))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(4 << 20)
	if err := p.Close(); err != nil { // a closed proxy keeps its tunnels
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 125, 126, 70000, 1 << 20} {
		want := strings.Repeat("w", size)
		if err := c.Write(ctx, websocket.MessageText, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(ctx); err != nil || string(got) != want {
			t.Fatalf("%d bytes: %d, %v", size, len(got), err)
		}
	}
	if s := p.Status()[0]; s.InFlight != 1 {
		t.Errorf("status %+v", s)
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

func TestShutdownCutsTunnelsThatDoNotEnd(t *testing.T) {
	up := echoWebSocket(t)
	p, err := proxy.New(to(up.URL))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(p)
	defer srv.Close()
	c, _, err := websocket.Dial(context.Background(), srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := p.Shutdown(ctx); err != context.DeadlineExceeded {
		t.Fatalf("got %v", err)
	}
	if _, _, err := c.Read(context.Background()); err == nil {
		t.Error("the tunnel is still open")
	}
	if err := p.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestUpgradeHandsBufferedBytesOverAndClosesByHalves(t *testing.T) {
	o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
		if _, err := o.readHead(br); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade, X-Hop\r\nX-Hop: 1\r\nAlt-Svc: x\r\nUpgrade: Test/1\r\n\r\nearly ")
		all, _ := io.ReadAll(br)
		fmt.Fprintf(c, "got %s", all)
	})
	srv, _ := front(t, to(o.url()))
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nFoo: bar\r\nConnection: Upgrade,foo\r\nUpgrade: test/1\r\n\r\nlate ")
	io.WriteString(c, "and later")
	c.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(c)
	head, rest, _ := strings.Cut(string(got), "\r\n\r\n")
	if err != nil || rest != "early got late and later" {
		t.Fatalf("%q, %v", got, err)
	}
	if strings.Contains(head, "X-Hop") || strings.Contains(head, "Alt-Svc") || !strings.Contains(head, "Upgrade: Test/1") {
		t.Errorf("head %q", head)
	}
	if fieldOf(o.seen()[0], "Foo") != nil || strings.Join(fieldOf(o.seen()[0], "Connection"), "") != "Upgrade" {
		t.Errorf("the upstream saw %q", o.seen()[0])
	}
}

func TestUpgradeThatDoesNotMatchIs502(t *testing.T) {
	for name, answer := range map[string]string{
		"another protocol": "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n",
		"no protocol":      "HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n",
		"no connection":    "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n",
	} {
		o := serveRaw(t, once(answer))
		srv, _ := front(t, to(o.url()))
		got := raw(t, srv.Listener.Addr().String(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"[:0]+"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 502") {
			t.Errorf("%s: %q", name, got)
		}
	}
	o := serveRaw(t, always("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"))
	srv, _ := front(t, to(o.url()))
	got := raw(t, srv.Listener.Addr().String(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 401") || !strings.HasSuffix(got, "no") {
		t.Errorf("a refused upgrade: %q", got)
	}
}

func TestIdleTunnelsAreSmall(t *testing.T) {
	const n = 300
	o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
		if _, err := o.readHead(br); err == nil {
			io.WriteString(c, "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			br.ReadByte()
		}
	})
	srv, _ := front(t, to(o.url()))
	used := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := used()
	for range n {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		buf := make([]byte, 20)
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	// The other ends live in this process as well, with some 10 KiB.
	if per := (used() - before) / n; per > 50<<10 {
		t.Errorf("%d bytes per tunnel", per)
	} else {
		t.Logf("%d bytes per tunnel, both ends included", per)
	}
}

func TestUnixSocketComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	srv, _ := front(t, to("unix:"+path+":/base"))
	status := func() string {
		resp, body, err := get(t, srv.URL+"/x")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(resp.StatusCode, " ", body)
	}
	if got := status(); !strings.HasPrefix(got, "502") {
		t.Errorf("missing: %s", got)
	}
	for _, body := range []string{"one", "two"} {
		ln, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		o := serveListener(t, ln, always(okAnswer(body)))
		if got := status(); got != "200 "+body {
			t.Errorf("got %s", got)
		}
		if head := o.seen()[0]; targetOf(head) != "/base/x" {
			t.Errorf("%q", head)
		}
		ln.Close()
		o.mu.Lock()
		for _, c := range o.conns {
			c.Close()
		}
		o.mu.Unlock()
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := status(); !strings.HasPrefix(got, "502") {
		t.Errorf("stale: %s", got)
	}
}

// spoken answers with the protocol it was reached with.
var spoken = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/cut":
		io.WriteString(w, "part")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case "/trailers":
		w.Header().Set("Trailer", "Grpc-Status")
		io.WriteString(w, "body")
		w.Header().Set("Grpc-Status", "0")
		return
	case "/slow":
		<-r.Context().Done()
		return
	}
	b, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s %s %d", r.Proto, r.Host, r.RequestURI, r.Header.Get("X-Forwarded-For"), len(b))
})

func TestSecureAndHTTP2Upstreams(t *testing.T) {
	h1 := httptest.NewTLSServer(spoken)
	defer h1.Close()
	h2 := httptest.NewUnstartedServer(spoken)
	h2.EnableHTTP2 = true
	h2.StartTLS()
	defer h2.Close()
	h2c := httptest.NewUnstartedServer(spoken)
	h2c.Config.Protocols = new(http.Protocols)
	h2c.Config.Protocols.SetUnencryptedHTTP2(true)
	h2c.Start()
	defer h2c.Close()
	for name, c := range map[string]struct{ url, proto string }{
		"https":             {h1.URL, "HTTP/1.1"},
		"https with HTTP/2": {h2.URL, "HTTP/2.0"},
		"h2c":               {"h2c" + strings.TrimPrefix(h2c.URL, "http"), "HTTP/2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := to(c.url + "/base")
			cfg.TLS.InsecureSkipVerify = true
			cfg.Host = "app.example"
			cfg.ResponseTimeout = 200 * time.Millisecond
			cfg.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
				t.Logf("%s: %v", r.URL, err)
				request.Fail(w, r, err)
			}
			srv, _ := front(t, cfg)
			for _, size := range []int{0, 5, 100000} {
				for range 3 {
					want := fmt.Sprintf("%s app.example /base/a%%2Fb?x=%%zz 127.0.0.1 %d", c.proto, size)
					resp, body, err := do(t, "POST", srv.URL+"/a%2Fb?x=%zz", strings.NewReader(strings.Repeat("b", size)))
					if err != nil || resp.StatusCode != 200 || body != want {
						t.Fatalf("%v, %q, %v; want %q", resp, body, err, want)
					}
				}
			}
			cfg.Upstreams[0].URL = c.url
			srv, _ = front(t, cfg)
			if resp, body, err := do(t, "GET", srv.URL+"/trailers", nil, "Te", "trailers"); err != nil || body != "body" || resp.Trailer.Get("Grpc-Status") != "0" {
				t.Errorf("%q, %v, %v", body, resp.Trailer, err)
			}
			if _, body, err := get(t, srv.URL+"/cut"); err == nil {
				t.Errorf("a cut answer looks complete: %q", body)
			}
			if resp, _, err := get(t, srv.URL+"/slow"); err != nil || resp.StatusCode != 504 {
				t.Errorf("slow: %v, %v", resp, err)
			}
		})
	}
	cfg := to(h1.URL)
	srv, _ := front(t, cfg)
	if resp, _, err := get(t, srv.URL); err != nil || resp.StatusCode != 502 {
		t.Errorf("a certificate nobody trusts: %v, %v", resp, err)
	}
}

func TestWebSocketToAnHTTP2Upstream(t *testing.T) {
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/plain" {
			io.WriteString(w, r.Proto)
			return
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err == nil {
			c.Write(r.Context(), websocket.MessageText, []byte(r.Proto))
			c.Close(websocket.StatusNormalClosure, "")
		}
	}))
	up.EnableHTTP2 = true
	up.StartTLS()
	defer up.Close()
	cfg := to(up.URL)
	cfg.TLS.InsecureSkipVerify = true
	srv, _ := front(t, cfg)
	for range 2 {
		if _, body, err := get(t, srv.URL+"/plain"); err != nil || body != "HTTP/2.0" {
			t.Fatalf("%q, %v", body, err)
		}
		c, _, err := websocket.Dial(context.Background(), srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, msg, err := c.Read(context.Background()); err != nil || string(msg) != "HTTP/1.1" {
			t.Errorf("%q, %v", msg, err)
		}
		c.CloseNow()
	}
}
