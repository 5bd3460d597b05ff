package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mountd/mountd/internal/wire"
)

// A conn is one connection. Its goroutine owns it; the sweep looks at what is
// atomic or behind mu.
type conn struct {
	srv        *Server
	rwc        net.Conn
	tls        *tls.Conn       // rwc, where it is one
	raw        syscall.RawConn // of rwc, where bytes are read from the system
	prev, next *conn           // in Server.first

	ctx      context.Context // for the requests
	remote   string
	local    net.Addr
	tlsState *tls.ConnectionState

	input
	output
	step func(fd uintptr) bool // c.await's, made once

	writing  sync.Mutex // a 100 and the answer exclude each other
	answered bool       // behind writing

	state    atomic.Uint64 // phase and its beginning
	bodyWait atomic.Int64  // number of the read of a body that waits; 0: none does
	waits    int64         // reads of bodies so far
	blind    atomic.Bool   // waiting without having looked

	mu      sync.Mutex
	current *exchange // the request being served

	watch watch // the sweep's own
}

func newConn(s *Server, rwc net.Conn) *conn {
	c := &conn{srv: s, rwc: rwc, remote: rwc.RemoteAddr().String(), local: rwc.LocalAddr()}
	switch nc := rwc.(type) {
	case *tls.Conn:
		c.tls = nc
	case syscall.Conn:
		if raw, err := nc.SyscallConn(); err == nil && c.parks() {
			c.raw, c.step = raw, c.move
		}
	}
	return c
}

// serve begins with a new connection.
func (c *conn) serve() {
	defer c.guard()
	c.ctx = c.srv.cfg.BaseContext
	if f := c.srv.cfg.ConnContext; f != nil {
		c.ctx = f(c.ctx, c.rwc)
	}
	if c.tls != nil && !c.handshake() {
		return
	}
	c.answer(true)
}

// guard catches a panic of our own, or of a hook: handlers are caught where
// they run.
func (c *conn) guard() {
	if p := recover(); p != nil {
		c.srv.panicked(c.remote, p)
		c.close()
	}
}

// resume goes on with a connection that has settled to wait: a goroutine that
// has served requests keeps the stack that they needed.
func (c *conn) resume() {
	defer c.guard()
	c.answer(false)
}

// answer answers requests until one side ends the connection.
func (c *conn) answer(first bool) {
	for ; ; first = false {
		e, err := c.nextRequest(first)
		if errors.Is(err, errSettled) {
			go c.resume()
			return
		}
		if err != nil {
			c.fail(err)
			return
		}
		if e == nil { // another's now
			return
		}
		c.srv.state(c.rwc, http.StateActive)
		c.handle(e)
		switch e.finish() {
		case keepOpen:
			c.recycle(e)
		case closeNow:
			c.close()
			return
		case closeGently:
			c.linger()
			return
		case handedOver:
			return
		}
		if c.srv.stopping.Load() {
			_ = c.flush()
			c.linger()
			return
		}
		c.srv.state(c.rwc, http.StateIdle)
	}
}

// handshake speaks TLS; false means that the connection is not ours any more.
func (c *conn) handshake() bool {
	if err := c.tls.HandshakeContext(c.ctx); err != nil {
		var plain tls.RecordHeaderError
		if errors.As(err, &plain) && plain.Conn != nil && looksLikeHTTP(plain.RecordHeader[:]) {
			_, _ = io.WriteString(plain.Conn, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"+
				"This port speaks HTTPS: the address begins with https://\n")
		} else {
			c.srv.cfg.Logger.Debug("TLS handshake failed", "client", c.remote, "error", err)
		}
		c.close()
		return false
	}
	state := c.tls.ConnectionState()
	c.tlsState = &state
	if state.NegotiatedProtocol == "h2" && c.srv.cfg.HTTP2 != nil {
		return !c.handOver(c.rwc)
	}
	return c.enter(phaseReady) || c.closed()
}

// closed closes the connection, and says that it is not ours any more.
func (c *conn) closed() bool {
	c.close()
	return false
}

func looksLikeHTTP(b []byte) bool {
	switch string(b) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET", "PATCH":
		return true
	}
	return false
}

// handOver gives the connection to HTTP/2.
func (c *conn) handOver(nc net.Conn) bool {
	if c.enter(phaseGone) {
		c.srv.remove(c)
		c.release()
		c.srv.cfg.HTTP2(nc)
		return true
	}
	c.close()
	return true
}

// preface is how HTTP/2 in the clear begins, RFC 9113 section 3.4; the rest of
// it follows the empty line.
const preface = "PRI * HTTP/2.0\r\n\r\n"

// nextRequest reads the head of a request. Nil without an error: the connection was
// handed over.
func (c *conn) nextRequest(first bool) (*exchange, error) {
	if c.buffered() == nil {
		c.rest()
		if err := c.await(); err != nil {
			return nil, quiet(err)
		}
	} else if err := c.flush(); err != nil {
		return nil, quiet(err)
	}
	if !c.enter(phaseHead) {
		return nil, errQuiet
	}
	head, err := c.readHead()
	if err != nil {
		return nil, err
	}
	if first && c.tls == nil && c.srv.cfg.HTTP2 != nil && string(head) == preface {
		c.r -= len(head)
		c.handOver(c.withBuffered())
		return nil, nil
	}
	e := exchanges.Get().(*exchange)
	limits := wire.Limits{MaxHead: c.srv.cfg.MaxHeader, MaxTarget: c.srv.cfg.MaxTarget, MaxFields: c.srv.cfg.MaxFields + 1}
	if err := e.head.Parse(string(head), limits); err != nil {
		return nil, err
	}
	if err := e.begin(c); err != nil {
		return nil, err
	}
	if c.r == c.w {
		c.free()
	}
	if !c.enter(phaseActive) {
		return nil, errQuiet
	}
	return e, nil
}

// rest is what a connection holds while it waits: nothing.
func (c *conn) rest() {
	if p := c.phase(); p != phaseNew && p != phaseReady {
		c.enter(phaseIdle)
	}
	if len(c.pending) == 0 {
		c.releaseOutput()
	}
}

// readHead gives the next head. It stays valid until more is read.
func (c *conn) readHead() ([]byte, error) {
	scanned := 0
	for {
		b := c.buffered()
		n, err := wire.HeadEnd(b, scanned)
		if err != nil {
			return nil, err
		}
		limit := c.srv.cfg.MaxHeader
		if n > limit || n == 0 && len(b) > limit {
			return nil, tooLarge(b, c.srv.cfg.MaxTarget)
		}
		if n > 0 {
			c.r += n
			return b[:n], nil
		}
		scanned = len(b)
		if err := c.fill(); err != nil {
			if errors.Is(err, io.EOF) {
				err = errCutHead
			}
			return nil, quiet(err)
		}
	}
}

// release gives back what the connection holds.
func (c *conn) release() {
	c.free()
	c.releaseOutput()
}

// close ends the connection.
func (c *conn) close() {
	c.state.Store(uint64(phaseGone))
	_ = c.rwc.Close()
	c.srv.remove(c)
	c.release()
	c.srv.state(c.rwc, http.StateClosed)
}

// lingerTime is how long a client may go on sending after our last answer. A
// connection closed with unread bytes is reset, and the answer may be lost.
const lingerTime = 2 * time.Second

// linger closes the connection once the client had time to read.
func (c *conn) linger() {
	defer c.close()
	_ = c.rwc.SetReadDeadline(never) // of a body that has stalled
	closer, ok := c.rwc.(interface{ CloseWrite() error })
	if !ok || closer.CloseWrite() != nil || !c.enter(phaseLinger) {
		return
	}
	for { // the sweep ends it
		c.r, c.w = 0, 0
		if c.fill() != nil {
			return
		}
	}
}

var (
	errQuiet   = errors.New("the connection has ended")
	errSettled = errors.New("the next request takes its time")
	errCutHead = &wire.Error{Status: http.StatusBadRequest, Reason: "the connection ended inside a head", Section: "RFC 9112, section 8"}
)

// quiet turns the ends of connections that need no word into errQuiet.
func quiet(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ETIMEDOUT) {
		return errQuiet
	}
	return err
}
