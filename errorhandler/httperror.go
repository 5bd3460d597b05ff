package errorhandler

import (
	"net/http"

	"github.com/mountd/mountd/internal/request"
)

// HTTPError is an error that says how to answer it. It may be returned,
// wrapped, passed to [Error], or panicked with.
//
// Errors of other types take part by having the methods HTTPStatus,
// ClientMessage and HTTPHeader, each of them optional, and DebugText() string
// for more text on the debug page.
type HTTPError struct {
	Status  int         // of the answer, 400 to 599; anything else counts as 500
	Message string      // for the client; empty means the status's own text
	Header  http.Header // more fields of the answer, such as Retry-After
	Err     error       // the cause, for the log only; may be nil
}

// Error gives the status, the message and the cause.
func (e *HTTPError) Error() string { return (*request.Error)(e).Error() }

// Unwrap gives the cause.
func (e *HTTPError) Unwrap() error { return e.Err }

// HTTPStatus gives the status of the answer.
func (e *HTTPError) HTTPStatus() int { return e.Status }

// ClientMessage gives what the client may read.
func (e *HTTPError) ClientMessage() string { return (*request.Error)(e).ClientMessage() }

// HTTPHeader gives more fields of the answer.
func (e *HTTPError) HTTPHeader() http.Header { return e.Header }

// HandlerFunc is a handler that may return an error instead of answering. The
// innermost [Handler] around it answers then.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP calls f and answers with its error, if there is one.
func (f HandlerFunc) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := f(w, r); err != nil {
		Error(w, r, err)
	}
}
