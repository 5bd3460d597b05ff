package errorhandler

import (
	"bufio"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

// serve lets next answer, and replaces its answers where Intercept says so.
func (h *Handler) serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	if !h.intercept.All && len(h.intercept.Statuses) == 0 {
		next.ServeHTTP(w, r)
		return
	}
	iw := &interceptor{ResponseWriter: w, h: h, r: r}
	next.ServeHTTP(iw, r)
	iw.finish()
}

// interceptor replaces error answers of the application.
type interceptor struct {
	http.ResponseWriter
	h      *Handler
	r      *http.Request
	state  interceptState
	status int  // that is held
	own    bool // nothing is replaced
}

type interceptState uint8

const (
	waiting  interceptState = iota // for the header
	passing                        // everything goes through
	held                           // a JSON answer that may turn out to be empty
	replaced                       // with our page; what the application writes is dropped
)

// Unwrap serves [http.ResponseController].
func (w *interceptor) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Started reports whether the application has begun an answer, which may not
// have gone out yet.
func (w *interceptor) Started() bool { return w.state != waiting }

// Own lets the answers of next be what they are, whatever status the Handlers
// around it intercept: they are pages of the site's own, such as that of a
// login, and none of an application.
func Own(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for inner := w; inner != nil; inner = unwrap(inner) {
			if iw, ok := inner.(*interceptor); ok {
				iw.own = true
			}
		}
		next.ServeHTTP(w, r)
	})
}

// markOwn lets an answer of ours through the interceptors it passes.
func markOwn(w http.ResponseWriter) {
	for w != nil {
		if iw, ok := w.(*interceptor); ok {
			iw.state = passing
		}
		w = unwrap(w)
	}
}

func (w *interceptor) WriteHeader(status int) {
	if w.state == replaced || w.state == held {
		return
	}
	if w.state == passing || status < 400 {
		if status >= 200 || status == http.StatusSwitchingProtocols {
			w.state = passing
		}
		w.ResponseWriter.WriteHeader(status)
		return
	}
	switch {
	case w.own:
		w.pass(status)
	case slices.Contains(w.h.intercept.Statuses, status):
		w.replace(status)
	case !w.h.intercept.All:
		w.pass(status)
	case !speaksJSON(w.Header()):
		w.replace(status)
	case w.r.Method == http.MethodHead:
		w.pass(status)
	case w.Header().Get("Content-Length") == "0":
		w.replace(status)
	default:
		w.state, w.status = held, status
	}
}

func (w *interceptor) pass(status int) {
	w.state = passing
	w.ResponseWriter.WriteHeader(status)
}

// replace answers with our page. The body is flushed at once: should the
// application fail while it goes on, the page is complete already.
func (w *interceptor) replace(status int) {
	w.state = replaced
	rec := request.From(w.r.Context())
	f := w.h.failureOf(w.r, rec, &HTTPError{Status: status, Err: fmt.Errorf("the application answered %d", status)})
	kept := w.Header().Get("Cache-Control")
	if kept != "" && !uncacheable(status) {
		f.header = http.Header{"Cache-Control": {kept}}
	}
	w.h.report(w.r, f)
	w.h.answer(w.ResponseWriter, w.r, f)
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// release lets a held answer go, now that it has a body.
func (w *interceptor) release() {
	if w.state == held {
		w.pass(w.status)
	}
}

// finish is called when the application is done.
func (w *interceptor) finish() {
	if w.state == held {
		w.replace(w.status)
	}
}

func (w *interceptor) Write(p []byte) (int, error) {
	if w.state == held && len(p) > 0 {
		w.release()
	}
	switch w.state {
	case waiting:
		w.state = passing
	case held, replaced:
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom keeps sendfile and splice working.
func (w *interceptor) ReadFrom(src io.Reader) (int64, error) {
	switch w.state {
	case waiting:
		w.state = passing
	case held:
		return io.Copy(struct{ io.Writer }{w}, src)
	case replaced:
		return io.Copy(io.Discard, src)
	}
	return io.Copy(w.ResponseWriter, src)
}

// Flush sends what is buffered.
func (w *interceptor) Flush() { _ = w.FlushError() }

// FlushError is Flush with its error, for [http.ResponseController].
func (w *interceptor) FlushError() error {
	if w.state == replaced {
		return nil
	}
	w.release()
	w.state = passing
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack hands the connection over.
func (w *interceptor) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.state = passing
	}
	return c, rw, err
}

func speaksJSON(h http.Header) bool {
	media, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return media == "application/json" || strings.HasSuffix(media, "+json")
}
