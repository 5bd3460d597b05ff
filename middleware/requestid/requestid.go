// Package requestid gives every request an id, which the application, the
// client and the logs all see.
package requestid

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// DefaultHeader carries the id unless [Config] names another field.
const DefaultHeader = "X-Request-Id"

// MaxLength is the length, in bytes, up to which a client's own id is taken
// over when [Config.Trust] is set.
const MaxLength = 128

// Config says how requests get their ids.
type Config struct {
	// Header is the field that carries the id in the request to the
	// application and in the answer. Empty means [DefaultHeader].
	Header string

	// Trust takes over the id that came with the request, if it has at most
	// [MaxLength] letters, digits and characters of "-_.:/+=@~". Anyone who
	// can send requests can then choose what the logs say. False replaces it.
	Trust bool
}

// Middleware gives ids to requests. It is safe for concurrent use.
type Middleware struct {
	header string
	trust  bool
}

// New makes a Middleware. It fails if cfg.Header is not a field name, or one
// that the protocol needs for itself.
func New(cfg Config) (*Middleware, error) {
	m := &Middleware{header: DefaultHeader, trust: cfg.Trust}
	if cfg.Header == "" {
		return m, nil
	}
	if err := checkHeader(cfg.Header); err != nil {
		return nil, optionError{"header", err}
	}
	m.header = http.CanonicalHeaderKey(cfg.Header)
	return m, nil
}

// Wrap sets the id of each request and hands it to next, in the request's
// header and context. The answer carries the id too; an id that the
// application answers with is replaced.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ww := httpwrap.Of(w)
		r = m.stamp(ww, r)
		next.ServeHTTP(ww, r)
	})
}

func (m *Middleware) stamp(w *httpwrap.Writer, r *http.Request) *http.Request {
	rec := request.From(r.Context())
	t := tags.Get(rec)
	id := m.choose(r, rec)
	t.header, t.value = m.header, request.HeaderValue(id)
	if rec != nil {
		rec.ID = id
	} else {
		r = r.WithContext(request.WithID(r.Context(), id))
	}
	r.Header[m.header] = t.value
	w.Header()[m.header] = t.value
	w.Before(t)
	return r
}

func (m *Middleware) choose(r *http.Request, rec *request.Record) string {
	if m.trust {
		if sent := r.Header[m.header]; len(sent) == 1 && acceptable(sent[0]) {
			return sent[0]
		}
	}
	if rec != nil && !rec.Start.IsZero() {
		return newID(rec.Start)
	}
	return newID(time.Now())
}

// A tag writes the id into the answer, again right before it goes out: a
// proxied application may have added one of its own.
type tag struct {
	header string
	value  []string
}

var tags request.Pool[tag]

func (t *tag) BeforeHeader(_ int, h http.Header) { h[t.header] = t.value }

// FromContext gives the id of the request that ctx belongs to, or "" outside
// of a [Middleware].
func FromContext(ctx context.Context) string { return request.ID(ctx) }

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// newID makes 128 bits: 48 of the time in milliseconds, so that ids sort by
// age, and 80 of the runtime's ChaCha8 generator, which takes neither a lock
// nor a system call. It is written like a ULID, in lower case.
func newID(now time.Time) string {
	hi := uint64(now.UnixMilli())<<16 | uint64(rand.Uint32N(1<<16))
	lo := rand.Uint64()
	var text [26]byte
	for i := len(text) - 1; i >= 0; i-- {
		text[i] = alphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(text[:])
}

func acceptable(id string) bool {
	if id == "" || len(id) > MaxLength {
		return false
	}
	for i := range len(id) {
		if !idByte(id[i]) {
			return false
		}
	}
	return true
}

func idByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '-', '_', '.', ':', '/', '+', '=', '@', '~':
		return true
	}
	return false
}

func checkHeader(name string) error {
	for i := range len(name) {
		c := name[i] | 0x20
		if !('a' <= c && c <= 'z' || '0' <= name[i] && name[i] <= '9' || name[i] == '-') {
			return fmt.Errorf("%q is no header name (letters, digits and - only)", name)
		}
	}
	switch http.CanonicalHeaderKey(name) {
	case "Host", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding", "Trailer", "Te", "Upgrade",
		"Authorization", "Cookie", "Set-Cookie", "Location", "Date":
		return fmt.Errorf("%q has a meaning of its own (choose a name such as %s)", name, DefaultHeader)
	}
	return nil
}

type optionError struct {
	path string
	err  error
}

func (e optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e optionError) Unwrap() error      { return e.err }
func (e optionError) OptionPath() string { return e.path }
