package accesslog

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// An entry is what is known of one request. What inner layers may change is
// read before they run. Nobody but the Middleware has it, so that it serves
// another request when its line is written.
type entry struct {
	line []byte

	w   *httpwrap.Writer
	r   *http.Request
	rec *request.Record // may be nil

	start                      time.Time
	method, host, proto        string
	path, query                string
	referer, agent, remoteAddr string

	returned bool // the handler did; it did not panic
	duration time.Duration
	status   int // 0: nothing was answered
	aborted  bool
}

func (e *entry) begin(w *httpwrap.Writer, r *http.Request) {
	e.w, e.r, e.rec = w, r, request.From(r.Context())
	e.method, e.host, e.proto, e.remoteAddr = r.Method, r.Host, r.Proto, r.RemoteAddr
	e.referer, e.agent = first(r.Header["Referer"]), first(r.Header["User-Agent"])
	e.query = r.URL.RawQuery
	if e.rec == nil {
		e.path, e.start = r.URL.EscapedPath(), time.Now()
		return
	}
	if e.start = e.rec.Start; e.start.IsZero() {
		e.start = time.Now()
	}
	if e.path = e.rec.RawPath; e.path == "" {
		e.path = r.URL.EscapedPath()
	}
	if e.rec.HostPort != "" {
		e.host = e.rec.HostPort
	}
}

func (e *entry) end() {
	e.duration = time.Since(e.start)
	gone := e.r.Context().Err() == context.Canceled
	e.status = e.w.Status()
	if e.status == 0 {
		e.status = e.unanswered(gone)
	}
	e.aborted = !e.returned || gone && e.status != request.StatusClientClosed && !e.complete()
}

func (e *entry) unanswered(gone bool) int {
	switch {
	case e.w.Hijacked():
		return http.StatusSwitchingProtocols
	case gone:
		return request.StatusClientClosed
	case e.returned:
		return http.StatusOK // the server answers so
	}
	return 0
}

// complete reports whether a client that has left meanwhile had the whole
// answer before.
func (e *entry) complete() bool {
	if e.method == http.MethodHead || e.w.Hijacked() || e.status == http.StatusNoContent || e.status == http.StatusNotModified || e.status < 200 {
		return true
	}
	length := first(e.w.Header()["Content-Length"])
	return length != "" && length == strconv.FormatInt(e.w.Bytes(), 10)
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// appendClient appends the client's address. RemoteAddr is used where nobody
// knows better, without its port.
func (e *entry) appendClient(b []byte) []byte {
	if e.rec != nil && e.rec.Client.IsValid() {
		return e.rec.Client.AppendTo(b)
	}
	if e.rec != nil {
		return b
	}
	if addr, err := netip.ParseAddrPort(e.remoteAddr); err == nil {
		return addr.Addr().AppendTo(b)
	}
	return b
}

func (e *entry) id() string {
	if e.rec != nil {
		return e.rec.ID
	}
	return request.ID(e.r.Context())
}

func (e *entry) user() string {
	if e.rec != nil {
		return e.rec.User
	}
	return ""
}

func (e *entry) mount() string {
	if e.rec != nil {
		return e.rec.Mount
	}
	return ""
}

func (e *entry) upstream() string {
	if e.rec != nil {
		return e.rec.Upstream
	}
	return ""
}

func (e *entry) cause() string {
	if e.rec == nil || e.rec.Cause == nil {
		return ""
	}
	text := strings.TrimSpace(e.rec.Cause.Error())
	if text == strconv.Itoa(e.status)+" "+http.StatusText(e.status) {
		return "" // says what the status says
	}
	return text
}
