package auth

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/mountd/mountd/internal/request"
)

// Workers bound how many passwords are checked at once, so that a flood of
// wrong ones leaves the rest of the processor to everything else. They may be
// shared and are safe for concurrent use.
type Workers struct {
	places chan struct{}
	room   int

	mu       sync.Mutex
	waiting  int
	networks map[string]int // how many of them a client's network has
}

const (
	waitersPerWorker  = 32
	waitersPerNetwork = 4
	longestWait       = 5 * time.Second
)

// NewWorkers makes n workers. Zero: half as many as there are processors for
// the program, at least one. Thirty-two requests per worker may wait, for up to
// five seconds; others are answered 503 with Retry-After. Four of them may be
// of one network, which is an IPv4 address or the /64 of an IPv6 address, so that
// nobody takes all places. Clients without an address, as on unix sockets, are
// one network together.
func NewWorkers(n int) *Workers {
	if n <= 0 {
		n = max(1, runtime.GOMAXPROCS(0)/2)
	}
	return &Workers{places: make(chan struct{}, n), room: n * waitersPerWorker, networks: map[string]int{}}
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
	network, known := networkIn(ctx)
	if err := w.enter(network, known); err != nil {
		return err
	}
	defer w.leave(network, known)
	timer := time.NewTimer(longestWait)
	defer timer.Stop()
	select {
	case w.places <- struct{}{}:
		return nil
	case <-timer.C:
		return busy(errors.New("no password check was free in time"))
	case <-ctx.Done():
		return left(ctx)
	}
}

// enter takes a waiting place. Whoever asks for no request, as a program may
// that calls [Users.Verify] by itself, has no network.
func (w *Workers) enter(network string, known bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case known && w.networks[network] >= waitersPerNetwork:
		return busy(errCrowded)
	case w.waiting >= w.room:
		return busy(errors.New("too many passwords wait to be checked"))
	}
	w.waiting++
	if known {
		w.networks[network]++
	}
	return nil
}

func (w *Workers) leave(network string, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting--
	if !known {
		return
	}
	if w.networks[network]--; w.networks[network] == 0 {
		delete(w.networks, network)
	}
}

// errCrowded concerns the client's network alone.
var errCrowded = errors.New("too many passwords of one network wait to be checked")

type networkKey struct{}

// withNetwork gives a context that tells the workers whose request r is.
func withNetwork(ctx context.Context, r *http.Request) context.Context {
	if request.From(ctx) != nil {
		return ctx
	}
	return context.WithValue(ctx, networkKey{}, networkOf(r))
}

func networkIn(ctx context.Context) (network string, known bool) {
	if rec := request.From(ctx); rec != nil {
		return networkOfAddr(rec.Client), true
	}
	network, known = ctx.Value(networkKey{}).(string)
	return network, known
}

func busy(why error) error {
	return &request.Error{
		Status:  http.StatusServiceUnavailable,
		Message: "Too many logins at once. Try again soon.",
		Header:  http.Header{"Retry-After": {"5"}},
		Err:     why,
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
