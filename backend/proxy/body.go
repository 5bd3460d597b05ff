package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mountd/mountd/internal/wire"
)

const (
	maxSmall      = 8 << 10 // bodies up to this length may be sent with the head
	maxMemory     = 1 << 20 // of a buffered body
	maxDrain      = 256 << 10
	lingerTime    = 500 * time.Millisecond
	continueAfter = time.Second // an upstream that says no 100 gets the body all the same
)

// A bodyError is about reading the client's body.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "read request body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// A body is what the request carries: nothing, a few bytes, a buffered whole,
// or a stream.
type body struct {
	frame    framing
	pooled   *buffer
	small    []byte   // the whole body, or what has been read of the stream
	file     *os.File // the whole body, buffered
	stream   bool
	consumed bool // the stream has been read from and cannot be again
}

func (b *body) streams() bool { return b.stream || b.file != nil }

func (b *body) free() {
	if b.pooled != nil {
		buffers.Put(b.pooled)
	}
	if b.file != nil {
		_ = b.file.Close()
	}
	*b = body{}
}

// meansContent reports whether a request with this method should say that it
// has no content (RFC 9110, section 8.6).
func meansContent(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// takeBody finds out what the request carries, and takes in what is to be
// there before the upstream hears of it.
func (e *exchange) takeBody() error {
	r, b := e.r, &e.body
	if r.ProtoMajor > 1 && !soundLength(r) {
		return &requestError{errBadLength}
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		if r.Body != nil && r.ContentLength == 0 {
			if err := e.bodyEnd(); !errors.Is(err, io.EOF) {
				return &bodyError{err}
			}
		}
		b.frame.declare = meansContent(r.Method)
		return nil
	}
	e.upgrade = "" // a body has no place before a tunnel
	b.frame.length = r.ContentLength
	if e.p.cfg.BufferRequest {
		return e.bufferBody()
	}
	b.frame.expect = r.ProtoAtLeast(1, 1) && hasToken(r.Header["Expect"], "100-continue")
	b.stream = true
	if b.frame.expect || r.ContentLength < 0 || r.ContentLength > maxSmall {
		return nil
	}
	// A small body has usually come with the head.
	b.pooled = buffers.Get().(*buffer)
	n, err := r.Body.Read(b.pooled[:r.ContentLength])
	b.small = b.pooled[:n]
	if int64(n) == r.ContentLength {
		b.stream = false
		if err == nil {
			err = e.bodyEnd()
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return &bodyError{err}
		}
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return &bodyError{err}
	}
	return nil
}

// soundLength reports whether r's Content-Length, if any, says what the server
// has understood: net/http takes one of HTTP/2 that it cannot read for 0, and
// the first one for all.
func soundLength(r *http.Request) bool {
	values := r.Header["Content-Length"]
	if values == nil {
		return true
	}
	n, ok := wire.ParseLength(values[0])
	return ok && len(values) == 1 && n == r.ContentLength
}

var errBadLength = errors.New("a Content-Length that is none")

var errLongBody = errors.New("it is longer than its Content-Length")

// bodyEnd gives io.EOF where all of a body of known length has been read. In
// HTTP/2 more may follow, and the request is malformed then (RFC 9113, section
// 8.1.1): the upstream must not have a whole one before that is known.
func (e *exchange) bodyEnd() error {
	if e.r.ProtoMajor < 2 {
		return io.EOF
	}
	var more [1]byte
	for {
		switch n, err := e.r.Body.Read(more[:]); {
		case n > 0:
			return errLongBody
		case err != nil:
			return err
		}
	}
}

// bufferBody takes the whole body in, first to memory and then to a file.
func (e *exchange) bufferBody() error {
	b := &e.body
	limit := int64(maxMemory)
	data, err := io.ReadAll(io.LimitReader(e.r.Body, limit+1))
	if err != nil {
		return &bodyError{err}
	}
	if int64(len(data)) <= limit {
		b.small = data
		return e.bodyBuffered(int64(len(data)))
	}
	f, err := os.CreateTemp("", "mountd-body-*")
	if err != nil {
		return err
	}
	b.file = f
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	n, err := io.Copy(f, readMarker{e.r.Body})
	if err != nil {
		return err
	}
	return e.bodyBuffered(int64(len(data)) + n)
}

func (e *exchange) bodyBuffered(n int64) error {
	if e.r.ContentLength >= 0 && n != e.r.ContentLength {
		return &bodyError{io.ErrUnexpectedEOF}
	}
	e.body.frame.length = n
	e.body.frame.declare = n == 0
	return nil
}

// A readMarker tells read errors from write errors.
type readMarker struct{ r io.Reader }

func (m readMarker) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &bodyError{err}
	}
	return n, err
}

// A sender sends a request's body on a goroutine of its own while the answer is
// awaited: it may come before the body ends.
type sender struct {
	e    *exchange
	c    *conn
	src  io.Reader
	live bool // src is the client, not a file

	gate    chan struct{} // open for sending; nil: is open
	quit    chan struct{} // stop, whatever has been sent
	done    chan struct{}
	opened  sync.Once
	ended   sync.Once
	drain   atomic.Bool // the upstream wants no more of it
	read    atomic.Bool // all of src has been read
	sent    atomic.Bool // and sent
	mu      sync.Mutex
	hasHead bool // the answer has come: no deadline is due any more

	clientErr error // valid once done is closed
}

func (e *exchange) newSender(c *conn) *sender {
	s := &sender{e: e, c: c, quit: make(chan struct{}), done: make(chan struct{})}
	if e.body.file != nil {
		s.src = io.NewSectionReader(e.body.file, 0, e.body.frame.length)
	} else {
		s.src, s.live = e.r.Body, true
		e.body.consumed = true
		_ = http.NewResponseController(e.w).EnableFullDuplex()
	}
	if e.body.frame.expect {
		s.gate = make(chan struct{})
	}
	go s.run()
	return s
}

func (s *sender) run() {
	defer close(s.done)
	if !s.mayBegin() {
		return
	}
	if err := s.copy(); err != nil {
		var be *bodyError
		if errors.As(err, &be) && !s.drain.Load() {
			s.clientErr = be.err
			s.c.interrupt()
		}
		return
	}
	s.sent.Store(true)
	s.mu.Lock()
	if t := s.e.p.cfg.ResponseTimeout; t > 0 && !s.hasHead {
		s.c.setReadDeadline(time.Now().Add(t))
	}
	s.mu.Unlock()
}

// mayBegin waits for the upstream's 100, but not forever.
func (s *sender) mayBegin() bool {
	if s.gate == nil {
		return true
	}
	timer := time.NewTimer(continueAfter)
	defer timer.Stop()
	select {
	case <-s.gate:
	case <-timer.C:
	case <-s.quit:
		return false
	}
	return true
}

// copy sends the whole body, framed.
func (s *sender) copy() error {
	const front, back = 18, 2 // room for a chunk's size line and end
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	chunked := s.e.body.frame.length < 0
	left := s.e.body.frame.length
	n := 0
	if s.live {
		n = copy(buf[front:], s.e.body.small)
	}
	var rerr error
	var armed time.Time
	for {
		if n > 0 {
			if left -= int64(n); !chunked && left < 0 {
				return &bodyError{errLongBody}
			}
			if s.live && !chunked && left == 0 && rerr == nil {
				if rerr = s.e.bodyEnd(); !errors.Is(rerr, io.EOF) {
					return &bodyError{rerr}
				}
			}
			if errors.Is(rerr, io.EOF) || !chunked && left == 0 {
				s.read.Store(true) // before the upstream can answer to it
			}
			if err := s.write(frame(buf, front, n, chunked), &armed); err != nil {
				return s.drainRest(buf, err)
			}
		}
		if errors.Is(rerr, io.EOF) || !chunked && left == 0 {
			break
		}
		if rerr != nil {
			return &bodyError{rerr}
		}
		n, rerr = s.src.Read(buf[front : bufSize-back])
	}
	s.read.Store(true)
	if !chunked {
		if left > 0 {
			return &bodyError{io.ErrUnexpectedEOF}
		}
		return nil
	}
	return s.write([]byte("0\r\n\r\n"), &armed)
}

// frame gives the n bytes of buf from front on, made a chunk if asked.
func frame(buf *buffer, front, n int, chunked bool) []byte {
	if !chunked {
		return buf[front : front+n]
	}
	line := append(strconv.AppendInt(make([]byte, 0, front), int64(n), 16), '\r', '\n')
	start := front - len(line)
	copy(buf[start:], line)
	buf[front+n], buf[front+n+1] = '\r', '\n'
	return buf[start : front+n+2]
}

// write sends p; an upstream that takes nothing for too long is given up.
func (s *sender) write(p []byte, armed *time.Time) error {
	if t := s.e.p.cfg.ResponseTimeout; t > 0 {
		if now := time.Now(); now.Sub(*armed) > t/8 {
			*armed = now
			s.mu.Lock()
			if !s.drain.Load() { // finish has set its own
				s.c.setWriteDeadline(now.Add(t + t/8))
			}
			s.mu.Unlock()
		}
	}
	_, err := s.c.net.Write(p)
	return err
}

// drainRest takes a bounded part of what the client still sends once the
// upstream takes no more, so that the client gets to read an early answer.
func (s *sender) drainRest(buf *buffer, err error) error {
	for total := 0; s.live && total < maxDrain; {
		n, rerr := s.src.Read(buf[:])
		if total += n; rerr != nil {
			s.read.Store(errors.Is(rerr, io.EOF))
			break
		}
	}
	return err
}

// proceed lets the body begin.
func (s *sender) proceed() {
	if s.gate != nil {
		s.opened.Do(func() { close(s.gate) })
	}
}

// answered says that the answer's head has come.
func (s *sender) answered() {
	s.mu.Lock()
	s.hasHead = true
	s.mu.Unlock()
	s.c.setReadDeadline(time.Time{})
	s.c.armed = 0
}

// settle ends the sending after the answer. It reports whether the connection
// is fit for another request.
func (s *sender) settle() bool {
	select {
	case <-s.done:
	default:
		rc := http.NewResponseController(s.e.w)
		wait := past
		if s.e.r.ProtoMajor == 1 && !s.read.Load() {
			_ = rc.Flush()
			wait = time.Now().Add(lingerTime)
		}
		s.finish(rc, wait)
	}
	if !s.sent.Load() {
		return false
	}
	s.c.setWriteDeadline(time.Time{}) // the next request's is another
	return true
}

// abort ends the sending at once.
func (s *sender) abort() {
	select {
	case <-s.done:
	default:
		s.finish(http.NewResponseController(s.e.w), past)
	}
	if s.live && (s.e.woken || !s.read.Load()) && s.e.r.ProtoMajor == 1 && s.e.phase < answerBegun {
		// What is left of the body must not be read as the next request.
		s.e.w.Header().Set("Connection", "close")
	}
}

// finish makes the sender stop and waits for it.
func (s *sender) finish(rc *http.ResponseController, deadline time.Time) {
	s.ended.Do(func() { close(s.quit) })
	s.mu.Lock()
	s.drain.Store(true)
	s.c.setWriteDeadline(past)
	s.mu.Unlock()
	waking := s.live && !s.read.Load()
	if waking {
		s.e.wake(rc, deadline)
	}
	<-s.done
	if waking && s.read.Load() {
		_ = rc.SetReadDeadline(time.Time{})
	}
}
