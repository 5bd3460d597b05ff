package issuer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// LoadTimeout bounds how long a value is waited for.
	LoadTimeout = 5 * time.Second

	firstPause = time.Second
	longPause  = time.Minute
	maxWaiting = 256
)

// CellConfig says how a value is kept. Load must be set.
type CellConfig[T any] struct {
	// Load gets the value. It runs once at a time, for [LoadTimeout] at most.
	Load func(context.Context) (T, error)

	// Refresh is the age at which a value that is used is loaded again, while
	// the old one still serves. 0: ten minutes.
	Refresh time.Duration

	// Lifetime is the age at which a value that can't be loaded again is used
	// no more. 0: never.
	Lifetime time.Duration

	// Interval is the least time between loads that strangers can cause. 0:
	// ten seconds.
	Interval time.Duration

	// Log is told when loading begins to fail, and, with nil, when it works
	// again. It may be nil.
	Log func(error)
}

// A Cell holds a value that is loaded from elsewhere: when it is first asked
// for, and again as it ages. Loads that fail are tried again after a pause that
// grows from a second to a minute. It is safe for concurrent use.
type Cell[T any] struct {
	cfg  CellConfig[T]
	ctx  context.Context
	stop context.CancelFunc

	current atomic.Pointer[held[T]]
	due     atomic.Int64 // when Peek and Get load again, in Unix nanoseconds
	waiting atomic.Int32

	mu       sync.Mutex
	flight   *flight[T]
	started  time.Time // of the last load
	failures int
	retry    time.Time // no load before
	err      error     // of the last load
	running  sync.WaitGroup
	closed   bool
}

type held[T any] struct {
	value  T
	loaded time.Time
}

type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// NewCell makes a Cell that holds nothing yet.
func NewCell[T any](cfg CellConfig[T]) *Cell[T] {
	if cfg.Refresh == 0 {
		cfg.Refresh = 10 * time.Minute
	}
	if cfg.Interval == 0 {
		cfg.Interval = 10 * time.Second
	}
	c := &Cell[T]{cfg: cfg}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// Set puts a value in that was loaded otherwise.
func (c *Cell[T]) Set(value T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(value, time.Now())
}

func (c *Cell[T]) keep(value T, now time.Time) {
	c.current.Store(&held[T]{value, now})
	c.due.Store(now.Add(c.cfg.Refresh).UnixNano())
}

// Peek gives the value if there is one, and has it loaded again in the
// background when that is due. It never waits.
func (c *Cell[T]) Peek() (value T, ok bool) {
	h := c.current.Load()
	if h == nil {
		return value, false
	}
	now := time.Now()
	if now.UnixNano() >= c.due.Load() {
		c.mu.Lock()
		c.begin(now)
		c.mu.Unlock()
	}
	if c.cfg.Lifetime > 0 && now.Sub(h.loaded) > c.cfg.Lifetime {
		return value, false
	}
	return h.value, true
}

// Get gives the value, and waits for it if there is none.
func (c *Cell[T]) Get(ctx context.Context) (T, error) {
	if v, ok := c.Peek(); ok {
		return v, nil
	}
	c.mu.Lock()
	f := c.begin(time.Now())
	err := c.err
	c.mu.Unlock()
	if f == nil {
		var none T
		if err == nil {
			err = errors.New("closed")
		}
		return none, err
	}
	return c.wait(ctx, f)
}

// Renew loads the value again, unless that was done a moment ago: then it is
// an error.
func (c *Cell[T]) Renew(ctx context.Context) (T, error) {
	now := time.Now()
	c.mu.Lock()
	f := c.flight
	if f == nil && now.Sub(c.started) >= c.cfg.Interval {
		f = c.begin(now)
	}
	c.mu.Unlock()
	if f == nil {
		var none T
		return none, errors.New("loaded a moment ago")
	}
	return c.wait(ctx, f)
}

// begin gives the load that runs, or starts one; nil if it is too early after
// one that failed. c.mu is held.
func (c *Cell[T]) begin(now time.Time) *flight[T] {
	if c.flight != nil || c.closed || now.Before(c.retry) {
		return c.flight
	}
	f := &flight[T]{done: make(chan struct{})}
	c.flight, c.started = f, now
	c.running.Add(1)
	go c.load(f)
	return f
}

func (c *Cell[T]) load(f *flight[T]) {
	defer c.running.Done()
	defer close(f.done)
	ctx, cancel := context.WithTimeout(c.ctx, LoadTimeout)
	defer cancel()
	value, err := try(ctx, c.cfg.Load)

	c.mu.Lock()
	now := time.Now()
	was := c.err
	f.value, f.err, c.err, c.flight = value, err, err, nil
	if err == nil {
		c.failures, c.retry = 0, time.Time{}
		c.keep(value, now)
	} else {
		pause := min(firstPause<<min(c.failures, 10), longPause)
		c.failures++
		c.retry = now.Add(pause)
		c.due.Store(c.retry.UnixNano())
	}
	silent := c.closed || (was == nil) == (err == nil)
	c.mu.Unlock()
	if c.cfg.Log != nil && !silent {
		c.cfg.Log(err)
	}
}

func (c *Cell[T]) wait(ctx context.Context, f *flight[T]) (value T, err error) {
	if c.waiting.Add(1) > maxWaiting {
		c.waiting.Add(-1)
		return value, errors.New("too many requests wait already")
	}
	defer c.waiting.Add(-1)
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

// Close ends a load that runs, and waits for its end. What is held stays.
func (c *Cell[T]) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.running.Wait()
}
