//go:build unix

package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// A parker does a connection's plain reads and writes within one wait of the
// runtime's poller. That saves the read that would only find out that there is
// nothing yet, and holds no buffer while waiting.
type parker struct {
	raw   syscall.RawConn
	step  func(fd uintptr) bool
	out   []byte // to be written first
	probe bool   // look for bytes or an end first
	first bool
	n     int
	err   error
}

func (c *conn) parks() bool { return c.raw != nil }

// startParking is called once, for a connection without TLS.
func (c *conn) startParking() {
	sc, ok := c.net.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	c.raw, c.step = raw, c.move
}

// park writes p, if any, and then reads into the buffer as soon as there is
// something to read.
func (c *conn) park(p []byte, probe bool) error {
	c.out, c.probe, c.first, c.n, c.err = p, probe, true, 0, nil
	err := c.raw.Read(c.step)
	c.out = nil
	if err != nil {
		return err
	}
	return c.filled(c.n, c.err)
}

// move is what the poller calls: at once, and then whenever the connection has
// become readable. It reports whether the wait is over. The wait was prepared
// before the first call, so an answer that comes right after the write is not
// missed.
func (c *conn) move(fd uintptr) bool {
	if c.first {
		c.first = false
		if c.probe && !silent(int(fd)) {
			c.err = errStale
			return true
		}
		if c.out != nil {
			c.err = c.writeOut(int(fd))
			return c.err != nil
		}
	}
	c.room()
	n, err := retry(func() (int, error) { return syscall.Read(int(fd), c.buf[c.w:]) })
	switch {
	case errors.Is(err, syscall.EAGAIN):
		if c.w == 0 {
			c.free()
		}
		return false
	case err != nil:
		c.err = os.NewSyscallError("read", err)
	case n == 0:
		c.err = io.EOF
	default:
		c.n = n
	}
	return true
}

// writeOut writes what the socket takes at once, and the rest as usual.
func (c *conn) writeOut(fd int) error {
	n, err := retry(func() (int, error) { return syscall.Write(fd, c.out) })
	if err != nil && !errors.Is(err, syscall.EAGAIN) {
		return os.NewSyscallError("write", err)
	}
	if n = max(n, 0); n < len(c.out) {
		_, err = c.net.Write(c.out[n:])
		return err
	}
	return nil
}

// alive looks at an unused connection without waiting.
func (c *conn) alive() bool {
	if c.tls != nil {
		return c.tlsSilent()
	}
	ok := true
	err := c.raw.Control(func(fd uintptr) { ok = silent(int(fd)) })
	return err == nil && ok
}

// tlsSilent is silent below TLS: records that are none of ours, such as session
// tickets, are taken in and do not count.
func (c *conn) tlsSilent() bool {
	var b [1]byte
	c.glance.now = true
	_, err := c.tls.Read(b[:])
	c.glance.now = false
	return isTimeout(err)
}

// A glance is a connection below TLS whose reads can be made not to wait.
type glance struct {
	net.Conn
	raw syscall.RawConn
	now bool
}

func newGlance(nc net.Conn) *glance {
	g := &glance{Conn: nc}
	if sc, ok := nc.(syscall.Conn); ok {
		g.raw, _ = sc.SyscallConn()
	}
	return g
}

func (g *glance) Read(p []byte) (n int, err error) {
	if !g.now || g.raw == nil {
		return g.Conn.Read(p)
	}
	cerr := g.raw.Control(func(fd uintptr) {
		n, err = retry(func() (int, error) { return syscall.Read(int(fd), p) })
	})
	switch {
	case cerr != nil:
		return 0, cerr
	case errors.Is(err, syscall.EAGAIN):
		return 0, os.ErrDeadlineExceeded
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// silent reports whether an idle connection is open and has said nothing:
// bytes nobody asked for make it as useless as its end.
func silent(fd int) bool {
	var b [1]byte
	_, err := retry(func() (int, error) { return syscall.Read(fd, b[:]) })
	return errors.Is(err, syscall.EAGAIN)
}

func retry(f func() (int, error)) (int, error) {
	for {
		if n, err := f(); !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}
