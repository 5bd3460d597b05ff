package httpserver

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A requestContext is the context of one request. Its parts that cost
// something are made when somebody asks for them.
type requestContext struct {
	parent context.Context
	local  net.Addr
	ended  atomic.Bool

	mu    sync.Mutex
	asked bool // somebody may wait for the end, now or later
	done  chan struct{}
	after map[*afterFunc]struct{}
	leave func() bool // takes it off the parent's list
}

type afterFunc struct{ f func() }

// Deadline is the parent's.
func (c *requestContext) Deadline() (time.Time, bool) { return c.parent.Deadline() }

// Value adds the address of [http.LocalAddrContextKey].
func (c *requestContext) Value(key any) any {
	if key == http.LocalAddrContextKey {
		return c.local
	}
	return c.parent.Value(key)
}

// Err tells whether the request has ended.
func (c *requestContext) Err() error {
	if c.ended.Load() {
		return context.Canceled
	}
	return c.parent.Err()
}

// Done is closed when the request has ended.
func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		c.ask()
		if c.ended.Load() {
			close(c.done)
		}
	}
	return c.done
}

// AfterFunc lets package context wait without a goroutine.
func (c *requestContext) AfterFunc(f func()) (stop func() bool) {
	a := &afterFunc{f}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ask()
	if c.ended.Load() {
		go f()
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = map[*afterFunc]struct{}{}
	}
	c.after[a] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waiting := c.after[a]
		delete(c.after, a)
		return waiting
	}
}

// ask needs c.mu.
func (c *requestContext) ask() {
	if !c.asked {
		c.asked = true
		if !c.ended.Load() && c.parent.Done() != nil {
			c.leave = context.AfterFunc(c.parent, c.cancel)
		}
	}
}

// cancel ends the context.
func (c *requestContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.Swap(true) {
		return
	}
	if c.done != nil {
		close(c.done)
	}
	for a := range c.after {
		go a.f()
	}
	c.after = nil
	if c.leave != nil {
		c.leave()
		c.leave = nil
	}
}

// finish ends the context, and reports whether it may serve another request:
// nobody has a way to wait for it.
func (c *requestContext) finish() bool {
	c.mu.Lock()
	asked := c.asked
	if !asked {
		c.ended.Store(true)
	}
	c.mu.Unlock()
	if asked {
		c.cancel()
	}
	return !asked
}
