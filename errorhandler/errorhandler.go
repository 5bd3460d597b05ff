// Package errorhandler turns errors and panics into answers: a page for
// people, a problem description (RFC 9457) for programs, a line of text for
// the rest.
//
// A part that cannot go on answers with [Error], returns an error from a
// [HandlerFunc] or panics; the innermost [Handler] around it writes the
// answer and one line in the log. An [HTTPError] says which status it stands
// for; any other error is a 500 whose text the client does not see.
//
// An answer that has begun is never finished with something else: the
// connection is cut with [http.ErrAbortHandler], so that the client can tell.
package errorhandler

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"runtime"
	"slices"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/logtext"
	"github.com/mountd/mountd/internal/request"
)

// Formats of an answer.
const (
	Auto = "auto" // as the request's Accept asks
	HTML = "html"
	JSON = "json" // application/problem+json
	Text = "text"
)

// Config says how errors are answered. New copies what it holds.
type Config struct {
	// Pages maps a status ("404") or a class of them ("4xx", "5xx") to the
	// file to answer with instead of the built-in page; a status goes before
	// its class. Files of up to 1 MiB are read once, by New. An HTML file
	// that holds "{{" is an html/template over a [Page]; any other file is
	// sent as it is. Clients that would rather have JSON do not get it.
	Pages map[string]string

	// FS is where Pages are. Nil means the files of the operating system.
	FS fs.FS

	// Intercept says which error answers of the application are replaced as
	// well. Its zero value leaves the application's answers alone.
	Intercept Intercept

	// Format is [Auto] (which empty means too), [HTML], [JSON] or [Text].
	Format string

	// Debug answers server errors with the error, its stack with source lines
	// and the request, to clients on this machine only: the peer's address is
	// a loopback address, the request names a host that no public name server
	// answers for, and it came with no header that a proxy adds. Everyone
	// else gets the usual answer.
	Debug bool

	// Redact lists query parameters whose values are neither logged nor
	// shown. Nil means token, key and password.
	Redact []string

	// Logger takes one line for each error: server errors and panics at level
	// ERROR, others at DEBUG, clients that have left among them. Nil means
	// slog.Default().
	Logger *slog.Logger
}

// Intercept selects answers of the application by their status.
type Intercept struct {
	// All replaces every answer of 400 and above, except one that describes
	// itself to programs: a body of type application/json, or of one that
	// ends in +json, stays.
	All bool

	// Statuses replaces the answers with one of these statuses, whatever
	// their type.
	Statuses []int
}

// Handler answers errors. Its zero value has no pages of its own and logs to
// slog.Default(). It is safe for concurrent use.
type Handler struct {
	pages     map[string]*page
	format    string
	intercept Intercept
	debug     bool
	redact    *logtext.Redactor
	log       *slog.Logger
}

// New makes a Handler. Its error names every mistake in cfg: an unknown
// status or format, a page that cannot be read or executed.
func New(cfg Config) (*Handler, error) {
	h := &Handler{
		format:    cfg.Format,
		intercept: Intercept{All: cfg.Intercept.All, Statuses: slices.Clone(cfg.Intercept.Statuses)},
		debug:     cfg.Debug,
		log:       cfg.Logger,
	}
	if cfg.Redact != nil {
		h.redact = logtext.NewRedactor(cfg.Redact)
	}
	pages, errs := loadPages(cfg.FS, cfg.Pages)
	h.pages = pages
	if !slices.Contains([]string{"", Auto, HTML, JSON, Text}, cfg.Format) {
		errs = append(errs, optionError{"format", fmt.Errorf("%q is no format (write auto, html, json or text)", cfg.Format)})
	}
	for i, status := range cfg.Intercept.Statuses {
		if status < 400 || status > 599 {
			errs = append(errs, optionError{fmt.Sprintf("intercept[%d]", i), fmt.Errorf("%d is no error status (write one from 400 to 599)", status)})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return h, nil
}

// Wrap answers the errors and panics of next. Errors of layers inside another
// Handler are answered by that one.
func (h *Handler) Wrap(next http.Handler) http.Handler {
	fail := h.ServeError
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ww := httpwrap.Of(w)
		rec := request.From(r.Context())
		var outer func(http.ResponseWriter, *http.Request, error)
		if rec != nil {
			outer, rec.Fail = rec.Fail, fail
		} else {
			r = r.WithContext(request.WithFail(r.Context(), fail))
		}
		defer h.rescue(ww, r, rec, outer)
		h.serve(next, ww, r)
	})
}

// Recover answers the panics and errors of next with the built-in pages.
func Recover(next http.Handler) http.Handler { return new(Handler).Wrap(next) }

// Error answers r with err through the innermost [Handler] around the caller,
// or as a line of text where there is none. It must be called at most once,
// and instead of any other answer; when one has begun already, it panics with
// [http.ErrAbortHandler].
func Error(w http.ResponseWriter, r *http.Request, err error) { request.Fail(w, r, err) }

// ServeError answers r with err, as [Error] does for the innermost Handler.
func (h *Handler) ServeError(w http.ResponseWriter, r *http.Request, err error) {
	if err == nil {
		err = errors.New("an error that is nil")
	}
	rec := request.From(r.Context())
	if rec != nil && rec.Cause == nil {
		rec.Cause = err
	}
	f := h.failureOf(r, rec, err)
	if h.debug && f.stack == nil {
		f.stack = panicStack()
	}
	h.report(r, f)
	if started(w) || rec != nil && rec.Writer.Started() {
		panic(http.ErrAbortHandler)
	}
	markOwn(w)
	h.answer(w, r, f)
}

// started reports whether any writer down to the connection has begun an
// answer: one that compresses may hold a beginning back.
func started(w http.ResponseWriter) bool {
	for w != nil {
		if s, ok := w.(interface{ Started() bool }); ok && s.Started() {
			return true
		}
		w = unwrap(w)
	}
	return false
}

func unwrap(w http.ResponseWriter) http.ResponseWriter {
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	return nil
}

// rescue is deferred around the inner handler.
func (h *Handler) rescue(w *httpwrap.Writer, r *http.Request, rec *request.Record, outer func(http.ResponseWriter, *http.Request, error)) {
	v := recover()
	if rec != nil {
		rec.Fail = outer
	}
	if v == nil {
		return
	}
	rec.Keep() // nobody knows what was interrupted
	err, isError := v.(error)
	if isError && errors.Is(err, http.ErrAbortHandler) {
		w.CloseHijacked()
		panic(http.ErrAbortHandler)
	}
	if !isError || !raised(err) {
		err = &PanicError{Value: v, stack: panicStack()}
	}
	if w.Started() {
		defer w.CloseHijacked()
	}
	h.ServeError(w, r, err)
}

// raised reports whether a panic's value is an answer: an error that carries
// its status.
func raised(err error) bool {
	var s interface{ HTTPStatus() int }
	return errors.As(err, &s) && s.HTTPStatus() >= 400 && s.HTTPStatus() <= 599
}

// PanicError is a panic that was recovered.
type PanicError struct {
	Value any // what was passed to panic
	stack []uintptr
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap gives the panic's value if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Frames gives the calls that led to the panic, innermost first.
func (e *PanicError) Frames() *runtime.Frames { return runtime.CallersFrames(e.stack) }

type optionError struct {
	path string
	err  error
}

func (e optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e optionError) Unwrap() error      { return e.err }
func (e optionError) OptionPath() string { return e.path }

// sortedKeys keeps the order of mistakes steady.
func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
