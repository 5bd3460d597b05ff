package server_test

import (
	"io"
	"net"
	"net/http"
	"testing"

	sys "golang.org/x/sys/unix"

	"github.com/mountd/mountd/internal/server"
)

func TestWhatIsUnsentIsLimited(t *testing.T) {
	limit := make(chan int, 1)
	r := serve(t, server.Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			limit <- 0
			return
		}
		defer conn.Close()
		low := conn
		if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok {
			low = wrapped.NetConn()
		}
		raw, err := low.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Error(err)
			limit <- 0
			return
		}
		_ = raw.Control(func(fd uintptr) {
			v, _ := sys.GetsockoptInt(int(fd), sys.IPPROTO_TCP, sys.TCP_NOTSENT_LOWAT)
			limit <- v
		})
	})})
	c := r.dial()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got := <-limit; got != 128<<10 {
		t.Errorf("the limit of an accepted connection is %d", got)
	}
}
