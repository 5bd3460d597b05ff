package httpserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/httpserver"
)

// What HEAD has held back is nobody's body later.
func TestTheBodyOfHEADIsForgotten(t *testing.T) {
	s := ours.serving(t, func(w http.ResponseWriter, r *http.Request) {
		if rec, ok := w.(interface{ Recycle() }); ok {
			rec.Recycle()
		}
		if r.Method == http.MethodHead {
			_, _ = io.WriteString(w, strings.Repeat("secret", 200))
			_, _ = io.WriteString(w, strings.Repeat("secret", 200))
			return
		}
		_, _ = io.WriteString(w, "mine")
	})
	c := s.dial()
	c.send(host("HEAD / HTTP/1.1"))
	c.must("HEAD")
	if a := c.ask(get); a.body != "mine" {
		t.Errorf("got %.80q", a.body)
	}
}

// After a write that has failed, nobody knows where the client stands.
func TestNothingFollowsAFailedWrite(t *testing.T) {
	for _, framing := range []string{"length", "chunks"} {
		t.Run(framing, func(t *testing.T) {
			each(t, func(t *testing.T, k kind) {
				const size = 64 << 20
				failed := make(chan error, 2)
				s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/next" {
						failed <- errors.New("served another request")
						return
					}
					if framing == "length" {
						w.Header().Set("Content-Length", fmt.Sprint(size))
					}
					_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
					_, err := w.Write(make([]byte, size))
					failed <- err
				})
				c := s.dial()
				c.send(get + host("GET /next HTTP/1.1"))
				if err := wait(t, "the write to fail", failed); err == nil {
					t.Skip("everything was taken")
				}
				n, _ := io.Copy(io.Discard, c.r)
				if n >= size {
					t.Errorf("%d bytes", n)
				}
				select {
				case err := <-failed:
					t.Error(err)
				default:
				}
			})
		})
	}
}

// ReverseProxy of package httputil cuts an answer short only where it takes
// the writer's side for a server.
func TestAnAnswerThatAProxyCannotFinish(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		behind, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer behind.Close()
		go func() {
			c, err := behind.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
			_ = c.Close()
		}()
		tr := &http.Transport{DisableKeepAlives: true}
		p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: behind.Addr().String()})
		p.Transport = tr
		p.FlushInterval = -1
		s := k.serving(t, p.ServeHTTP)
		c := s.dial()
		c.send(get)
		if a, err := c.read("GET"); err == nil && a.err == nil {
			t.Errorf("a whole answer: %q", a.body)
		}
	})
}

func TestCloseNotify(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		entered, told := make(chan bool), make(chan bool)
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			//lint:ignore SA1019 gin's Context.Stream asks for it
			gone := w.(http.CloseNotifier).CloseNotify()
			entered <- true
			told <- <-gone
		})
		c := s.dial()
		c.send(get)
		wait(t, "the handler", entered)
		_ = c.Close()
		wait(t, "word of the client's leaving", told)
	})
}

func TestHandlersThatEndTheirGoroutine(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half")
			runtime.Goexit()
		})
		c := s.dial()
		c.send(get)
		c.ended()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}

// A connection that has become idle while the others were told to close.
func TestShutdownAtTheMomentOfAnAnswer(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		idle, goOn := make(chan bool), make(chan bool)
		var once sync.Once
		s := k.serve(t, httpserver.Config{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") }),
			ConnState: func(c net.Conn, state http.ConnState) {
				if state == http.StateIdle {
					once.Do(func() { idle <- true; <-goOn })
				}
			},
		})
		c := s.dial()
		c.send(get)
		wait(t, "the answer", idle)
		ended := make(chan error)
		go func() { ended <- s.Shutdown(context.Background()) }()
		until(t, "the port to close", func() bool {
			k, err := net.Dial("tcp", s.ln.Addr().String())
			if err == nil {
				_ = k.Close()
			}
			return err != nil
		})
		time.Sleep(20 * time.Millisecond)
		close(goOn)
		if a := c.must("GET"); a.body != "hello" {
			t.Error(a)
		}
		if err := wait(t, "Shutdown", ended); err != nil {
			t.Error(err)
		}
	})
}

// The same between a handshake and the first request.
func TestShutdownDuringAHandshake(t *testing.T) {
	entered := make(chan bool)
	goOn := make(chan bool)
	s := ours.serveOn(t, "tls", httpserver.Config{
		Handler: http.NotFoundHandler(),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			entered <- true
			<-goOn
			return ctx
		},
	})
	c := s.dial()
	shaken := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		shaken <- err
	}()
	wait(t, "the connection", entered)
	ended := make(chan error)
	go func() { ended <- s.Shutdown(context.Background()) }()
	time.Sleep(50 * time.Millisecond)
	close(goOn)
	if err := wait(t, "Shutdown", ended); err != nil {
		t.Error(err)
	}
	if err := wait(t, "the client's end", shaken); err == nil {
		t.Error("got a byte")
	}
}

// A goroutine of the handler's that still reads the body at its end, such as
// that of a transport, costs neither the answer nor the connection.
func TestAnAnswerWhileTheBodyIsRead(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength == 0 {
				return
			}
			reading := make(chan bool)
			go func() {
				_, _ = r.Body.Read(make([]byte, 1))
				close(reading)
				_, _ = io.Copy(io.Discard, r.Body)
			}()
			<-reading
			time.Sleep(20 * time.Millisecond) // until it waits for the second byte
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "no")
		})
		c := s.dial()
		c.send(host("POST / HTTP/1.1", "Content-Length: 10") + "x")
		time.Sleep(100 * time.Millisecond) // the handler returns
		c.send("yyyyyyyyy")
		if a := c.must("POST"); a.status != 403 || a.body != "no" {
			t.Fatal(a)
		}
		if a := c.ask(get); a.status != 200 {
			t.Error(a)
		}
	})
}

// Whoever takes the connection over has the body, too.
func TestHijackWhileTheBodyIsRead(t *testing.T) {
	read := make(chan error, 1)
	s := ours.serving(t, func(w http.ResponseWriter, r *http.Request) {
		reading := make(chan bool)
		go func() {
			_, _ = io.ReadFull(r.Body, make([]byte, 2))
			close(reading)
			_, err := io.Copy(io.Discard, r.Body)
			read <- err
		}()
		<-reading
		time.Sleep(20 * time.Millisecond)
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			defer nc.Close()
			b := make([]byte, 1)
			for {
				if _, err := nc.Read(b); err != nil {
					return
				}
				_, _ = nc.Write(b)
			}
		}()
	})
	c := s.dial()
	c.send(host("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "2\r\nab\r\n")
	if err := wait(t, "the end of the body", read); err == nil {
		t.Error("the body ended well")
	}
	c.send("z")
	if b, err := c.r.ReadByte(); b != 'z' || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestContextsAskedAtTheEnd(t *testing.T) {
	var waiting sync.WaitGroup
	s := ours.serving(t, func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		waiting.Add(1)
		go func() { <-ctx.Done(); waiting.Done() }()
	})
	var clients sync.WaitGroup
	for range 8 {
		c := s.dial()
		clients.Go(func() {
			for range 2000 {
				c.ask(get)
			}
		})
	}
	clients.Wait()
	done := make(chan bool)
	go func() { waiting.Wait(); close(done) }()
	wait(t, "the contexts to end", done)
}

func TestASecondStatusIsNotLookedAt(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(204)
			w.WriteHeader(0)
		})
		if a := s.dial().ask(get); a.status != 204 {
			t.Error(a)
		}
	})
}

// A client that sends its requests ahead waits for the sweep once.
func TestRequestsSentAheadAreLearntFrom(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		began, goOn := make(chan bool), make(chan bool)
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) { began <- true; <-goOn })
		c := s.dial()
		c.send(get)
		wait(t, "the handler", began)
		start := time.Now()
		const requests = 40
		for range requests {
			c.send(get)
			time.Sleep(2 * time.Millisecond) // it arrives while the one before is being served
			goOn <- true
			c.must("GET")
			wait(t, "the handler", began)
		}
		if d := time.Since(start); d > requests*60*time.Millisecond {
			t.Errorf("took %v", d)
		}
		goOn <- true
		c.must("GET")
	})
}

// An answer that ends its connection does not promise the contrary as well.
func TestKeepAliveIsNotPromisedInVain(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "keep-alive")
			w.Header().Set("Trailer", "Zone")
			w.Header().Set("Zone", "known early")
			w.WriteHeader(200)
		})
		for _, request := range []string{"GET / HTTP/1.0\r\n\r\n", host("GET / HTTP/1.1", "Connection: close")} {
			c := s.dial()
			c.send(request)
			a := c.must("GET")
			if strings.Contains(fmt.Sprint(a.header["Connection"]), "keep-alive") || a.header.Get("Zone") == "" {
				t.Error(a.header)
			}
		}
	})
}

// io.Copy hides a file's type; it goes through the kernel nevertheless, so that
// a file that has grown since gives what was promised.
func TestCopyingAFileThatHasGrown(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, make([]byte, 10000), 0o600); err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, k kind) {
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			f, err := os.Open(name)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			w.Header().Set("Content-Type", "a/b")
			w.Header().Set("Content-Length", "5000")
			_, _ = io.Copy(w, f)
		})
		if a := s.dial().ask(get); len(a.body) != 5000 || a.err != nil {
			t.Error(len(a.body), a.err)
		}
	})
}
