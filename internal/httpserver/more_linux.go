package httpserver

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// flushMore sends what is pending and says that more follows at once, so that
// both share packets.
func (c *conn) flushMore() error {
	if c.raw == nil || c.failed != nil || len(c.pending) == 0 {
		return c.flush()
	}
	var serr error
	p := c.pending
	err := c.raw.Write(func(fd uintptr) bool {
		for len(p) > 0 {
			n, err := ignoringEINTR(func() (int, error) { return unix.SendmsgN(int(fd), p, nil, nil, unix.MSG_MORE) })
			if errors.Is(err, unix.EAGAIN) {
				return false
			}
			if err != nil {
				serr = os.NewSyscallError("sendmsg", err)
				return true
			}
			p = p[n:]
		}
		return true
	})
	c.pending = c.pending[:0]
	c.failed = errors.Join(err, serr)
	return c.failed
}
