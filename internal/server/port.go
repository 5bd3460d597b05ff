package server

import (
	"crypto/tls"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// port is one open listening socket. Loops come and go on it (see intake), so
// that a reload need not close it.
type port struct {
	Address
	net.Listener
	file os.FileInfo // of the unix socket that we made; nil otherwise
	tls  atomic.Bool
	gone atomic.Bool
}

func newPort(a Address, ln net.Listener) *port {
	p := &port{Address: a, Listener: ln}
	if a.Network == "unix" && !strings.HasPrefix(a.Address, "@") {
		p.file, _ = os.Lstat(a.Address)
	}
	return p
}

// close stops listening. The socket file goes with it unless another process
// has put its own there by now, or keep says that one took ours over.
func (p *port) close(keep bool) {
	if p.gone.Swap(true) {
		return
	}
	if p.file != nil && !keep {
		if now, err := os.Lstat(p.Address.Address); err == nil && os.SameFile(now, p.file) {
			_ = os.Remove(p.Address.Address)
		}
	}
	_ = p.Listener.Close()
}

// wake makes a blocked Accept return.
func (p *port) wake(deadline time.Time) {
	if d, ok := p.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		_ = d.SetDeadline(deadline)
	}
}

// url is what people would open.
func (p *port) url() string {
	scheme, byDefault := "http", "80"
	if p.tls.Load() {
		scheme, byDefault = "https", "443"
	}
	if p.Addr().Network() == "unix" {
		return "unix:" + p.Addr().String()
	}
	host, number, _ := net.SplitHostPort(p.Addr().String())
	if want, _, err := net.SplitHostPort(p.Address.Address); err == nil && want != "" && p.Network == "tcp" {
		host = want
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if number == byDefault {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return scheme + "://" + host
	}
	return scheme + "://" + net.JoinHostPort(host, number)
}

// intake is one loop's view of a port: closing it ends the loop and leaves
// the port open.
type intake struct {
	*port
	loop *loop
	conf *tls.Config
	stop chan struct{}
	once sync.Once
}

// Accept waits for a free place below the loop's bound first, so that clients
// beyond it queue in the kernel.
func (in *intake) Accept() (net.Conn, error) {
	if !in.loop.enter(in.stop) {
		return nil, net.ErrClosed
	}
	c, err := in.port.Accept()
	if err == nil {
		return in.spoken(c), nil
	}
	in.loop.leave()
	if in.stopped() {
		err = net.ErrClosed
	}
	return nil, err
}

func (in *intake) stopped() bool {
	select {
	case <-in.stop:
		return true
	default:
		return false
	}
}

func (in *intake) spoken(c net.Conn) net.Conn {
	limitUnsent(c)
	c = in.loop.paced(c)
	if in.tls.Load() {
		return tls.Server(c, in.conf)
	}
	return c
}

// Close ends the loop that accepts here.
func (in *intake) Close() error {
	in.once.Do(func() {
		close(in.stop)
		in.wake(time.Unix(1, 0))
	})
	return nil
}
