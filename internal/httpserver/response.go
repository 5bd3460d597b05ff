package httpserver

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"
)

// framing is how the end of a body is told, RFC 9112 section 6.3.
type framing uint8

const (
	undecided   framing = iota // a short body is held back for its length
	noBody                     // HEAD, 1xx, 204, 304
	byLength                   // Content-Length
	byChunks                   // chunked
	byConnClose                // HTTP/1.0
)

// A response is the [http.ResponseWriter] of one request.
type response struct {
	e      *exchange
	c      *conn
	header http.Header
	ended  atomic.Bool // the handler has returned

	status    int  // 0: none yet
	committed bool // the head's end is in the connection's output
	hijacked  bool
	closing   bool // the connection ends with this answer
	duplex    bool
	overrun   bool // the handler wrote more than it said
	framing   framing
	declared  int64 // Content-Length by the handler, -1: none
	written   int64
	seen      seen
	held      []byte  // body whose framing is undecided
	holder    *buffer // what held is part of
	trailers  []string

	readDeadline, writeDeadline bool // set by the handler
}

// holdBack is how much of a body without a length waits for its end, to be
// sent with one.
const holdBack = 2 << 10

func (r *response) begin(e *exchange, c *conn) {
	r.e, r.c = e, c
	if r.header == nil {
		r.header = http.Header{}
	}
	r.declared = -1
}

func (r *response) reset() {
	header, trailers := r.header, r.trailers[:0]
	clear(header)
	r.dropHeld() // of HEAD
	r.e, r.c, r.header = nil, nil, header
	r.ended.Store(false)
	r.status, r.committed, r.hijacked, r.closing, r.framing = 0, false, false, false, undecided
	r.declared, r.written, r.seen, r.trailers = -1, 0, seen{}, trailers
	r.readDeadline, r.writeDeadline, r.duplex, r.overrun = false, false, false, false
}

// Header gives the header to be sent.
func (r *response) Header() http.Header { return r.header }

// Recycle promises that nobody uses the request, or anything that came with
// it, after the handler has returned.
func (r *response) Recycle() { r.e.reusable = true }

// WriteHeader fixes the head of the answer. Informational ones are sent at
// once.
func (r *response) WriteHeader(status int) {
	switch {
	case r.ended.Load(), r.hijacked:
		return
	case r.status != 0:
		r.c.srv.cfg.Logger.Debug("superfluous WriteHeader call", "status", status, "sent", r.status)
		return
	case status < 100 || status > 999:
		panic("invalid WriteHeader code " + strconv.Itoa(status))
	case status < 200 && status != http.StatusSwitchingProtocols:
		r.inform(status)
		return
	}
	r.status = status
	r.c.out()
	r.startHead(status)
	switch {
	case status < 200 || status == http.StatusNoContent || status == http.StatusNotModified || r.e.head.Method == http.MethodHead:
		r.framing = noBody
	case r.declared >= 0:
		r.framing = byLength
	case len(r.trailers) > 0 || r.seen.chunked:
		r.framing = r.unbounded()
	}
}

// unbounded is the framing for a body whose length is not known in advance.
func (r *response) unbounded() framing {
	if r.e.head.Minor == 0 {
		return byConnClose
	}
	return byChunks
}

// inform sends an informational answer.
func (r *response) inform(status int) {
	if r.e.head.Minor == 0 || status == http.StatusContinue && !r.e.awaited {
		return // a client of HTTP/1.0 would take it for the answer
	}
	r.c.out()
	if status == http.StatusContinue {
		r.e.body.skipContinue()
	}
	r.appendInformational(status)
	_ = r.c.flush()
}

// Write sends a part of the body.
func (r *response) Write(p []byte) (int, error) {
	switch {
	case r.ended.Load():
		return 0, errEnded
	case r.hijacked:
		return 0, http.ErrHijacked
	case r.status == 0:
		r.WriteHeader(http.StatusOK)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if r.framing == noBody {
		return r.discard(p)
	}
	if r.framing == undecided {
		if len(r.held)+len(p) <= holdBack {
			r.hold(p)
			return len(p), nil
		}
		r.framing = r.unbounded()
	}
	if r.framing == byLength && r.written+int64(len(p)) > r.declared {
		r.overrun = true
		return 0, http.ErrContentLength
	}
	if !r.committed {
		sample := p
		if len(r.held) > 0 {
			sample = r.held
		}
		r.commit(sample)
		if err := r.sendHeld(); err != nil {
			return 0, err
		}
	}
	r.written += int64(len(p))
	if err := r.send(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteString is Write for a string.
func (r *response) WriteString(s string) (int, error) {
	// Write keeps and changes nothing of what it is given.
	return r.Write(unsafe.Slice(unsafe.StringData(s), len(s)))
}

// discard takes a body that the client does not get.
func (r *response) discard(p []byte) (int, error) {
	if r.e.head.Method != http.MethodHead || r.status < 200 || r.status == http.StatusNoContent || r.status == http.StatusNotModified {
		return 0, http.ErrBodyNotAllowed
	}
	if r.declared >= 0 && r.written+int64(len(p)) > r.declared {
		return 0, http.ErrContentLength
	}
	r.written += int64(len(p))
	switch {
	case r.committed:
	case r.written <= holdBack:
		r.hold(p)
	case len(r.held) > 0:
		r.commit(r.held)
	default:
		r.commit(p)
	}
	return len(p), nil
}

func (r *response) hold(p []byte) {
	if r.holder == nil {
		r.holder = buffers.Get().(*buffer)
		r.held = r.holder[:0]
	}
	r.held = append(r.held, p...)
}

func (r *response) dropHeld() {
	if r.holder != nil {
		buffers.Put(r.holder)
		r.holder, r.held = nil, nil
	}
}

// sendHeld sends what was held back.
func (r *response) sendHeld() error {
	if r.holder == nil {
		return nil
	}
	defer r.dropHeld()
	if len(r.held) == 0 || r.framing == noBody {
		return nil
	}
	r.written += int64(len(r.held))
	return r.send(r.held)
}

// send frames p.
func (r *response) send(p []byte) error {
	if r.framing != byChunks {
		return r.c.write(p, nil)
	}
	r.c.pending = append(strconv.AppendInt(r.c.pending, int64(len(p)), 16), "\r\n"...)
	return r.c.write(p, lineEnd)
}

var lineEnd = []byte("\r\n")

// Flush sends what is buffered.
func (r *response) Flush() { _ = r.FlushError() }

// FlushError is Flush with its error.
func (r *response) FlushError() error {
	switch {
	case r.ended.Load():
		return errEnded
	case r.hijacked:
		return http.ErrHijacked
	case r.status == 0:
		r.WriteHeader(http.StatusOK)
	}
	if !r.committed {
		if r.framing == undecided {
			r.framing = r.unbounded()
		}
		r.commit(r.held)
		if err := r.sendHeld(); err != nil {
			return err
		}
	}
	return r.c.flush()
}

// ReadFrom sends src. Files and connections go through the kernel where the
// body's length is known and nothing stands between them and the client.
func (r *response) ReadFrom(src io.Reader) (int64, error) {
	if r.ended.Load() || r.hijacked {
		_, err := r.Write([]byte{0})
		return 0, err
	}
	if r.status == 0 && r.header["Content-Length"] != nil {
		r.WriteHeader(http.StatusOK)
	}
	to, ok := r.c.rwc.(io.ReaderFrom)
	if !ok || r.framing != byLength || !r.committed && !r.seen.typed && !r.seen.encoded || !fromSystem(src) {
		return r.copy(src)
	}
	if !r.committed {
		r.commit(nil)
	}
	left := r.declared - r.written
	part := &io.LimitedReader{R: src, N: left}
	limited, ok := src.(*io.LimitedReader)
	if ok {
		part.R, part.N = limited.R, min(limited.N, left)
	}
	if part.N == 0 {
		return r.copy(src) // which finds its end, or that it is too long
	}
	if err := r.c.flushMore(); err != nil {
		return 0, err
	}
	n, err := to.ReadFrom(part)
	r.written += n
	if ok {
		limited.N -= n
	}
	if err == nil && r.written == r.declared {
		more, err := r.copy(src)
		return n + more, err
	}
	return n, err
}

// copy sends src through a buffer.
func (r *response) copy(src io.Reader) (n int64, err error) {
	buf := copyBuffers.Get().(*copyBuffer)
	defer copyBuffers.Put(buf)
	for {
		k, rerr := src.Read(buf[:])
		if k > 0 {
			w, err := r.Write(buf[:k])
			n += int64(w)
			if err != nil {
				return n, err
			}
		}
		if errors.Is(rerr, io.EOF) {
			return n, nil
		}
		if rerr != nil {
			return n, rerr
		}
	}
}

// Hijack hands the connection over, with what was read ahead of it.
func (r *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	switch {
	case r.ended.Load():
		return nil, nil, errEnded
	case r.hijacked:
		return nil, nil, http.ErrHijacked
	}
	if r.status != 0 {
		if err := r.FlushError(); err != nil {
			return nil, nil, err
		}
	}
	c := r.c
	if !c.enter(phaseGone) {
		return nil, nil, errQuiet
	}
	r.e.body.end()
	r.hijacked = true
	c.srv.remove(c)
	_ = c.rwc.SetDeadline(never)
	in := bufio.NewReader(c.rwc)
	if c.buffered() != nil {
		rest := c.withBuffered().(*prefixed)
		in = bufio.NewReaderSize(rest, max(bufSize, len(rest.rest)))
		_, _ = in.Peek(len(rest.rest))
	}
	c.release()
	c.srv.state(c.rwc, http.StateHijacked)
	return c.rwc, bufio.NewReadWriter(in, bufio.NewWriter(c.rwc)), nil
}

// CloseNotify is what contexts have replaced. Some frameworks still ask for it.
func (r *response) CloseNotify() <-chan bool {
	gone := make(chan bool, 1)
	if !r.ended.Load() {
		r.e.ctx.AfterFunc(func() { gone <- true })
	}
	return gone
}

// SetReadDeadline limits the reading of the body.
func (r *response) SetReadDeadline(t time.Time) error {
	if r.ended.Load() {
		return errEnded
	}
	r.readDeadline = true
	return r.c.rwc.SetReadDeadline(t)
}

// SetWriteDeadline limits the writing of the answer.
func (r *response) SetWriteDeadline(t time.Time) error {
	if r.ended.Load() {
		return errEnded
	}
	r.writeDeadline = true
	return r.c.rwc.SetWriteDeadline(t)
}

// EnableFullDuplex says that the body will be read after the answer has begun.
// That is possible without, but then an answer to a large body that nobody has
// read by its beginning closes the connection.
func (r *response) EnableFullDuplex() error {
	r.duplex = true
	return nil
}

// complete ends the body. False: the answer is shorter than it says, or could
// not be sent.
func (r *response) complete() bool {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	if !r.committed {
		if r.framing == undecided {
			r.framing, r.declared = byLength, int64(len(r.held))
		}
		if r.framing == noBody && r.declared < 0 && r.e.head.Method == http.MethodHead && r.written > 0 {
			r.declared = r.written
		}
		r.commit(r.held)
		if r.sendHeld() != nil {
			return false
		}
	}
	switch r.framing {
	case byLength:
		return r.written == r.declared && !r.overrun && r.c.failed == nil
	case byChunks:
		r.endChunks()
	}
	return r.c.failed == nil
}

// tellsItsEnd reports whether a client can see that the answer is cut.
func (r *response) tellsItsEnd() bool { return !r.committed || r.framing != byConnClose }
