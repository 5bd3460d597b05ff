package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/internal/wire"
)

var errConnect = errors.New("CONNECT is not for gateways")

// How far an attempt has come.
const (
	nothingSent = iota
	requestSent
	answerSeen  // the upstream has said something
	answerBegun // and the client has got a part of it
)

// An exchange is one request on its way. It is pooled with its buffers.
type exchange struct {
	p       *Proxy
	w       http.ResponseWriter
	r       *http.Request
	rec     *request.Record
	upgrade string
	body    body
	head    head
	out     []byte
	phase   int
	up      *upstream

	woken bool  // reading the request's body was interrupted
	left  error // of the request's context, before that
}

var exchanges = sync.Pool{New: func() any { return &exchange{out: make([]byte, 0, 2<<10)} }}

func (e *exchange) begin(p *Proxy, w http.ResponseWriter, r *http.Request) {
	e.p, e.w, e.r = p, w, r
	e.rec = request.From(r.Context())
	if r.Header["Upgrade"] != nil {
		e.upgrade = upgradeOf(r)
	}
}

// end gives everything back, after a panic too.
func (e *exchange) end() {
	p := e.p
	e.body.free()
	clear(e.head.Fields)
	fields, out := e.head.Fields[:0], e.out[:0]
	if cap(out) > bufSize {
		out = nil
	}
	*e = exchange{out: out, head: head{wire.Response{Fields: fields}}}
	exchanges.Put(e)
	p.active.Add(-1)
}

// serve tries upstreams until one has answered.
func (e *exchange) serve() error {
	var tried []*upstream
	var last error
	for attempt := 0; ; attempt++ {
		u, err := e.p.reserve(e.r.Context(), e.r, tried)
		if err != nil {
			if last != nil {
				err = last
			}
			return err
		}
		if err = e.try(u); err == nil {
			return nil
		}
		if attempt >= e.p.cfg.Retries || !e.repeatable(err) {
			return err
		}
		last = err
		if len(e.p.upstreams) > 1 {
			tried = append(tried, u)
		}
	}
}

// repeatable reports whether the request may be sent once more after err.
func (e *exchange) repeatable(err error) bool {
	if e.phase >= answerSeen || e.ended() != nil {
		return false
	}
	var ce *connectError
	if errors.As(err, &ce) {
		return true
	}
	return gone(err) && (e.phase == nothingSent || e.idempotent())
}

// idempotent reports whether sending the request twice does what sending it
// once does, and whether it can be.
func (e *exchange) idempotent() bool {
	if e.body.consumed || e.upgrade != "" {
		return false
	}
	switch e.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return e.r.Header["Idempotency-Key"] != nil
}

// try serves the request from u. The error means that nothing was answered.
func (e *exchange) try(u *upstream) error {
	defer e.p.release(u)
	e.phase, e.up = nothingSent, u
	o, err := u.origin(e.r)
	if err != nil {
		return err
	}
	if e.rec != nil {
		e.rec.Upstream = u.target.url
	}
	if o.pool.proto.Load() == protoHTTP2 && e.upgrade == "" {
		err = e.overHTTP2(o)
	} else {
		err = e.overHTTP1(o)
		if errors.Is(err, errSpeaksHTTP2) {
			err = e.overHTTP2(o)
		}
	}
	if err != nil {
		e.blame(u, err)
	}
	return err
}

// blame books err against u, unless the client or the request is at fault.
func (e *exchange) blame(u *upstream, err error) {
	var be *bodyError
	var re *requestError
	if e.ended() == nil && !errors.As(err, &be) && !errors.As(err, &re) {
		u.failed(err)
	}
}

// wake ends a read of the request's body. The server may end the request's
// context for that, or even the connection's, although nobody has left.
func (e *exchange) wake(rc *http.ResponseController, deadline time.Time) {
	if !e.woken {
		e.left, e.woken = e.r.Context().Err(), true
	}
	if rc.SetReadDeadline(deadline) != nil {
		_ = e.r.Body.Close()
	}
}

// ended gives the error of the request's context, unless that has ended because
// of wake.
func (e *exchange) ended() error {
	if e.woken {
		return e.left
	}
	return e.r.Context().Err()
}

// A requestError says that the request cannot be put into words.
type requestError struct{ err error }

func (e *requestError) Error() string { return e.err.Error() }
func (e *requestError) Unwrap() error { return e.err }

// overHTTP1 finds a connection and uses it. A kept one that turns out to be
// closed is no failure: a new one takes its place.
func (e *exchange) overHTTP1(o *origin) error {
	now := e.p.now()
	if c := o.takeIdle(now); c != nil {
		err := e.onConn(o, c)
		if err == nil || !gone(err) || e.phase >= answerSeen || e.ended() != nil {
			return err
		}
		if e.phase != nothingSent && !e.idempotent() {
			return err
		}
	}
	e.phase = nothingSent
	e.rec.Keep() // a name lookup that goes on may still have the request's context
	ctx, release := patient(e.r.Context())
	c, err := o.dial(ctx, e.upgrade != "")
	release()
	if err != nil {
		return err
	}
	return e.onConn(o, c)
}

// onConn sends the request to o over c and passes the answer on. The connection
// may have been opened for another origin with the same address.
func (e *exchange) onConn(o *origin, c *conn) error {
	var err error
	e.out, err = e.p.appendHead(e.out[:0], e.r, e.rec, o, e.body.frame, e.upgrade)
	if err != nil {
		c.origin.putIdle(c, c.idleAt)
		return &requestError{err}
	}
	c.watch(e.r.Context())
	s, err := e.sendOn(c)
	if err == nil {
		err = e.awaitHead(c, s)
	}
	if err != nil {
		if s != nil {
			s.abort()
			if s.clientErr != nil {
				err = &bodyError{s.clientErr}
			}
		}
		if cause := e.ended(); cause != nil && c.wasCanceled() {
			err = cause
		}
		c.discard()
		return err
	}
	e.up.succeeded()
	if e.head.Status == http.StatusSwitchingProtocols {
		return e.tunnel(c)
	}
	e.relay(c, s)
	return nil
}

// sendOn sends the request, or begins to: then there is a sender.
func (e *exchange) sendOn(c *conn) (*sender, error) {
	now := e.p.now()
	probe := c.reused && (c.suspect || now-c.idleAt > probeAfter)
	c.suspect = false
	if !e.body.streams() {
		e.out = append(e.out, e.body.small...)
		c.arm(now, e.p.cfg.ResponseTimeout)
		e.phase = requestSent
		err := c.send(e.out, probe)
		if errors.Is(err, errStale) {
			e.phase = nothingSent
		}
		return nil, err
	}
	if c.reused && !c.alive() {
		return nil, errStale
	}
	c.armed = 1 // whatever was set before
	c.disarm()
	e.phase = requestSent
	if _, err := c.net.Write(e.out); err != nil {
		return nil, err
	}
	s := e.newSender(c)
	return s, nil
}

// awaitHead reads up to the head of the final answer.
func (e *exchange) awaitHead(c *conn, s *sender) error {
	for range maxInform {
		block, err := c.readHead()
		if c.w > 0 || c.r > 0 {
			e.phase = answerSeen
		}
		if err != nil {
			return err
		}
		e.phase = answerSeen
		h := &e.head
		if err := h.parse(block, e.r.Method); err != nil {
			return err
		}
		switch {
		case h.Status >= 200:
			if s != nil {
				s.answered()
			}
			return nil
		case h.Status == http.StatusSwitchingProtocols:
			if e.upgrade == "" || !strings.EqualFold(h.Upgrade, e.upgrade) {
				return malformed("a change to %q, where %q was asked for", h.Upgrade, e.upgrade)
			}
			return nil
		case h.Chunked || h.Declared > 0:
			return malformed("a %d answer with a body", h.Status)
		case h.Status == http.StatusContinue:
			if s != nil {
				s.proceed()
			}
		default:
			e.inform()
		}
	}
	return malformed("more than %d informational answers", maxInform)
}

// inform passes a 1xx answer on.
func (e *exchange) inform() {
	if !e.r.ProtoAtLeast(1, 1) {
		return
	}
	hdr := e.w.Header()
	saved := maps.Clone(hdr)
	e.copyFields(hdr, "")
	e.w.WriteHeader(e.head.Status)
	clear(hdr)
	maps.Copy(hdr, saved)
}

// fail answers with err.
func (e *exchange) fail(err error) {
	err = e.describe(err)
	if e.p.cfg.ErrorFunc != nil {
		if e.rec != nil && e.rec.Cause == nil {
			e.rec.Cause = err
		}
		e.p.cfg.ErrorFunc(e.w, e.r, err)
		return
	}
	request.Fail(e.w, e.r, err)
}

// describe gives err its status, and says which upstream it is about.
func (e *exchange) describe(err error) error {
	if left := e.ended(); left != nil && !errors.Is(left, context.DeadlineExceeded) {
		return &request.Error{Status: request.StatusClientClosed, Message: "the client has left", Err: errCanceled}
	}
	var (
		be   *bodyError
		none *errNoUpstream
		ce   *connectError
		big  *http.MaxBytesError
		self interface{ HTTPStatus() int }
	)
	retry := http.Header{"Retry-After": {"1"}}
	switch {
	case errors.As(err, &be):
		if errors.As(err, &big) || errors.As(err, &self) {
			return err
		}
		if isTimeout(err) {
			return &request.Error{Status: http.StatusRequestTimeout, Err: err}
		}
		return &request.Error{Status: http.StatusBadRequest, Message: "the request body ends too early", Err: err}
	case errors.Is(err, errConnect):
		return &request.Error{Status: http.StatusMethodNotAllowed, Err: err}
	case errors.Is(err, errLoop):
		return &request.Error{Status: http.StatusLoopDetected, Err: err}
	case errors.Is(err, errNoSegment):
		return &request.Error{Status: http.StatusNotFound, Err: err}
	case errors.Is(err, errTooManyNames), errors.Is(err, errAllFull), errors.Is(err, errWaited), errors.As(err, &none):
		return &request.Error{Status: http.StatusServiceUnavailable, Message: "the application is not available right now", Header: retry, Err: err}
	case isRequestError(err):
		return &request.Error{Status: http.StatusBadRequest, Err: err}
	}
	if e.up != nil {
		err = fmt.Errorf("upstream %s: %w", e.up.target.url, err)
	}
	if errors.As(err, &ce) && ce.timeout || !errors.As(err, &ce) && isTimeout(err) || errors.Is(err, context.DeadlineExceeded) {
		return &request.Error{Status: http.StatusGatewayTimeout, Message: "the application has not answered in time", Err: err}
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: closed without an answer", err)
	}
	return &request.Error{Status: http.StatusBadGateway, Message: "the application cannot be reached", Err: err}
}

func isRequestError(err error) bool {
	var re *requestError
	return errors.As(err, &re)
}
