package server_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/server"
)

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, text) })
}

func body(t testing.TB, res *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// freePort is one that nothing listens on at the moment.
func freePort(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestReloadKeepsWhatIsEqual(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	kept, removed := tcp(freePort(t)), tcp(freePort(t))
	r := serve(t, server.Config{Listen: []server.Address{kept, removed}, Handler: says("old")})
	c := r.dial()
	if got := body(t, send(t, c, get)); got != "old" {
		t.Error(got)
	}
	if err := r.Reload(server.Config{Listen: []server.Address{unix(path), kept}, Handler: says("new")}); err != nil {
		t.Fatal(err)
	}
	if got := body(t, send(t, c, get)); got != "new" {
		t.Error("the connection that was open:", got)
	}
	if got := body(t, overUnix(t, path)); got != "new" {
		t.Error("the added socket:", got)
	}
	if _, err := net.Dial("tcp", removed.Address); err == nil {
		t.Error("the removed port is open")
	}
	if got := r.Addresses(); got[0] != "unix:"+path || got[1] != "http://"+kept.Address {
		t.Error(got)
	}
	mode := unix(path)
	mode.Mode = 0o600
	if err := r.Reload(server.Config{Listen: []server.Address{mode}}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if got := body(t, overUnix(t, path)); got != "new" {
		t.Error("the handler was not kept:", got)
	}
}

func TestABadReloadChangesNothing(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	old := tcp(freePort(t))
	_, port, _ := net.SplitHostPort(old.Address)
	r := serve(t, server.Config{Listen: []server.Address{old}, Handler: says("old")})
	for name, c := range map[string]server.Config{
		"a busy port":            {Listen: []server.Address{tcp(busy.Addr().String())}},
		"a busy port after ours": {Listen: []server.Address{tcp(":" + port), tcp(busy.Addr().String())}},
		"no certificate":         {Listen: []server.Address{old}, TLS: &server.TLS{Certificates: []server.KeyPair{{CertFile: "no", KeyFile: "no"}}}},
		"no address":             {},
	} {
		c.Handler = says("new")
		if err := r.Reload(c); err == nil {
			t.Error(name, "was taken")
		}
		c := r.dial()
		if got := body(t, send(t, c, get)); got != "old" {
			t.Error(name, got)
		}
	}
}

func TestAPortMayMoveToOtherInterfaces(t *testing.T) {
	old := tcp(freePort(t))
	_, port, _ := net.SplitHostPort(old.Address)
	r := serve(t, server.Config{Listen: []server.Address{old}})
	if err := r.Reload(server.Config{Listen: []server.Address{tcp(":" + port)}, Handler: says("new")}); err != nil {
		t.Fatal(err)
	}
	if got := body(t, send(t, r.dial(), get)); got != "new" {
		t.Error(got)
	}
}

func TestReloadTurnsTLSOnAndOff(t *testing.T) {
	a := tcp(freePort(t))
	r := serve(t, server.Config{Listen: []server.Address{a}})
	for range 3 {
		if err := r.Reload(server.Config{Listen: []server.Address{a}, TLS: &server.TLS{SelfSigned: true}}); err != nil {
			t.Fatal(err)
		}
		r.shown("localhost")
		if err := r.Reload(server.Config{Listen: []server.Address{a}}); err != nil {
			t.Fatal(err)
		}
		if got := send(t, r.dial(), get); got.StatusCode != 200 {
			t.Error(got.Status)
		}
	}
}

func TestNewLimitsHoldForNewConnections(t *testing.T) {
	a := tcp(freePort(t))
	began, goOn := make(chan struct{}, 1), make(chan struct{})
	r := serve(t, server.Config{Listen: []server.Address{a}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-goOn
		hello(w, r)
	})})
	inFlight := r.dial()
	_, _ = io.WriteString(inFlight, get)
	wait(t, "the handler", began)
	idle := r.dial()
	if err := r.Reload(server.Config{Listen: []server.Address{a}, Handler: http.HandlerFunc(hello), HTTP: server.Limits{MaxURL: 5}}); err != nil {
		t.Fatal(err)
	}
	closedByPeer(t, idle)
	if got := send(t, r.dial(), "GET /123456 HTTP/1.1\r\nHost: a\r\n\r\n"); got.StatusCode != 414 {
		t.Error(got.Status)
	}
	close(goOn)
	if got := body(t, answer(t, inFlight)); got != "hello" {
		t.Error(got)
	}
}

func TestManyReloadsRefuseNobody(t *testing.T) {
	a := tcp(freePort(t))
	r := serve(t, server.Config{Listen: []server.Address{a}})
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			c, err := net.Dial("tcp", a.Address)
			if err != nil {
				done <- err
				return
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			_, _ = io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
			text, err := io.ReadAll(c)
			_ = c.Close()
			if !strings.HasSuffix(string(text), "hello") {
				done <- fmt.Errorf("%q, %w", text, err)
				return
			}
		}
	}()
	for range 100 {
		if err := r.Reload(server.Config{Listen: []server.Address{a, tcp("127.0.0.1:0")}}); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := wait(t, "the clients", done); err != nil {
		t.Error(err)
	}
}
