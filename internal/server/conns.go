package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// conns knows the open connections of a loop. It resets those whose client
// takes nothing, and tells when all are gone. It costs two map operations per
// connection and nothing per request.
type conns struct {
	limit time.Duration // of a client that takes nothing; 0 is none
	leave func()
	log   *slog.Logger

	mu      sync.Mutex
	open    map[net.Conn]*conn
	changed chan struct{} // buffered by one

	stop chan struct{}
	done sync.WaitGroup
}

// conn is what is known of one connection.
type conn struct {
	low      net.Conn        // below TLS
	raw      syscall.RawConn // of low, once it was asked
	hijacked bool
	taken    uint64    // bytes acknowledged when last asked
	moved    time.Time // when that changed, or there was nothing to take
}

func newConns(limit time.Duration, leave func(), log *slog.Logger) *conns {
	c := &conns{
		limit:   limit,
		leave:   leave,
		log:     log,
		open:    map[net.Conn]*conn{},
		changed: make(chan struct{}, 1),
		stop:    make(chan struct{}),
	}
	c.done.Go(c.watch)
	return c
}

func (c *conns) end() {
	close(c.stop)
	c.done.Wait()
}

// state is net/http's hook. Only a connection's beginning and end matter here.
func (c *conns) state(nc net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		c.mu.Lock()
		c.open[nc] = &conn{low: below(nc)}
		c.mu.Unlock()
	case http.StateHijacked:
		c.mu.Lock()
		if known := c.open[nc]; known != nil {
			known.hijacked = true
		}
		c.mu.Unlock()
	case http.StateClosed:
		c.mu.Lock()
		c.forget(nc)
		c.mu.Unlock()
	}
}

// handOver readies for a connection to come in once more, perhaps in another
// form: what had been read ahead of it is put before it.
func (c *conns) handOver(nc net.Conn) {
	if _, ok := nc.(*tls.Conn); ok {
		return // the same again
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if low := below(nc); c.open[low] != nil {
		delete(c.open, low)
		c.open[nc] = &conn{low: low}
	}
}

// forget needs c.mu.
func (c *conns) forget(nc net.Conn) {
	if _, ok := c.open[nc]; !ok {
		return
	}
	delete(c.open, nc)
	c.leave()
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// below finds the connection that TLS runs on.
func below(nc net.Conn) net.Conn {
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		return t.NetConn()
	}
	return nc
}

// watch looks at the connections four times within the limit, and at least
// once a second while taken-over connections, whose end nobody reports, may
// hold places that others wait for.
func (c *conns) watch() {
	every := time.Second
	if c.limit > 0 {
		every = min(every, max(c.limit/4, time.Millisecond))
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var swept time.Time
	for {
		select {
		case <-c.stop:
			return
		case now := <-tick.C:
			c.prune()
			if c.limit > 0 && now.Sub(swept) >= c.limit/4 {
				swept = now
				c.sweep(now)
			}
		}
	}
}

// prune forgets the taken-over connections that their owners have closed.
func (c *conns) prune() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for nc, known := range c.open {
		if known.hijacked && known.closed() {
			c.forget(nc)
		}
	}
}

// sweep resets the connections that have not moved for the whole limit.
func (c *conns) sweep(now time.Time) {
	for _, stalled := range c.stalled(now) {
		c.log.Debug("client takes nothing, connection reset",
			"client", stalled.RemoteAddr().String(), "after", c.limit)
		if t, ok := stalled.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // or the kernel goes on trying for minutes
		}
		_ = stalled.Close()
	}
}

func (c *conns) stalled(now time.Time) []net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	var cut []net.Conn
	for _, known := range c.open {
		taken, pending, ok := progress(known)
		if !ok {
			continue
		}
		if !pending || taken != known.taken || known.moved.IsZero() {
			known.taken, known.moved = taken, now
		} else if now.Sub(known.moved) >= c.limit {
			cut = append(cut, known.low)
		}
	}
	return cut
}

// rawConn is the way to the connection's descriptor, nil if it has none.
func (k *conn) rawConn() syscall.RawConn {
	if k.raw == nil {
		if s, ok := k.low.(syscall.Conn); ok {
			k.raw, _ = s.SyscallConn()
		}
	}
	return k.raw
}

func (k *conn) closed() bool {
	raw := k.rawConn()
	return raw != nil && raw.Control(func(uintptr) {}) != nil
}

// wait returns when no connection is left or ctx has ended, with their number.
func (c *conns) wait(ctx context.Context) int {
	tick := time.NewTicker(20 * time.Millisecond) // for taken-over ones
	defer tick.Stop()
	for {
		c.prune()
		c.mu.Lock()
		left := len(c.open)
		c.mu.Unlock()
		if left == 0 {
			return 0
		}
		select {
		case <-ctx.Done():
			return left
		case <-c.changed:
		case <-tick.C:
		}
	}
}

// closeUnused closes the connections on which nothing was ever sent: browsers
// open some in advance.
func (c *conns) closeUnused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range c.open {
		if unused(known) {
			_ = known.low.Close()
		}
	}
}

func (c *conns) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range c.open {
		_ = known.low.Close()
	}
}
