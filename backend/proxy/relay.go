package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"

	"github.com/mountd/mountd/internal/wire"
)

// spliceFrom is the size from which the kernel moves a body by itself, where
// it can.
const spliceFrom = 64 << 10

// singleton tells the fields that an answer has once: the upstream's replace
// what an outer layer has set. Others are added.
func singleton(name string) bool {
	switch name {
	case "Content-Type", "Content-Length", "Content-Encoding", "Date", "Etag", "Last-Modified", "Location", "Server":
		return true
	}
	return false
}

// copyFields puts the answer's fields into hdr. length is the Content-Length to
// declare, if any.
func (e *exchange) copyFields(hdr http.Header, length string) {
	fields := e.head.Fields
	values := make([]string, len(fields)+1)
	for i, f := range fields {
		if f.Name == "Trailer" {
			if f.Value = announced(f.Value); f.Value == "" {
				continue
			}
		}
		values[i] = f.Value
		old, ok := hdr[f.Name]
		if !ok || singleton(f.Name) && !e.repeats(i) {
			hdr[f.Name] = values[i : i+1 : i+1]
			continue
		}
		hdr[f.Name] = append(old, f.Value)
	}
	if length != "" {
		values[len(fields)] = length
		hdr["Content-Length"] = values[len(fields):]
	}
	if _, ok := hdr["Content-Type"]; !ok {
		hdr["Content-Type"] = nil // or net/http would guess one
	}
}

// repeats reports whether an earlier field has the name of field i.
func (e *exchange) repeats(i int) bool {
	for _, f := range e.head.Fields[:i] {
		if f.Name == e.head.Fields[i].Name {
			return true
		}
	}
	return false
}

// announced leaves those names of a Trailer field that may follow a body.
func announced(value string) string {
	var kept []string
	for name := range strings.SplitSeq(value, ",") {
		name = wire.Trim(name)
		if wire.IsToken(name) && wire.TrailerAllowed(http.CanonicalHeaderKey(name)) {
			kept = append(kept, name)
		}
	}
	return strings.Join(kept, ", ")
}

// begin sends the head of the answer.
func (e *exchange) beginAnswer(s *sender, length string) {
	hdr := e.w.Header()
	e.copyFields(hdr, length)
	if s != nil && s.live && !s.read.Load() && e.r.ProtoMajor == 1 {
		// The client's connection is of no use once the answer has come before
		// the request's end.
		hdr["Connection"] = []string{"close"}
	}
	e.phase = answerBegun
	e.w.WriteHeader(e.head.Status)
}

// relay passes the answer on whose head has been read from c. It returns when
// the answer is complete and panics when it cannot be completed.
func (e *exchange) relay(c *conn, s *sender) {
	h := &e.head
	switch {
	case wire.Bodyless(e.r.Method, h.Status):
		e.relayNothing(c, s)
	case h.Length >= 0:
		e.relayLength(c, s)
	case h.Length == wire.LengthChunked:
		e.beginAnswer(s, "")
		cr := &chunkReader{c: c, wait: e.beforeWait(c, s)}
		c.disarmUnless(s)
		e.relayPieces(c, s, cr)
		e.sendTrailers(cr.Trailer())
		e.finish(c, s, c.r == c.w)
	default:
		e.beginAnswer(s, "")
		c.disarmUnless(s)
		e.relayPieces(c, s, &untilClose{c: c, wait: e.beforeWait(c, s)})
		e.finish(c, s, false)
	}
}

// disarmUnless takes the deadline for the head off. A sender has done so.
func (c *conn) disarmUnless(s *sender) {
	if s == nil {
		c.disarm()
	}
}

// finish puts the connection by, or closes it.
func (e *exchange) finish(c *conn, s *sender, clean bool) {
	if s != nil && !s.settle() {
		clean = false
	}
	if !clean || e.head.Close {
		c.discard()
		return
	}
	c.free()
	c.origin.putIdle(c, e.p.now())
}

func (e *exchange) relayNothing(c *conn, s *sender) {
	h := &e.head
	length := h.Digits
	clean := c.r == c.w
	if h.Status == http.StatusNoContent {
		length = ""
		clean = clean && !h.Chunked && h.Declared <= 0
	}
	c.suspect = true // a body that should not be may still come
	if s == nil {
		e.finish(c, nil, clean)
		e.beginAnswer(nil, length)
		return
	}
	e.beginAnswer(s, length)
	e.finish(c, s, clean)
}

// relayLength passes a body of known length on.
func (e *exchange) relayLength(c *conn, s *sender) {
	h := &e.head
	have := c.buffered()
	if int64(len(have)) >= h.Length {
		e.relayWhole(c, s, have)
		return
	}
	e.beginAnswer(s, h.Digits)
	c.disarmUnless(s)
	left := h.Length
	streaming := e.p.flush == flushAlways || e.p.flush == flushAuto && e.isEvents()
	for {
		if p := c.buffered(); len(p) > 0 {
			if int64(len(p)) > left {
				p = p[:left]
			}
			e.write(c, s, p)
			c.r += len(p)
			if left -= int64(len(p)); left == 0 {
				break
			}
		}
		if streaming {
			e.flushNow(c, s)
		} else if left >= spliceFrom && c.tls == nil && e.splice(c, s, left) {
			break
		}
		if err := c.fill(); err != nil {
			e.cut(c, s, early(err))
		}
	}
	e.finish(c, s, c.r == c.w)
}

// relayWhole passes on a body that is already here: the connection is free for
// others before the client has taken it.
func (e *exchange) relayWhole(c *conn, s *sender, have []byte) {
	h := &e.head
	p := have[:h.Length]
	clean := len(p) == len(have)
	if s != nil {
		e.beginAnswer(s, h.Digits)
		e.write(c, s, p)
		e.finish(c, s, clean)
		return
	}
	pooled := c.pooled
	c.pooled = nil
	c.free()
	e.finish(c, nil, clean)
	if pooled != nil {
		defer buffers.Put(pooled)
	}
	e.beginAnswer(nil, h.Digits)
	if len(p) > 0 {
		if _, err := e.w.Write(p); err != nil {
			e.clientLeft(err)
		}
	}
}

// splice has the writer below fetch the rest of the body itself. It reports
// whether it could.
func (e *exchange) splice(c *conn, s *sender, left int64) bool {
	rf, ok := e.w.(io.ReaderFrom)
	if !ok {
		return false
	}
	c.free()
	src := &io.LimitedReader{R: c.net, N: left}
	n, err := rf.ReadFrom(src)
	switch {
	case errors.Is(err, syscall.EPIPE): // only writing has that
		e.drop(c, s)
		e.clientLeft(err)
	case err != nil:
		e.cut(c, s, err)
	case n < left:
		e.cut(c, s, io.ErrUnexpectedEOF)
	}
	return true
}

// pieces is a body of unknown length.
type pieces interface{ next() ([]byte, error) }

// relayPieces passes a body of unknown length on.
func (e *exchange) relayPieces(c *conn, s *sender, body pieces) {
	for {
		p, err := body.next()
		if len(p) > 0 {
			e.write(c, s, p)
			if e.p.flush == flushAlways {
				e.flushNow(c, s)
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			e.cut(c, s, err)
		}
	}
}

// beforeWait gives what is to be done before the upstream is waited for: what
// has come so far goes out, the header first.
func (e *exchange) beforeWait(c *conn, s *sender) func() {
	if e.p.flush == flushNever {
		return nil
	}
	return func() { e.flushNow(c, s) }
}

func (e *exchange) flushNow(c *conn, s *sender) {
	var err error
	switch f := e.w.(type) {
	case interface{ FlushError() error }:
		err = f.FlushError()
	case http.Flusher:
		f.Flush()
	default:
		err = http.NewResponseController(e.w).Flush()
	}
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		e.drop(c, s)
		e.clientLeft(err)
	}
}

// write sends a part of the body to the client.
func (e *exchange) write(c *conn, s *sender, p []byte) {
	if _, err := e.w.Write(p); err != nil {
		e.drop(c, s)
		e.clientLeft(err)
	}
}

// untilClose is a body that ends with its connection.
type untilClose struct {
	c    *conn
	wait func()
}

func (u *untilClose) next() ([]byte, error) {
	if u.c.r == u.c.w {
		if u.wait != nil {
			u.wait()
		}
		if err := u.c.fill(); err != nil {
			return nil, err
		}
	}
	p := u.c.buffered()
	u.c.r = u.c.w
	return p, nil
}

func early(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (e *exchange) isEvents() bool {
	for _, f := range e.head.Fields {
		if f.Name == "Content-Type" {
			return strings.HasPrefix(f.Value, "text/event-stream")
		}
	}
	return false
}

// sendTrailers passes trailers on: announced ones under their name, the others
// in the way net/http has for them.
func (e *exchange) sendTrailers(trailer []wire.Field) {
	if len(trailer) == 0 {
		return
	}
	hdr := e.w.Header()
	declared := hdr["Trailer"]
	for _, f := range trailer {
		name := f.Name
		if !hasToken(declared, name) {
			name = http.TrailerPrefix + name
		}
		hdr[name] = append(hdr[name], f.Value)
	}
}

// drop ends the exchange with the upstream before its time.
func (e *exchange) drop(c *conn, s *sender) {
	if s != nil {
		s.abort()
	}
	if c != nil {
		c.discard()
	}
}

// cut ends an answer that cannot be completed so that the client can tell.
func (e *exchange) cut(c *conn, s *sender, err error) {
	e.drop(c, s)
	if e.ended() != nil {
		e.clientLeft(err)
	}
	if s != nil && s.clientErr != nil {
		err = &bodyError{s.clientErr}
	} else {
		e.up.failed(err)
	}
	if e.rec != nil && e.rec.Cause == nil {
		e.rec.Cause = err
	}
	e.p.cfg.Logger.Warn("answer cut short", "mount", e.p.cfg.Name, "upstream", e.up.target.url,
		"method", e.r.Method, "path", e.r.URL.Path, "error", err)
	panic(http.ErrAbortHandler)
}

// clientLeft ends an answer that nobody is there to take.
func (e *exchange) clientLeft(err error) {
	if e.rec != nil && e.rec.Cause == nil {
		e.rec.Cause = errors.Join(errCanceled, context.Cause(e.r.Context()), err)
	}
	panic(http.ErrAbortHandler)
}
