package httpserver

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"

	"github.com/mountd/mountd/internal/wire"
)

// A body is what a client sends after the head. Reading and answering may go
// on at the same time, on two goroutines.
type body struct {
	c       *conn
	trailer *http.Header // gets the trailers; nil: none were announced
	read    atomic.Bool  // up to its end
	broken  atomic.Bool  // its rest will not come

	mu      sync.Mutex
	left    int64 // of a body with a length
	chunked bool
	coding  wire.Chunked
	rest    []byte // decoded and not yet given, within the connection's buffer
	expect  bool   // the client waits for a 100
	closed  bool
	err     error // for good
}

// begin makes it the body of a request.
func (b *body) begin(c *conn, h *wire.Request) {
	b.c = c
	b.chunked = h.Length < 0
	b.left = max(h.Length, 0)
	b.expect = h.Expect != "" && h.Minor > 0 && h.Length != 0
	b.closed, b.err, b.rest = false, nil, nil
	b.broken.Store(false)
	b.coding.Reset()
	b.read.Store(h.Length == 0)
}

// Read gives what has come, waiting for it if there is nothing.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if b.expect {
		b.expect = false
		if err := b.c.proceed(); err != nil {
			return 0, b.fail(err)
		}
	}
	return b.more(p)
}

// Close says that the handler wants no more. What is left is the server's.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// more needs b.mu.
func (b *body) more(p []byte) (int, error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case b.read.Load():
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	case b.chunked:
		return b.decode(p)
	}
	c := b.c
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n := 0
	if c.r < c.w {
		n = c.take(p)
	} else {
		var err error
		if n, err = b.wait(p); err != nil && n == 0 {
			return 0, err
		}
	}
	if b.left -= int64(n); b.left == 0 {
		b.read.Store(true)
		return n, io.EOF
	}
	return n, nil
}

// wait reads from the connection, within the limit of time.
func (b *body) wait(p []byte) (n int, err error) {
	c := b.c
	c.waits++
	wait := c.waits
	c.bodyWait.Store(wait)
	if p != nil {
		n, err = c.rwc.Read(p)
	} else {
		err = c.fill()
	}
	if !c.bodyWait.CompareAndSwap(wait, 0) {
		return n, b.fail(ErrBodyStalled)
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) { // the handler's own deadline
		return n, err
	}
	return n, b.fail(err)
}

// bodyStalled is what bodyWait holds after the sweep has ended the wait.
const bodyStalled = -1

// fail remembers that the rest is lost.
func (b *body) fail(err error) error {
	var syntax *wire.Error
	switch {
	case errors.Is(err, io.EOF):
		err = &bodyError{http.StatusBadRequest, "The request's body ended too early.", "read body: the connection ended before it", io.ErrUnexpectedEOF}
	case errors.As(err, &syntax):
		b.c.srv.refuse(b.c.remote, syntax)
		err = &bodyError{syntax.Status, "The request's body is malformed.", "read body: " + syntax.Error(), syntax}
	}
	b.err = err
	b.broken.Store(true)
	return err
}

// decode gives chunks.
func (b *body) decode(p []byte) (int, error) {
	c := b.c
	for n := 0; ; {
		if len(b.rest) > 0 {
			k := copy(p[n:], b.rest)
			b.rest = b.rest[k:]
			if n += k; n == len(p) || len(b.rest) > 0 {
				return n, nil
			}
		}
		data, used, err := b.coding.Next(c.buf[c.r:c.w])
		c.r += used
		b.rest = data
		switch {
		case err == io.EOF: //nolint:errorlint // a documented value
			b.keepTrailers()
			b.read.Store(true)
			return n, io.EOF
		case err != nil:
			return n, b.fail(err)
		case used > 0:
			continue
		case n > 0:
			return n, nil
		}
		if _, err := b.wait(nil); err != nil {
			return 0, err
		}
	}
}

func (b *body) keepTrailers() {
	fields := b.coding.Trailer()
	if len(fields) == 0 || b.trailer == nil {
		return
	}
	if *b.trailer == nil {
		*b.trailer = make(http.Header, len(fields))
	}
	for _, f := range fields {
		(*b.trailer)[f.Name] = append((*b.trailer)[f.Name], f.Value)
	}
}

// maxDrain is how much of a body that the handler did not want is read, so
// that the connection can serve another request.
const maxDrain = 256 << 10

// unwanted reports whether what is left of the body is too much to be read.
func (b *body) unwanted(duplex bool) bool {
	if b.read.Load() || !b.mu.TryLock() { // somebody reads
		return false
	}
	defer b.mu.Unlock()
	return b.err != nil || !duplex && (b.expect || b.left > maxDrain)
}

// skipContinue says that the client has been answered.
func (b *body) skipContinue() {
	if b.mu.TryLock() { // or somebody reads, who has answered it
		b.expect = false
		b.mu.Unlock()
	}
}

// end takes the body from the handler. It reports whether the connection
// stands at the beginning of another request.
func (b *body) end() bool {
	if !b.mu.TryLock() { // a goroutine of the handler's reads on
		_ = b.c.rwc.SetReadDeadline(past)
		b.mu.Lock()
		_ = b.c.rwc.SetReadDeadline(never)
	}
	defer b.mu.Unlock()
	b.closed = true
	return b.read.Load()
}

// drain reads the rest, for a while.
func (b *body) drain() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.expect || b.err != nil || !b.c.enter(phaseLinger) {
		return false
	}
	scratch := buffers.Get().(*buffer)
	defer buffers.Put(scratch)
	for total := 0; total <= maxDrain; {
		n, err := b.more(scratch[:])
		total += n
		if err != nil {
			return errors.Is(err, io.EOF) && b.read.Load()
		}
	}
	return false
}

// proceed tells a client that waits for it to send its body, RFC 9110 section
// 10.1.1, unless it has been answered already.
func (c *conn) proceed() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.answered {
		return nil
	}
	_, err := c.rwc.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	return err
}
