package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/mountd/mountd/internal/wire"
)

// bufSize holds the head of nearly every answer together with a small body.
const bufSize = 16 << 10

type buffer [bufSize]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

var (
	errStale    = errors.New("the kept connection had been closed")
	errCanceled = errors.New("the client has left")
	errHeadSize = malformed("the header is larger than %d bytes", maxHead)
	past        = time.Unix(1, 0)
)

// A conn is an HTTP/1.1 connection to an upstream. One exchange owns it at a
// time; only the fields behind mu are looked at by others.
type conn struct {
	net    net.Conn
	origin *origin
	parker           // where the platform has it: waiting without a buffer
	tls    *tls.Conn // net, where it is one, and
	glance *glance   // what is below it

	pooled *buffer // what buf is part of, unless it has grown
	buf    []byte  // nil while nothing is buffered
	r, w   int     // buf[r:w] is unread

	armed   time.Duration // read deadline on the proxy's clock, 0: none
	idleAt  time.Duration // when it was put by
	suspect bool          // look at it before the next use, however soon
	reused  bool

	prev, next *conn // in origin.all

	mu       sync.Mutex
	ctx      context.Context // of the request being served
	left     time.Duration   // when ctx was first seen to have ended
	canceled bool
}

// unwatch ends what watch began.
func (c *conn) unwatch() {
	c.mu.Lock()
	c.ctx, c.left = nil, 0
	c.mu.Unlock()
}

// watch lets the sweeper cancel the exchange when ctx ends.
func (c *conn) watch(ctx context.Context) {
	c.mu.Lock()
	c.ctx, c.left = ctx, 0
	c.mu.Unlock()
}

// cancelIfLeft ends the exchange whose client has been gone for a while.
func (c *conn) cancelIfLeft(now time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil || c.canceled || c.ctx.Err() == nil {
		return
	}
	if c.left == 0 {
		c.left = now
	}
	if now-c.left >= patience || isDeadline(c.ctx) {
		c.canceled = true
		_ = c.net.SetDeadline(past)
	}
}

func (c *conn) wasCanceled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.canceled
}

// interrupt makes every read and write fail from now on.
func (c *conn) interrupt() {
	c.mu.Lock()
	c.canceled = true
	_ = c.net.SetDeadline(past)
	c.mu.Unlock()
}

// setWriteDeadline is net.Conn's, unless the exchange is canceled already.
func (c *conn) setWriteDeadline(t time.Time) {
	c.mu.Lock()
	if !c.canceled {
		_ = c.net.SetWriteDeadline(t)
	}
	c.mu.Unlock()
}

// setReadDeadline is net.Conn's, unless the exchange is canceled already.
func (c *conn) setReadDeadline(t time.Time) {
	c.mu.Lock()
	if !c.canceled {
		_ = c.net.SetReadDeadline(t)
	}
	c.mu.Unlock()
}

// arm makes reads fail once timeout has passed from now. The deadline is set
// with some slack, so that a busy connection moves it rarely.
func (c *conn) arm(now, timeout time.Duration) {
	if timeout <= 0 {
		c.disarm()
		return
	}
	if want := now + timeout; c.armed < want {
		c.armed = want + timeout/8
		c.setReadDeadline(time.Now().Add(c.armed - now))
	}
}

func (c *conn) disarm() {
	if c.armed != 0 {
		c.armed = 0
		c.setReadDeadline(time.Time{})
	}
}

func (c *conn) buffered() []byte { return c.buf[c.r:c.w] }

// free gives the buffer back.
func (c *conn) free() {
	if c.pooled != nil {
		buffers.Put(c.pooled)
	}
	c.pooled, c.buf, c.r, c.w = nil, nil, 0, 0
}

// room makes sure that there is a buffer with space behind w.
func (c *conn) room() {
	switch {
	case c.buf == nil:
		c.pooled = buffers.Get().(*buffer)
		c.buf = c.pooled[:]
	case c.r == c.w:
		c.r, c.w = 0, 0
	case c.w == len(c.buf) && c.r > 0:
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	case c.w == len(c.buf):
		grown := make([]byte, maxHead+bufSize)
		n := copy(grown, c.buf[c.r:c.w])
		c.free()
		c.buf, c.w = grown, n
	}
}

// fill reads more into the buffer, waiting for it.
func (c *conn) fill() error {
	if c.parks() {
		return c.park(nil, false)
	}
	c.room()
	n, err := c.net.Read(c.buf[c.w:])
	return c.filled(n, err)
}

func (c *conn) filled(n int, err error) error {
	if n > 0 {
		c.w += n
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// send writes a request in one piece and waits for the first bytes of the
// answer. probe: an unused connection is looked at first.
func (c *conn) send(p []byte, probe bool) error {
	if c.parks() {
		return c.park(p, probe)
	}
	if probe && !c.alive() {
		return errStale
	}
	if _, err := c.net.Write(p); err != nil {
		return err
	}
	return c.fill()
}

// readHead gives the next block that ends in an empty line. It stays in the
// buffer until the next fill.
func (c *conn) readHead() ([]byte, error) {
	scanned := 0
	for {
		b := c.buffered()
		if err := plausible(b); err != nil {
			return nil, err
		}
		n, err := wire.HeadEnd(b, scanned)
		switch {
		case err != nil:
			return nil, malformed("%w", err)
		case n > maxHead || n == 0 && len(b) >= maxHead:
			return nil, errHeadSize
		case n > 0:
			c.r += n
			return b[:n], nil
		}
		scanned = len(b)
		if err := c.fill(); err != nil {
			if len(b) > 0 {
				err = early(err)
			}
			return nil, err
		}
	}
}

// plausible refuses the beginning of something that is no answer, so that
// nobody waits for its end.
func plausible(b []byte) error {
	const version = "HTTP/1."
	if n := min(len(b), len(version)); string(b[:n]) != version[:n] {
		return malformed("status line %.40q", b)
	}
	return nil
}

// discard closes the connection for good.
func (c *conn) discard() {
	c.unwatch()
	c.free()
	_ = c.net.Close()
	c.origin.forget(c)
}

// isTimeout tells a deadline that has passed.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// gone tells that the other side had closed before it gave anything back.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, errStale) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}
