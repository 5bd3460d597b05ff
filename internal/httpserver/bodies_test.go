package httpserver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/httpserver"
)

// What becomes of a body that nobody reads.
func TestUnreadBodies(t *testing.T) {
	kib := func(n int) string { return strings.Repeat("x", n<<10) }
	sized := func(n int) string { return host("POST / HTTP/1.1", "Content-Length: "+strconv.Itoa(n<<10)) + kib(n) }
	chunks := func(n int) string {
		return host("POST / HTTP/1.1", "Transfer-Encoding: chunked") + strings.Repeat("400\r\n"+kib(1)+"\r\n", n) + "0\r\n\r\n"
	}
	some := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 100))
		_, _ = io.WriteString(w, "hello")
	}
	closing := func(w http.ResponseWriter, r *http.Request) {
		_ = r.Body.Close()
		_, _ = io.WriteString(w, "hello")
	}
	run(t, []row{
		{name: "short", raw: sized(1), h: text("hello"), want: []string{open}},
		{name: "200 KiB", raw: sized(200), h: text("hello"), want: []string{open}},
		{name: "200 KiB, read in part", raw: sized(200), h: some, want: []string{open}},
		{name: "200 KiB, closed", raw: sized(200), h: closing, want: []string{open}},
		{name: "200 KiB and a long answer", raw: sized(200), h: text(long), want: []string{open}},
		{name: "300 KiB", raw: sized(300), h: text("hello"), want: []string{"Connection: close", closed}},
		{name: "300 KiB, read in part", raw: sized(300), h: some, want: []string{"Connection: close", closed}},
		{name: "1 MiB and a long answer", raw: sized(1024), h: text(long), want: []string{"Connection: close", closed}},
		{name: "short chunks", raw: chunks(1), h: text("hello"), want: []string{open}},
		{name: "200 KiB of chunks", raw: chunks(200), h: text("hello"), want: []string{open}},
		{name: "1 MiB of chunks", raw: chunks(1024), h: text("hello"), why: "net/http reads before it answers, and says close; ours may answer before it knows",
			ours: []string{"HTTP/1.1 200 OK"}},
		{name: "1 MiB to HEAD", raw: host("HEAD / HTTP/1.1", "Content-Length: 1048576") + kib(1024), methods: isHead, h: text("hello"), want: []string{"Connection: close", closed}},
		{name: "two, pipelined", raw: sized(10) + sized(20), methods: []string{"POST", "POST"}, h: text("hello"), want: []string{open}},
		{name: "1.0", raw: in("POST / HTTP/1.0", "Content-Length: 1024", "Connection: keep-alive") + kib(1), h: text("hello"), want: []string{open}},
	})
}

// After a large body that was not read, nothing of it is taken for a request.
func TestALargeUnreadBodyIsNoRequest(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/smuggled" {
				t.Error("a part of a body was served")
			}
			w.WriteHeader(413)
		})
		for _, coding := range []string{"Content-Length: 10000000", "Transfer-Encoding: chunked"} {
			c := s.dial()
			var b strings.Builder
			b.WriteString(host("POST / HTTP/1.1", coding))
			if strings.Contains(coding, "chunked") {
				b.WriteString("989680\r\n")
			}
			for b.Len() < 8<<20 {
				b.WriteString(host("GET /smuggled HTTP/1.1"))
			}
			go func() { _, _ = io.WriteString(c, b.String()) }()
			if a := c.must("POST"); a.status != 413 {
				t.Error(a)
			}
			if rest := c.ended(); rest != "" {
				t.Errorf("then came %q", rest)
			}
		}
	})
}

// A client that is busy sending when it is answered still gets the answer: a
// connection closed too early is reset, and what was sent is lost.
func TestAnAnswerIsNotLostToALargeBody(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			s := ours.serveOn(t, transport, httpserver.Config{Handler: status(413, long)})
			for range 3 {
				c := s.dial()
				c.send(host("POST / HTTP/1.1", "Content-Length: 10000000"))
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					for range 32 {
						if _, err := io.WriteString(c, long[:64<<10]); err != nil {
							return
						}
					}
				}()
				time.Sleep(200 * time.Millisecond) // it does not read meanwhile
				a, err := c.read("POST")
				if err != nil || a.err != nil || a.status != 413 || a.body != long {
					t.Errorf("%v, %v", a, err)
				}
				_ = c.Close()
				<-sent
			}
		})
	}
}

func TestBodiesAfterTheHandler(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		bodies := make(chan io.ReadCloser, 3)
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) { bodies <- r.Body })
		c := s.dial()
		for _, raw := range []string{
			host("POST / HTTP/1.1", "Content-Length: 5") + "hello",
			host("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n",
			host("POST / HTTP/1.1", "Content-Length: 5", "Connection: close") + "hello",
		} {
			c.ask(raw)
			body := wait(t, "the body", bodies)
			n, err := body.Read(make([]byte, 5))
			if k.name == theirs.name { // it answers before it takes the body away
				until(t, "the body's end", func() bool {
					n, err = body.Read(make([]byte, 5))
					return errors.Is(err, http.ErrBodyReadAfterClose)
				})
			}
			if n > 0 || !errors.Is(err, http.ErrBodyReadAfterClose) {
				t.Errorf("read %d, %v", n, err)
			}
			_ = body.Close()
		}
	})
}

func TestWriterAfterTheHandler(t *testing.T) {
	writers := make(chan http.ResponseWriter, 1)
	s := ours.serving(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/first" {
			writers <- w
			_, _ = io.WriteString(w, "first")
			return
		}
		_, _ = io.WriteString(w, "later")
	})
	c := s.dial()
	c.ask(host("GET /first HTTP/1.1"))
	w := wait(t, "the writer", writers)
	control := http.NewResponseController(w)
	for what, err := range map[string]error{
		"Write":            second(w.Write([]byte("evil"))),
		"WriteString":      second(io.WriteString(w, "evil")),
		"ReadFrom":         second(io.Copy(w, strings.NewReader("evil"))),
		"Flush":            control.Flush(),
		"SetReadDeadline":  control.SetReadDeadline(past()),
		"SetWriteDeadline": control.SetWriteDeadline(past()),
	} {
		if err == nil {
			t.Errorf("%s succeeds after the handler's end", what)
		}
	}
	if _, _, err := control.Hijack(); err == nil {
		t.Error("Hijack succeeds after the handler's end")
	}
	w.WriteHeader(500)
	w.Header().Set("X-Evil", "1")
	if a := c.ask(get); a.body != "later" || a.header.Get("X-Evil") != "" {
		t.Errorf("the next answer is\n%v", a)
	}
}

func second[T any](_ T, err error) error { return err }

func TestReadFrom(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	file := func(w http.ResponseWriter, f func(*os.File)) {
		src, err := os.Open(name)
		if err != nil {
			t.Error(err)
			return
		}
		defer src.Close()
		f(src)
	}
	all := strconv.Itoa(len(long))
	from := func(w http.ResponseWriter, src io.Reader, want int64) {
		n, err := w.(io.ReaderFrom).ReadFrom(src)
		if n != want || err != nil {
			t.Errorf("ReadFrom gives %d, %v; want %d", n, err, want)
		}
	}
	const whole = "[length] 131072 bytes, sum 1380548608"
	run(t, []row{
		{name: "a file of known length", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", all)
			file(w, func(f *os.File) { from(w, f, int64(len(long))) })
		}, want: []string{whole, open}},
		{name: "a file of known type and length", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", all)
			w.Header().Set("Content-Type", "text/x")
			file(w, func(f *os.File) { from(w, f, int64(len(long))) })
		}, want: []string{whole, open}},
		{name: "a file behind WriteHeader", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", all)
			w.Header().Set("Content-Type", "text/x")
			w.WriteHeader(206)
			file(w, func(f *os.File) { from(w, f, int64(len(long))) })
		}, want: []string{"HTTP/1.1 206 Partial Content", whole, open}},
		{name: "a file without a length", h: func(w http.ResponseWriter, _ *http.Request) {
			file(w, func(f *os.File) { from(w, f, int64(len(long))) })
		}, want: []string{"[chunked] 131072 bytes, sum 1380548608", open}},
		{name: "a part of a file", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "70000")
			w.Header().Set("Content-Type", "text/x")
			file(w, func(f *os.File) {
				_, _ = f.Seek(1000, io.SeekStart)
				l := &io.LimitedReader{R: f, N: 70000}
				from(w, l, 70000)
				at, _ := f.Seek(0, io.SeekCurrent)
				if l.N != 0 || at != 71000 {
					t.Errorf("the reader is at %d, %d left", at, l.N)
				}
			})
		}, want: []string{open}},
		{name: "text, then a file, then text", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(long)+10))
			w.Header().Set("Content-Type", "text/x")
			_, _ = io.WriteString(w, "first")
			file(w, func(f *os.File) { from(w, f, int64(len(long))) })
			_, _ = io.WriteString(w, "after")
		}, want: []string{open}},
		{name: "a file twice", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(2*len(long)))
			w.Header().Set("Content-Type", "text/x")
			for range 2 {
				file(w, func(f *os.File) { from(w, f, int64(len(long))) })
			}
		}, want: []string{open}},
		{name: "an empty file", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "0")
			file(w, func(f *os.File) {
				_, _ = f.Seek(0, io.SeekEnd)
				from(w, f, 0)
			})
		}, want: []string{"Content-Length: 0", open}},
		{name: "a file for HEAD", raw: head, methods: isHead, h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", all)
			w.Header().Set("Content-Type", "text/x")
			file(w, func(f *os.File) { _, _ = io.Copy(w, f) })
		}, want: []string{"Content-Length: 131072", open}},
		{name: "a file on 1.0", raw: old, h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/x")
			file(w, func(f *os.File) { from(w, f, int64(len(long))) })
		}, want: []string{"[until the end] 131072 bytes, sum 1380548608", closed}},
		{name: "a file shorter than its length", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(long)+1))
			w.Header().Set("Content-Type", "text/x")
			file(w, func(f *os.File) { from(w, f, int64(len(long))) })
		}, want: []string{"cut: end"}},
		{name: "a file longer than its length", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.Header().Set("Content-Type", "text/x")
			file(w, func(f *os.File) { _, _ = io.Copy(w, f) })
		}, why: "net/http may send more than was announced; ours must not", ours: []string{"Content-Length: 5"}},
		{name: "a reader that is none of these", h: func(w http.ResponseWriter, _ *http.Request) {
			from(w, io.MultiReader(strings.NewReader("hello"), strings.NewReader(long)), int64(len(long)+5))
		}, want: []string{open}},
		{name: "a reader that fails", h: func(w http.ResponseWriter, _ *http.Request) {
			n, err := io.Copy(w, io.MultiReader(strings.NewReader("hello"), failing{}))
			if n != 5 || !errors.Is(err, io.ErrNoProgress) {
				t.Error(n, err)
			}
		}, want: []string{"[length] \"hello\"", open}},
		{name: "the request's body", raw: host("POST / HTTP/1.1", "Content-Length: 131072") + long, h: func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			_, _ = io.Copy(w, r.Body)
		}, want: []string{"[chunked] 131072 bytes, sum 1380548608", open}},
		{name: "the request's body of known length", raw: host("POST / HTTP/1.1", "Content-Length: 131072") + long, h: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", all)
			w.Header().Set("Content-Type", "text/x")
			_ = http.NewResponseController(w).EnableFullDuplex()
			_, _ = io.Copy(w, r.Body)
		}, want: []string{whole, open}},
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrNoProgress }

// A connection as the source is spliced.
func TestReadFromAConnection(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		origin := k.serving(t, with(set("Content-Length", strconv.Itoa(len(long))), long))
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			from := origin.dial()
			from.send(get)
			for line := ""; line != "\r\n"; {
				line, _ = from.r.ReadString('\n')
			}
			ahead, _ := from.r.Peek(from.r.Buffered())
			w.Header().Set("Content-Length", strconv.Itoa(len(long)))
			w.Header().Set("Content-Type", "text/x")
			_, _ = w.Write(ahead)
			n, err := io.Copy(w, &io.LimitedReader{R: from.Conn, N: int64(len(long) - len(ahead))})
			if int(n) != len(long)-len(ahead) || err != nil {
				t.Error(n, err)
			}
		})
		c := s.dial()
		for range 3 {
			if a := c.ask(get); a.body != long {
				t.Fatalf("%d bytes", len(a.body))
			}
		}
	})
}

// A handler that reads and writes by turns.
func TestEcho(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			each(t, func(t *testing.T, k kind) {
				s := k.serveOn(t, transport, httpserver.Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					control := http.NewResponseController(w)
					if err := control.EnableFullDuplex(); err != nil {
						t.Error(err)
					}
					_ = control.Flush()
					buf := make([]byte, 100)
					for {
						n, err := r.Body.Read(buf)
						if n > 0 {
							_, _ = w.Write(bytes.ToUpper(buf[:n]))
							_ = control.Flush()
						}
						if err != nil {
							if !errors.Is(err, io.EOF) {
								t.Error(err)
							}
							return
						}
					}
				})})
				c := s.dial()
				for range 3 {
					c.send(host("POST / HTTP/1.1", "Transfer-Encoding: chunked"))
					for line := ""; line != "\r\n"; {
						line, _ = c.r.ReadString('\n')
					}
					for _, word := range []string{"one", "two", "three"} {
						c.send(strconv.FormatInt(int64(len(word)), 16) + "\r\n" + word + "\r\n")
						got := make([]byte, len(word)+5)
						if _, err := io.ReadFull(c.r, got); err != nil || !strings.Contains(string(got), strings.ToUpper(word)) {
							t.Fatalf("%q came back as %q, %v", word, got, err)
						}
					}
					c.send("0\r\n\r\n")
					last := make([]byte, 5)
					if _, err := io.ReadFull(c.r, last); err != nil || string(last) != "0\r\n\r\n" {
						t.Fatalf("%q, %v", last, err)
					}
				}
			})
		})
	}
}

// Reading and writing on two goroutines, more than any buffer holds.
func TestFullDuplex(t *testing.T) {
	const size = 8 << 20
	s := ours.serving(t, probed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		got := make(chan int64)
		go func() {
			n, err := io.Copy(io.Discard, r.Body)
			if err != nil {
				t.Error(err)
			}
			got <- n
		}()
		_, _ = io.CopyN(w, zeros{}, size)
		if n := <-got; n != size {
			t.Errorf("got %d bytes", n)
		}
	})).ServeHTTP)
	c := s.dial()
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(c, io.MultiReader(strings.NewReader(host("POST / HTTP/1.1", "Content-Length: "+strconv.Itoa(size))), io.LimitReader(zeros{}, size)))
		sent <- err
	}()
	if a := c.must("POST"); len(a.body) != size {
		t.Errorf("%d bytes came", len(a.body))
	}
	if err := wait(t, "the body to be sent", sent); err != nil {
		t.Error(err)
	}
	if got := c.reusable(); got != open {
		t.Error(got)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// What is flushed arrives, piece by piece.
func TestFlush(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		for _, length := range []string{"", "9"} {
			next := make(chan struct{})
			s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
				if length != "" {
					w.Header().Set("Content-Length", length)
				}
				w.WriteHeader(200)
				_ = http.NewResponseController(w).Flush()
				for _, p := range []string{"one", "two", "six"} {
					<-next
					_, _ = io.WriteString(w, p)
					w.(http.Flusher).Flush()
				}
			})
			c := s.dial()
			c.send(get)
			if line, err := c.line(); line != "HTTP/1.1 200 OK" {
				t.Fatal(line, err)
			}
			if _, err := c.fields(http.Header{}); err != nil {
				t.Fatal(err)
			}
			for _, p := range []string{"one", "two", "six"} {
				next <- struct{}{}
				want := p
				if length == "" {
					want = "3\r\n" + p + "\r\n"
				}
				got := make([]byte, len(want))
				if _, err := io.ReadFull(c.r, got); err != nil || string(got) != want {
					t.Fatalf("%q, %v; want %q", got, err, want)
				}
			}
		}
	})
}

// A flush tells that the client has gone.
func TestFlushError(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		failed := make(chan error, 1)
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			for {
				_, _ = io.WriteString(w, "x")
				if err := http.NewResponseController(w).Flush(); err != nil {
					failed <- err
					return
				}
			}
		})
		c := s.dial()
		c.send(get)
		_, _ = c.line()
		c.abort()
		if err := wait(t, "the error", failed); errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// Reads give what has come, and do not wait for more.
func TestBodiesAreStreamed(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		pieces := make(chan string, 10)
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			buf := make([]byte, 1000)
			for {
				n, err := r.Body.Read(buf)
				if n > 0 {
					pieces <- string(buf[:n])
				}
				if err != nil {
					pieces <- err.Error()
					return
				}
			}
		})
		for _, raw := range [][]string{
			{host("POST / HTTP/1.1", "Content-Length: 9"), "one", "two", "six"},
			{host("POST / HTTP/1.1", "Transfer-Encoding: chunked"), "3\r\none\r\n", "3\r\ntwo\r\n", "3\r\nsix\r\n0\r\n\r\n"},
		} {
			c := s.dial()
			c.send(raw[0])
			for i, want := range []string{"one", "two", "six"} {
				c.send(raw[i+1])
				if got := wait(t, "a piece", pieces); got != want {
					t.Errorf("%q, want %q", got, want)
				}
			}
			if got := wait(t, "the end", pieces); got != "EOF" {
				t.Error(got)
			}
			if a := c.must("POST"); !slices.Contains(a.header["Content-Length"], "0") {
				t.Error(a)
			}
		}
	})
}
