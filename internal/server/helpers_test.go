package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/server"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

func hello(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") }

// running is a server under test.
type running struct {
	*server.Server
	t      testing.TB
	stop   context.CancelFunc
	result chan error
}

// serve starts a server that is stopped when the test ends.
func serve(t testing.TB, c server.Config) *running {
	t.Helper()
	if len(c.Listen) == 0 {
		c.Listen = []server.Address{{Network: "tcp", Address: "127.0.0.1:0"}}
	}
	if c.Handler == nil {
		c.Handler = http.HandlerFunc(hello)
	}
	s, err := server.Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{Server: s, t: t, stop: stop, result: make(chan error, 1)}
	go func() { r.result <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		_ = s.Close()
		r.ended()
	})
	return r
}

// ended waits for Serve to return.
func (r *running) ended() error {
	r.t.Helper()
	select {
	case err := <-r.result:
		r.result <- err
		return err
	case <-time.After(patience):
		r.t.Fatal("Serve did not return")
		return nil
	}
}

func (r *running) hostport() string {
	_, hp, _ := strings.Cut(r.Addresses()[0], "://")
	return hp
}

// dial opens a raw connection.
func (r *running) dial() net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.hostport())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// send writes raw text and reads one answer.
func send(t testing.TB, c net.Conn, text string) *http.Response {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return answer(t, c)
}

func answer(t testing.TB, c net.Conn) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res
}

// client speaks to the test's server, whatever name is in the URL.
func (r *running) client(protocols func(*http.Protocols)) *http.Client {
	var p http.Protocols
	protocols(&p)
	tr := &http.Transport{
		Protocols:       &p,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", r.hostport())
		},
	}
	r.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

func overHTTP1(p *http.Protocols) { p.SetHTTP1(true) }
func overHTTP2(p *http.Protocols) { p.SetHTTP2(true) }
func overH2C(p *http.Protocols)   { p.SetUnencryptedHTTP2(true) }

// closedByPeer waits until the other side ends the connection.
func closedByPeer(t testing.TB, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, c)
	if err, ok := err.(net.Error); ok && err.Timeout() {
		t.Fatal("the connection is still open")
	}
}

// wait fails the test when nothing comes.
func wait[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// records collects a log.
type records struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *records) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

func (r *records) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// until polls for what another process or goroutine does in its own time.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if ok() {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

func writeFile(t testing.TB, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}
