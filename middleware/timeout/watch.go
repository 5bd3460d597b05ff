package timeout

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// States of a watch. Only the one who makes the step from waiting may write an
// answer; see [watch.state].
const (
	waiting int32 = iota
	begun         // the handler answers
	expired       // the time is up: whoever is first of handler and watcher
	taken         // the watcher has answered
	settled       // the handler has returned, or answered 504
)

// watch is one request. The handler sees inner, and a header of its own, so
// that the watcher may use the real one while the handler runs. It is the
// context of the handler's request, see context.go.
type watch struct {
	context.Context // of the request around

	m      *Middleware
	rec    *request.Record // may be nil
	inner  httpwrap.Writer
	w      http.ResponseWriter
	header http.Header
	size   int // of header when it went out
	sent   bool
	req    http.Request
	body   io.ReadCloser
	own    ownContext

	// state is changed by compare-and-swap only. mu is held by whoever uses w
	// before the answer has begun.
	state atomic.Int32
	mu    sync.Mutex
	timer *time.Timer
	late  *time.Timer // set when the state becomes expired, under mu

	fired   atomic.Bool // fire has begun, and may still run
	stopped atomic.Bool // the timer, before it could call fire

	// reading counts the reads of the body under way; moved is when the last
	// one ended, since the watch began.
	began   time.Time
	reading atomic.Int32
	moved   atomic.Int64
}

// Clear makes t ready for another request.
func (t *watch) Clear() {
	header := t.header
	if len(header) > 64 {
		header = nil
	}
	clear(header)
	*t = watch{timer: t.timer, header: header}
}

func newWatch(m *Middleware, w http.ResponseWriter, r *http.Request) *watch {
	rec := request.From(r.Context())
	t := m.watches.Get(rec)
	t.Context, t.m, t.rec, t.w, t.began = r.Context(), m, rec, w, time.Now()
	if t.header == nil {
		t.header = make(http.Header)
	}
	for name, values := range w.Header() {
		if len(values) == 1 {
			t.header[name] = request.HeaderValue(values[0])
		} else {
			t.header[name] = slices.Clone(values)
		}
	}
	t.inner.Reset(t)
	t.req = *r.WithContext(t)
	if r.Body != nil && r.Body != http.NoBody {
		t.body, t.req.Body = r.Body, (*watchedBody)(t)
	}
	return t
}

func (t *watch) serve(next http.Handler, r *http.Request) {
	if t.timer != nil {
		t.timer.Reset(t.m.after)
	} else {
		t.mu.Lock() // the timer may fire before it is assigned
		t.timer = time.AfterFunc(t.m.after, t.fire)
		t.mu.Unlock()
	}
	defer t.end(r)
	next.ServeHTTP(&t.inner, &t.req)
	if t.state.Load() == waiting {
		t.inner.WriteHeader(http.StatusOK) // as the server would, but with the hooks
	}
}

// disarm stops the timer for good.
func (t *watch) disarm() {
	if t.timer.Stop() && !t.fired.Load() {
		t.stopped.Store(true)
	}
}

// fire runs when the time is up.
func (t *watch) fire() {
	t.fired.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	if left := t.left(); left > 0 {
		if t.state.Load() == waiting {
			t.timer.Reset(left)
		}
		return
	}
	if t.state.CompareAndSwap(waiting, expired) {
		t.late = time.AfterFunc(t.m.grace, t.takeOver)
		t.own.cancel(t.Context, t.m.expired)
	}
}

// left gives how long the handler may still take, counted from when the client
// last sent a part of the body.
func (t *watch) left() time.Duration {
	if t.reading.Load() > 0 {
		return t.m.after
	}
	return time.Duration(t.moved.Load()) + t.m.after - time.Since(t.began)
}

const lateText = "504 The application did not answer in time.\n"

// takeOver answers in place of a handler that does not return. It goes around
// outer layers and their hooks: those may look at what belongs to the handler.
// Within another watch, it leaves the answer to that one.
func (t *watch) takeOver() {
	t.mu.Lock()
	defer t.mu.Unlock()
	w, ok := server(t.w)
	if !ok || !t.state.CompareAndSwap(expired, taken) {
		return
	}
	h := w.Header()
	for _, name := range [...]string{"Content-Encoding", "Content-Range", "Etag", "Last-Modified", "Trailer"} {
		h.Del(name)
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(lateText)))
	h.Set("Cache-Control", "no-store")
	h.Set("Connection", "close")
	w.WriteHeader(http.StatusGatewayTimeout)
	_, _ = io.WriteString(w, lateText)
	_ = http.NewResponseController(w).Flush()
}

// server gives the writer below all layers, unless one of them is a watch.
func server(w http.ResponseWriter) (http.ResponseWriter, bool) {
	for {
		if _, ok := w.(*watch); ok {
			return nil, false
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w, true
		}
		w = u.Unwrap()
	}
}

// end is deferred around the handler.
func (t *watch) end(r *http.Request) {
	t.disarm()
	if !t.stopped.Load() {
		t.rec.Keep() // fire may run
	}
	defer t.own.end()
	switch {
	case t.state.CompareAndSwap(waiting, settled): // it panics
	case t.state.Load() == begun:
		if t.sent && (len(t.header) != t.size || t.header["Trailer"] != nil) {
			maps.Copy(t.w.Header(), t.header) // trailers
		}
	default:
		t.endLate(r, recover())
	}
}

func (t *watch) endLate(r *http.Request, panicked any) {
	t.mu.Lock()
	t.late.Stop()
	mine := t.state.CompareAndSwap(expired, settled)
	t.mu.Unlock()
	rec := t.rec
	switch {
	case panicked != nil && !isAbort(panicked):
		panic(panicked)
	case !mine:
		if rec != nil && rec.Cause == nil {
			rec.Cause = t.m.expired
		}
		panic(http.ErrAbortHandler)
	case rec != nil:
		rec.Cause = nil // what the interrupted handler said is a consequence
	}
	t.m.fail(t.w, r, t.m.expired)
}

func isAbort(v any) bool {
	err, ok := v.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// start reports whether the handler may answer with this status. It may with
// 504 even when its time is up, as long as nobody has answered for it.
func (t *watch) start(status int) bool {
	if t.state.CompareAndSwap(waiting, begun) {
		t.disarm()
		return true
	}
	if status != http.StatusGatewayTimeout {
		return t.state.Load() == begun
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state.CompareAndSwap(expired, begun) || t.state.Load() == begun
}
