package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"
)

var errClosed = errors.New("redis: the store is closed")

// link is the client, which cannot be made before the server was reached once.
// Afterwards it connects again by itself.
type link struct {
	opt    rueidis.ClientOption
	log    *slog.Logger
	ready  atomic.Pointer[rueidis.Client]
	warned atomic.Bool

	mu     sync.Mutex
	trying *attempt // that is under way
	closed bool
}

type attempt struct {
	done chan struct{}
	err  error
}

func (l *link) start(opt rueidis.ClientOption, log *slog.Logger) {
	l.opt, l.log = opt, log
	l.try()
}

// try begins an attempt to connect, unless one is under way.
func (l *link) try() *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trying != nil {
		return l.trying
	}
	a := &attempt{done: make(chan struct{})}
	if l.closed {
		a.err = errClosed
		close(a.done)
		return a
	}
	l.trying = a
	go l.connect(a)
	return a
}

func (l *link) connect(a *attempt) {
	c, err := rueidis.NewClient(l.opt)
	l.mu.Lock()
	l.trying = nil
	closed := l.closed
	if err == nil && !closed {
		l.ready.Store(&c)
	}
	l.mu.Unlock()
	switch {
	case err != nil:
		a.err = fmt.Errorf("redis: %w", err)
		if !closed && l.warned.CompareAndSwap(false, true) {
			l.log.Warn("session store cannot be reached yet", "error", a.err)
		}
	case closed:
		c.Close()
		a.err = errClosed
	}
	close(a.done)
}

// client waits for the server until ctx is done.
func (l *link) client(ctx context.Context) (rueidis.Client, error) {
	if c := l.ready.Load(); c != nil {
		return *c, nil
	}
	a := l.try()
	select {
	case <-a.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c := l.ready.Load(); c != nil {
		return *c, nil
	}
	return nil, a.err
}

func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	trying := l.trying
	l.mu.Unlock()
	if trying != nil {
		<-trying.done
	}
	if c := l.ready.Load(); c != nil {
		(*c).Close()
	}
}
