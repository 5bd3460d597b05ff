//go:build unix

package httpserver

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// parks reports that waiting costs no buffer here.
func (c *conn) parks() bool { return true }

// park writes what is pending and waits, within one wait of the runtime's
// poller: an answer is followed by a request that is not there yet, so that a
// read before the wait would find nothing. The wait is prepared before the
// answer goes out, so that the request that follows it is not missed. One that
// came before, from a client that does not wait for answers, may be: the sweep
// sees to that, once, and then the connection always looks before it waits.
func (c *conn) park() error {
	blind := len(c.pending) > 0 && !c.eager
	c.readErr = nil
	c.blind.Store(blind)
	err := c.raw.Read(c.step)
	nudged := blind && !c.blind.CompareAndSwap(true, false)
	if nudged {
		c.mu.Lock() // the deadline has been set
		_ = c.rwc.SetReadDeadline(never)
		c.mu.Unlock()
	}
	if err != nil && len(c.pending) > 0 { // the wait has not begun
		if ferr := c.flush(); ferr != nil {
			return ferr
		}
	}
	if nudged && c.phase() == phaseGone {
		return errQuiet
	}
	switch {
	case c.w > 0:
		return nil
	case c.readErr != nil:
		return c.readErr
	case nudged:
		c.eager = c.hasUnread()
		return errSettled
	}
	return err
}

// move is what the poller calls: at once, and then whenever there is something
// to read. It reports whether the wait is over.
func (c *conn) move(fd uintptr) bool {
	if len(c.pending) > 0 {
		if c.readErr = c.writePending(int(fd)); c.readErr != nil {
			return true
		}
		c.releaseOutput()
		if !c.eager {
			return false
		}
	}
	c.room()
	n, err := ignoringEINTR(func() (int, error) { return syscall.Read(int(fd), c.buf) })
	switch {
	case errors.Is(err, syscall.EAGAIN):
		c.free()
		return false
	case err != nil:
		c.readErr = os.NewSyscallError("read", err)
	case n == 0:
		c.readErr = io.EOF
	default:
		c.w = n
		return true
	}
	c.free()
	return true
}

// writePending writes what the socket takes at once, and the rest as usual.
func (c *conn) writePending(fd int) error {
	n, err := ignoringEINTR(func() (int, error) { return syscall.Write(fd, c.pending) })
	if err != nil && !errors.Is(err, syscall.EAGAIN) {
		return os.NewSyscallError("write", err)
	}
	if n = max(n, 0); n < len(c.pending) {
		_, err = c.rwc.Write(c.pending[n:])
	} else {
		err = nil
	}
	c.pending = c.pending[:0]
	return err
}

func ignoringEINTR(f func() (int, error)) (int, error) {
	for {
		if n, err := f(); !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// low is the connection that bytes come from.
func (c *conn) low() syscall.RawConn {
	if c.tls == nil {
		return c.raw
	}
	if sc, ok := c.tls.NetConn().(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// hasUnread looks whether the client has sent something that nobody has read.
func (c *conn) hasUnread() bool {
	raw := c.low()
	if raw == nil {
		return false
	}
	unread := false
	_ = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		unread = err == nil && n > 0
	})
	return unread
}

// clientLeft looks whether the client has closed the connection, or, if
// nothing more is expected of it, its half of it.
func (c *conn) clientLeft(nothingMore bool) bool {
	raw := c.low()
	if raw == nil {
		return false
	}
	left := false
	err := raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: pollHalfClosed}}
		if n, err := unix.Poll(p, 0); err != nil || n == 0 {
			return
		}
		left = p[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0 || nothingMore && p[0].Revents&pollHalfClosed != 0
	})
	return err != nil || left
}
