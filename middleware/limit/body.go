package limit

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// BodyConfig says how large a request's body may be.
type BodyConfig struct {
	// Max is the number of bytes of a body that are let through. It must be
	// positive.
	Max int64

	// ErrorFunc answers requests whose body is too large, with 413. Nil means
	// the errors layer around this one, or plain text without one.
	ErrorFunc ErrorFunc
}

// Body bounds the size of request bodies. It is safe for concurrent use.
//
// A body that says it is too large is refused before any of it is read. One
// that turns out to be fails with an [*http.MaxBytesError] when it is read, so
// that an application behind gets a broken body, never a short one that seems
// complete. If the handler has not begun to answer when it returns, or aborts,
// the answer is 413; the connection is closed in any case.
type Body struct {
	max  int64
	fail ErrorFunc
}

// NewBody makes a Body.
func NewBody(cfg BodyConfig) (*Body, error) {
	if cfg.Max < 1 {
		return nil, optionError{"max", fmt.Errorf("%d lets no body through (write it like 10MiB)", cfg.Max)}
	}
	l := &Body{max: cfg.Max, fail: cfg.ErrorFunc}
	if l.fail == nil {
		l.fail = request.Fail
	}
	return l, nil
}

// Wrap hands requests on to next, their bodies bounded.
func (l *Body) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.ContentLength > l.max:
			l.fail(w, r, l.tooLarge(r, fmt.Errorf("the body has %d bytes: %w", r.ContentLength, &http.MaxBytesError{Limit: l.max})))
		case r.ContentLength >= 0 || r.Body == nil || r.Body == http.NoBody:
			next.ServeHTTP(w, r) // the server holds the client to its word
		default:
			l.serve(next, httpwrap.Of(w), r)
		}
	})
}

func (l *Body) serve(next http.Handler, w *httpwrap.Writer, r *http.Request) {
	b := &bounded{body: r.Body, left: l.max, max: l.max}
	b.req = *r
	b.req.Body = b
	w.Before(b)
	defer func() {
		if !b.exceeded.Load() || w.Started() {
			return
		}
		request.Keep(r.Context())
		if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // a panic's value
			panic(v)
		}
		l.fail(w, r, l.tooLarge(r, &http.MaxBytesError{Limit: l.max}))
	}()
	next.ServeHTTP(w, &b.req)
}

func (l *Body) tooLarge(r *http.Request, cause error) error {
	err := &request.Error{
		Status:  http.StatusRequestEntityTooLarge,
		Message: fmt.Sprintf("The body of the request is larger than %d bytes.", l.max),
		Err:     cause,
	}
	if r.ProtoMajor < 2 {
		err.Header = http.Header{"Connection": {"close"}}
	}
	return err
}

// bounded is a body of unknown length.
type bounded struct {
	req      http.Request
	body     io.ReadCloser
	left     int64
	max      int64
	exceeded atomic.Bool // read by the handler, set by whoever reads the body
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, &http.MaxBytesError{Limit: b.max}
	}
	if len(p) == 0 {
		return 0, nil
	}
	// One byte more than is left tells a body that ends here from a longer one.
	if int64(len(p))-1 > b.left {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	if int64(n) <= b.left {
		b.left -= int64(n)
		return n, err
	}
	n, b.left = int(b.left), -1
	b.exceeded.Store(true)
	return n, &http.MaxBytesError{Limit: b.max}
}

func (b *bounded) Close() error { return b.body.Close() }

// BeforeHeader closes the connection, since the rest of the body will not be
// read. From HTTP/2 on, only the stream ends.
func (b *bounded) BeforeHeader(_ int, h http.Header) {
	if b.exceeded.Load() && b.req.ProtoMajor < 2 {
		h.Set("Connection", "close")
	}
}
