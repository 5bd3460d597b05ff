package request

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// StatusClientClosed is what the log says of a request whose client left.
const StatusClientClosed = 499

// Error is an error that knows how to be answered.
type Error struct {
	Status  int         // of the answer
	Message string      // for the client; empty: the status's own text
	Header  http.Header // more header fields of the answer
	Err     error       // the cause, for the log
}

func (e *Error) Error() string {
	s := strconv.Itoa(e.Status) + " " + strings.TrimSuffix(e.ClientMessage(), ".")
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// HTTPStatus gives the status of the answer.
func (e *Error) HTTPStatus() int { return e.Status }

// HTTPHeader gives more header fields of the answer.
func (e *Error) HTTPHeader() http.Header { return e.Header }

// ClientMessage gives what the client may read.
func (e *Error) ClientMessage() string {
	if e.Message != "" {
		return e.Message
	}
	return http.StatusText(e.Status)
}

// Describe tells how err is to be answered. Any error may take part with the
// methods of [Error]; without, it is a 500 whose text stays in the log.
func Describe(err error) (status int, message string, header http.Header) {
	status = http.StatusInternalServerError
	var tooLarge *http.MaxBytesError
	var s interface{ HTTPStatus() int }
	switch {
	case errors.As(err, &s) && s.HTTPStatus() >= 400 && s.HTTPStatus() <= 599:
		status = s.HTTPStatus()
	case errors.As(err, &tooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, context.DeadlineExceeded):
		status = http.StatusGatewayTimeout
	}
	var m interface{ ClientMessage() string }
	if errors.As(err, &m) {
		message = m.ClientMessage()
	}
	if message == "" {
		message = http.StatusText(status)
	}
	var h interface{ HTTPHeader() http.Header }
	if errors.As(err, &h) {
		header = h.HTTPHeader()
	}
	return status, message, header
}

type failKey struct{}

// WithFail gives a context in which [Fail] answers through fail, for requests
// that have no [Record].
func WithFail(ctx context.Context, fail func(w http.ResponseWriter, r *http.Request, err error)) context.Context {
	return context.WithValue(ctx, failKey{}, fail)
}

// Fail answers r with err: through the errors layer around the caller, or as
// plain text where there is none. The cause is kept for the log. It panics
// with [http.ErrAbortHandler] when the answer has begun, so that a short
// answer never looks complete.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	if rec := From(r.Context()); rec != nil {
		if rec.Cause == nil {
			rec.Cause = err
		}
		if rec.Fail != nil {
			rec.Fail(w, r, err)
			return
		}
		if rec.Writer.Started() {
			panic(http.ErrAbortHandler)
		}
	} else if fail, ok := r.Context().Value(failKey{}).(func(http.ResponseWriter, *http.Request, error)); ok {
		fail(w, r, err)
		return
	}
	status, message, header := Describe(err)
	h := w.Header()
	for _, name := range [...]string{"Content-Length", "Content-Encoding", "Content-Range", "Etag", "Last-Modified", "Cache-Control"} {
		h.Del(name)
	}
	for k, v := range header {
		h[k] = v
	}
	http.Error(w, strconv.Itoa(status)+" "+message, status)
}
