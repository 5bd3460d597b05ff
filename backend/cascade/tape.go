package cascade

import (
	"io"
	"net/http"
	"sync"
)

// A tape keeps what was read of a request's body, so that it can be read from
// the start once more. An app may leave a goroutine behind that still reads
// (net/http's Transport does): what such a one gets is on the tape as well.
type tape struct {
	src io.ReadCloser
	max int64

	mu      sync.Mutex
	idle    sync.Cond // no read of src goes on
	reading bool
	buf     []byte
	long    bool // more than max was read; buf is gone
	final   bool // nobody comes after the current side
	err     error
}

func newTape(src io.ReadCloser, limit int64) *tape {
	t := &tape{src: src, max: limit}
	t.idle.L = &t.mu
	return t
}

// lost reports whether the start of the body can no longer be read.
func (t *tape) lost() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.long
}

// play gives the body from its start. After final nothing more is kept.
func (t *tape) play(final bool) *side {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.final = final
	return &side{t: t}
}

// A side is the body as one app reads it.
type side struct {
	t       *tape
	pos     int
	stopped bool
}

// Read gives what is on the tape, then what src has.
func (s *side) Read(p []byte) (int, error) {
	t := s.t
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		switch {
		case s.stopped:
			return 0, http.ErrBodyReadAfterClose
		case s.pos < len(t.buf):
			n := copy(p, t.buf[s.pos:])
			s.pos += n
			return n, nil
		case t.err != nil:
			return 0, t.err
		case t.reading:
			t.idle.Wait()
		case len(p) == 0:
			return 0, nil
		default:
			return s.read(p)
		}
	}
}

// read reads src, unlocked meanwhile. The lock is held before and after.
func (s *side) read(p []byte) (int, error) {
	t := s.t
	t.reading = true
	t.mu.Unlock()
	n, err := t.src.Read(p)
	t.mu.Lock()
	t.reading = false
	t.err = err
	t.keep(p[:n], s)
	t.idle.Broadcast()
	return n, err
}

// keep puts what s has read on the tape.
func (t *tape) keep(p []byte, s *side) {
	switch {
	case t.long || t.final && !s.stopped:
	case int64(len(t.buf)+len(p)) > t.max:
		t.long, t.buf = true, nil
		s.pos = 0
		if s.stopped { // the next side has begun already
			t.err = &http.MaxBytesError{Limit: t.max}
		}
	default:
		t.buf = append(t.buf, p...)
		s.pos = len(t.buf)
	}
}

// Close ends this app's reading. The body itself is the server's to close.
func (s *side) Close() error {
	s.stop()
	return nil
}

func (s *side) stop() {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	s.stopped = true
}
