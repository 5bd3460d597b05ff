package timeout

import (
	"context"
	"sync"
)

// ownContext is what a watch can cancel: a child of the request's context, made
// when someone asks for it. Most handlers never do.
type ownContext struct {
	mu    sync.Mutex
	ctx   context.Context
	stop  context.CancelCauseFunc
	ended bool
}

func (o *ownContext) of(parent context.Context) context.Context {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx == nil {
		o.ctx, o.stop = context.WithCancelCause(parent)
		if o.ended {
			o.stop(nil)
		}
	}
	return o.ctx
}

// made gives the child if there is one.
func (o *ownContext) made() (ctx context.Context, ended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ctx, o.ended
}

func (o *ownContext) cancel(parent context.Context, cause error) {
	o.of(parent)
	o.stop(cause)
}

// end cancels the child, whether it has been made or not.
func (o *ownContext) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended = true; o.stop != nil {
		o.stop(nil)
	}
}

// Done ends when the time is up, too.
func (t *watch) Done() <-chan struct{} { return t.own.of(t.Context).Done() }

// Err tells that the time is up, too.
func (t *watch) Err() error {
	switch ctx, ended := t.own.made(); {
	case ctx != nil:
		return ctx.Err()
	case ended:
		return context.Canceled
	}
	return t.Context.Err()
}

// Value gives what the request's context has. Package context finds what can be
// cancelled, and its cause, by a key of the type *int.
func (t *watch) Value(key any) any {
	if _, ok := key.(*int); ok {
		return t.own.of(t.Context).Value(key)
	}
	return t.Context.Value(key)
}
