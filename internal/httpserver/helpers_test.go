package httpserver_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/httpserver"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

// A kind is one of the servers that are compared.
type kind struct {
	name string
	make func(testing.TB, httpserver.Config) served
}

type served interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

var (
	theirs = kind{"net-http", func(_ testing.TB, c httpserver.Config) served {
		var speaks http.Protocols
		speaks.SetHTTP1(true)
		s := &http.Server{
			Handler: c.Handler, ReadHeaderTimeout: c.HeaderTimeout, IdleTimeout: c.IdleTimeout, MaxHeaderBytes: c.MaxHeader,
			ConnState: c.ConnState, ErrorLog: log.New(io.Discard, "", 0), Protocols: &speaks,
			DisableGeneralOptionsHandler: true, // what is asked of the server itself is its handler's business here
			ConnContext:                  c.ConnContext,
		}
		if c.BaseContext != nil {
			s.BaseContext = func(net.Listener) context.Context { return c.BaseContext }
		}
		return s
	}}
	ours = kind{"ours", func(t testing.TB, c httpserver.Config) served {
		s, err := httpserver.New(c)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}}
)

// each runs a test against both servers.
func each(t *testing.T, f func(t *testing.T, k kind)) {
	t.Helper()
	for _, k := range []kind{theirs, ours} {
		t.Run(k.name, func(t *testing.T) { f(t, k) })
	}
}

// running is a server under test.
type running struct {
	served
	t      testing.TB
	ln     net.Listener
	tls    bool
	result chan error
}

// transports are the networks that a server is tried on.
var transports = []string{"tcp", "unix", "tls"}

// serve starts a server that is stopped when the test ends.
func (k kind) serve(t testing.TB, c httpserver.Config) *running {
	t.Helper()
	return k.serveOn(t, "tcp", c)
}

func (k kind) serveOn(t testing.TB, transport string, c httpserver.Config) *running {
	t.Helper()
	network, address := "tcp", "127.0.0.1:0"
	if transport == "unix" {
		network, address = "unix", filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, served: k.make(t, c), ln: ln, result: make(chan error, 1), tls: transport == "tls"}
	var taken net.Listener = ln
	if r.tls {
		taken = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{certificate()}, NextProtos: []string{"http/1.1"}})
	}
	go func() { r.result <- r.Serve(taken) }()
	t.Cleanup(func() {
		// Serve may not have begun yet: then it closes nothing.
		_ = r.Close()
		_ = ln.Close()
		if err := r.ended(); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return r
}

// serving starts a server with this handler alone.
func (k kind) serving(t testing.TB, h http.HandlerFunc) *running {
	t.Helper()
	return k.serve(t, httpserver.Config{Handler: h})
}

// ended waits for Serve to return.
func (r *running) ended() error {
	r.t.Helper()
	err := wait(r.t, "Serve to return", r.result)
	r.result <- err
	return err
}

// dial opens a connection that ends with the test.
func (r *running) dial() *client {
	r.t.Helper()
	c, err := net.Dial(r.ln.Addr().Network(), r.ln.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	if r.tls {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	k := newClient(r.t, c)
	r.t.Cleanup(func() { _ = k.Close() })
	return k
}

var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a"}, DNSNames: []string{"a"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

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

// until polls for what another goroutine does in its own time.
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

// settled waits for the number of goroutines to come back to what it was.
func settled(t testing.TB, before int) {
	t.Helper()
	until(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func past() time.Time { return time.Unix(1, 0) }
