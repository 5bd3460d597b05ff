package httpserver

import (
	"io"
	"net"
	"sync"
)

// bufSize holds the heads of nearly all requests.
const bufSize = 4 << 10

type buffer [bufSize]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// input is what was read of a connection and not yet used. It has a buffer
// only while there is something in it.
type input struct {
	pooled *buffer // what buf is part of, unless it has grown
	buf    []byte
	r, w   int // buf[r:w] is unread

	one     [1]byte
	readErr error // of the wait that has ended
	eager   bool  // this client sends requests without waiting for answers
}

// buffered gives the unread bytes, nil if there are none.
func (in *input) buffered() []byte {
	if in.r == in.w {
		return nil
	}
	return in.buf[in.r:in.w]
}

// room makes sure that there is a buffer with space behind w.
func (in *input) room() {
	switch {
	case in.buf == nil:
		in.pooled = buffers.Get().(*buffer)
		in.buf = in.pooled[:]
		in.r, in.w = 0, 0
	case in.r == in.w:
		in.r, in.w = 0, 0
	case in.w == len(in.buf) && in.r > 0:
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	case in.w == len(in.buf):
		grown := make([]byte, 4*len(in.buf))
		n := copy(grown, in.buf)
		in.free()
		in.buf, in.w = grown, n
	}
}

// free gives the buffer back.
func (in *input) free() {
	if in.pooled != nil {
		buffers.Put(in.pooled)
	}
	in.pooled, in.buf, in.r, in.w = nil, nil, 0, 0
}

// take moves up to n unread bytes to p.
func (in *input) take(p []byte) int {
	n := copy(p, in.buf[in.r:in.w])
	in.r += n
	return n
}

// fill reads more, waiting for it.
func (c *conn) fill() error {
	c.room()
	n, err := c.rwc.Read(c.buf[c.w:])
	if n > 0 {
		c.w += n
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// await sends what is pending and waits for the first bytes of a request,
// without a buffer where that can be.
func (c *conn) await() error {
	c.free()
	if c.raw != nil {
		return c.park()
	}
	if err := c.flush(); err != nil {
		return err
	}
	c.releaseOutput()
	n, err := c.rwc.Read(c.one[:])
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return err
	}
	c.room()
	c.buf[0], c.w = c.one[0], 1
	return nil
}

// withBuffered is the connection as it was before anything had been read.
func (c *conn) withBuffered() net.Conn {
	rest := append([]byte(nil), c.buffered()...)
	return &prefixed{Conn: c.rwc, rest: rest}
}

// A prefixed connection gives bytes that were read before.
type prefixed struct {
	net.Conn
	rest []byte
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.rest) > 0 {
		n := copy(b, p.rest)
		p.rest = p.rest[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// NetConn gives the connection below.
func (p *prefixed) NetConn() net.Conn { return p.Conn }
