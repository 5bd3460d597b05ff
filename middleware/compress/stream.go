package compress

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// oneShot is the length up to which an answer written in one piece is encoded
// in one piece, too: its encoder is free again before the first byte is sent.
const oneShot = 64 << 10

// What becomes of an answer.
const (
	unset   = iota // no header yet
	waiting        // header said but not sent: more has to be known
	plain          // goes as it is
	encoded        // goes through the encoder
	silent         // encoded, but the request was HEAD
	over           // nothing more is to be written
)

// stream is one answer on its way from the handler to w. Inner layers see
// inner, whose hooks run before the decision, on the plain answer's header.
type stream struct {
	inner     httpwrap.Writer
	w         http.ResponseWriter
	m         *Middleware
	coding    *coding
	noneMatch []string
	head      bool

	state   int
	status  int
	length  int64 // the plain body's, as the handler promised; -1: unknown
	written int64 // of the plain body
	held    []byte
	enc     encoder
}

var streams request.Pool[stream]

func (s *stream) Header() http.Header         { return s.w.Header() }
func (s *stream) Unwrap() http.ResponseWriter { return s.w }

// WriteHeader takes the header, and sends it when it is clear that the body is
// not to be encoded.
func (s *stream) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		s.w.WriteHeader(status)
		return
	}
	switch {
	case s.state == plain:
		s.w.WriteHeader(status)
		return
	case s.state == waiting && status >= 400:
		// The answer failed before any of it was sent: the beginning that is
		// held back must not become a part of the error's answer.
		s.held, s.written = s.held[:0], 0
	case s.state != unset:
		return
	}
	s.status = status
	h := s.w.Header()
	var ok bool
	if s.length, ok = s.m.eligible(status, h); ok && (s.length < 0 || s.length >= int64(s.m.minSize)) && s.typeFits(h) {
		s.state = waiting
		return
	}
	if status == http.StatusNotModified {
		s.notModified(h)
	}
	s.pass()
}

// eligible reports whether an answer with this header might be encoded, as far
// as its type is not concerned, and the length it declares, -1 for none.
func (m *Middleware) eligible(status int, h http.Header) (length int64, ok bool) {
	length = -1
	if status < 200 || status == http.StatusNoContent || status == http.StatusResetContent ||
		status == http.StatusPartialContent || status == http.StatusNotModified {
		return length, false
	}
	if first(h["Content-Encoding"]) != "" || h["Content-Range"] != nil || noTransform(h["Cache-Control"]) {
		return length, false
	}
	if v := h["Content-Length"]; len(v) > 0 {
		n, err := strconv.ParseInt(v[0], 10, 64)
		if err != nil || n <= 0 {
			return length, false
		}
		length = n
	}
	return length, true
}

func first(values []string) string {
	if len(values) > 0 {
		return values[0]
	}
	return ""
}

// typeFits says yes where there is no type, too: it will be sniffed. A
// Content-Type that is set to nothing asks not to.
func (s *stream) typeFits(h http.Header) bool {
	t, set := h["Content-Type"]
	return !set || len(t) > 0 && s.m.types.match(t[0])
}

// notModified gives a 304 the ETag that the encoded answer had. The client
// tells that it has that one.
func (s *stream) notModified(h http.Header) {
	tag := h.Get("Etag")
	if !strings.HasPrefix(tag, `"`) {
		return
	}
	for _, v := range s.noneMatch {
		if i := strings.Index(v, tag); i >= 2 && v[i-2:i] == "W/" {
			h.Set("Etag", "W/"+tag)
			addVary(h)
			return
		}
	}
}

func (s *stream) pass() {
	s.state = plain
	s.w.WriteHeader(s.status)
}

// Write takes a part of the plain body.
func (s *stream) Write(p []byte) (int, error) {
	switch s.state {
	case unset:
		s.WriteHeader(http.StatusOK)
		return s.Write(p)
	case plain:
		return s.w.Write(p)
	case over:
		return 0, http.ErrHandlerTimeout
	}
	if s.length >= 0 && s.written+int64(len(p)) > s.length {
		n, err := s.body(p[:s.length-s.written])
		if err == nil {
			err = http.ErrContentLength
		}
		return n, err
	}
	return s.body(p)
}

func (s *stream) body(p []byte) (n int, err error) {
	s.written += int64(len(p))
	switch s.state {
	case waiting:
		if s.length < 0 && len(s.held)+len(p) < s.m.minSize {
			s.held = append(s.held, p...)
			return len(p), nil
		}
		return s.begin(p)
	case encoded:
		return s.enc.Write(p)
	}
	return len(p), nil // silent
}

// begin decides with the first part of the body at hand, and sends it.
func (s *stream) begin(p []byte) (int, error) {
	h := s.w.Header()
	if _, set := h["Content-Type"]; !set && len(s.held)+len(p) > 0 {
		h.Set("Content-Type", http.DetectContentType(append(s.held, p[:min(len(p), 512)]...)))
	}
	fits := s.typeFits(h) && h["Content-Type"] != nil
	if fits {
		addVary(h)
	}
	switch {
	case !fits || s.head && s.length < 0 && s.written == 0:
		return s.beginPlain(p)
	case s.head:
		s.sendHeader(h, s.coding.name[:1:1])
		s.state = silent
		return len(p), nil
	case s.length == int64(len(p)) && s.length <= oneShot && h["Trailer"] == nil:
		return s.whole(h, p)
	case !s.m.acquire(s.coding.cost):
		return s.beginPlain(p)
	}
	s.sendHeader(h, s.coding.name[:1:1])
	s.state, s.enc = encoded, s.coding.get(s.w)
	if len(s.held) > 0 {
		if _, err := s.enc.Write(s.held); err != nil {
			return 0, err
		}
		s.held = nil
	}
	return s.enc.Write(p)
}

func (s *stream) beginPlain(p []byte) (int, error) {
	s.pass()
	if len(s.held) > 0 {
		if _, err := s.w.Write(s.held); err != nil {
			return 0, err
		}
		s.held = nil
	}
	if len(p) == 0 {
		return 0, nil
	}
	return s.w.Write(p)
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// whole encodes a body that is complete.
func (s *stream) whole(h http.Header, p []byte) (int, error) {
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	enc := s.coding.get(buf)
	if _, err := enc.Write(p); err != nil {
		return 0, err
	}
	if err := enc.Close(); err != nil {
		return 0, err
	}
	s.coding.put(enc)
	h.Del("Content-Length")
	s.sendHeader(h, s.coding.name[:1:1], strconv.Itoa(buf.Len()))
	s.state = silent
	if _, err := s.w.Write(buf.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// sendHeader sends the header of an encoded answer.
func (s *stream) sendHeader(h http.Header, coding []string, length ...string) {
	for _, name := range [...]string{"Content-Length", "Accept-Ranges", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest"} {
		delete(h, name)
	}
	h["Content-Encoding"] = coding
	if len(length) > 0 {
		h["Content-Length"] = length
	}
	if tag := h["Etag"]; len(tag) > 0 && strings.HasPrefix(tag[0], `"`) {
		h["Etag"] = []string{"W/" + tag[0]}
	}
	s.w.WriteHeader(s.status)
}

// ReadFrom copies src; straight to the writer below once nothing is to be
// encoded.
func (s *stream) ReadFrom(src io.Reader) (n int64, err error) {
	if s.state == unset {
		s.WriteHeader(http.StatusOK)
	}
	if s.state == plain {
		return io.Copy(s.w, src)
	}
	buf := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buf)
	for err == nil && s.state != plain {
		var k int
		k, err = src.Read(buf[:])
		if k > 0 {
			k, werr := s.Write(buf[:k])
			n += int64(k)
			if werr != nil {
				return n, werr
			}
		}
	}
	switch err {
	case nil:
		rest, err := io.Copy(s.w, src)
		return n + rest, err
	case io.EOF:
		return n, nil
	}
	return n, err
}

const chunk = 32 << 10

var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

// FlushError sends what there is: the handler wants the client to have it.
func (s *stream) FlushError() error {
	if s.state == unset {
		s.WriteHeader(http.StatusOK)
	}
	if s.state == waiting {
		if _, err := s.begin(nil); err != nil {
			return err
		}
	}
	if s.state == encoded {
		if err := s.enc.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(s.w).Flush()
}

// Flush is FlushError for handlers that ask for an [http.Flusher].
func (s *stream) Flush() { _ = s.FlushError() }

// finish ends the answer of a handler that has returned. One that is shorter
// than promised is cut instead, as the server would have done.
func (s *stream) finish() {
	if s.state == unset && !s.inner.Hijacked() {
		s.inner.WriteHeader(http.StatusOK) // as the server would, but with the hooks
	}
	switch s.state {
	case waiting:
		s.finishShort()
	case encoded:
		if s.length >= 0 && s.written != s.length {
			panic(http.ErrAbortHandler)
		}
		enc := s.enc
		if err := enc.Close(); err != nil {
			panic(http.ErrAbortHandler)
		}
		s.enc = nil
		s.m.memory.Add(-s.coding.cost)
		s.coding.put(enc)
	}
}

// finishShort ends an answer that never got beyond the minimum size, or has no
// body at all: a HEAD, or less than was promised, which the server notices.
func (s *stream) finishShort() {
	h := s.w.Header()
	if s.head && s.length >= 0 && h["Content-Type"] != nil {
		_, _ = s.begin(nil)
		return
	}
	if t := h["Content-Type"]; t != nil {
		addVary(h)
	}
	if _, err := s.beginPlain(nil); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// release is deferred: an encoder in the middle of an answer is dropped.
func (s *stream) release() {
	s.state = over
	if s.enc != nil {
		s.enc = nil
		s.m.memory.Add(-s.coding.cost)
	}
}

func (m *Middleware) acquire(cost int64) bool {
	if m.memory.Add(cost) <= m.max {
		return true
	}
	m.memory.Add(-cost)
	return false
}
