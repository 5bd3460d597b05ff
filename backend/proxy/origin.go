package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mountd/mountd/internal/request"
)

const (
	maxIdle     = 1024             // kept connections of one origin
	idleTimeout = 55 * time.Second // of a kept connection
	probeAfter  = 2 * time.Millisecond
	sweepEvery  = 100 * time.Millisecond
	maxOrigins  = 1024 // that the values of one upstream's {name} may reach
)

// What an origin turned out to speak.
const (
	protoUnknown int32 = iota
	protoHTTP1
	protoHTTP2
)

// An origin is an address with its connections. An upstream without {name} in
// its host has exactly one.
type origin struct {
	p       *Proxy
	up      *upstream
	network string
	addr    string
	host    string // as Host names it
	path    string // to put before the request's, without a final slash
	slash   bool
	tls     *tls.Config // nil: plain
	pool    *pool
}

// A pool holds an origin's connections, whatever path they are used for.
type pool struct {
	proto atomic.Int32
	h2    atomic.Pointer[http.Transport]

	mu      sync.Mutex
	idle    []*conn // the last one put by is the first one taken
	all     *conn   // list of all open ones
	spare   []net.Conn
	lastUse time.Duration
}

func (o *origin) scheme() string {
	if o.tls != nil {
		return "https"
	}
	return "http"
}

// hostFor gives the Host to send, and whether it is another than the client's.
// A request of HTTP/1.0 may name none; then it is the upstream's: an empty Host
// means something else to each reader.
func (o *origin) hostFor(r *http.Request, rec *request.Record) (string, bool) {
	switch mode := o.up.hostMode; mode {
	case "client":
		if rec != nil && rec.HostPort != "" {
			return rec.HostPort, false
		}
		if r.Host == "" {
			return o.host, true
		}
		return r.Host, false
	case "upstream":
		return o.host, true
	default:
		return mode, true
	}
}

// takeIdle gives the connection used last, nil if there is none.
func (o *origin) takeIdle(now time.Duration) *conn {
	pl := o.pool
	pl.mu.Lock()
	n := len(pl.idle)
	if n == 0 {
		pl.mu.Unlock()
		return nil
	}
	c := pl.idle[n-1]
	pl.idle[n-1] = nil
	pl.idle = pl.idle[:n-1]
	pl.mu.Unlock()
	if now-c.idleAt > idleTimeout {
		c.discard()
		return o.takeIdle(now)
	}
	c.reused = true
	return c
}

// putIdle keeps a connection whose exchange is over. Its buffer must be free.
func (o *origin) putIdle(c *conn, now time.Duration) {
	c.unwatch()
	if c.wasCanceled() || o.p.closed.Load() {
		c.discard()
		return
	}
	c.idleAt = now
	pl := o.pool
	pl.mu.Lock()
	kept := len(pl.idle) < maxIdle
	if kept {
		pl.idle = append(pl.idle, c)
	}
	pl.mu.Unlock()
	if !kept || o.p.closed.Load() {
		o.pool.sweep(now, o.p.closed.Load())
	}
	if !kept {
		c.discard()
	}
}

// dial opens a connection for HTTP/1.1 and keeps book of it.
// When an https upstream chooses HTTP/2, the socket is kept for that and the
// error is errSpeaksHTTP2.
func (o *origin) dial(ctx context.Context, upgrade bool) (*conn, error) {
	protos := []string{"h2", "http/1.1"}
	if upgrade || o.pool.proto.Load() == protoHTTP1 {
		protos = protos[1:]
	}
	var nc net.Conn
	var err error
	if upgrade {
		apart(func() { nc, err = o.connect(ctx, protos) })
	} else {
		nc, err = o.connect(ctx, protos)
	}
	if err != nil {
		return nil, err
	}
	if tc, ok := nc.(*tlsConn); ok && !upgrade {
		if tc.ConnectionState().NegotiatedProtocol == "h2" {
			o.pool.mu.Lock()
			o.pool.spare = append(o.pool.spare, nc)
			o.pool.mu.Unlock()
			o.pool.proto.Store(protoHTTP2)
			return nil, errSpeaksHTTP2
		}
		o.pool.proto.Store(protoHTTP1)
	}
	return o.adopt(nc), nil
}

var errSpeaksHTTP2 = errors.New("the upstream speaks HTTP/2")

// A tlsConn knows what is below it.
type tlsConn struct {
	*tls.Conn
	below *glance
}

func (o *origin) adopt(nc net.Conn) *conn {
	c := &conn{net: nc, origin: o}
	if tc, ok := nc.(*tlsConn); ok {
		c.net, c.tls, c.glance = tc.Conn, tc.Conn, tc.below
	} else {
		c.startParking()
	}
	pl := o.pool
	pl.mu.Lock()
	c.next = pl.all
	if c.next != nil {
		c.next.prev = c
	}
	pl.all = c
	pl.mu.Unlock()
	o.p.opened()
	return c
}

// forget takes c off the books.
func (o *origin) forget(c *conn) {
	pl := o.pool
	pl.mu.Lock()
	switch {
	case c.prev != nil:
		c.prev.next = c.next
	case pl.all == c:
		pl.all = c.next
	default:
		pl.mu.Unlock()
		return
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	pl.mu.Unlock()
	o.p.conns.Add(-1)
}

// connect opens a socket, resolving the name anew, and makes TLS of it where
// that is due.
func (o *origin) connect(ctx context.Context, protos []string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.p.cfg.ConnectTimeout)
	defer cancel()
	nc, err := o.p.dialer.DialContext(ctx, o.network, o.addr)
	if err != nil {
		return nil, o.connectError(ctx, err)
	}
	if o.tls == nil {
		return nc, nil
	}
	cfg := o.tls.Clone()
	cfg.NextProtos = protos
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(o.addr)
	}
	below := newGlance(nc)
	tc := tls.Client(below, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, o.connectError(ctx, fmt.Errorf("TLS handshake: %w", err))
	}
	return &tlsConn{tc, below}, nil
}

func (o *origin) connectError(ctx context.Context, err error) error {
	return &connectError{err: err, timeout: isTimeout(err) || errors.Is(ctx.Err(), context.DeadlineExceeded)}
}

// A connectError means that nothing has been sent.
type connectError struct {
	err     error
	timeout bool
}

func (e *connectError) Error() string { return e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }

// sweep cancels exchanges whose client has left and closes what was idle for
// too long, or all that is idle. It reports whether connections are left.
func (pl *pool) sweep(now time.Duration, all bool) {
	var old []*conn
	pl.mu.Lock()
	for c := pl.all; c != nil; c = c.next {
		c.cancelIfLeft(now)
	}
	n := 0
	for n < len(pl.idle) && (all || now-pl.idle[n].idleAt > idleTimeout) {
		n++
	}
	if n > 0 {
		old = append(old, pl.idle[:n]...)
		rest := copy(pl.idle, pl.idle[n:])
		clear(pl.idle[rest:])
		pl.idle = pl.idle[:rest]
	}
	if all {
		for _, nc := range pl.spare {
			_ = nc.Close()
		}
		pl.spare = nil
	}
	pl.mu.Unlock()
	for _, c := range old {
		c.discard()
	}
}

// kill closes every connection, used or not.
func (pl *pool) kill() {
	pl.mu.Lock()
	for c := pl.all; c != nil; c = c.next {
		_ = c.net.Close()
	}
	pl.mu.Unlock()
	if t := pl.h2.Load(); t != nil {
		t.CloseIdleConnections()
	}
}
