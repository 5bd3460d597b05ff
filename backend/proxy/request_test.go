package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mountd/mountd/backend/proxy"
	"github.com/mountd/mountd/internal/request"
)

// readBody reads a recorded request's body, with its framing checked.
func readBody(head string, br *bufio.Reader) (string, error) {
	if cl := fieldOf(head, "Content-Length"); len(cl) == 1 {
		var n int
		fmt.Sscan(cl[0], &n)
		b := make([]byte, n)
		_, err := io.ReadFull(br, b)
		return string(b), err
	}
	if fieldOf(head, "Transfer-Encoding") == nil {
		return "", nil
	}
	req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), br)))
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(req.Body)
	return string(b), err
}

// echoBody answers with the body it has got.
func echoBody(o *rawOrigin, c net.Conn, br *bufio.Reader) {
	for {
		head, err := o.readHead(br)
		if err != nil {
			return
		}
		body, err := readBody(head, br)
		if err != nil {
			return
		}
		io.WriteString(c, okAnswer(body))
	}
}

func TestBodyReachesTheUpstream(t *testing.T) {
	for _, size := range []int{1, 100, 4000, 8 << 10, 9 << 10, 100 << 10, 3 << 20} {
		for _, chunked := range []bool{false, true} {
			for _, buffer := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d bytes, chunked %v, buffered %v", size, chunked, buffer), func(t *testing.T) {
					o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
						for {
							head, err := o.readHead(br)
							if err != nil {
								return
							}
							if cl := fieldOf(head, "Content-Length"); len(cl) > 0 {
								if _, err := io.CopyN(io.Discard, br, int64(size)); err != nil {
									return
								}
								io.WriteString(c, okAnswer(cl[0]))
								continue
							}
							req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head), br)))
							if err != nil {
								return
							}
							n, err := io.Copy(io.Discard, req.Body)
							if err != nil {
								return
							}
							// What was read ahead is lost: no other request may come.
							io.WriteString(c, strings.Replace(okAnswer(itoa(int(n))), "\r\n", "\r\nConnection: close\r\n", 1))
							return
						}
					})
					cfg := to(o.url())
					cfg.BufferRequest = buffer
					srv, _ := front(t, cfg)
					for range 2 {
						var body io.Reader = bytes.NewReader(make([]byte, size))
						if chunked {
							body = io.MultiReader(body)
						}
						resp, got, err := do(t, "POST", srv.URL, body)
						if err != nil || resp.StatusCode != 200 || got != itoa(size) {
							t.Fatalf("%v, %q, %v", resp, got, err)
						}
					}
				})
			}
		}
	}
}

func TestBodyIsStreamedAndAnsweredBeforeItsEnd(t *testing.T) {
	o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
		head, err := o.readHead(br)
		if err != nil {
			return
		}
		req, _ := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head), br)))
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		buf := make([]byte, 64)
		for {
			n, err := req.Body.Read(buf)
			if n > 0 {
				fmt.Fprintf(c, "%x\r\n%s\r\n", n, bytes.ToUpper(buf[:n]))
			}
			if err != nil {
				break
			}
		}
		io.WriteString(c, "0\r\n\r\n")
	})
	srv, _ := front(t, to(o.url()))
	pr, pw := io.Pipe()
	req, _ := http.NewRequest("POST", srv.URL, pr)
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 64)
	for _, word := range []string{"one", "two", "three"} {
		io.WriteString(pw, word)
		n, err := io.ReadFull(resp.Body, buf[:len(word)])
		if err != nil || string(buf[:n]) != strings.ToUpper(word) {
			t.Fatalf("%q, %v", buf[:n], err)
		}
	}
	pw.Close()
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
		t.Fatalf("%q, %v", rest, err)
	}
}

func TestEarlyAnswerReachesAClientThatIsStillSending(t *testing.T) {
	o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
		if _, err := o.readHead(br); err == nil {
			io.WriteString(c, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")
			c.(*net.TCPConn).CloseWrite()
			io.CopyN(io.Discard, br, 64<<10)
		}
	})
	srv, _ := front(t, to(o.url()))
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n0123456789")
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	got, _ := io.ReadAll(c)
	if !strings.HasPrefix(string(got), "HTTP/1.1 413") || !strings.HasSuffix(string(got), "big") || !strings.Contains(string(got), "Connection: close") {
		t.Fatalf("got %q", got)
	}
}

func TestBytesLeftOfABodyAreNotTheNextRequest(t *testing.T) {
	o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
		if head, err := o.readHead(br); err == nil {
			if strings.Contains(head, "/smuggled") {
				t.Error("the body was taken for a request")
			}
			io.WriteString(c, okAnswer("early"))
			io.Copy(io.Discard, br)
		}
	})
	srv, _ := front(t, to(o.url()))
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 20000)
	time.Sleep(50 * time.Millisecond)
	io.WriteString(c, strings.Repeat(smuggled, 3))
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	got, _ := io.ReadAll(c)
	if n := strings.Count(string(got), "HTTP/1.1 200"); n != 1 {
		t.Fatalf("%d answers: %q", n, got)
	}
}

func TestShortClientBodyIsAnAbortForTheUpstream(t *testing.T) {
	for name, head := range map[string]string{
		"length":       "Content-Length: 100000\r\n\r\n0123456789",
		"small length": "Content-Length: 100\r\n\r\n0123456789",
		"chunked":      "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			result := make(chan error, 1)
			o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
				head, err := o.readHead(br)
				if err != nil {
					return
				}
				_, err = readBody(head, br)
				result <- err
				io.WriteString(c, okAnswer("x"))
			})
			srv, _ := front(t, to(o.url()))
			c, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\n"+head)
			time.Sleep(20 * time.Millisecond)
			c.Close()
			select {
			case err := <-result:
				if err == nil {
					t.Fatal("the upstream saw a complete request")
				}
			case <-time.After(3 * time.Second):
				t.Fatal("the upstream still waits")
			}
		})
	}
}

func TestExpectContinue(t *testing.T) {
	for name, c := range map[string]struct {
		interim string
		final   string
		sends   bool
	}{
		"the upstream says continue": {"HTTP/1.1 100 Continue\r\n\r\n", "", true},
		"the upstream is silent":     {"", "", true},
		"the upstream refuses":       {"", "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			o := serveRaw(t, func(o *rawOrigin, conn net.Conn, br *bufio.Reader) {
				head, err := o.readHead(br)
				if err != nil {
					return
				}
				if got := fieldOf(head, "Expect"); len(got) != 1 || got[0] != "100-continue" {
					t.Errorf("Expect %q", got)
				}
				if c.final != "" {
					io.WriteString(conn, c.final)
					return
				}
				io.WriteString(conn, c.interim)
				if body, err := readBody(head, br); err == nil {
					io.WriteString(conn, okAnswer(body))
				}
			})
			srv, _ := front(t, to(o.url()))
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
			br := bufio.NewReader(conn)
			conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			line, _ := br.ReadString('\n')
			if !c.sends {
				if !strings.HasPrefix(line, "HTTP/1.1 417") {
					t.Fatalf("got %q", line)
				}
				return
			}
			if !strings.HasPrefix(line, "HTTP/1.1 100") {
				t.Fatalf("got %q", line)
			}
			br.ReadString('\n')
			io.WriteString(conn, "body")
			rest, _ := io.ReadAll(br)
			if !strings.HasSuffix(string(rest), "body") {
				t.Fatalf("got %q", rest)
			}
		})
	}
}

func TestClientThatLeavesCancelsTheRequest(t *testing.T) {
	for _, body := range []string{"", "0123456789"} {
		t.Run("body "+body, func(t *testing.T) {
			closed := make(chan time.Time, 1)
			asked := make(chan struct{})
			o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
				if _, err := o.readHead(br); err != nil {
					return
				}
				close(asked)
				io.Copy(io.Discard, br)
				closed <- time.Now()
			})
			status := make(chan error, 1)
			cfg := to(o.url())
			cfg.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) { status <- err }
			srv, p := front(t, cfg)
			c, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			<-asked
			left := time.Now()
			c.Close()
			select {
			case at := <-closed:
				if took := at.Sub(left); took > time.Second {
					t.Errorf("the upstream was told after %v", took)
				}
			case <-time.After(3 * time.Second):
				t.Fatal("the upstream was never told")
			}
			if got, _, _ := request.Describe(<-status); got != request.StatusClientClosed {
				t.Errorf("status %d, want 499", got)
			}
			if s := p.Status()[0]; s.Failures != 0 {
				t.Errorf("it counts as a failure of the upstream: %+v", s)
			}
		})
	}
}

func TestHalfClosedClientIsAnswered(t *testing.T) {
	o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
		if _, err := o.readHead(br); err == nil {
			io.WriteString(c, okAnswer("x"))
		}
	})
	srv, _ := front(t, to(o.url()))
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	c.(*net.TCPConn).CloseWrite()
	got, _ := io.ReadAll(c)
	if !strings.HasSuffix(string(got), "\r\n\r\nx") {
		t.Errorf("got %q", got)
	}
}

func TestGatewayFaultsHaveTheirStatus(t *testing.T) {
	silent := func(o *rawOrigin, c net.Conn, br *bufio.Reader) { io.Copy(io.Discard, br) }
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused.Close()
	for name, c := range map[string]struct {
		url    string
		status int
	}{
		"refused":                   {"http://" + refused.Addr().String(), 502},
		"no such name":              {"http://nowhere.invalid", 502},
		"no such socket":            {"unix:/nowhere/x.sock", 502},
		"accepts and never answers": {serveRaw(t, silent).url(), 504},
		"closes after accepting":    {serveRaw(t, func(*rawOrigin, net.Conn, *bufio.Reader) {}).url(), 502},
		"resets after the request":  {serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) { o.readHead(br); c.(*net.TCPConn).SetLinger(0) }).url(), 502},
		"drips its header": {serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
			o.readHead(br)
			for _, b := range []byte("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 1000)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}).url(), 504},
		"no TLS where TLS is expected": {"https" + strings.TrimPrefix(serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
			br.ReadByte()
			io.WriteString(c, "HTTP/1.1 400 Bad\r\n\r\n")
		}).url(), "http"), 502},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := to(c.url)
			cfg.ResponseTimeout = 150 * time.Millisecond
			cfg.Name = "/app"
			var cause error
			cfg.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
				cause = err
				request.Fail(w, r, err)
			}
			srv, p := front(t, cfg)
			resp, _, err := get(t, srv.URL)
			if err != nil || resp.StatusCode != c.status {
				t.Fatalf("%v, %v; want %d", resp, err, c.status)
			}
			if !strings.Contains(cause.Error(), c.url) {
				t.Errorf("the operator reads %q", cause)
			}
			if s := p.Status()[0]; s.Failures == 0 || s.LastError == "" {
				t.Errorf("status %+v", s)
			}
		})
	}
}

func TestRequestIsRepeatedOnlyWhereItIsSafe(t *testing.T) {
	for name, c := range map[string]struct {
		method, body string
		want         int
	}{
		"GET":               {"GET", "", 200},
		"PUT, small body":   {"PUT", "abc", 200},
		"POST":              {"POST", "abc", 502},
		"POST without body": {"POST", "", 502},
		"PUT, large body":   {"PUT", strings.Repeat("a", 20000), 502},
	} {
		t.Run(name, func(t *testing.T) {
			var seen atomic.Bool
			o := serveRaw(t, func(o *rawOrigin, conn net.Conn, br *bufio.Reader) {
				head, err := o.readHead(br)
				if err != nil {
					return
				}
				readBody(head, br)
				if !seen.Swap(true) {
					return
				}
				io.WriteString(conn, okAnswer("second"))
			})
			srv, _ := front(t, to(o.url()))
			resp, _, err := do(t, c.method, srv.URL, strings.NewReader(c.body))
			if err != nil || resp.StatusCode != c.want {
				t.Fatalf("%v, %v; want %d", resp, err, c.want)
			}
		})
	}
}

// slowEnd keeps what ends a body to itself for a while: its reader does not
// know yet what the server below knows already.
type slowEnd struct{ io.ReadCloser }

func (b slowEnd) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		time.Sleep(100 * time.Millisecond)
	}
	return n, err
}

// An upstream that fails while the request is on its way to it is not a client
// that has left, though the reading of the request is interrupted then.
func TestUpstreamThatFailsDuringAnUpload(t *testing.T) {
	for _, size := range []int{9 << 10, 20000} {
		o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
			head, err := o.readHead(br)
			if err == nil && strings.HasPrefix(head, "GET") {
				io.WriteString(c, okAnswer("next"))
			}
		})
		p := newProxy(t, to(o.url()))
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = slowEnd{r.Body}
			p.ServeHTTP(w, r)
		}))
		t.Cleanup(srv.Close)
		tr := &http.Transport{}
		t.Cleanup(tr.CloseIdleConnections)
		for _, c := range []struct {
			method string
			want   int
		}{{"POST", 502}, {"GET", 200}} {
			var body io.Reader
			if c.method == "POST" {
				body = strings.NewReader(strings.Repeat("a", size))
			}
			req, _ := http.NewRequest(c.method, srv.URL, body)
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != c.want {
				t.Errorf("%s: status %d, want %d", c.method, resp.StatusCode, c.want)
			}
		}
		if s := p.Status()[0]; s.Failures != 1 {
			t.Errorf("status %+v", s)
		}
	}
}

func TestClosedKeptConnectionIsReplaced(t *testing.T) {
	// The upstream closes each connection after one answer, without saying so.
	o := serveRaw(t, once(okAnswer("x")))
	cfg := to(o.url())
	cfg.Retries = -1
	srv, p := front(t, cfg)
	for i := range 20 {
		resp, body, err := do(t, "POST", srv.URL, strings.NewReader("abc"))
		if err != nil || resp.StatusCode != 200 || body != "x" {
			t.Fatalf("request %d: %v, %q, %v", i, resp, body, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if s := p.Status()[0]; s.Failures != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestConnectionFieldOfTheRequest(t *testing.T) {
	o := serveRaw(t, always(okAnswer("")))
	srv, _ := front(t, to(o.url()))
	_, _, err := do(t, "GET", srv.URL, nil,
		"Connection", "close, X-Forwarded-For, X-Forwarded-Proto, Remote-User, X-Hop, Authorization, Cookie",
		"X-Hop", "1", "Remote-User", "joe", "Authorization", "Basic x", "Cookie", "a=b",
		"Keep-Alive", "1", "Proxy-Connection", "x", "Proxy", "http://evil", "Http2-Settings", "x", "Upgrade", "h2c", "Te", "trailers, deflate")
	if err != nil {
		t.Fatal(err)
	}
	head := o.seen()[0]
	for name, want := range map[string]string{
		"X-Hop": "", "Keep-Alive": "", "Proxy-Connection": "", "Proxy": "", "Http2-Settings": "", "Upgrade": "",
		"Remote-User": "joe", "Authorization": "Basic x", "Cookie": "a=b", "Te": "trailers", "Connection": "TE",
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "Via": "1.1 mountd", "X-Real-Ip": "127.0.0.1",
	} {
		if got := strings.Join(fieldOf(head, name), "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestNothingIsInvented(t *testing.T) {
	o := serveRaw(t, always(okAnswer("")))
	srv, _ := front(t, to(o.url()))
	raw(t, srv.Listener.Addr().String(), "GET /x HTTP/1.1\r\nHost: example.com:81\r\nConnection: close\r\n\r\n")
	want := []string{"Forwarded", "Host", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"}
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(o.seen()[0]), "\r\n")[1:] {
		name, _, _ := strings.Cut(line, ":")
		got = append(got, name)
	}
	if len(got) != len(want) {
		t.Errorf("fields %v, want %v", got, want)
	}
	if f := fieldOf(o.seen()[0], "Forwarded"); f[0] != `for=127.0.0.1;host="example.com:81";proto=http` {
		t.Errorf("Forwarded: %q", f)
	}
}

// HTTP/1.0 may name no host; an application must be told one.
func TestRequestWithoutAHost(t *testing.T) {
	o := serveRaw(t, always(okAnswer("")))
	srv, _ := front(t, to(o.url()))
	raw(t, srv.Listener.Addr().String(), "GET /x HTTP/1.0\r\n\r\n")
	head := o.seen()[0]
	if got := strings.Join(fieldOf(head, "Host"), "|"); got != o.Addr().String() {
		t.Errorf("Host: %q", got)
	}
	if got := fieldOf(head, "X-Forwarded-Host"); got != nil {
		t.Errorf("X-Forwarded-Host: %q", got)
	}
	if got := fieldOf(head, "Forwarded"); got[0] != "for=127.0.0.1;proto=http" {
		t.Errorf("Forwarded: %q", got)
	}
}

func TestUpgradeToHTTP2IsNotPassed(t *testing.T) {
	o := serveRaw(t, always(okAnswer("")))
	srv, _ := front(t, to(o.url()))
	for _, up := range []string{"h2c", "H2C", "HTTP/2.0", "h2", "TLS/1.0", "websocket, h2c"} {
		raw(t, srv.Listener.Addr().String(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: "+up+"\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")
		head := o.seen()[len(o.seen())-1]
		if fieldOf(head, "Upgrade") != nil || fieldOf(head, "Connection") != nil || fieldOf(head, "HTTP2-Settings") != nil {
			t.Errorf("%s: %q", up, head)
		}
	}
}

func TestIdentityOfTheHost(t *testing.T) {
	o := serveRaw(t, always(okAnswer("")))
	target := strings.TrimPrefix(o.url(), "http://")
	for name, c := range map[string]struct {
		host, origin, referer string
		want                  map[string]string
	}{
		"client": {"", "https://shop.example", "https://shop.example/a?b", map[string]string{
			"Host": "shop.example", "Origin": "https://shop.example", "Referer": "https://shop.example/a?b", "X-Forwarded-Host": "shop.example"}},
		"upstream": {"upstream", "https://shop.example", "https://shop.example/a?b", map[string]string{
			"Host": target, "Origin": "http://" + target, "Referer": "http://" + target + "/a?b", "X-Forwarded-Host": ""}},
		"upstream, foreign origin": {"upstream", "https://evil.example", "https://evil.example/", map[string]string{
			"Host": target, "Origin": "https://evil.example", "Referer": "https://evil.example/", "X-Forwarded-Host": ""}},
		"upstream, null origin": {"upstream", "null", "about:blank", map[string]string{
			"Host": target, "Origin": "null", "Referer": "about:blank"}},
		"a name": {"app.internal", "https://shop.example", "", map[string]string{
			"Host": "app.internal", "Origin": "http://app.internal", "X-Forwarded-Host": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := to(o.url())
			cfg.Host = c.host
			srv, _ := front(t, cfg)
			if _, _, err := do(t, "GET", srv.URL, nil, "Host", "shop.example", "Origin", c.origin, "Referer", c.referer); err != nil {
				t.Fatal(err)
			}
			heads := o.seen()
			for field, want := range c.want {
				if got := strings.Join(fieldOf(heads[len(heads)-1], field), "|"); got != want {
					t.Errorf("%s: %q, want %q", field, got, want)
				}
			}
		})
	}
}

// withRecord serves next the way the front door does.
func withRecord(next http.Handler, fill func(*request.Record)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := request.New(w, r)
		rec.Scheme, rec.HostPort, rec.Host = "http", r.Host, r.Host
		rec.Peer = netip.MustParseAddr("127.0.0.1")
		rec.Client = rec.Peer
		fill(rec)
		next.ServeHTTP(&rec.Writer, &rec.Request)
	})
}

func TestTrustedChainIsContinued(t *testing.T) {
	o := serveRaw(t, always(okAnswer("")))
	p := newProxy(t, to(o.url()))
	srv := httptest.NewServer(withRecord(p, func(rec *request.Record) {
		rec.PeerTrusted = true
		rec.Client = netip.MustParseAddr("2001:db8::7")
		rec.Scheme, rec.HostPort, rec.Prefix = "https", "shop.example", "/outer"
	}))
	defer srv.Close()
	_, _, err := do(t, "GET", srv.URL, nil, "X-Forwarded-For", "2001:db8::7", "X-Forwarded-For", "10.0.0.9", "Forwarded", "for=x", "Via", "1.1 edge")
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{
		"X-Forwarded-For":    "2001:db8::7, 10.0.0.9, 127.0.0.1",
		"X-Real-Ip":          "2001:db8::7",
		"X-Forwarded-Proto":  "https",
		"X-Forwarded-Host":   "shop.example",
		"X-Forwarded-Prefix": "/outer",
		"Forwarded":          `for=x, for=127.0.0.1;host="shop.example";proto=https`,
		"Via":                "1.1 edge, 1.1 mountd",
	} {
		if got := strings.Join(fieldOf(o.seen()[0], field), "|"); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
}

func TestLoopEnds(t *testing.T) {
	var srv *httptest.Server
	var p *proxy.Proxy
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.ServeHTTP(w, r) }))
	defer srv.Close()
	p = newProxy(t, to(srv.URL))
	resp, _, err := get(t, srv.URL)
	if err != nil || resp.StatusCode != http.StatusLoopDetected {
		t.Fatalf("%v, %v", resp, err)
	}
}

func TestFieldsThatWouldSplitTheRequestAreRefused(t *testing.T) {
	o := serveRaw(t, always(okAnswer("")))
	p := newProxy(t, to(o.url()))
	for name, set := range map[string]func(*http.Request){
		"line break in a value":  func(r *http.Request) { r.Header["Remote-User"] = []string{"joe\r\nX: y"} },
		"LF in a value":          func(r *http.Request) { r.Header["Remote-User"] = []string{"joe\nX: y"} },
		"NUL in a value":         func(r *http.Request) { r.Header["Remote-User"] = []string{"joe\x00"} },
		"line break in a name":   func(r *http.Request) { r.Header["X: y\r\nZ"] = []string{"a"} },
		"line break in the host": func(r *http.Request) { r.Host = "a\r\nX: y" },
		"space in the method":    func(r *http.Request) { r.Method = "GET /x" },
	} {
		r := httptest.NewRequest("GET", "/", nil)
		set(r)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.URL.RawQuery = "a b\r\nX: y#c"
	r.URL.Path, r.URL.RawPath = "/a b\r\n", "/a b\r\n"
	p.ServeHTTP(httptest.NewRecorder(), r)
	if got := targetOf(o.seen()[0]); got != "/a%20b%0D%0A?a%20b%0D%0AX:%20y%23c" {
		t.Errorf("target %q", got)
	}
	if len(o.seen()) != 1 {
		t.Errorf("%d requests reached the upstream, want 1", len(o.seen()))
	}
	r = httptest.NewRequest("CONNECT", "/", nil)
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("CONNECT: %d", w.Code)
	}
}

func TestBareMountPoint(t *testing.T) {
	for name, c := range map[string]struct {
		base string
		keep bool
		want string
	}{
		"target without path":      {"", false, "/?q"},
		"target with path":         {"/metrics", false, "/metrics?q"},
		"target with final slash":  {"/metrics/", false, "/metrics/?q"},
		"kept prefix":              {"", true, "/app?q"},
		"kept prefix and path":     {"/base", true, "/base/app?q"},
		"kept prefix, path, slash": {"/base/", true, "/base/app?q"},
	} {
		t.Run(name, func(t *testing.T) {
			o := serveRaw(t, always(okAnswer("")))
			cfg := to(o.url() + c.base)
			cfg.KeepPrefix = c.keep
			cfg.ScriptName = func(*http.Request) string { return "/app" }
			cfg.Bare = func(*http.Request) bool { return true }
			p := newProxy(t, cfg)
			p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/?q", nil))
			if got := targetOf(o.seen()[0]); got != c.want {
				t.Errorf("target %q, want %q", got, c.want)
			}
		})
	}
}

func TestPathValuesInTheTarget(t *testing.T) {
	o := serveRaw(t, always(okAnswer("")))
	_, port, _ := net.SplitHostPort(o.Addr().String())
	p := newProxy(t, to("http://{host}:"+port+"/t/{tenant}/"))
	for _, c := range []struct {
		host, tenant string
		status       int
		target       string
	}{
		{"localhost", "acme", 200, "/t/acme/x"},
		{"localhost", "a b\"é", 200, "/t/a%20b%22%C3%A9/x"},
		{"localhost", "..", 404, ""},
		{"localhost", "a/b", 404, ""},
		{"localhost", "", 404, ""},
		{"localhost", "%2e%2e", 404, ""},
		{"localhost", "..;a", 404, ""},
		{"evil.example", "a", 404, ""},
		{"evil:80#", "a", 404, ""},
		{"-a", "a", 404, ""},
	} {
		r := httptest.NewRequest("GET", "/x", nil)
		r.SetPathValue("host", c.host)
		r.SetPathValue("tenant", c.tenant)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		heads := o.seen()
		if w.Code != c.status || c.target != "" && targetOf(heads[len(heads)-1]) != c.target {
			t.Errorf("%+v: %d, %q", c, w.Code, heads)
		}
	}
	if len(o.seen()) != 2 || o.dialed() != 1 {
		t.Errorf("%d requests over %d connections", len(o.seen()), o.dialed())
	}
}

func TestErrorsOfTheBodyKeepTheirStatus(t *testing.T) {
	o := serveRaw(t, echoBody)
	p := newProxy(t, to(o.url()))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1000)
		p.ServeHTTP(w, r)
	}))
	defer srv.Close()
	for _, size := range []int{2000, 20000} {
		resp, _, err := do(t, "POST", srv.URL, bytes.NewReader(make([]byte, size)))
		if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%d bytes: %v, %v", size, resp, err)
		}
	}
}

func TestContextDeadlineIs504(t *testing.T) {
	o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) { io.Copy(io.Discard, br) })
	p := newProxy(t, to(o.url()))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	if w.Code != http.StatusGatewayTimeout || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Errorf("%d", w.Code)
	}
}

func TestManyAbortedClientsLeaveNothingBehind(t *testing.T) {
	o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
		for {
			head, err := o.readHead(br)
			if err != nil {
				return
			}
			if strings.Contains(head, "/quick") {
				io.WriteString(c, okAnswer("x"))
				continue
			}
			io.Copy(io.Discard, br)
			return
		}
	})
	cfg := to(o.url())
	cfg.ErrorFunc = func(http.ResponseWriter, *http.Request, error) {}
	srv, p := front(t, cfg)
	for i, request := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	} {
		for n := range 60 {
			c, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, request)
			if n%2 == i%2 {
				c.(*net.TCPConn).SetLinger(0)
			}
			c.Close()
		}
	}
	eventually(t, "all are given up", func() bool { return p.Status()[0].InFlight == 0 })
	if _, body, err := get(t, srv.URL+"/quick"); err != nil || body != "x" {
		t.Errorf("%q, %v", body, err)
	}
}
