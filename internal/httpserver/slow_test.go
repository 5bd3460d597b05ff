package httpserver_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/httpserver"
)

const limit = 200 * time.Millisecond

// slack is how late a limit may be kept: a sweep's quarter of a second, and
// what a busy machine takes.
const slack = 3 * time.Second

// drip sends text byte by byte until the server has had enough.
func (c *client) drip(text string, every time.Duration) {
	for i := range len(text) {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(every)
	}
}

// cutOffWithin tests that the connection ends neither early nor late.
func (c *client) cutOffWithin(start time.Time, limit time.Duration) {
	c.t.Helper()
	rest := c.ended()
	if rest != "" && !strings.HasPrefix(rest, "HTTP/1.1 408 ") && !strings.HasPrefix(rest, "HTTP/1.1 400 ") {
		c.t.Errorf("it got %q", rest)
	}
	if took := time.Since(start); took < limit || took > limit+slack {
		c.t.Errorf("cut off after %v, the limit is %v", took, limit)
	}
}

func TestSlowHeaders(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, k kind) {
				var calls atomic.Int32
				s := k.serveOn(t, transport, httpserver.Config{HeaderTimeout: limit, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path != "/first" {
						calls.Add(1)
					}
				})})
				endless := get[:len(get)-2] + "X: " + strings.Repeat("x", 5000)
				t.Run("nothing", func(t *testing.T) {
					t.Parallel()
					c := s.dial()
					c.t = t
					start := time.Now()
					if transport == "tls" {
						c.send(get[:3]) // or there would be no handshake
					}
					c.cutOffWithin(start, limit-20*time.Millisecond)
				})
				t.Run("dripping", func(t *testing.T) {
					t.Parallel()
					c := s.dial()
					c.t = t
					start := time.Now()
					go c.drip(endless, 10*time.Millisecond)
					c.cutOffWithin(start, limit-20*time.Millisecond)
				})
				t.Run("the second one", func(t *testing.T) {
					t.Parallel()
					c := s.dial()
					c.t = t
					c.ask(host("GET /first HTTP/1.1"))
					start := time.Now()
					go c.drip(endless, 10*time.Millisecond)
					c.cutOffWithin(start, limit-20*time.Millisecond)
				})
				t.Cleanup(func() {
					if calls.Load() > 0 {
						t.Error("the handler got a request that nobody sent")
					}
				})
			})
		})
	}
}

// The limit is that of one header, not of all on a connection.
func TestHeadersInTime(t *testing.T) {
	const limit = 600 * time.Millisecond
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			c := ours.serveOn(t, transport, httpserver.Config{HeaderTimeout: limit, Handler: text("hello")}).dial()
			for range 6 {
				for piece := range slices.Chunk([]byte(get), 10) {
					c.send(string(piece))
					time.Sleep(10 * time.Millisecond)
				}
				if a := c.must("GET"); a.body != "hello" {
					t.Error(a)
				}
				time.Sleep(limit / 4)
			}
		})
	}
}

func TestTheHandshakeIsPartOfTheHeader(t *testing.T) {
	s := ours.serveOn(t, "tls", httpserver.Config{HeaderTimeout: limit, Handler: http.HandlerFunc(describe)})
	s.tls = false // speak below it
	start := time.Now()
	silent, slow := s.dial(), s.dial()
	go slow.drip("\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03"+strings.Repeat("\x00", 500), 10*time.Millisecond)
	for _, c := range []*client{silent, slow} {
		c.cutOffWithin(start, limit-20*time.Millisecond)
	}
}

func TestSlowBodies(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			failed := make(chan error, 1)
			s := ours.serveOn(t, transport, httpserver.Config{BodyTimeout: limit, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				failed <- err
				if err != nil {
					w.WriteHeader(408)
				}
				_, _ = w.Write(body)
				if err == nil {
					return
				}
				if _, again := r.Body.Read(make([]byte, 1)); again == nil || errors.Is(again, io.EOF) {
					t.Errorf("after the error: %v", again)
				}
			})})
			for _, raw := range []string{
				host("POST / HTTP/1.1", "Content-Length: 9") + "hel",
				host("POST / HTTP/1.1", "Content-Length: 9"),
				host("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "5\r\nhel",
				host("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "3\r\nhel\r\n",
				host("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "3\r\nhel\r\n0\r\n",
				host("POST / HTTP/1.1", "Content-Length: 9", expects),
			} {
				c := s.dial()
				start := time.Now()
				c.send(raw)
				err := wait(t, "the error", failed)
				took := time.Since(start)
				if !errors.Is(err, httpserver.ErrBodyStalled) || !errors.Is(err, os.ErrDeadlineExceeded) || took < limit || took > limit+slack {
					t.Errorf("%v after %v", err, took)
				}
				a := c.must("POST")
				if a.status == 100 {
					a = c.must("POST")
				}
				if a.status != 408 || !a.closes() {
					t.Error(a)
				}
				if rest := c.ended(); rest != "" {
					t.Errorf("then came %q", rest)
				}
			}
		})
	}
}

// One that moves is not stopped, however long it takes.
func TestBodiesThatMove(t *testing.T) {
	const limit = 400 * time.Millisecond
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			s := ours.serveOn(t, transport, httpserver.Config{BodyTimeout: limit, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					t.Error(err)
				}
			})})
			for coding, body := range map[string]string{
				"Content-Length: 20":         strings.Repeat("x", 20),
				"Transfer-Encoding: chunked": strings.Repeat("1\r\nx\r\n", 3) + "0\r\n\r\n",
			} {
				c := s.dial()
				start := time.Now()
				c.send(host("POST / HTTP/1.1", coding))
				c.drip(body, 50*time.Millisecond)
				if a := c.must("POST"); a.status != 200 || time.Since(start) < 2*limit {
					t.Error(a)
				}
			}
		})
	}
}

// Only a read that waits counts, not a handler that takes its time.
func TestSlowHandlersAreNoSlowBodies(t *testing.T) {
	s := ours.serve(t, httpserver.Config{
		BodyTimeout: limit, HeaderTimeout: limit, IdleTimeout: limit,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadFull(r.Body, make([]byte, 3))
			select {
			case <-time.After(4 * limit):
			case <-r.Context().Done():
				t.Error(r.Context().Err())
			}
			rest, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(rest)
		}),
	})
	c := s.dial()
	c.send(host("POST / HTTP/1.1", "Content-Length: 5") + "hel")
	time.Sleep(3 * limit)
	c.send("lo")
	if a := c.must("POST"); a.body != "lo" {
		t.Error(a)
	}
	if a := c.ask(host("POST / HTTP/1.1", "Content-Length: 5") + "hello"); a.body != "lo" {
		t.Error(a)
	}
}

// A body that nobody reads and that does not come holds nothing up for long.
func TestUnreadSlowBodies(t *testing.T) {
	s := ours.serve(t, httpserver.Config{BodyTimeout: limit, Handler: text("hello")})
	for _, raw := range []string{
		host("POST / HTTP/1.1", "Content-Length: 9") + "hel",
		host("POST / HTTP/1.1", "Content-Length: 900000") + "hel",
		host("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "3\r\nhel\r\n",
	} {
		c := s.dial()
		start := time.Now()
		if a := c.ask(raw); a.body != "hello" {
			t.Error(a)
		}
		if rest := c.ended(); rest != "" {
			t.Errorf("then came %q", rest)
		}
		if took := time.Since(start); took > slack {
			t.Errorf("it took %v", took)
		}
	}
}

func TestIdleConnections(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, k kind) {
				s := k.serveOn(t, transport, httpserver.Config{IdleTimeout: limit, Handler: text("hello")})
				busy := s.dial()
				for range 12 {
					busy.ask(get)
					time.Sleep(limit / 6)
				}
				idle := s.dial()
				idle.ask(get)
				start := time.Now()
				if rest := idle.ended(); rest != "" {
					t.Errorf("it got %q", rest)
				}
				if took := time.Since(start); took < limit-20*time.Millisecond || took > limit+slack {
					t.Errorf("closed after %v", took)
				}
			})
		})
	}
}

// A request that comes while the connection expires is answered or not begun;
// never half.
func TestRequestsAtTheMomentOfExpiry(t *testing.T) {
	const idle = 40 * time.Millisecond
	s := ours.serve(t, httpserver.Config{IdleTimeout: idle, Handler: text("hello")})
	answered := 0
	for i := range 60 {
		c := s.dial()
		c.ask(get)
		time.Sleep(idle + time.Duration(i%20)*time.Millisecond/2)
		_, _ = io.WriteString(c, get)
		a, err := c.read("GET")
		switch {
		case err == nil && a.err == nil && a.body == "hello":
			answered++
		case err != nil && endOf(err) != "nothing more came":
		default:
			t.Errorf("%v, %v", a, err)
		}
	}
	t.Logf("%d of 60 were answered", answered)
}

// A client that takes nothing holds a handler only as long as that wants.
func TestClientsThatTakeNothing(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			ended := make(chan error, 1)
			s := ours.serveOn(t, transport, httpserver.Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				control := http.NewResponseController(w)
				for {
					_ = control.SetWriteDeadline(time.Now().Add(limit))
					if _, err := io.WriteString(w, long); err != nil {
						ended <- err
						return
					}
				}
			})})
			c := s.dial()
			c.send(get)
			if err := wait(t, "the handler to be stopped", ended); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	t.Run("and Close", func(t *testing.T) {
		began, ended := make(chan struct{}, 1), make(chan error, 1)
		s := ours.serving(t, func(w http.ResponseWriter, r *http.Request) {
			began <- struct{}{}
			for {
				if _, err := io.WriteString(w, long); err != nil {
					ended <- err
					return
				}
			}
		})
		s.dial().send(get)
		wait(t, "the handler", began)
		_ = s.Close()
		wait(t, "the handler's end", ended)
	})
	t.Run("and a short answer", func(t *testing.T) { // 2,000 of them fill its buffer
		s := ours.serve(t, httpserver.Config{IdleTimeout: limit, Handler: with(set("Content-Length", strconv.Itoa(len(long))), long)})
		c := s.dial()
		go func() { _, _ = io.WriteString(c, strings.Repeat(get, 2000)) }()
		time.Sleep(2 * limit)
		for range 10 {
			if a := c.must("GET"); !slices.Equal(a.chunks, nil) || a.body != long {
				t.Fatal(len(a.body))
			}
		}
		_ = c.Close()
	})
}
