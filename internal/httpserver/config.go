package httpserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"
)

// Config says what to answer with and how long to wait.
type Config struct {
	// Handler answers. It must be set.
	Handler http.Handler

	// HeaderTimeout is the time to read a request's header, from its first
	// byte, and for a connection's first request or TLS handshake from the
	// connection's beginning. 0: no limit.
	HeaderTimeout time.Duration

	// IdleTimeout is how long a connection may wait for its next request.
	// 0: no limit.
	IdleTimeout time.Duration

	// BodyTimeout is how long a client may send nothing of its body while a
	// handler reads it; [ErrBodyStalled] is what the handler gets then. 0: no
	// limit.
	BodyTimeout time.Duration

	// MaxHeader bounds a request's head in bytes: 431. 0: 64 KiB.
	MaxHeader int

	// MaxFields bounds the number of header lines besides Host: 431. 0: 200.
	MaxFields int

	// MaxTarget bounds the request target in bytes: 414. 0: 16 KiB.
	MaxTarget int

	// BaseContext is what the contexts of requests come from; requests end
	// with it. Nil is [context.Background]. An [http.Server] that does nothing
	// is added as [http.ServerContextKey].
	BaseContext context.Context

	// ConnContext, if set, gives the context for the requests of a connection.
	ConnContext func(ctx context.Context, c net.Conn) context.Context

	// ConnState, if set, is told what a connection does, as net/http's is.
	ConnState func(net.Conn, http.ConnState)

	// HTTP2, if set, gets the connections that speak HTTP/2: those whose TLS
	// handshake has chosen "h2", as [*tls.Conn], and those in the clear that
	// begin with its preface. Their ConnState stays StateNew here: the rest is
	// the new owner's. Nil: such a preface is refused.
	HTTP2 func(net.Conn)

	// Logger gets refused requests at level Info, ten a second at most, and
	// panics of handlers at level Error. Nil discards both.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.MaxHeader <= 0 {
		c.MaxHeader = 64 << 10
	}
	if c.MaxFields <= 0 {
		c.MaxFields = 200
	}
	if c.MaxTarget <= 0 {
		c.MaxTarget = 16 << 10
	}
	if c.BaseContext == nil {
		c.BaseContext = context.Background()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

var errNoHandler = errors.New("http server: Handler must be set")

// ErrBodyStalled is what reading a request's body gives when the client has
// sent nothing for [Config.BodyTimeout]. It unwraps to
// [os.ErrDeadlineExceeded].
var ErrBodyStalled error = &bodyError{
	status: http.StatusRequestTimeout, message: "The request's body did not arrive.",
	err: os.ErrDeadlineExceeded, text: "read body: the client stopped sending",
}

// A bodyError is what reading a body gives when the rest of it is lost. The
// connection ends with the answer.
type bodyError struct {
	status  int
	message string
	text    string
	err     error
}

func (e *bodyError) Error() string           { return e.text }
func (e *bodyError) Unwrap() error           { return e.err }
func (e *bodyError) HTTPStatus() int         { return e.status }
func (e *bodyError) ClientMessage() string   { return e.message }
func (e *bodyError) HTTPHeader() http.Header { return http.Header{"Connection": {"close"}} }
