package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/backend/proxy"
)

func TestAnswerIsRefusedWhenItCouldBeReadInTwoWays(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, answer := range map[string]string{
		"content-length and chunked":         ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked twice in a list":            ok + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"chunked twice in lines":             ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"gzip, chunked":                      ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"identity":                           ok + "Transfer-Encoding: identity\r\n\r\nx",
		"chunked with a vertical tab":        ok + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n",
		"empty transfer-encoding":            ok + "Transfer-Encoding: \r\n\r\n",
		"transfer-encoding on 1.0":           "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two different lengths":              ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
		"two equal lengths":                  ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
		"listed lengths":                     ok + "Content-Length: 1, 1\r\n\r\nx",
		"signed length":                      ok + "Content-Length: +1\r\n\r\nx",
		"negative length":                    ok + "Content-Length: -1\r\n\r\nx",
		"hexadecimal length":                 ok + "Content-Length: 0x1\r\n\r\nx",
		"empty length":                       ok + "Content-Length:\r\n\r\nx",
		"enormous length":                    ok + "Content-Length: 99999999999999999999\r\n\r\nx",
		"folded line":                        ok + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
		"bare CR in a value":                 ok + "X: a\rb\r\nContent-Length: 0\r\n\r\n",
		"NUL in a value":                     ok + "X: a\x00b\r\nContent-Length: 0\r\n\r\n",
		"bare LF lines":                      "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"one bare LF line":                   ok + "A: b\nContent-Length: 0\r\n\r\n",
		"space before the colon":             ok + "Content-Length : 0\r\n\r\n",
		"no colon":                           ok + "Content-Length\r\n\r\n",
		"empty name":                         ok + ": x\r\n\r\n",
		"name with a space":                  ok + "A B: x\r\n\r\n",
		"HTTP/2.0":                           "HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.2":                           "HTTP/1.2 200 OK\r\n\r\n",
		"http in lower case":                 "http/1.1 200 OK\r\n\r\n",
		"status of two digits":               "HTTP/1.1 20 OK\r\n\r\n",
		"status of four digits":              "HTTP/1.1 2000 OK\r\n\r\n",
		"status below 100":                   "HTTP/1.1 099 OK\r\n\r\n",
		"signed status":                      "HTTP/1.1 +20 OK\r\n\r\n",
		"two spaces before the status":       "HTTP/1.1  200 OK\r\n\r\n",
		"leading empty line":                 "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"no HTTP at all":                     "SSH-2.0-OpenSSH_9.9\r\n",
		"101 nobody asked for":               "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"header beyond the limit":            ok + "X: " + strings.Repeat("a", 70<<10) + "\r\n\r\n",
		"too many fields":                    ok + strings.Repeat("X: a\r\n", 300) + "\r\n",
		"too many informational answers":     strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100) + okAnswer("x"),
		"informational answer with a body":   "HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\nabc" + okAnswer("x"),
		"nothing at all":                     "",
		"a head cut short":                   "HTTP/1.1 200 OK\r\nContent-Le",
		"bytes before the head of 10 MiB":    ok + strings.Repeat("A", 10<<20),
		"connection option that is no token": ok + "Connection: a b\r\nContent-Length: 0\r\n\r\n",
		"more than one upgrade":              ok + "Upgrade: a\r\nUpgrade: b\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			o := serveRaw(t, once(answer))
			srv, _ := front(t, to(o.url()))
			start := time.Now()
			resp, body, err := get(t, srv.URL)
			if err != nil || resp.StatusCode != http.StatusBadGateway {
				t.Fatalf("got %v %q, %v; want 502", resp, body, err)
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("it took %v to refuse", took)
			}
		})
	}
}

func TestAnswerIsPassedOn(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		status int
		body   string
		close  bool // the upstream closes after the answer
	}{
		"with a length":           {okAnswer("hello"), 200, "hello", false},
		"empty":                   {okAnswer(""), 200, "", false},
		"chunked":                 {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", 200, "hello world", false},
		"chunked in capitals":     {"HTTP/1.1 200 OK\r\ntransfer-encoding: CHUNKED\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", 200, "0123456789", false},
		"until close":             {"HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end", true},
		"of HTTP/1.0":             {"HTTP/1.0 200 OK\r\n\r\nold", 200, "old", true},
		"without a reason":        {"HTTP/1.1 404\r\nContent-Length: 1\r\n\r\nx", 404, "x", false},
		"with an unusual status":  {"HTTP/1.1 599 Odd\r\nContent-Length: 1\r\n\r\nx", 599, "x", false},
		"204":                     {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", false},
		"304 with a length":       {"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", 304, "", false},
		"after early hints":       {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + okAnswer("x"), 200, "x", false},
		"after an unasked 100":    {"HTTP/1.1 100 Continue\r\n\r\n" + okAnswer("x"), 200, "x", false},
		"after two 100":           {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + okAnswer("x"), 200, "x", false},
		"larger than a buffer":    {okAnswer(strings.Repeat("0123456789", 5000)), 200, strings.Repeat("0123456789", 5000), false},
		"spliced":                 {okAnswer(strings.Repeat("0123456789", 50000)), 200, strings.Repeat("0123456789", 50000), false},
		"with a header of 40 KiB": {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 40<<10) + "\r\nContent-Length: 1\r\n\r\nx", 200, "x", false},
		"closing":                 {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, "x", true},
		"with obs-text":           {"HTTP/1.1 200 OK\r\nX: caf\xe9\r\nContent-Length: 1\r\n\r\nx", 200, "x", false},
		"large and chunked":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("10000\r\n"+strings.Repeat("z", 0x10000)+"\r\n", 9) + "0\r\n\r\n", 200, strings.Repeat("z", 9*0x10000), false},
	} {
		t.Run(name, func(t *testing.T) {
			serve := always(c.answer)
			if c.close {
				serve = once(c.answer)
			}
			o := serveRaw(t, serve)
			srv, p := front(t, to(o.url()))
			for range 3 {
				resp, body, err := get(t, srv.URL)
				if err != nil || resp.StatusCode != c.status || body != c.body {
					t.Fatalf("got %v, %d bytes, %v", resp, len(body), err)
				}
				eventually(t, "the exchange is over", func() bool { return p.Status()[0].InFlight == 0 })
			}
			if got := o.dialed(); !c.close && got != 1 {
				t.Errorf("%d connections for three requests, want 1", got)
			}
		})
	}
}

func TestSocketIsDroppedAfterMoreThanTheAnswer(t *testing.T) {
	evil := "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	for name, c := range map[string]struct{ method, answer string }{
		"body on HEAD":           {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 46\r\n\r\n" + evil},
		"body on 204":            {"GET", "HTTP/1.1 204 No Content\r\n\r\n" + evil},
		"length on 204":          {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 41\r\n\r\n" + evil},
		"body on 304":            {"GET", "HTTP/1.1 304 Not Modified\r\n\r\n" + evil},
		"bytes behind a length":  {"GET", okAnswer("good") + evil},
		"bytes behind a chunked": {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n" + evil},
		"chunked on 204":         {"GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n" + evil},
	} {
		for _, late := range []time.Duration{0, 20 * time.Millisecond} {
			t.Run(fmt.Sprint(name, " after ", late), func(t *testing.T) {
				sent := make(chan struct{}, 1)
				o := serveRaw(t, func(o *rawOrigin, conn net.Conn, br *bufio.Reader) {
					for {
						head, err := o.readHead(br)
						if err != nil {
							return
						}
						if strings.Contains(head, "/next") {
							io.WriteString(conn, okAnswer("next"))
							continue
						}
						first, rest, _ := strings.Cut(c.answer, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
						if late > 0 {
							io.WriteString(conn, first)
							time.Sleep(late)
							first = ""
						}
						io.WriteString(conn, first+evil+rest)
						sent <- struct{}{}
					}
				})
				srv, _ := front(t, to(o.url()))
				if resp, body, err := do(t, c.method, srv.URL+"/first", nil); err != nil || strings.Contains(body, "evil") {
					t.Fatalf("got %v %q %v", resp, body, err)
				}
				<-sent
				if _, body, err := get(t, srv.URL+"/next"); err != nil || body != "next" {
					t.Fatalf("the next answer is %q, %v", body, err)
				}
			})
		}
	}
}

func TestUnsolicitedBytesDiscardTheIdleSocket(t *testing.T) {
	o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
		for {
			if _, err := o.readHead(br); err != nil {
				return
			}
			io.WriteString(c, okAnswer("good"))
			time.Sleep(5 * time.Millisecond)
			io.WriteString(c, okAnswer("evil"))
		}
	})
	srv, _ := front(t, to(o.url()))
	for range 5 {
		if _, body, err := get(t, srv.URL); err != nil || body != "good" {
			t.Fatalf("got %q, %v", body, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestChunkedAnswerIsCutWhenItIsMalformed(t *testing.T) {
	for name, chunks := range map[string]string{
		"plus sign":            "+3\r\nabc\r\n0\r\n\r\n",
		"minus sign":           "-3\r\nabc\r\n0\r\n\r\n",
		"0x":                   "0x3\r\nabc\r\n0\r\n\r\n",
		"underscore":           "0_3\r\nabc\r\n0\r\n\r\n",
		"space before":         " 3\r\nabc\r\n0\r\n\r\n",
		"space behind":         "3 \r\nabc\r\n0\r\n\r\n",
		"no size":              "\r\nabc\r\n0\r\n\r\n",
		"too large":            "10000000000000003\r\nabc\r\n0\r\n\r\n",
		"size line with LF":    "3\nabc\r\n0\r\n\r\n",
		"LF in an extension":   "3;\nabc\r\n0\r\n\r\n",
		"CR in an extension":   "3;a\rb\r\nabc\r\n0\r\n\r\n",
		"no CR LF after data":  "3\r\nabcd\r\n0\r\n\r\n",
		"LF after data":        "3\r\nabc\n0\r\n\r\n",
		"last chunk with LF":   "3\r\nabc\r\n0\n\n",
		"no last chunk":        "3\r\nabc\r\n",
		"no end of trailers":   "3\r\nabc\r\n0\r\n",
		"trailer that folds":   "3\r\nabc\r\n0\r\nA: b\r\n c\r\n\r\n",
		"trailer without name": "3\r\nabc\r\n0\r\nx\r\n\r\n",
		"extension flood":      strings.Repeat("1;"+strings.Repeat("a", 4000)+"\r\nx\r\n", 100) + "0\r\n\r\n",
		"endless size line":    strings.Repeat("0", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			o := serveRaw(t, once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"+chunks))
			srv, _ := front(t, to(o.url()))
			_, body, err := get(t, srv.URL)
			if err == nil {
				t.Fatalf("the answer looks complete: %q", body)
			}
		})
	}
}

// However an answer is cut, the client must be able to tell.
func TestClientCanTellACutAnswer(t *testing.T) {
	for name, answer := range map[string]string{
		"length":  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 20\r\n\r\n01234567890123456789",
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5;x=1\r\nworld\r\n0\r\nX-T: 1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			cut := make(chan int, 1)
			o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
				if _, err := o.readHead(br); err == nil {
					n := <-cut
					io.WriteString(c, answer[:n])
					if n%2 == 1 {
						c.(*net.TCPConn).SetLinger(0)
					}
				}
			})
			cfg := to(o.url())
			cfg.Retries = -1
			srv, _ := front(t, cfg)
			for n := range len(answer) {
				cut <- n
				resp, body, err := get(t, srv.URL)
				if err == nil && resp.StatusCode == 200 {
					t.Fatalf("cut after %d bytes: the answer looks complete: %q", n, body)
				}
				if err == nil && resp.StatusCode != http.StatusBadGateway {
					t.Fatalf("cut after %d bytes: status %d", n, resp.StatusCode)
				}
			}
		})
	}
}

func TestHopByHopFieldsOfAnAnswerAreDropped(t *testing.T) {
	o := serveRaw(t, always("HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nAlt-Svc: h2=\"evil\"\r\nUpgrade: h2c\r\nX-Stay: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"))
	srv, _ := front(t, to(o.url()))
	resp, _, err := get(t, srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"X-Hop", "Keep-Alive", "Proxy-Authenticate", "Alt-Svc", "Upgrade"} {
		if v := resp.Header.Values(name); v != nil {
			t.Errorf("%s: %q has passed", name, v)
		}
	}
	if got := resp.Header.Values("Set-Cookie"); len(got) != 2 {
		t.Errorf("cookies %q", got)
	}
	if resp.Header.Get("X-Stay") != "1" || resp.Header.Get("Content-Type") != "" {
		t.Errorf("header %v", resp.Header)
	}
}

func TestTrailersPass(t *testing.T) {
	o := serveRaw(t, always("HTTP/1.1 200 OK\r\nTrailer: X-Sum, Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 42\r\nContent-Length: 7\r\nSet-Cookie: evil=1\r\nX-Late: 1\r\n\r\n"))
	srv, _ := front(t, to(o.url()))
	resp, body, err := get(t, srv.URL)
	if err != nil || body != "ok" {
		t.Fatalf("%q, %v", body, err)
	}
	if got := fmt.Sprint(resp.Trailer); got != "map[X-Late:[1] X-Sum:[42]]" {
		t.Errorf("trailer %s", got)
	}
}

func TestEarlyHintsPass(t *testing.T) {
	o := serveRaw(t, always("HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n"+okAnswer("x")))
	srv, _ := front(t, to(o.url()))
	got := raw(t, srv.Listener.Addr().String(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	hints, final, _ := strings.Cut(got, "\r\n\r\n")
	if !strings.HasPrefix(hints, "HTTP/1.1 103") || !strings.Contains(hints, "Link: </s.css>") || strings.Contains(hints, "X-Hop") {
		t.Errorf("hints %q", hints)
	}
	if strings.Contains(final, "Link") || !strings.HasPrefix(final, "HTTP/1.1 200") {
		t.Errorf("final answer %q", final)
	}
	if old := raw(t, srv.Listener.Addr().String(), "GET / HTTP/1.0\r\nHost: a\r\n\r\n"); strings.Contains(old, "103") {
		t.Errorf("HTTP/1.0 got %q", old)
	}
}

func TestHTTP2AnswerIsRefusedWhenItsFieldsFrameIt(t *testing.T) {
	for name, h := range map[string]http.Header{
		"listed length":     {"Content-Length": {"3, 3"}},
		"two lengths":       {"Content-Length": {"3", "3"}},
		"transfer-encoding": {"Transfer-Encoding": {"chunked"}},
		"connection":        {"Connection": {"close"}},
		"bad value":         {"X": {"a\r\nb"}},
		"bad name":          {"X Y": {"a"}},
	} {
		if proxy.CheckHTTP2(&http.Response{StatusCode: 200, ProtoMajor: 2, Header: h}) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := proxy.CheckHTTP2(&http.Response{StatusCode: 200, ProtoMajor: 2, Header: http.Header{"Content-Length": {"3"}, "X": {"a", "b"}}}); err != nil {
		t.Error(err)
	}
}
