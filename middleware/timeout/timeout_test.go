package timeout_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/middleware/timeout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func wrap(t testing.TB, cfg timeout.Config, next http.HandlerFunc) http.Handler {
	t.Helper()
	m, err := timeout.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m.Wrap(next)
}

// serve runs one request in a bubble of its own, where time is free.
func serve(t *testing.T, h http.Handler, r *http.Request) (w *httptest.ResponseRecorder, took time.Duration, panicked any) {
	w = httptest.NewRecorder()
	began := time.Now()
	func() {
		defer func() { panicked = recover() }()
		h.ServeHTTP(w, r)
	}()
	return w, time.Since(began), panicked
}

func get() *http.Request { return httptest.NewRequest("GET", "/", nil) }

func TestHandlersInTime(t *testing.T) {
	tests := []struct {
		fact string
		h    http.HandlerFunc
		want string
	}{
		{"an answer", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-A", "a")
			w.WriteHeader(201)
			_, _ = io.WriteString(w, "done")
		}, "201 done a"},
		{"no answer", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-A", "a") }, "200  a"},
		{"a long one", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "begin ")
			time.Sleep(time.Hour)
			if r.Context().Err() != nil {
				_, _ = io.WriteString(w, "cancelled ")
			}
			_, _ = io.WriteString(w, "end")
		}, "200 begin end "},
		{"a flushed header", func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Hour)
			_, _ = io.Copy(w, struct{ io.Reader }{strings.NewReader("end")})
		}, "200 end "},
		{"a header of outer layers removed", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Del("X-Outer")
			w.WriteHeader(200)
		}, "200  "},
	}
	for _, tt := range tests {
		t.Run(tt.fact, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _, _ := serve(t, wrap(t, timeout.Config{After: time.Second}, tt.h), get())
				if got := fmt.Sprintf("%d %s %s", w.Code, w.Body, w.Header().Get("X-A")); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestHandlersTooLate(t *testing.T) {
	tests := []struct {
		fact string
		h    http.HandlerFunc
		body string
	}{
		{"returns", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "504 The application did not answer in time.\n"},
		{"aborts", func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}, "504 The application did not answer in time.\n"},
		{"answers something else", func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.Header().Set("X-Late", "yes")
			http.Error(w, "bad gateway", 502)
		}, "504 The application did not answer in time.\n"},
		{"answers 504", func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			http.Error(w, "my own page", 504)
		}, "my own page\n"},
		{"fails with the cause", func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			request.Fail(w, r, fmt.Errorf("ask upstream: %w", context.Cause(r.Context())))
		}, "504 The application did not answer in time.\n"},
	}
	for _, tt := range tests {
		t.Run(tt.fact, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, took, panicked := serve(t, wrap(t, timeout.Config{After: time.Second}, tt.h), get())
				if w.Code != 504 || w.Body.String() != tt.body || took != time.Second || panicked != nil || w.Header().Get("X-Late") != "" {
					t.Errorf("%d %q after %v, panic %v, %v", w.Code, w.Body, took, panicked, w.Header())
				}
			})
		})
	}
}

func TestCauseOfTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause error
		h := wrap(t, timeout.Config{After: time.Second}, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			cause = context.Cause(r.Context())
		})
		serve(t, h, get())
		var s interface{ HTTPStatus() int }
		if !errors.Is(cause, context.DeadlineExceeded) || !errors.As(cause, &s) || s.HTTPStatus() != 504 {
			t.Error(cause)
		}
	})
}

func TestErrorFuncAndRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := wrap(t, timeout.Config{After: time.Second, ErrorFunc: func(w http.ResponseWriter, r *http.Request, err error) {
			w.WriteHeader(504)
			fmt.Fprint(w, "page: ", err)
		}}, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			request.Fail(w, r, errors.New("context canceled"))
		})
		w := httptest.NewRecorder()
		rec := request.New(w, get())
		h.ServeHTTP(&rec.Writer, &rec.Request)
		if w.Body.String() != "page: 504 The application did not answer in time: no answer within 1s: context deadline exceeded" || rec.Writer.Status() != 504 || rec.Cause != nil {
			t.Errorf("%q, %d, %v", w.Body, rec.Writer.Status(), rec.Cause)
		}
	})
}

// sentAt notes what had been written when, at each flush.
type sentAt struct {
	*httptest.ResponseRecorder
	began time.Time
	notes chan string
}

func (w *sentAt) FlushError() error {
	w.notes <- fmt.Sprint(time.Since(w.began), w.Code, w.Body, w.Header())
	return nil
}

// A handler that ignores its context is answered for, then cut.
func TestHandlerThatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooked := false
		w := &sentAt{httptest.NewRecorder(), time.Now(), make(chan string, 1)}
		w.Header().Set("X-Outer", "kept")
		ww := httpwrap.Of(w)
		ww.Before(httpwrap.HookFunc(func(int, http.Header) { hooked = true }))
		h := wrap(t, timeout.Config{After: time.Second, Grace: 2 * time.Second}, func(w http.ResponseWriter, r *http.Request) {
			for range 100 {
				time.Sleep(100 * time.Millisecond)
				w.Header().Set("X-Inner", "x") // while the watcher answers
			}
			if _, err := io.WriteString(w, "late"); err == nil {
				t.Error("the late answer was taken")
			}
		})
		func() {
			defer func() {
				if v := recover(); v != http.ErrAbortHandler {
					t.Errorf("panic %v", v)
				}
			}()
			h.ServeHTTP(ww, get())
		}()
		want := "3s 504 504 The application did not answer in time.\n map[Cache-Control:[no-store] Connection:[close]" +
			" Content-Length:[44] Content-Type:[text/plain; charset=utf-8] X-Outer:[kept]]"
		if got := <-w.notes; got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		if time.Since(w.began) != 10*time.Second || w.Body.Len() != 44 || hooked {
			t.Errorf("%d bytes after %v, hook ran %v", w.Body.Len(), time.Since(w.began), hooked)
		}
	})
}

func TestHandlerThatDoesNotReturnOverARealServer(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		stuck := make(chan struct{})
		srv := httptest.NewUnstartedServer(wrap(t, timeout.Config{After: 20 * time.Millisecond, Grace: 20 * time.Millisecond},
			func(w http.ResponseWriter, r *http.Request) {
				for {
					select {
					case <-stuck:
						return
					default:
						w.Header().Set("X-Inner", "x")
						_ = w.Header().Clone()
						runtime.Gosched()
					}
				}
			}))
		srv.EnableHTTP2 = h2
		if h2 {
			srv.StartTLS()
		} else {
			srv.Start()
		}
		res, err := srv.Client().Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		text := make([]byte, 45)
		if n, err := io.ReadFull(res.Body, text[:44]); res.StatusCode != 504 || !strings.HasPrefix(string(text), "504 The application") {
			t.Errorf("h2=%v: %d %q %v", h2, res.StatusCode, text[:n], err)
		}
		close(stuck)
		_ = res.Body.Close()
		srv.Close()
	}
}

func TestRealPanicsGoOn(t *testing.T) {
	for _, late := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			_, _, v := serve(t, wrap(t, timeout.Config{After: time.Second}, func(w http.ResponseWriter, r *http.Request) {
				if late {
					<-r.Context().Done()
				}
				panic("mine")
			}), get())
			if v != "mine" {
				t.Errorf("late %v: %v", late, v)
			}
		})
	}
}

// slowBody gives one byte per step.
type slowBody struct {
	left int
	step time.Duration
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(b.step)
	b.left--
	p[0] = 'x'
	return 1, nil
}

func TestTimeOfTheClientDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := wrap(t, timeout.Config{After: time.Second}, func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, err)
		})
		for _, step := range []time.Duration{700 * time.Millisecond, time.Minute} {
			w, _, _ := serve(t, h, httptest.NewRequest("POST", "/", &slowBody{10, step}))
			if w.Body.String() != "10 <nil>" {
				t.Errorf("%v a byte: %d %s", step, w.Code, w.Body)
			}
		}
		h = wrap(t, timeout.Config{After: time.Second}, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		})
		if w, took, _ := serve(t, h, httptest.NewRequest("POST", "/", &slowBody{10, 700 * time.Millisecond})); w.Code != 504 || took != 8*time.Second {
			t.Errorf("%d after %v", w.Code, took)
		}
	})
}

func TestClientThatLeavesIsNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		w, _, _ := serve(t, wrap(t, timeout.Config{After: time.Second}, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}), get().WithContext(ctx))
		if w.Code == 504 {
			t.Error("504")
		}
	})
}

func TestEarlyHintsAreNoAnswer(t *testing.T) {
	var codes []int
	synctest.Test(t, func(t *testing.T) {
		w := &codeWriter{ResponseRecorder: httptest.NewRecorder(), codes: &codes}
		wrap(t, timeout.Config{After: time.Second}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</a.css>")
			w.WriteHeader(103)
			<-r.Context().Done()
		}).ServeHTTP(w, get())
	})
	if fmt.Sprint(codes) != "[103 504]" {
		t.Error(codes)
	}
}

type codeWriter struct {
	*httptest.ResponseRecorder
	codes *[]int
}

func (w *codeWriter) WriteHeader(code int) {
	*w.codes = append(*w.codes, code)
	if code >= 200 {
		w.ResponseRecorder.WriteHeader(code)
	}
}

func TestTrailersAndInnerHooks(t *testing.T) {
	srv := httptest.NewServer(wrap(t, timeout.Config{}, func(w http.ResponseWriter, r *http.Request) {
		httpwrap.Of(w).Before(httpwrap.HookFunc(func(_ int, h http.Header) { h.Set("X-Hook", "ran") }))
		h := w.Header()
		h.Set("Trailer", "X-Declared")
		_, _ = io.WriteString(w, "body")
		h.Set("X-Declared", "1")
		h.Set(http.TrailerPrefix+"X-Other", "2")
	}))
	defer srv.Close()
	res, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.Trailer.Get("X-Declared") != "1" || res.Trailer.Get("X-Other") != "2" || res.Header.Get("X-Hook") != "ran" {
		t.Error(res.Trailer, res.Header)
	}
}

func TestHijackedConnectionsStay(t *testing.T) {
	srv := httptest.NewServer(wrap(t, timeout.Config{After: 20 * time.Millisecond, Grace: 20 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		line, _ := rw.ReadString('\n') // sent long after the time is up
		_, _ = io.WriteString(c, line)
	}))
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
	br := bufio.NewReader(c)
	if line, _ := br.ReadString('\n'); !strings.Contains(line, "101") {
		t.Fatal(line)
	}
	_, _ = br.ReadString('\n')
	time.Sleep(100 * time.Millisecond) // real time: the timers run on a real server
	_, _ = io.WriteString(c, "still there\n")
	if line, err := br.ReadString('\n'); line != "still there\n" {
		t.Error(line, err)
	}
}

func TestMistakes(t *testing.T) {
	for _, cfg := range []timeout.Config{{After: -1}, {Grace: -1}} {
		if _, err := timeout.New(cfg); err == nil {
			t.Errorf("%+v is no mistake", cfg)
		}
	}
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func BenchmarkPassThrough(b *testing.B) {
	h := wrap(b, timeout.Config{}, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
	d := discard{make(http.Header)}
	rec := request.New(d, get())
	b.ReportAllocs()
	for b.Loop() {
		clear(d.h)
		rec.Writer.Reset(d)
		h.ServeHTTP(&rec.Writer, &rec.Request)
	}
}

func ExampleNew() {
	m, err := timeout.New(timeout.Config{After: 10 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		fmt.Println(errors.Is(context.Cause(r.Context()), context.DeadlineExceeded))
	})
	w := httptest.NewRecorder()
	m.Wrap(slow).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code)
	// Output:
	// true
	// 504
}
