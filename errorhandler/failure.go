package errorhandler

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/mountd/mountd/internal/logtext"
	"github.com/mountd/mountd/internal/request"
)

// failure is an error together with what is known of its request.
type failure struct {
	err      error
	panicked bool
	status   int
	message  string // for the client
	header   http.Header
	id, path string
	rec      *request.Record // may be nil
	stack    []uintptr
}

func (h *Handler) failureOf(r *http.Request, rec *request.Record, err error) *failure {
	f := &failure{err: err, rec: rec, path: path(r, rec)}
	f.status, f.message, f.header = request.Describe(err)
	f.id = request.ID(r.Context())
	var p *PanicError
	if errors.As(err, &p) {
		f.panicked, f.stack = true, p.stack
		f.status, f.message, f.header = http.StatusInternalServerError, http.StatusText(http.StatusInternalServerError), nil
	} else if clientGone(r, err) {
		f.status, f.message = request.StatusClientClosed, "client closed request"
	}
	return f
}

// path gives the path of the whole request, escaped.
func path(r *http.Request, rec *request.Record) string {
	switch {
	case rec != nil && rec.RawPath != "":
		return rec.RawPath
	case rec != nil && rec.Path != "":
		return (&url.URL{Path: rec.Path}).EscapedPath()
	case strings.HasPrefix(r.RequestURI, "/"):
		p, _, _ := strings.Cut(r.RequestURI, "?")
		return p
	}
	return r.URL.EscapedPath()
}

// clientGone reports whether err comes of the client having left. Errors that
// have nothing to do with a connection stay what they are.
func clientGone(r *http.Request, err error) bool {
	if r.Context().Err() != context.Canceled {
		return false
	}
	for _, target := range []error{context.Canceled, net.ErrClosed, syscall.EPIPE, syscall.ECONNRESET, io.ErrUnexpectedEOF} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

func (h *Handler) redactor() *logtext.Redactor {
	if h.redact != nil {
		return h.redact
	}
	return defaultRedactor
}

var defaultRedactor = logtext.NewRedactor([]string{"token", "key", "password"})

// report writes the line in the log. What came with the request or the error
// is escaped here already: not every slog.Handler does.
func (h *Handler) report(r *http.Request, f *failure) {
	log := h.log
	if log == nil {
		log = slog.Default()
	}
	level, text := slog.LevelDebug, "request failed"
	switch {
	case f.panicked:
		level, text = slog.LevelError, "handler panicked"
	case f.status == request.StatusClientClosed:
		text = "client closed request"
	case f.status >= 500:
		level = slog.LevelError
	}
	f.rec.Keep() // a slog.Handler may keep the context
	if !log.Enabled(r.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 8)
	if f.id != "" {
		attrs = append(attrs, slog.String("id", f.id))
	}
	attrs = append(attrs, slog.Int("status", f.status), slog.String("method", logtext.Printable(r.Method)), slog.String("path", logtext.Printable(f.path)))
	if f.rec != nil && f.rec.Mount != "" {
		attrs = append(attrs, slog.String("mount", f.rec.Mount))
	}
	attrs = append(attrs, slog.String("error", h.redactor().Text(f.err.Error())))
	if f.panicked {
		attrs = append(attrs, slog.Any("stack", stackLines(f.stack)))
	}
	log.LogAttrs(r.Context(), level, text, attrs...)
}
