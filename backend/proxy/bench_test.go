package proxy_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/mountd/mountd/backend/proxy"
)

// bareOrigin answers every request with the same bytes and allocates nothing,
// so that the numbers are the proxy's.
func bareOrigin(tb testing.TB, answer string) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 16<<10)
				out := []byte(answer)
				n := 0
				for {
					k, err := c.Read(buf[n:])
					if err != nil {
						return
					}
					if n += k; n >= 4 && string(buf[n-4:n]) == "\r\n\r\n" {
						n = 0
						if _, err := c.Write(out); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return "http://" + ln.Addr().String()
}

func smallAnswer(n int) string {
	body := strings.Repeat("x", n)
	return "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: " +
		itoa(n) + "\r\nEtag: \"abc\"\r\n\r\n" + body
}

func stockProxy(tb testing.TB, target string) http.Handler {
	u, err := url.Parse(target)
	if err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true}
	tb.Cleanup(transport.CloseIdleConnections)
	return &httputil.ReverseProxy{
		Rewrite:    func(pr *httputil.ProxyRequest) { pr.SetURL(u); pr.SetXForwarded() },
		Transport:  transport,
		BufferPool: &pool{},
	}
}

type pool struct{ p sync.Pool }

func (p *pool) Get() []byte {
	if b, ok := p.p.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 32<<10)
}
func (p *pool) Put(b []byte) { p.p.Put(&b) }

// nullWriter is a response writer that costs nothing.
type nullWriter struct{ h http.Header }

func (w *nullWriter) Header() http.Header         { return w.h }
func (w *nullWriter) WriteHeader(int)             {}
func (w *nullWriter) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkExchange measures the proxy alone, without a server before it.
func BenchmarkExchange(b *testing.B) {
	origin := bareOrigin(b, smallAnswer(13))
	for _, k := range []struct {
		name string
		h    http.Handler
	}{{"mountd", newProxy(b, proxy.Config{Upstreams: []proxy.Upstream{{URL: origin}}})}, {"httputil", stockProxy(b, origin)}} {
		b.Run(k.name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/x?y=1", nil)
			r.Header.Set("User-Agent", "bench")
			r.Header.Set("Accept", "*/*")
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			r = r.WithContext(ctx)
			w := &nullWriter{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.h)
				k.h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkServed measures the proxy behind net/http's server.
func BenchmarkServed(b *testing.B) {
	for _, size := range []int{13, 10 << 10} {
		origin := bareOrigin(b, smallAnswer(size))
		for _, k := range []struct {
			name string
			h    http.Handler
		}{{"mountd", newProxy(b, proxy.Config{Upstreams: []proxy.Upstream{{URL: origin}}})}, {"httputil", stockProxy(b, origin)}} {
			b.Run(k.name+"/"+itoa(size), func(b *testing.B) {
				srv := httptest.NewServer(k.h)
				defer srv.Close()
				c, err := net.Dial("tcp", srv.Listener.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				req := []byte("GET /x HTTP/1.1\r\nHost: example.com\r\nUser-Agent: bench\r\n\r\n")
				buf := make([]byte, 64<<10)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := c.Write(req); err != nil {
						b.Fatal(err)
					}
					got := 0
					for got < size {
						n, err := c.Read(buf)
						if err != nil {
							b.Fatal(err)
						}
						got += n
					}
					if got > size+600 {
						b.Fatal(io.ErrShortBuffer)
					}
				}
			})
		}
	}
}
