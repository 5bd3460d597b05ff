package auth

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/mountd/mountd/internal/request"
)

// Workers bound how many passwords are checked at once, so that a flood of
// wrong ones leaves the rest of the processor to everything else. They may be
// shared and are safe for concurrent use.
type Workers struct {
	places  chan struct{}
	waiting atomic.Int64
	room    int64
}

const (
	waitersPerWorker = 32
	longestWait      = 5 * time.Second
)

// NewWorkers makes n workers. Zero: half as many as there are processors for
// the program, at least one. Thirty-two requests per worker may wait, for up to
// five seconds; others are answered 503 with Retry-After.
func NewWorkers(n int) *Workers {
	if n <= 0 {
		n = max(1, runtime.GOMAXPROCS(0)/2)
	}
	return &Workers{places: make(chan struct{}, n), room: int64(n) * waitersPerWorker}
}

// Do runs f on the calling goroutine when its turn has come. Its error says
// that f has not run.
func (w *Workers) Do(ctx context.Context, f func()) error {
	select {
	case w.places <- struct{}{}:
	default:
		if err := w.wait(ctx); err != nil {
			return err
		}
	}
	defer func() { <-w.places }()
	f()
	return nil
}

func (w *Workers) wait(ctx context.Context) error {
	defer w.waiting.Add(-1)
	if w.waiting.Add(1) > w.room {
		return busy("too many passwords wait to be checked")
	}
	timer := time.NewTimer(longestWait)
	defer timer.Stop()
	select {
	case w.places <- struct{}{}:
		return nil
	case <-timer.C:
		return busy("no password check was free in time")
	case <-ctx.Done():
		return left(ctx)
	}
}

func busy(why string) error {
	return &request.Error{
		Status:  http.StatusServiceUnavailable,
		Message: "Too many logins at once. Try again soon.",
		Header:  http.Header{"Retry-After": {"5"}},
		Err:     errors.New(why),
	}
}

// left says why a request no longer waits: its client has gone, unless the
// context carries an answer.
func left(ctx context.Context) error {
	cause := context.Cause(ctx)
	var s interface{ HTTPStatus() int }
	if errors.As(cause, &s) {
		return cause
	}
	return &request.Error{Status: request.StatusClientClosed, Message: "The client has left.", Err: cause}
}
