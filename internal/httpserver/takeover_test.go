package httpserver_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/httpserver"
)

const upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"

const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"

// A connection taken over belongs to the handler, with all that came before.
func TestHijack(t *testing.T) {
	const limit = 400 * time.Millisecond
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, k kind) {
				echo := func(w http.ResponseWriter, r *http.Request) {
					c, rw, err := http.NewResponseController(w).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					_, _ = rw.WriteString(switched)
					_ = rw.Flush()
					for {
						line, err := rw.ReadString('\n')
						if err != nil {
							return
						}
						_, _ = io.WriteString(c, strings.ToUpper(line))
					}
				}
				s := k.serveOn(t, transport, httpserver.Config{
					Handler: http.HandlerFunc(echo), IdleTimeout: limit, HeaderTimeout: limit,
				})
				for _, ahead := range []string{"early\n", strings.Repeat("x", 20000)} {
					c := s.dial()
					c.send(upgrade + ahead)
					if a := c.must("GET"); a.line+"\r\n"+strings.Join(a.fields, "\r\n")+"\r\n\r\n" != switched {
						t.Fatal(a)
					}
					time.Sleep(2 * limit) // none counts any more
					c.send("late\n")
					want := strings.ToUpper(ahead + "late\n")
					got := make([]byte, len(want))
					if _, err := io.ReadFull(c.r, got); err != nil || string(got) != want {
						t.Errorf("%.60q, %v; want %.60q", got, err, want)
					}
				}
			})
		})
	}
}

func TestWhatIsLeftAfterHijack(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		kept := make(chan net.Conn, 1)
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrHijacked) {
				t.Errorf("Write: %v", err)
			}
			if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrHijacked) {
				t.Errorf("WriteString: %v", err)
			}
			if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, http.ErrHijacked) {
				t.Errorf("Hijack: %v", err)
			}
			w.WriteHeader(500)
			if k.name == ours.name { // net/http panics
				w.(http.Flusher).Flush()
			}
			if rw.Reader.Buffered() != len("ahead") {
				t.Errorf("%d bytes are buffered", rw.Reader.Buffered())
			}
			if r.Context().Err() != nil {
				t.Error(r.Context().Err())
			}
			kept <- c
		})
		c := s.dial()
		c.send(get + "ahead")
		theirs := wait(t, "the connection", kept)
		_, _ = io.WriteString(theirs, "the handler has returned\n")
		if line, err := c.r.ReadString('\n'); line != "the handler has returned\n" {
			t.Errorf("%q, %v", line, err)
		}
		// Deadlines are the handler's own.
		_ = theirs.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		_ = theirs.SetReadDeadline(time.Time{})
		c.send("x")
		if n, err := theirs.Read(make([]byte, 1)); n != 1 {
			t.Error(err)
		}
		_ = theirs.Close()
		if rest := c.ended(); rest != "" {
			t.Errorf("then came %q", rest)
		}
	})
}

// Deadlines of the request do not outlive it.
func TestHijackForgetsDeadlines(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			_ = control.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			c, _, err := control.Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			time.Sleep(50 * time.Millisecond) // the time is what is tested
			if n, err := c.Read(make([]byte, 1)); k.name == ours.name && n != 1 {
				t.Error(err)
			}
			_, _ = io.WriteString(c, "ok")
		})
		c := s.dial()
		c.send(get)
		time.Sleep(30 * time.Millisecond)
		c.send("x")
		if rest := c.ended(); rest != "ok" {
			t.Errorf("%q", rest)
		}
	})
}

// What was answered before stays in front of what is written after.
func TestHijackAfterAnAnswerHasBegun(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "first")
			_ = http.NewResponseController(w).Flush()
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "after")
		})
		if a := s.dial().ask(get); a.body != "firstafter" {
			t.Error(a)
		}
	})
}

// The body that was sent ahead comes out of the connection.
func TestHijackWithABody(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			part := make([]byte, 3)
			_, _ = io.ReadFull(r.Body, part)
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			rest, _ := rw.ReadString('\n')
			_, _ = io.WriteString(c, string(part)+"|"+rest)
		})
		c := s.dial()
		c.send(host("POST / HTTP/1.1", "Content-Length: 5") + "hello, world\n")
		if rest := c.ended(); rest != "hel|lo, world\n" {
			t.Errorf("%q", rest)
		}
	})
}

// A handler that answers 101 by itself, as WebSocket libraries do through
// WriteHeader, gets nothing that would frame a body.
func TestSwitchingByWriteHeader(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Upgrade", "x")
			w.Header().Set("Connection", "Upgrade")
			w.WriteHeader(101)
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			line, _ := rw.ReadString('\n')
			_, _ = io.WriteString(c, line)
		})
		c := s.dial()
		a := c.ask(upgrade)
		if a.status != 101 || a.header.Get("Connection") != "Upgrade" || a.header.Get("Upgrade") != "x" ||
			a.header["Content-Length"] != nil || a.header["Transfer-Encoding"] != nil {
			t.Error(a)
		}
		c.send("echo\n")
		if rest := c.ended(); rest != "echo\n" {
			t.Errorf("%q", rest)
		}
	})
}

func TestDeadlinesOfHandlers(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		t.Run("read", func(t *testing.T) {
			failed := make(chan error, 1)
			s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
				if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
					t.Error(err)
				}
				_, err := io.ReadAll(r.Body)
				failed <- err
				w.WriteHeader(408)
			})
			c := s.dial()
			c.send(host("POST / HTTP/1.1", "Content-Length: 5") + "hel")
			if err := wait(t, "the error", failed); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			if a := c.must("POST"); a.status != 408 || !a.closes() && c.after() != closed {
				t.Error(a)
			}
		})
		t.Run("read, not reached", func(t *testing.T) {
			s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
				_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				body, _ := io.ReadAll(r.Body)
				_, _ = w.Write(body)
			})
			c := s.dial()
			for range 2 {
				if a := c.ask(host("POST / HTTP/1.1", "Content-Length: 5") + "hello"); a.body != "hello" {
					t.Fatal(a)
				}
				time.Sleep(100 * time.Millisecond) // it is the request's, not the connection's
			}
		})
		t.Run("write", func(t *testing.T) {
			failed := make(chan error, 1)
			s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
				if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
					t.Error(err)
				}
				for {
					if _, err := io.WriteString(w, long); err != nil {
						failed <- err
						return
					}
				}
			})
			s.dial().send(get)
			if err := wait(t, "the error", failed); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
		})
		t.Run("write, not reached", func(t *testing.T) {
			s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
				_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
				_, _ = io.WriteString(w, "hello")
			})
			c := s.dial()
			c.ask(get)
			time.Sleep(100 * time.Millisecond)
			if a := c.ask(get); k.name == ours.name && a.body != "hello" {
				t.Error(a)
			}
		})
	})
}

func TestHTTP2IsHandedOver(t *testing.T) {
	taken := make(chan net.Conn, 1)
	config := httpserver.Config{Handler: http.HandlerFunc(describe), HTTP2: func(c net.Conn) { taken <- c }}
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	check := func(t *testing.T) net.Conn {
		c := wait(t, "the connection", taken)
		got := make([]byte, len(preface)+5)
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != preface+"extra" {
			t.Errorf("%q, %v", got, err)
		}
		_ = c.Close()
		return c
	}
	t.Run("in the clear", func(t *testing.T) {
		s := ours.serve(t, config)
		c := s.dial()
		c.send(preface + "extra")
		check(t)
		for i := range len(preface) {
			c := s.dial()
			c.send(preface[:i])
			time.Sleep(time.Millisecond)
			c.send(preface[i:] + "extra")
			check(t)
		}
		late := s.dial()
		late.ask(get)
		late.send(preface)
		if a := late.must("GET"); a.status < 400 || !a.closes() {
			t.Error("the preface after a request:", a)
		}
	})
	t.Run("nobody to take it", func(t *testing.T) {
		c := ours.serving(t, describe).dial()
		c.send(preface)
		if a := c.must("GET"); a.status < 400 || !a.closes() {
			t.Error(a)
		}
	})
	t.Run("TLS", func(t *testing.T) {
		s, ln := bare(t, config)
		go func() {
			_ = s.Serve(tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{certificate()}, NextProtos: []string{"h2", "http/1.1"}}))
		}()
		defer s.Close()
		c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, preface+"extra")
		if c, ok := check(t).(*tls.Conn); !ok {
			t.Errorf("it is a %T", c)
		}
		one, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer one.Close()
		if a := newClient(t, one).ask(get); a.status != 200 {
			t.Error(a)
		}
	})
}

// bare gives a server and a listener that do not know each other yet.
func bare(t testing.TB, config httpserver.Config) (*httpserver.Server, net.Listener) {
	s, err := httpserver.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return s, ln
}

func TestPlainTextToTLS(t *testing.T) {
	s := ours.serveOn(t, "tls", httpserver.Config{Handler: http.HandlerFunc(describe)})
	c, err := net.Dial("tcp", s.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, get)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 400 {
		t.Error(res.Status)
	}
}

type contextKey struct{}

func TestContexts(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		base := context.WithValue(context.Background(), contextKey{}, "base")
		var seen []any
		s := k.serve(t, httpserver.Config{
			BaseContext: base,
			ConnContext: func(ctx context.Context, c net.Conn) context.Context {
				return context.WithValue(ctx, contextKey{}, [2]any{ctx.Value(contextKey{}), c.LocalAddr().String()})
			},
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen = append(seen, r.Context().Value(contextKey{}))
				if local := r.Context().Value(http.LocalAddrContextKey).(net.Addr).String(); local != r.Context().Value(contextKey{}).([2]any)[1] {
					t.Error(local)
				}
			}),
		})
		c := s.dial()
		c.ask(get)
		c.ask(get)
		want := [2]any{"base", c.RemoteAddr().String()}
		if len(seen) != 2 || seen[0] != want || seen[1] != want {
			t.Errorf("%v, want %v", seen, want)
		}
	})
}
