package httpserver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/httpserver"
)

// A client can tell an answer that was cut from one that was not.
func TestHandlersThatPanic(t *testing.T) {
	after := func(p any, f http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			f(w, r)
			panic(p)
		}
	}
	sized := with(set("Content-Length", "9"), "hello")
	var rows []row
	for _, p := range []any{"crash", http.ErrAbortHandler, errors.New("crash")} {
		name := "by a crash"
		if p == http.ErrAbortHandler { //nolint:errorlint // the value itself
			name = "on purpose"
		}
		none := []string{"no answer: end"}
		rows = append(rows,
			row{name: "at once " + name, h: after(p, text()), want: none},
			row{name: "after WriteHeader " + name, h: after(p, status(200)), want: none},
			row{name: "after a short piece " + name, h: after(p, text("hello")), want: none},
			row{name: "after a flush " + name, h: after(p, flushed("hello")), want: []string{"[chunked] \"hello\"", "cut: end"}},
			row{name: "after a long piece " + name, h: after(p, text(long)), why: "net/http still holds the last of it", ours: []string{"Transfer-Encoding: chunked", "cut: end"}},
			row{name: "within a length " + name, h: after(p, sized), want: nil, why: "how much of it comes is not told", ours: nil},
			row{name: "with a request behind it " + name, raw: get + get, h: after(p, text("hello")), want: none},
			row{name: "HEAD " + name, raw: head, methods: isHead, h: after(p, text("hello")), want: none},
			row{name: "1.0, short " + name, raw: old, h: after(p, text("hello")), want: none},
		)
	}
	run(t, rows)
}

// On HTTP/1.0 an answer ends with its connection, so that only a reset tells.
func TestAnAbortedAnswerOnHTTP10IsReset(t *testing.T) {
	for _, p := range []any{"crash", http.ErrAbortHandler} {
		s := ours.serving(t, func(w http.ResponseWriter, r *http.Request) {
			flushed("hello")(w, r)
			panic(p)
		})
		for _, raw := range []string{old, kept} {
			c := s.dial()
			c.send(raw)
			a, err := c.read("GET")
			if err == nil {
				err = a.err
			}
			if err == nil || endOf(err) != "reset" {
				t.Errorf("%v: the client sees %v, %v", p, a, err)
			}
		}
	}
}

func TestPanicsAreLogged(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	s := ours.serve(t, httpserver.Config{
		Logger: slog.New(slog.NewTextHandler(locked{&mu, &log}, nil)),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/quiet" {
				panic(http.ErrAbortHandler)
			}
			panic("crash of " + r.URL.Path)
		}),
	})
	for _, path := range []string{"/quiet", "/x"} {
		c := s.dial()
		c.send(host("GET " + path + " HTTP/1.1"))
		c.ended()
	}
	until(t, "the line", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(log.String(), "crash of /x") && strings.Contains(log.String(), "ending_test.go")
	})
	mu.Lock()
	defer mu.Unlock()
	if strings.Contains(log.String(), "quiet") || strings.Contains(log.String(), "abort Handler") || !strings.Contains(log.String(), "level=ERROR") {
		t.Error(log.String())
	}
}

type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// The context of a request ends when its client leaves, within a second.
func TestContextsEndWithTheClient(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, k kind) {
				fastest := patience
				for _, row := range []struct{ name, raw string }{
					{"GET", get},
					{"a body that was read", host("POST / HTTP/1.1", "Content-Length: 5") + "hello"},
					{"a second request", get + get},
				} {
					for _, leave := range []string{"closes", "resets"} {
						began, ended := make(chan struct{}, 1), make(chan error, 1)
						first := strings.Count(row.raw, "HTTP/1.1") > 1
						s := k.serveOn(t, transport, httpserver.Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							if first {
								first = false
								return
							}
							_, _ = io.Copy(io.Discard, r.Body)
							began <- struct{}{}
							select {
							case <-r.Context().Done():
								ended <- context.Cause(r.Context())
							case <-time.After(patience):
								ended <- nil
							}
						})})
						c := s.dial()
						c.send(row.raw)
						wait(t, "the handler", began)
						start := time.Now()
						if leave == "closes" {
							_ = c.Close()
						} else {
							c.abort()
						}
						err := wait(t, "the end", ended)
						took := time.Since(start)
						fastest = min(fastest, took)
						if !errors.Is(err, context.Canceled) || took > time.Second+slack {
							t.Errorf("%s, client %s: %v after %v", row.name, leave, err, took)
						}
					}
				}
				if fastest > time.Second {
					t.Errorf("it took %v at least", fastest)
				}
			})
		})
	}
}

// It does not end while a client is there, whatever it sends ahead.
func TestContextsOfClientsThatStay(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
				t.Error(r.Context().Err())
			case <-time.After(900 * time.Millisecond): // longer than any look takes
			}
			_, _ = io.WriteString(w, r.URL.Path)
		})
		c := s.dial()
		c.send(host("GET /1 HTTP/1.1") + host("GET /2 HTTP/1.1"))
		for _, want := range []string{"/1", "/2"} {
			if a := c.must("GET"); a.body != want {
				t.Errorf("%s, want %s", a.body, want)
			}
		}
	})
}

// A client that has ended its half still gets its answer.
func TestHalfClosedClients(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(20 * time.Millisecond):
			}
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, "hello "+string(body))
		})
		for _, raw := range []string{get, host("POST / HTTP/1.1", "Content-Length: 1") + "x", get + get} {
			c := s.dial()
			c.send(raw)
			c.half()
			for range strings.Count(raw, "HTTP/1.1") {
				if a := c.must("GET"); !strings.HasPrefix(a.body, "hello ") {
					t.Error(a)
				}
			}
			if rest := c.ended(); rest != "" {
				t.Errorf("then came %q", rest)
			}
		}
	})
}

func TestContextsEndWithTheHandler(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		contexts := make(chan context.Context, 1)
		derived := make(chan context.Context, 1)
		ran := make(chan struct{}, 2)
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			_ = cancel
			if ctx.Err() != nil || r.Context().Err() != nil {
				t.Error(ctx.Err())
			}
			context.AfterFunc(r.Context(), func() { ran <- struct{}{} })
			stop := context.AfterFunc(r.Context(), func() { t.Error("it was stopped") })
			stop()
			contexts <- r.Context()
			derived <- ctx
		})
		c := s.dial()
		for range 2 {
			c.ask(get)
			for _, ctx := range []context.Context{wait(t, "a context", contexts), wait(t, "a context", derived)} {
				wait(t, "its end", ctx.Done())
				if !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(context.Cause(ctx), context.Canceled) {
					t.Error(ctx.Err(), context.Cause(ctx))
				}
				if _, ok := ctx.Deadline(); ok {
					t.Error("it has a deadline")
				}
			}
			wait(t, "AfterFunc", ran)
		}
	})
}

func TestBaseContextEndsRequests(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		base, end := context.WithCancelCause(context.Background())
		why := errors.New("why")
		causes := make(chan error, 1)
		began := make(chan struct{}, 1)
		s := k.serve(t, httpserver.Config{BaseContext: base, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began <- struct{}{}
			<-r.Context().Done()
			causes <- context.Cause(r.Context())
		})})
		c := s.dial()
		c.send(get)
		wait(t, "the handler", began)
		end(why)
		if err := wait(t, "the end", causes); !errors.Is(err, why) {
			t.Error(err)
		}
	})
}

// What a connection does is told as net/http tells it.
func TestConnState(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		for _, row := range []struct {
			name string
			h    http.HandlerFunc
			do   func(*client)
			want string
		}{
			{"unused", text(), func(c *client) { _ = c.Close() }, "new closed"},
			{"one request", text(), func(c *client) { c.ask(get); _ = c.Close() }, "new active idle closed"},
			{"two", text(), func(c *client) { c.ask(get); c.ask(get); _ = c.Close() }, "new active idle active idle closed"},
			{"the last", text(), func(c *client) { c.ask(host("GET / HTTP/1.1", "Connection: close")) }, "new active closed"},
			{"refused", text(), func(c *client) { c.send("x\r\n\r\n"); c.ended() }, "new active closed"},
			{"panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, func(c *client) { c.send(get); c.ended() }, "new active closed"},
			{"taken", func(w http.ResponseWriter, _ *http.Request) {
				c, _, _ := http.NewResponseController(w).Hijack()
				_ = c.Close()
			}, func(c *client) { c.send(get); c.ended() }, "new active hijacked"},
		} {
			var mu sync.Mutex
			var states []string
			var conn net.Conn
			s := k.serve(t, httpserver.Config{Handler: row.h, ConnState: func(c net.Conn, state http.ConnState) {
				mu.Lock()
				defer mu.Unlock()
				if conn == nil {
					conn = c
				} else if conn != c {
					t.Errorf("%s: another connection", row.name)
				}
				states = append(states, state.String())
			}})
			row.do(s.dial())
			told := func() string {
				mu.Lock()
				defer mu.Unlock()
				return strings.Join(states, " ")
			}
			wants := []string{row.want}
			if row.name == "refused" {
				wants = append(wants, "new closed") // nobody needs to know that there was something
			}
			deadline := time.Now().Add(patience)
			for !slices.Contains(wants, told()) && time.Now().Before(deadline) {
				time.Sleep(time.Millisecond)
			}
			if got := told(); !slices.Contains(wants, got) {
				t.Errorf("%s: %s, want %s", row.name, got, row.want)
			}
		}
	})
}

func TestShutdown(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			each(t, func(t *testing.T, k kind) {
				began, goOn := make(chan struct{}, 3), make(chan struct{})
				s := k.serveOn(t, transport, httpserver.Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/" {
						return
					}
					began <- struct{}{}
					<-goOn
					_, _ = io.WriteString(w, "hello")
				})})
				idle, busy, second := s.dial(), s.dial(), s.dial()
				idle.ask(get)
				busy.send(host("GET /slow HTTP/1.1"))
				second.ask(get)
				second.send(host("GET /slow HTTP/1.1") + host("GET /behind HTTP/1.1"))
				wait(t, "the handlers", began)
				wait(t, "the handlers", began)

				hasty, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
				defer cancel()
				if err := s.Shutdown(hasty); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				if err := s.ended(); !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
				if rest := idle.ended(); rest != "" {
					t.Errorf("an idle connection got %q", rest)
				}
				if c, err := net.Dial(s.ln.Addr().Network(), s.ln.Addr().String()); err == nil {
					_ = c.Close()
					t.Error("the port is open")
				}

				result := make(chan error, 1)
				ctx, stop := context.WithTimeout(context.Background(), patience)
				defer stop()
				go func() { result <- s.Shutdown(ctx) }()
				close(goOn)
				for _, c := range []*client{busy, second} {
					if a := c.must("GET"); a.body != "hello" || a.header.Get("Connection") != "close" {
						t.Error(a)
					}
					if rest := c.ended(); rest != "" {
						t.Errorf("then came %q", rest)
					}
				}
				if err := wait(t, "Shutdown", result); err != nil {
					t.Error(err)
				}
				_, ln := bare(t, httpserver.Config{Handler: http.HandlerFunc(describe)})
				if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
			})
		})
	}
}

// Connections on which nothing was sent do not hold a shutdown up.
func TestShutdownClosesUnusedConnections(t *testing.T) {
	for _, sent := range []string{"", "GET / HTTP/1.1\r\n"} {
		s := ours.serve(t, httpserver.Config{Handler: http.HandlerFunc(describe), HeaderTimeout: 200 * time.Millisecond})
		c := s.dial()
		ready := s.dial()
		ready.ask(get) // so that the first was accepted
		c.send(sent)
		ctx, stop := context.WithTimeout(context.Background(), patience)
		start := time.Now()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		stop()
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("after %q it took %v", sent, took)
		}
	}
}

func TestClose(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		began, ended := make(chan struct{}, 1), make(chan struct{})
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				return
			}
			began <- struct{}{}
			<-r.Context().Done()
			close(ended)
		})
		idle, busy := s.dial(), s.dial()
		idle.ask(get)
		busy.send(host("GET /slow HTTP/1.1"))
		wait(t, "the handler", began)
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := s.ended(); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		for _, c := range []*client{idle, busy} {
			_ = c.SetReadDeadline(time.Now().Add(patience))
			if rest, err := io.ReadAll(c.r); timedOut(err) || len(rest) > 0 {
				t.Errorf("%q, %v", rest, err)
			}
		}
		wait(t, "the handler's end", ended)
	})
}

func TestNewWithoutAHandler(t *testing.T) {
	if _, err := httpserver.New(httpserver.Config{}); err == nil {
		t.Error("a server without a handler")
	}
}
