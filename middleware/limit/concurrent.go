package limit

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/mountd/mountd/internal/request"
)

// DefaultWait is how long a request waits for its turn unless
// [ConcurrentConfig] says otherwise.
const DefaultWait = 5 * time.Second

// ConcurrentConfig says how many requests are served at once. Max must be set.
type ConcurrentConfig struct {
	// Max requests are served at once. An upgraded connection counts until it
	// ends.
	Max int

	// Queue further ones wait for their turn, first come, first served. Zero
	// lets none wait.
	Queue int

	// Wait is how long one of them waits. Zero means [DefaultWait].
	Wait time.Duration

	// ErrorFunc answers requests that are refused, with 503 and Retry-After.
	// Nil means the errors layer around this one, or plain text without one.
	ErrorFunc ErrorFunc
}

// Concurrent bounds how many requests are served at once. It is safe for
// concurrent use.
type Concurrent struct {
	max, room int
	wait      time.Duration
	fail      ErrorFunc

	mu     sync.Mutex
	active int
	queue  list.List // of chan struct{}, closed when its turn has come
}

// NewConcurrent makes a Concurrent. Its error names every value out of range.
func NewConcurrent(cfg ConcurrentConfig) (*Concurrent, error) {
	l := &Concurrent{max: cfg.Max, room: cfg.Queue, wait: cfg.Wait, fail: cfg.ErrorFunc}
	if l.wait == 0 {
		l.wait = DefaultWait
	}
	if l.fail == nil {
		l.fail = request.Fail
	}
	var errs []error
	if cfg.Max < 1 {
		errs = append(errs, optionError{"max", fmt.Errorf("%d lets nothing through (write 1 or more)", cfg.Max)})
	}
	if cfg.Queue < 0 {
		errs = append(errs, optionError{"queue", fmt.Errorf("%d is negative (write 0 for no queue)", cfg.Queue)})
	}
	if cfg.Wait < 0 {
		errs = append(errs, optionError{"wait", fmt.Errorf("%v is negative (write 5s)", cfg.Wait)})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return l, nil
}

// Wrap hands requests on to next, each in its turn.
func (l *Concurrent) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := l.enter(r.Context()); err != nil {
			l.fail(w, r, err)
			return
		}
		defer l.leave()
		next.ServeHTTP(w, r)
	})
}

// Load gives how many requests are being served, and how many wait.
func (l *Concurrent) Load() (active, waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.active, l.queue.Len()
}

func (l *Concurrent) enter(ctx context.Context) error {
	l.mu.Lock()
	if l.active < l.max {
		l.active++
		l.mu.Unlock()
		return nil
	}
	if l.queue.Len() >= l.room {
		l.mu.Unlock()
		return l.busy(fmt.Errorf("%d requests are being served and %d wait", l.max, l.room))
	}
	turn := make(chan struct{})
	place := l.queue.PushBack(turn)
	l.mu.Unlock()
	return l.await(ctx, turn, place)
}

func (l *Concurrent) await(ctx context.Context, turn chan struct{}, place *list.Element) error {
	timer := time.NewTimer(l.wait)
	defer timer.Stop()
	var err error
	select {
	case <-turn:
		return nil
	case <-timer.C:
		err = l.busy(fmt.Errorf("no turn within %v", l.wait))
	case <-ctx.Done():
		err = gone(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-turn: // it came at the same moment: pass it on
		l.pass()
	default:
		l.queue.Remove(place)
	}
	return err
}

// leave gives the turn to the next request.
func (l *Concurrent) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pass()
}

func (l *Concurrent) pass() {
	if first := l.queue.Front(); first != nil {
		close(l.queue.Remove(first).(chan struct{}))
		return
	}
	l.active--
}

func (l *Concurrent) busy(cause error) error {
	return &request.Error{
		Status:  http.StatusServiceUnavailable,
		Message: "Too many requests are being served. Try again soon.",
		Header:  http.Header{"Retry-After": {seconds(max(l.wait, time.Second))}},
		Err:     cause,
	}
}

// gone says why a request left the queue: its client did, unless the context
// carries an answer.
func gone(ctx context.Context) error {
	cause := context.Cause(ctx)
	var s interface{ HTTPStatus() int }
	if errors.As(cause, &s) {
		return cause
	}
	return &request.Error{Status: request.StatusClientClosed, Message: "The client has left.", Err: cause}
}
