package server

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// pacedConn fails a Write whose peer takes nothing for limit, on connections
// whose progress the kernel does not tell. Deadlines of the connection's user
// come first: while one is set, there is no pace.
type pacedConn struct {
	net.Conn
	limit  time.Duration
	until  atomic.Int64 // the armed deadline in nanoseconds of the wall clock
	theirs atomic.Bool
}

func pace(c net.Conn, limit time.Duration) net.Conn {
	if limit <= 0 {
		return c
	}
	return &pacedConn{Conn: c, limit: limit}
}

// Write goes on after a deadline for as long as something was taken.
func (c *pacedConn) Write(p []byte) (n int, err error) {
	for {
		c.arm()
		var k int
		k, err = c.Conn.Write(p[n:])
		n += k
		if err == nil || k == 0 || c.theirs.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// arm moves the deadline, if a quarter of it has gone by.
func (c *pacedConn) arm() {
	if c.theirs.Load() {
		return
	}
	now := time.Now()
	if time.Duration(c.until.Load()-now.UnixNano()) > c.limit*3/4 {
		return
	}
	end := now.Add(c.limit)
	c.until.Store(end.UnixNano())
	_ = c.Conn.SetWriteDeadline(end)
}

// SetWriteDeadline takes the pace over; the zero time gives it back.
func (c *pacedConn) SetWriteDeadline(t time.Time) error {
	if c.theirs.Swap(!t.IsZero()) || !t.IsZero() {
		c.until.Store(0)
		return c.Conn.SetWriteDeadline(t)
	}
	return nil
}

// SetDeadline is both deadlines.
func (c *pacedConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// CloseWrite tells the peer that nothing more comes.
func (c *pacedConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SyscallConn lets others ask about the descriptor.
func (c *pacedConn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
