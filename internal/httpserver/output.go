package httpserver

import (
	"net"
)

// output is what goes to the client next.
type output struct {
	pending []byte // not yet on the wire; within held, unless it has grown
	held    *buffer
	parts   [3][]byte
	vector  net.Buffers
	failed  error // of a write: nobody knows how much the client got
}

// out makes sure that there is a buffer.
func (o *output) out() {
	if o.pending == nil {
		o.held = buffers.Get().(*buffer)
		o.pending = o.held[:0]
	}
}

func (o *output) releaseOutput() {
	if o.held != nil {
		buffers.Put(o.held)
	}
	o.held, o.pending = nil, nil
}

// flush sends what is pending.
func (c *conn) flush() error {
	if c.failed == nil && len(c.pending) > 0 {
		_, c.failed = c.rwc.Write(c.pending)
		c.pending = c.pending[:0]
	}
	return c.failed
}

// recordSize is how much one TLS record can hold.
const recordSize = 16 << 10

// write sends what is pending and then p and tail. After an error, nothing is
// sent any more.
func (c *conn) write(p, tail []byte) error {
	switch {
	case c.failed != nil:
		return c.failed
	case len(c.pending)+len(p)+len(tail) <= bufSize:
		c.pending = append(append(c.pending, p...), tail...)
		return nil
	case c.tls != nil:
		return c.writeRecords(p, tail)
	}
	n := 0
	for _, part := range [...][]byte{c.pending, p, tail} {
		if len(part) > 0 {
			c.parts[n] = part
			n++
		}
	}
	c.vector = c.parts[:n]
	_, c.failed = c.vector.WriteTo(c.rwc)
	c.parts, c.vector = [3][]byte{}, nil
	c.pending = c.pending[:0]
	return c.failed
}

// writeRecords is write over TLS: what belongs together goes into one record,
// since each costs a packet of its own.
func (c *conn) writeRecords(p, tail []byte) error {
	n := min(max(recordSize-len(c.pending), 0), len(p))
	c.pending = append(c.pending, p[:n]...)
	p = p[n:]
	if len(p) == 0 {
		c.pending = append(c.pending, tail...)
		tail = nil
	}
	if err := c.flush(); err != nil {
		return err
	}
	if len(p) > 0 {
		if _, c.failed = c.rwc.Write(p); c.failed != nil {
			return c.failed
		}
	}
	c.pending = append(c.pending, tail...)
	return nil
}
