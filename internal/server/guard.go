package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/mountd/mountd/internal/httpserver"
)

// guard stands before the handler and holds a request to the limits that
// net/http does not know.
type guard struct {
	limits Limits
	next   http.Handler
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.RequestURI) > g.limits.MaxURL {
		refuse(w, http.StatusRequestURITooLong)
		return
	}
	if g.tooMuch(r) {
		refuse(w, http.StatusRequestHeaderFieldsTooLarge)
		return
	}
	if r.ProtoMajor >= 2 {
		g.serveStream(w, r)
		return
	}
	if !r.ProtoAtLeast(1, 1) {
		defer resetAborted(w)
	}
	if r.Body == nil || r.Body == http.NoBody || g.limits.BodyTimeout <= 0 {
		g.next.ServeHTTP(w, r)
		return
	}
	conn, ok := w.(readDeadliner)
	if !ok {
		g.next.ServeHTTP(w, r)
		return
	}
	b := &pacedBody{body: r.Body, conn: conn, limit: g.limits.BodyTimeout}
	b.arm() // net/http itself may read the body before the handler does
	r.Body = b
	defer func() {
		b.linger()
		r.Body = b.body // net/http knows its own body only
	}()
	g.next.ServeHTTP(w, r)
}

// resetAborted resets the connection of a client of HTTP/1.0 whose answer was
// aborted. Such an answer ends with its connection: closed in an orderly way
// it would look whole.
func resetAborted(w http.ResponseWriter) {
	p := recover()
	if p == nil {
		return
	}
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if t, ok := below(c).(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		_ = c.Close()
	}
	panic(p)
}

// tooMuch counts lines, and bytes as they stood on the wire.
func (g *guard) tooMuch(r *http.Request) bool {
	lines, size := 0, len(r.Method)+len(r.RequestURI)+len("  HTTP/1.1\r\n")+len("Host: \r\n")+len(r.Host)
	for name, values := range r.Header {
		lines += len(values)
		for _, v := range values {
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	return lines > g.limits.MaxHeaders || size > g.limits.MaxHeader
}

// refuse answers what never gets to a handler.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Connection", "close")
	http.Error(w, http.StatusText(status), status)
}

// ErrBodyStalled is what reading a request's body gives when the client has
// sent nothing for [Limits.BodyTimeout].
var ErrBodyStalled = httpserver.ErrBodyStalled

type readDeadliner interface{ SetReadDeadline(time.Time) error }

// pacedBody is an HTTP/1 request's body. Its reads have a deadline that moves
// with the data, in steps, since moving it is not free.
//
// The deadline is the connection's. After the body's end net/http waits there
// for the client to go away, which must not time out; so nothing is armed from
// then on, nor after the handler has returned while something else still
// reads.
type pacedBody struct {
	body  io.ReadCloser
	conn  readDeadliner
	limit time.Duration

	mu    sync.Mutex
	until time.Time
	over  bool
}

func (b *pacedBody) Read(p []byte) (int, error) {
	b.arm()
	n, err := b.body.Read(p)
	if err == nil {
		return n, nil
	}
	b.leave()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrBodyStalled
	}
	return n, err
}

func (b *pacedBody) Close() error {
	b.arm()
	b.leave()
	return b.body.Close()
}

// lingering is how long the rest of a body that the handler did not want is
// waited for: net/http holds short answers back until it has read that.
const lingering = 2 * time.Second

// linger ends the pace when the handler has returned.
func (b *pacedBody) linger() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over {
		_ = b.conn.SetReadDeadline(time.Now().Add(min(b.limit, lingering)))
	}
	b.over = true
}

// arm moves the deadline if a quarter of it has gone by.
func (b *pacedBody) arm() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.over || b.until.Sub(now) > b.limit*3/4 {
		return
	}
	b.until = now.Add(b.limit)
	_ = b.conn.SetReadDeadline(b.until)
}

func (b *pacedBody) leave() {
	b.mu.Lock()
	b.over = true
	b.mu.Unlock()
}
