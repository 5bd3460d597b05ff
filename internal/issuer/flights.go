package issuer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrBusy says that too much is under way already.
var ErrBusy = errors.New("too many questions to the issuer are under way")

// Flights run a function once for all who ask for the same key at the same
// time, and for those who ask shortly after. It goes on when who asked first
// leaves. Make one with [NewFlights]; it is safe for concurrent use.
type Flights[K comparable, V any] struct {
	max  int
	keep time.Duration

	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	active int
	byKey  map[K]*call[V]
	landed []landing[K] // oldest first
	closed bool
}

type call[V any] struct {
	done  chan struct{}
	value V
	err   error
}

type landing[K comparable] struct {
	key K
	at  time.Time
}

// NewFlights makes Flights of which max are under way at once. A value is kept
// for those who come later than the others, errors are not.
func NewFlights[K comparable, V any](max int, keep time.Duration) *Flights[K, V] {
	f := &Flights[K, V]{max: max, keep: keep, byKey: map[K]*call[V]{}}
	f.ctx, f.stop = context.WithCancel(context.Background())
	return f
}

// Do gives what do gives, which has [LoadTimeout] at most.
func (f *Flights[K, V]) Do(ctx context.Context, key K, do func(context.Context) (V, error)) (value V, err error) {
	f.mu.Lock()
	f.forget(time.Now())
	c := f.byKey[key]
	if c == nil {
		if f.active >= f.max || f.closed {
			f.mu.Unlock()
			return value, ErrBusy
		}
		c = &call[V]{done: make(chan struct{})}
		f.byKey[key] = c
		f.active++
		f.running.Add(1)
		go f.run(key, c, do)
	}
	f.mu.Unlock()
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

func (f *Flights[K, V]) run(key K, c *call[V], do func(context.Context) (V, error)) {
	defer f.running.Done()
	ctx, cancel := context.WithTimeout(f.ctx, LoadTimeout)
	defer cancel()
	c.value, c.err = try(ctx, do)
	f.mu.Lock()
	f.active--
	if c.err != nil || f.keep == 0 {
		delete(f.byKey, key)
	} else {
		f.landed = append(f.landed, landing[K]{key, time.Now()})
	}
	f.mu.Unlock()
	close(c.done)
}

// maxLanded bounds the values that are kept.
const maxLanded = 10000

func (f *Flights[K, V]) forget(now time.Time) {
	for len(f.landed) > 0 && (len(f.landed) > maxLanded || now.Sub(f.landed[0].at) > f.keep) {
		delete(f.byKey, f.landed[0].key)
		f.landed = f.landed[1:]
	}
}

// Close ends what is under way, and waits for it.
func (f *Flights[K, V]) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.stop()
	f.running.Wait()
}

// try makes an error of a panic: what is read comes from strangers.
func try[V any](ctx context.Context, do func(context.Context) (V, error)) (value V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return do(ctx)
}
