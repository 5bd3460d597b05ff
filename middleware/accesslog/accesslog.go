// Package accesslog writes one line for every request that was answered, or
// was not.
//
// Lines hold what strangers have sent; in every format it is escaped, so that
// no request can forge a line or drive the terminal that shows it. The fields
// Authorization, Cookie and Set-Cookie are never logged, and the values of
// listed query parameters are replaced.
package accesslog

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"sync"
	"sync/atomic"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/logtext"
)

// Formats of a line. Any other text with a brace in it is a template, see
// [Config.Format].
const (
	JSON     = "json"     // one object to a line, in log/slog's manner
	Combined = "combined" // Apache's and nginx's combined log
	Text     = "text"     // aligned, for people
)

// Config says what is logged and where to. New copies what it holds.
type Config struct {
	// To takes the lines, each in one Write; calls of Write may overlap, as
	// they may for an *os.File or a [Sink]. A slow writer delays requests;
	// a [Sink] does not. Nil means os.Stderr.
	To io.Writer

	// Format is [JSON] (which empty means too), [Combined], [Text] or a
	// template: text with fields such as "{method} {path} {status}".
	//
	// The fields are time, id, client, user, method, host, path (with the
	// query), proto, status, bytes, duration (milliseconds), mount, upstream,
	// referer, agent, error, aborted, and request.NAME and response.NAME for
	// a header field. What is empty is "-". "{{" stands for a brace.
	Format string

	// Sample is the part of the requests that is logged, above 0 up to 1;
	// 0 means 1. Answers of 500 and above and aborted ones always are.
	Sample float64

	// Redact lists query parameters whose values are not logged, wherever a
	// URL stands in a line. Names are compared without case and after
	// percent-decoding, and a name hides those of which it is a word: "token"
	// hides access_token. Nil means token, key and password; an empty list
	// that is not nil hides none. A value that holds a query with such a parameter
	// itself is hidden as a whole. Below /.mountd/ the parameters code, state,
	// id_token_hint and access_token are always hidden besides.
	Redact []string

	// Color marks the [Text] format with terminal colours.
	Color bool
}

// Middleware logs requests. It is safe for concurrent use.
type Middleware struct {
	to     io.Writer
	format formatter
	redact *logtext.Redactor
	every  uint64 // of 2^32 requests so many are logged
	count  atomic.Uint64
	spare  sync.Pool // of *entry
	clock  clock
}

// A formatter appends the line of e, without its end.
type formatter func(m *Middleware, b []byte, e *entry) []byte

// New makes a Middleware. It fails on an unknown format or field and on a
// sample out of range.
func New(cfg Config) (*Middleware, error) {
	format, errFormat := newFormat(cfg.Format, cfg.Color)
	every, errSample := sampling(cfg.Sample)
	if err := errors.Join(errFormat, errSample); err != nil {
		return nil, err
	}
	m := &Middleware{to: cfg.To, format: format, every: every}
	if m.to == nil {
		m.to = os.Stderr
	}
	if cfg.Redact == nil {
		cfg.Redact = []string{"token", "key", "password"}
	}
	m.redact = logtext.NewRedactor(cfg.Redact)
	m.spare.New = func() any { return &entry{line: make([]byte, 0, 1024)} }
	return m, nil
}

func sampling(sample float64) (uint64, error) {
	switch {
	case sample == 0:
		sample = 1
	case math.IsNaN(sample) || sample < 0 || sample > 1:
		return 0, optionError{"sample", fmt.Errorf("%v is no part of all requests (write a number above 0 up to 1)", sample)}
	}
	return uint64(sample * (1 << 32)), nil
}

// Wrap logs the requests that next serves, when it is done with them. A panic
// passes through.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ww := httpwrap.Of(w)
		e := m.spare.Get().(*entry)
		e.begin(ww, r)
		defer m.finish(e)
		next.ServeHTTP(ww, r)
		e.returned = true
	})
}

func (m *Middleware) finish(e *entry) {
	e.end()
	if m.wanted(e) {
		e.line = append(m.format(m, e.line, e), '\n')
		_, _ = m.to.Write(e.line) // a failing log must not fail requests; a Sink reports it
	}
	line := e.line
	if cap(line) > 16<<10 {
		line = nil
	}
	*e = entry{line: line[:0]}
	m.spare.Put(e)
}

// wanted spreads the sample evenly: the requests at which the running sum of
// the parts reaches the next whole number.
func (m *Middleware) wanted(e *entry) bool {
	if m.every == 1<<32 || e.status >= 500 || e.aborted {
		return true
	}
	n := m.count.Add(1)
	return (n*m.every)>>32 != ((n-1)*m.every)>>32
}

type optionError struct {
	path string
	err  error
}

func (e optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e optionError) Unwrap() error      { return e.err }
func (e optionError) OptionPath() string { return e.path }
