// Package timeout answers 504 when a handler has not begun to answer within a
// time. Once the first byte of the answer is out, nothing is limited: neither
// downloads, event streams nor upgraded connections.
//
// The handler runs on the goroutine that serves the request. When the time is
// up, its context is cancelled, with an error as its cause
// ([context.Cause]) that carries the status 504 and is a
// [context.DeadlineExceeded]; and what it answers from then on is discarded,
// unless it is a 504. A handler that minds its context returns soon, and the
// request is answered by the ErrorFunc.
//
// A handler that does not return within the grace time cannot be stopped, but
// its client need not wait: it gets a plain 504, and no error page, since
// everything else of the request still belongs to the handler. The handler
// keeps its goroutine, the request's body and its place in any limit on
// concurrent requests for as long as it runs. When it returns after all, its
// request ends with [http.ErrAbortHandler], which closes the connection; one
// that never returns is a leak that only a fix of the handler, or the limit on
// concurrent requests outside of this layer, bounds. Over HTTP/2 the client
// sees the status and the text at once, and the end of the stream when the
// handler returns.
//
// The time a client takes to send the request's body does not count: while the
// body is being read and after each part of it that has come, the time starts
// anew.
package timeout

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/mountd/mountd/internal/request"
)

// Defaults of a [Config].
const (
	DefaultAfter = 30 * time.Second
	DefaultGrace = time.Second
)

// Config says how long a handler may take.
type Config struct {
	// After is the time up to the first byte of the answer. Informational
	// answers do not count. Zero means [DefaultAfter].
	After time.Duration

	// Grace is how long a handler that was interrupted may take to return.
	// Zero means [DefaultGrace].
	Grace time.Duration

	// ErrorFunc answers the requests whose time is up, with 504. Nil means
	// the errors layer around this one, or plain text without one.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// Middleware limits the time to the first byte. It is safe for concurrent use.
type Middleware struct {
	after, grace time.Duration
	expired      error
	fail         func(w http.ResponseWriter, r *http.Request, err error)
	watches      request.Pool[watch]
}

// New makes a Middleware. It refuses negative times.
func New(cfg Config) (*Middleware, error) {
	m := &Middleware{after: cfg.After, grace: cfg.Grace, fail: cfg.ErrorFunc}
	if m.after < 0 {
		return nil, optionError{"after", fmt.Errorf("%v is negative (write 30s)", cfg.After)}
	}
	if m.grace < 0 {
		return nil, optionError{"grace", fmt.Errorf("%v is negative (write 1s)", cfg.Grace)}
	}
	if m.after == 0 {
		m.after = DefaultAfter
	}
	if m.grace == 0 {
		m.grace = DefaultGrace
	}
	if m.fail == nil {
		m.fail = request.Fail
	}
	m.expired = &request.Error{
		Status:  http.StatusGatewayTimeout,
		Message: "The application did not answer in time.",
		Err:     fmt.Errorf("no answer within %v: %w", m.after, context.DeadlineExceeded),
	}
	return m, nil
}

// Wrap hands requests on to next, and answers for it if it takes too long.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		newWatch(m, w, r).serve(next, r)
	})
}

type optionError struct {
	path string
	err  error
}

func (e optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e optionError) Unwrap() error      { return e.err }
func (e optionError) OptionPath() string { return e.path }
