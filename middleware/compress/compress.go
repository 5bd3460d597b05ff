// Package compress encodes answers with zstd, br or gzip, as the client's
// Accept-Encoding asks (RFC 9110, section 12.5.3).
//
// It leaves alone what gains nothing or must not change: answers of other
// types or below the minimum size, those that have a Content-Encoding or say
// "Cache-Control: no-transform", event streams, partial answers (206), answers
// without a body, upgrades, and everything for clients that accept none of the
// encodings. What passes untouched keeps sendfile. Nothing is ever refused
// with 406: a client that rules everything out gets the answer as it is.
//
// An answer that could have been encoded says "Vary: Accept-Encoding" whether
// it was or not. An encoded one has a weak ETag ("A" becomes W/"A"), which
// still matches in If-None-Match but never in If-Range, and has lost
// Content-Length (unless it is written in one piece), Accept-Ranges and the
// digests of the plain body. HEAD is answered like GET, as far as the
// application tells the length.
//
// Answers stream: a flush of the handler flushes the encoder, and nothing
// beyond the minimum size is held back. A body that breaks off, because the
// handler panics or writes less than the Content-Length it has promised, never
// gets the end mark of its encoding.
//
// Secrets in a page that also repeats what an attacker can put into the
// request may leak through the length of its encoded form (BREACH). Answer
// such pages with "Cache-Control: no-transform", or keep this layer off them.
package compress

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// Encodings that a [Config] may name.
const (
	Zstd   = "zstd"
	Brotli = "br"
	Gzip   = "gzip"
)

// Defaults of a [Config].
const (
	DefaultMinSize   = 1024
	DefaultMaxMemory = 512 << 20
)

// Config says what is encoded, and how. New copies what it holds.
type Config struct {
	// Encodings to offer, in the server's order of preference, which decides
	// among those that the client likes equally. Nil means zstd, br, gzip.
	Encodings []string

	// MinSize is the length in bytes below which a body is not worth it. Zero
	// means [DefaultMinSize], a negative value every length. At most 1 MiB.
	MinSize int

	// Types lists media types to encode: "text/html", "text/*",
	// "application/*+json". Parameters do not count. Nil means
	// [DefaultTypes]. Event streams are never encoded.
	Types []string

	// MaxMemory bounds, in bytes, what the encoders of answers under way may
	// hold: about 1 MiB for each with zstd or gzip, 4 MiB with br. Answers
	// beyond that are sent as they are. Zero means [DefaultMaxMemory].
	MaxMemory int64
}

// DefaultTypes are the media types that are encoded unless [Config.Types] is
// set.
func DefaultTypes() []string {
	return []string{
		"text/*", "application/*+json", "application/*+xml", "application/json", "application/javascript",
		"application/x-javascript", "application/ecmascript", "application/xml", "application/wasm",
		"application/x-ndjson", "application/jsonl", "application/graphql", "application/yaml", "application/x-yaml",
		"application/toml", "application/rtf", "application/sql", "application/vnd.ms-fontobject",
		"application/x-font-ttf", "application/x-font-opentype", "font/ttf", "font/otf", "font/collection",
		"image/svg+xml", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon", "model/*+json",
	}
}

// Middleware encodes answers. It is safe for concurrent use.
type Middleware struct {
	order   []int // of encodings, most preferred first
	codings [codingCount]*coding
	usual   map[string]*coding // by Accept-Encoding
	minSize int
	types   types
	memory  atomic.Int64 // of encoders in use
	max     int64
}

// New makes a Middleware. Its error names every unknown encoding and
// malformed type.
func New(cfg Config) (*Middleware, error) {
	m := &Middleware{minSize: cfg.MinSize, max: cfg.MaxMemory}
	var errs []error
	if m.minSize == 0 {
		m.minSize = DefaultMinSize
	}
	if m.minSize > 1<<20 {
		errs = append(errs, optionError{"min_size", fmt.Errorf("%d is too large (at most 1MiB: answers are held back until then)", cfg.MinSize)})
	}
	if m.max == 0 {
		m.max = DefaultMaxMemory
	}
	if m.max < 0 {
		errs = append(errs, optionError{"max_memory", fmt.Errorf("%d is negative", cfg.MaxMemory)})
	}
	errs = append(errs, m.setEncodings(cfg.Encodings)...)
	errs = append(errs, m.types.set(cfg.Types)...)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	m.usual = make(map[string]*coding)
	for _, accept := range usual() {
		m.usual[accept] = m.choose(parseAccept([]string{accept}))
	}
	return m, nil
}

func (m *Middleware) setEncodings(names []string) (errs []error) {
	if names == nil {
		names = []string{Zstd, Brotli, Gzip}
	}
	if len(names) == 0 {
		return []error{optionError{"encodings", errors.New("the list is empty (write zstd, br or gzip)")}}
	}
	for i, name := range names {
		c := codingIndex(name)
		switch {
		case c < 0:
			errs = append(errs, optionError{fmt.Sprintf("encodings[%d]", i), fmt.Errorf("%q is no encoding (write zstd, br or gzip)", name)})
		case m.codings[c] != nil:
			errs = append(errs, optionError{fmt.Sprintf("encodings[%d]", i), fmt.Errorf("%q is named twice", name)})
		default:
			m.codings[c] = newCoding(c)
			m.order = append(m.order, c)
		}
	}
	return errs
}

// Wrap encodes the answers of next.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header["Upgrade"] != nil {
			next.ServeHTTP(w, r)
			return
		}
		c := m.negotiate(r.Header["Accept-Encoding"])
		if c == nil || noTransform(r.Header["Cache-Control"]) {
			ww := httpwrap.Of(w)
			ww.Before((*identity)(m))
			next.ServeHTTP(ww, r)
			return
		}
		s := streams.Get(request.From(r.Context()))
		s.w, s.m, s.coding = w, m, c
		s.head, s.noneMatch = r.Method == http.MethodHead, r.Header["If-None-Match"]
		s.inner.Reset(s)
		defer s.release()
		next.ServeHTTP(&s.inner, r)
		s.finish()
	})
}

// identity tells caches that an answer could have been encoded.
type identity Middleware

func (m *identity) BeforeHeader(status int, h http.Header) {
	if length, ok := (*Middleware)(m).eligible(status, h); ok && (length < 0 || length >= int64(m.minSize)) {
		if t := h["Content-Type"]; len(t) == 0 || m.types.match(t[0]) {
			addVary(h)
		}
	}
}

type optionError struct {
	path string
	err  error
}

func (e optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e optionError) Unwrap() error      { return e.err }
func (e optionError) OptionPath() string { return e.path }

// noTransform looks for the no-transform directive (RFC 9111, section 5.2.2.6).
func noTransform(values []string) bool {
	for _, v := range values {
		if hasToken(v, "no-transform") {
			return true
		}
	}
	return false
}

// hasToken looks for token in a comma list, whatever its case.
func hasToken(list, token string) bool {
	for list != "" {
		var elem string
		elem, list, _ = strings.Cut(list, ",")
		if strings.EqualFold(trim(elem), token) {
			return true
		}
	}
	return false
}

func addVary(h http.Header) {
	for _, v := range h["Vary"] {
		if hasToken(v, "*") || hasToken(v, "Accept-Encoding") {
			return
		}
	}
	h["Vary"] = append(h["Vary"], "Accept-Encoding")
}

// trim cuts optional white space (RFC 9110, section 5.6.3).
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}
