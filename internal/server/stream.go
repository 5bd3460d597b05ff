package server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// streamPiece is how much of an HTTP/2 answer goes out under one measure of
// time: the size of a frame.
const streamPiece = 16 << 10

// serveStream serves a request of HTTP/2. Its client can stop one stream, by
// not opening its window, while the connection moves; so each is timed for
// itself.
func (g *guard) serveStream(w http.ResponseWriter, r *http.Request) {
	s := &stream{ResponseWriter: w, control: http.NewResponseController(w)}
	if g.limits.WriteTimeout > 0 {
		s.write = s.timer(g.limits.WriteTimeout, s.control.SetWriteDeadline)
	}
	if r.Body != nil && r.Body != http.NoBody && g.limits.BodyTimeout > 0 {
		r.Body = &streamBody{r.Body, s.timer(g.limits.BodyTimeout, s.control.SetReadDeadline)}
	}
	defer s.leave()
	g.next.ServeHTTP(s, r)
}

// stream is the response writer of an HTTP/2 request.
type stream struct {
	http.ResponseWriter
	control *http.ResponseController
	write   *stallTimer // nil: no limit

	mu   sync.Mutex
	over bool
}

func (s *stream) timer(limit time.Duration, set func(time.Time) error) *stallTimer {
	return &stallTimer{limit: limit, fire: func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.over { // the library's writer is gone after the handler
			_ = set(time.Unix(1, 0))
		}
	}}
}

func (s *stream) leave() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
}

// Unwrap serves [http.ResponseController].
func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Write hands p on piece by piece, each in its own time.
func (s *stream) Write(p []byte) (n int, err error) {
	for {
		piece := p[n:min(n+streamPiece, len(p))]
		s.write.start()
		k, err := s.ResponseWriter.Write(piece)
		s.write.stop()
		n += k
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// WriteString is Write without a copy for what fits into one piece.
func (s *stream) WriteString(p string) (int, error) {
	if len(p) > streamPiece {
		return s.Write([]byte(p))
	}
	s.write.start()
	defer s.write.stop()
	return io.WriteString(s.ResponseWriter, p)
}

// Flush sends what is buffered.
func (s *stream) Flush() { _ = s.FlushError() }

// FlushError is Flush with its error.
func (s *stream) FlushError() error {
	s.write.start()
	defer s.write.stop()
	return s.control.Flush()
}

// streamBody is the body of an HTTP/2 request.
type streamBody struct {
	io.ReadCloser
	read *stallTimer
}

func (b *streamBody) Read(p []byte) (int, error) {
	b.read.start()
	n, err := b.ReadCloser.Read(p)
	b.read.stop()
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrBodyStalled
	}
	return n, err
}

// stallTimer fires when one operation takes too long. Nil never does. It is
// used by one goroutine at a time.
type stallTimer struct {
	limit time.Duration
	fire  func()
	t     *time.Timer
}

func (t *stallTimer) start() {
	switch {
	case t == nil:
	case t.t == nil:
		t.t = time.AfterFunc(t.limit, t.fire)
	default:
		t.t.Reset(t.limit)
	}
}

func (t *stallTimer) stop() {
	if t != nil {
		t.t.Stop()
	}
}
