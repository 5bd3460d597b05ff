package httpserver

import (
	"net/http"
	"sync/atomic"
	"time"
)

// A clock gives the Date of the last sweep.
type clock struct {
	date atomic.Pointer[dateLine]
	tick time.Duration // between sweeps
}

// A dateLine is the Date field of a second, RFC 9110 section 6.6.1.
type dateLine struct {
	second int64
	text   string
}

func (c *clock) init(tick time.Duration) {
	c.tick = tick
	c.advance(time.Now())
}

func (c *clock) advance(now time.Time) {
	if d := c.date.Load(); d == nil || d.second != now.Unix() {
		c.date.Store(&dateLine{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"})
	}
}

// A phase is what a connection is about. Phases are numbered, and their time
// counts from when the sweep sees one for the first time: entering one costs no
// look at a clock, and nobody is cut off early because the sweep was late.
type phase uint8

const (
	phaseNew    phase = iota // nothing has come yet, or a part of a TLS handshake
	phaseReady               // TLS is spoken, and no request has come yet
	phaseIdle                // between requests
	phaseHead                // a part of a head has come
	phaseActive              // a handler runs
	phaseLinger              // the client may read the last answer
	phaseGone                // expired, closed, or another's
)

const phaseBits = 3

// enter begins a phase. It fails when the sweep has ended the connection.
func (c *conn) enter(p phase) bool {
	old := c.state.Load()
	return phaseOf(old) != phaseGone && c.state.CompareAndSwap(old, (old>>phaseBits+1)<<phaseBits|uint64(p))
}

func (c *conn) phase() phase { return phaseOf(c.state.Load()) }

func phaseOf(state uint64) phase { return phase(state & (1<<phaseBits - 1)) }

// A watch is what the sweep has seen of a connection.
type watch struct {
	state   uint64
	since   time.Time // when state was seen first
	wait    int64     // of a read of the body
	waiting time.Time // when wait was seen first
	looked  time.Time // when it was last asked whether the client is there
}

// see takes note of the present state and gives how long it has lasted.
func (w *watch) see(state uint64, now time.Time) time.Duration {
	if state != w.state || w.since.IsZero() {
		w.state, w.since, w.looked = state, now, now
	}
	return now.Sub(w.since)
}

// expire ends the connection unless its state has changed.
func (c *conn) expire(state uint64) bool {
	if !c.state.CompareAndSwap(state, uint64(phaseGone)) {
		return false
	}
	if phaseOf(state) == phaseIdle { // the last answer may be on its way
		_ = c.rwc.SetReadDeadline(past)
	} else {
		_ = c.rwc.SetDeadline(past)
	}
	return true
}

// closeIfIdle ends a connection that no request is on, nor on its way here.
func (c *conn) closeIfIdle() bool {
	state := c.state.Load()
	p := phaseOf(state)
	idle := p == phaseIdle || p == phaseReady || p == phaseNew && c.tls == nil
	return idle && !c.hasUnread() && c.expire(state)
}

var past = time.Unix(1, 0)

// startSweeping needs s.mu.
func (s *Server) startSweeping() {
	s.sweeping = true
	if s.sweeper == nil {
		s.sweeper = time.AfterFunc(s.clock.tick, s.sweep)
		return
	}
	s.sweeper.Reset(s.clock.tick)
}

// tick is short enough for the shortest limit.
func (c Config) tick() time.Duration {
	tick := 125 * time.Millisecond
	for _, limit := range []time.Duration{c.HeaderTimeout, c.IdleTimeout, c.BodyTimeout} {
		if limit > 0 {
			tick = min(tick, max(limit/8, 5*time.Millisecond))
		}
	}
	return tick
}

// sweep looks at every connection. It runs while there are any.
func (s *Server) sweep() {
	now := time.Now()
	s.clock.advance(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.sweeping = false
		return
	}
	for k := s.first; k != nil; k = k.next {
		s.look(k, now)
	}
	s.sweeper.Reset(s.clock.tick)
}

// look keeps one connection within its limits.
func (s *Server) look(k *conn, now time.Time) {
	state := k.state.Load()
	age := k.watch.see(state, now)
	if s.stopping.Load() && k.closeIfIdle() { // since stop has looked
		return
	}
	switch phaseOf(state) {
	case phaseNew, phaseReady, phaseHead:
		if limit := s.cfg.HeaderTimeout; limit > 0 && age >= limit {
			k.expire(state)
		}
	case phaseIdle:
		if limit := s.cfg.IdleTimeout; limit > 0 && age >= limit {
			k.expire(state)
		} else if age > 0 { // seen before
			k.nudge()
		}
	case phaseActive:
		k.lookAtBody(now)
		k.lookForClient(now, age)
	case phaseLinger:
		if age >= lingerTime {
			k.expire(state)
		}
	}
}

// nudge lets a connection that waits without having looked look once.
func (c *conn) nudge() {
	if !c.blind.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.blind.CompareAndSwap(true, false) {
		_ = c.rwc.SetReadDeadline(past)
	}
}

// lookAtBody ends a read of the body for which nothing comes.
func (c *conn) lookAtBody(now time.Time) {
	limit := c.srv.cfg.BodyTimeout
	wait := c.bodyWait.Load()
	if limit <= 0 || wait <= 0 {
		return
	}
	if wait != c.watch.wait {
		c.watch.wait, c.watch.waiting = wait, now
	}
	if now.Sub(c.watch.waiting) >= limit && c.bodyWait.CompareAndSwap(wait, bodyStalled) {
		_ = c.rwc.SetReadDeadline(past)
	}
}

// lookEvery is how often a request that takes long is looked at.
const lookEvery = 250 * time.Millisecond

// lookForClient ends the context of a request whose client has left.
func (c *conn) lookForClient(now time.Time, age time.Duration) {
	if age == 0 || now.Sub(c.watch.looked) < lookEvery-c.srv.clock.tick {
		return
	}
	c.watch.looked = now
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && c.clientLeft(c.current.body.read.Load() || c.current.body.broken.Load()) {
		c.current.ctx.cancel()
	}
}
