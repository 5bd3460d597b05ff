package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/mountd/mountd/internal/request"
)

// ErrUnavailable says that the store cannot be asked. It is answered with 503.
var ErrUnavailable = errors.New("the session store is unavailable")

// rest is how long a store that failed is left alone.
const rest = time.Second

// guard asks a store within a time limit, and leaves one alone that has just
// failed: one call a second tries it again.
type guard struct {
	store   Store
	traits  Traits
	timeout time.Duration
	log     *slog.Logger
	start   time.Time
	closed  *atomic.Int64 // until then, since start; 0: the store is well
}

func newGuard(store Store, timeout time.Duration, log *slog.Logger) guard {
	return guard{store: store, traits: store.Traits(), timeout: timeout, log: log, start: time.Now(), closed: new(atomic.Int64)}
}

func (g *guard) find(ctx context.Context, token string) (rec Record, err error) {
	if g.traits.Local {
		return g.store.Find(ctx, token)
	}
	err = g.call(ctx, "find", func(ctx context.Context) (err error) {
		rec, err = g.store.Find(ctx, token)
		return err
	})
	return rec, err
}

func (g *guard) commit(ctx context.Context, rec Record) (kept Record, err error) {
	if g.traits.Local {
		return g.store.Commit(ctx, rec)
	}
	err = g.call(ctx, "commit", func(ctx context.Context) (err error) {
		kept, err = g.store.Commit(ctx, rec)
		return err
	})
	return kept, err
}

func (g *guard) delete(ctx context.Context, rec Record) error {
	return g.call(ctx, "delete", func(ctx context.Context) error { return g.store.Delete(ctx, rec) })
}

func (g *guard) list(ctx context.Context, user string) (all []Record, err error) {
	err = g.call(ctx, "list", func(ctx context.Context) (err error) {
		all, err = g.store.List(ctx, user)
		return err
	})
	return all, err
}

// call calls f, which a client that goes away does not stop.
func (g *guard) call(ctx context.Context, what string, f func(context.Context) error) error {
	since := int64(time.Since(g.start))
	until := g.closed.Load()
	if until != 0 {
		// Whoever moves the limit may try; the others go without.
		if since < until || !g.closed.CompareAndSwap(until, since+int64(g.timeout)) {
			return unavailable(ErrUnavailable)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.timeout)
	defer cancel()
	err := f(ctx)
	if known(err) {
		if until != 0 && g.closed.Swap(0) != 0 {
			g.log.InfoContext(ctx, "session store is back")
		}
		return err
	}
	if before := g.closed.Swap(int64(time.Since(g.start) + rest)); before == 0 {
		g.log.ErrorContext(ctx, "session store failed", "call", what, "error", err)
	}
	return unavailable(fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err))
}

// known reports whether err tells of sessions, and not of the store.
func known(err error) bool {
	return err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) || errors.Is(err, ErrMalformed) ||
		errors.Is(err, ErrTooLarge) || errors.Is(err, errors.ErrUnsupported)
}

func unavailable(err error) error {
	return &request.Error{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"1"}}, Err: err}
}
