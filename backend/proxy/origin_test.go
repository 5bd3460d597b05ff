package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mountd/mountd/backend/proxy"
)

// A rawOrigin is an upstream that records every byte and answers as it is told.
type rawOrigin struct {
	net.Listener
	mu    sync.Mutex
	heads []string
	conns []net.Conn
	dials int
	wg    sync.WaitGroup
}

// serveRaw starts an upstream that hands every connection to serve.
func serveRaw(tb testing.TB, serve func(o *rawOrigin, c net.Conn, br *bufio.Reader)) *rawOrigin {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return serveListener(tb, ln, serve)
}

func serveListener(tb testing.TB, ln net.Listener, serve func(o *rawOrigin, c net.Conn, br *bufio.Reader)) *rawOrigin {
	o := &rawOrigin{Listener: ln}
	o.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.dials++
			o.conns = append(o.conns, c)
			o.mu.Unlock()
			o.wg.Go(func() {
				defer c.Close()
				serve(o, c, bufio.NewReader(c))
			})
		}
	})
	tb.Cleanup(func() {
		ln.Close()
		o.mu.Lock()
		for _, c := range o.conns {
			c.Close()
		}
		o.mu.Unlock()
		o.wg.Wait()
	})
	return o
}

// always answers each request with the same bytes, keeping the connection.
func always(answer string) func(*rawOrigin, net.Conn, *bufio.Reader) {
	return func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
		for {
			if _, err := o.readHead(br); err != nil {
				return
			}
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	}
}

// once answers one request and closes.
func once(answer string) func(*rawOrigin, net.Conn, *bufio.Reader) {
	return func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
		if _, err := o.readHead(br); err == nil {
			io.WriteString(c, answer)
		}
	}
}

// readHead reads and records a request's head.
func (o *rawOrigin) readHead(br *bufio.Reader) (string, error) {
	var b bytes.Buffer
	for {
		line, err := br.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			return "", err
		}
		if line == "\r\n" {
			break
		}
	}
	o.mu.Lock()
	o.heads = append(o.heads, b.String())
	o.mu.Unlock()
	return b.String(), nil
}

func (o *rawOrigin) url() string { return "http://" + o.Addr().String() }

func (o *rawOrigin) seen() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.heads...)
}

func (o *rawOrigin) dialed() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dials
}

// field gives the values of one field in a recorded head.
func fieldOf(head, name string) []string {
	var out []string
	for _, line := range strings.Split(head, "\r\n")[1:] {
		if n, v, ok := strings.Cut(line, ": "); ok && strings.EqualFold(n, name) {
			out = append(out, v)
		}
	}
	return out
}

func targetOf(head string) string { return strings.Fields(head)[1] }

// to is a config with these upstreams and a log that the test does not need.
func to(urls ...string) proxy.Config {
	cfg := proxy.Config{Logger: slog.New(slog.DiscardHandler)}
	for _, u := range urls {
		cfg.Upstreams = append(cfg.Upstreams, proxy.Upstream{URL: u})
	}
	return cfg
}

// front serves a proxy.
func front(tb testing.TB, cfg proxy.Config) (*httptest.Server, *proxy.Proxy) {
	tb.Helper()
	p := newProxy(tb, cfg)
	srv := httptest.NewServer(p)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	tb.Cleanup(srv.Close)
	return srv, p
}

// raw sends bytes to the server and gives everything that comes back until it
// closes or is silent.
func raw(tb testing.TB, addr, request string) string {
	tb.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		tb.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	b, _ := io.ReadAll(c)
	return string(b)
}

// get gives status, body and the error met while reading it.
func get(tb testing.TB, url string) (*http.Response, string, error) {
	tb.Helper()
	return do(tb, "GET", url, nil)
}

func do(tb testing.TB, method, url string, body io.Reader, header ...string) (*http.Response, string, error) {
	tb.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		tb.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Add(header[i], header[i+1])
	}
	tr := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// eventually waits for a condition that other goroutines bring about.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not so after 5s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func okAnswer(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}
