package server_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/server"
)

// endless answers until its client fails, and says how that ended.
func endless(ended chan<- error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		piece := bytes.Repeat([]byte("x"), 64<<10)
		for {
			if _, err := w.Write(piece); err != nil {
				ended <- err
				return
			}
		}
	})
}

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

func TestAClientThatTakesNothingIsCutOff(t *testing.T) {
	stall := server.Limits{WriteTimeout: 100 * time.Millisecond}
	ended := make(chan error, 1)

	t.Run("TCP", func(t *testing.T) {
		c := serve(t, server.Config{HTTP: stall, Handler: endless(ended)}).dial()
		_, _ = io.WriteString(c, get)
		wait(t, "the handler to be stopped", ended)
	})
	t.Run("TLS", func(t *testing.T) {
		r := serve(t, server.Config{HTTP: stall, Handler: endless(ended), TLS: &server.TLS{SelfSigned: true}})
		c := tls.Client(r.dial(), &tls.Config{InsecureSkipVerify: true})
		_, _ = io.WriteString(c, get)
		wait(t, "the handler to be stopped", ended)
	})
	t.Run("a unix socket", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		serve(t, server.Config{HTTP: stall, Handler: endless(ended), Listen: []server.Address{{Network: "unix", Address: path}}})
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, get)
		if err := wait(t, "the handler to be stopped", ended); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
	t.Run("one stream of HTTP/2", func(t *testing.T) {
		r := serve(t, server.Config{HTTP: stall, Handler: endless(ended)})
		res, err := r.client(overH2C).Get("http://a/")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() // its window stays full meanwhile
		wait(t, "the handler to be stopped", ended)
	})
	t.Run("a file", func(t *testing.T) {
		done := make(chan error, 1)
		r := serve(t, server.Config{HTTP: stall, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f := bigFile(t)
			defer f.Close()
			w.Header().Set("Content-Length", strconv.Itoa(bigFileSize)) // without it there would be chunks, and no sendfile
			_, err := io.Copy(w, f)
			done <- err
		})})
		_, _ = io.WriteString(r.dial(), get)
		if err := wait(t, "the handler to be stopped", done); err == nil {
			t.Error("the file was sent to somebody who took nothing")
		}
	})
}

const bigFileSize = 64 << 20

// bigFile is more than any socket buffer holds.
func bigFile(t testing.TB) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "big"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(bigFileSize); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSlowButMovingClientsGetEverything(t *testing.T) {
	const limit, size = 200 * time.Millisecond, 12 << 20
	body := bytes.Repeat([]byte("x"), size)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(body) })
	slowly := func(t *testing.T, c io.Reader) {
		t.Helper()
		start, n := time.Now(), 0
		buf := make([]byte, 1<<20)
		for n < size {
			k, err := io.ReadFull(c, buf[:min(len(buf), size-n)])
			n += k
			if err != nil {
				t.Fatalf("after %d bytes: %v", n, err)
			}
			time.Sleep(limit / 3) // the time is what is tested
		}
		if time.Since(start) < 3*limit {
			t.Error("this was no test of slowness")
		}
	}
	path := filepath.Join(t.TempDir(), "s")
	r := serve(t, server.Config{HTTP: server.Limits{WriteTimeout: limit}, Handler: h, Listen: []server.Address{
		{Network: "tcp", Address: "127.0.0.1:0"}, {Network: "unix", Address: path},
	}})
	t.Run("TCP", func(t *testing.T) {
		c := r.dial()
		_ = c.(*net.TCPConn).SetReadBuffer(64 << 10)
		_, _ = io.WriteString(c, get)
		slowly(t, c)
	})
	t.Run("a unix socket", func(t *testing.T) {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, get)
		slowly(t, c)
	})
	t.Run("HTTP/2", func(t *testing.T) {
		res, err := r.client(overH2C).Get("http://a/")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		slowly(t, res.Body)
	})
}

func TestSilenceIsNoStall(t *testing.T) {
	const limit = 150 * time.Millisecond
	r := serve(t, server.Config{
		HTTP: server.Limits{WriteTimeout: limit, BodyTimeout: limit, HeaderTimeout: limit, IdleTimeout: limit},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "first ")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(4 * limit):
			case <-r.Context().Done():
			}
			_, _ = io.WriteString(w, "second")
		}),
	})
	for name, client := range map[string]*http.Client{"HTTP/1": r.client(overHTTP1), "HTTP/2": r.client(overH2C)} {
		res, err := client.Get("http://a/")
		if err != nil {
			t.Fatal(name, err)
		}
		text, err := io.ReadAll(res.Body)
		if string(text) != "first second" || err != nil {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func TestUpgradedConnectionsHaveNoLimits(t *testing.T) {
	const limit = 30 * time.Millisecond
	r := serve(t, server.Config{
		HTTP: server.Limits{WriteTimeout: limit, BodyTimeout: limit, HeaderTimeout: limit, IdleTimeout: limit},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			_, _ = io.Copy(c, rw)
		}),
	})
	c := r.dial()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
	time.Sleep(8 * limit) // the time is what is tested
	_, _ = io.WriteString(c, "echo")
	_ = c.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.HasSuffix(got, []byte("\r\n\r\necho")) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTCPStaysWhatSendfileNeeds(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems tell no progress, so that writes are paced there")
	}
	kind := make(chan net.Conn, 1)
	r := serve(t, server.Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
		}
		_ = c.Close()
		kind <- c
	})})
	_, _ = io.WriteString(r.dial(), get)
	if c := wait(t, "the connection", kind); !isTCP(c) {
		t.Errorf("handlers get a %T", c)
	}
}

func isTCP(c net.Conn) bool { _, ok := c.(*net.TCPConn); return ok }

func TestAHalfClosedClientGetsItsAnswer(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"at once": hello,
		"later": func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(30 * time.Millisecond):
			}
			hello(w, r)
		},
	} {
		c := serve(t, server.Config{Handler: h}).dial()
		_, _ = io.WriteString(c, get)
		_ = c.(*net.TCPConn).CloseWrite()
		if res := answer(t, c); res.StatusCode != 200 {
			t.Error(name, res.Status)
		}
	}
}

func TestAbortedClientsLeaveNothing(t *testing.T) {
	r := serve(t, server.Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})})
	before := runtime.NumGoroutine()
	for i := range 300 {
		c := r.dial().(*net.TCPConn)
		switch i % 3 {
		case 0:
			_, _ = io.WriteString(c, get)
		case 1:
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
		case 2:
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab")
		}
		_ = c.SetLinger(0)
		_ = c.Close()
	}
	until(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before+4 }) // the server's own may begin late
}
