// Package request holds what mountd knows of one request: a record made at the
// front door, which outer layers read after inner ones have filled it.
package request

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/mountd/mountd/internal/httpwrap"
)

// Record is the record of one request. It is the request's context as well, so
// that all of it is one object together with the request's own copy. The
// goroutine that serves the request owns it; nothing else may write to it.
//
// A record may serve another request later: see [Record.Keep].
type Record struct {
	context.Context // of the connection

	Request http.Request    // the request as the layers see it
	URL     url.URL         // what Request.URL points to
	Writer  httpwrap.Writer // the response writer that the layers see

	Start time.Time // when the header had been read
	ID    string    // request id; empty without the request_id layer

	Peer        netip.Addr // the other end of the connection; zero on unix sockets
	PeerTrusted bool       // the peer is one of the trusted proxies
	Forwarded   bool       // the request came with forwarding headers, believed or not
	Client      netip.Addr // the client, as far as trusted proxies tell
	Scheme      string     // "http" or "https", as the client sees it
	Host        string     // lower case, without port and trailing dot: the trusted view
	HostPort    string     // the host as the client named it, with its port
	Prefix      string     // what a trusted proxy in front has stripped (X-Forwarded-Prefix)

	// Path and RawPath are the canonical path of the whole request, before any
	// mount's prefix was taken off: decoded, and escaped as it came.
	Path, RawPath string

	// Asserted holds the identity headers that a trusted proxy sent. They were
	// removed from the request.
	Asserted http.Header

	Mount    string // name of the mount that serves the request
	User     string // the name of the user who was authenticated last, for logs and limits
	Identity any    // the authenticated user, package auth's *User
	Session  any    // package session's: the manager, or the session once it is used
	Auth     Trail  // what authentication keeps of the request
	Upstream string // the upstream that answered
	Cause    error  // of an error answer, for the log

	// Fail answers with an error through the innermost errors layer.
	Fail func(w http.ResponseWriter, r *http.Request, err error)

	reuse
}

// A Trail is what the authentication of a request leaves for layers further
// in. What it holds is package auth's.
type Trail struct {
	Asked   []any // methods that the request has met, outermost first
	Decided int   // how many of them a gate has decided about
	Hidden  bool  // the application is not told of the user

	few [3]any
}

// Ask adds a method.
func (t *Trail) Ask(method any) {
	if t.Asked == nil {
		t.Asked = t.few[:0]
	}
	t.Asked = append(t.Asked, method)
}

type recordKey struct{}

// Value gives the record itself for its own key.
func (rec *Record) Value(key any) any {
	if _, ok := key.(recordKey); ok {
		return rec
	}
	return rec.Context.Value(key)
}

// Done gives the channel of the connection's context. Whoever asks for it may
// wait on it in another goroutine: the record is kept.
func (rec *Record) Done() <-chan struct{} {
	rec.Keep()
	return rec.Context.Done()
}

// AfterFunc is [context.AfterFunc] on the connection's context. With it, package
// context needs no goroutine for a child of the record, whatever kind of
// context the connection has. The record is kept.
func (rec *Record) AfterFunc(f func()) (stop func() bool) {
	rec.Keep()
	return context.AfterFunc(rec.Context, f)
}

// New makes the record of r: Request and URL are copies that the layers may
// change, Writer stands around w, and the copy's context is the record.
func New(w http.ResponseWriter, r *http.Request) *Record {
	rec := new(Record)
	rec.begin(w, r)
	return rec
}

func (rec *Record) begin(w http.ResponseWriter, r *http.Request) {
	rec.Context, rec.URL = r.Context(), *r.URL
	rec.Writer.ResponseWriter = w
	rec.Request = *r.WithContext(rec)
	rec.Request.URL = &rec.URL
}

// From gives the record of a request by its context, nil where there is none:
// outside mountd the layers work without.
func From(ctx context.Context) *Record {
	if rec, ok := ctx.(*Record); ok {
		return rec
	}
	rec, _ := ctx.Value(recordKey{}).(*Record)
	return rec
}

type idKey struct{}

// WithID gives a context that carries a request's id where there is no record.
func WithID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// ID gives the id of the request that ctx belongs to, "" where it has none.
func ID(ctx context.Context) string {
	if rec := From(ctx); rec != nil {
		return rec.ID
	}
	id, _ := ctx.Value(idKey{}).(string)
	return id
}
