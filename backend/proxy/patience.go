package proxy

import (
	"context"
	"errors"
	"time"
)

// patience is how long an exchange goes on after its client seems to have
// left: net/http ends a request's context as well when the client has only
// finished sending, and still wants its answer.
const patience = 2 * sweepEvery

// patient gives a context that ends that much later than ctx; a deadline of ctx
// is kept. release must be called.
func patient(ctx context.Context) (later context.Context, release func()) {
	later, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if isDeadline(ctx) {
			cancel(ctx.Err())
			return
		}
		timer := time.AfterFunc(patience, func() { cancel(ctx.Err()) })
		context.AfterFunc(later, func() { timer.Stop() })
	})
	return later, func() {
		stop()
		cancel(nil)
	}
}

func isDeadline(ctx context.Context) bool { return errors.Is(ctx.Err(), context.DeadlineExceeded) }
