package httpserver

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/mountd/mountd/internal/wire"
)

var never time.Time

// handle calls the handler.
func (c *conn) handle(e *exchange) {
	e.aborted = true // until the handler has returned
	defer func() {
		//nolint:errorlint // the value itself, as net/http has it
		switch p := recover(); {
		case p != nil && p != http.ErrAbortHandler:
			c.srv.panicked(c.remote, p)
		case p == nil && e.aborted: // by runtime.Goexit, which ends this goroutine
			if e.finish() != handedOver {
				c.close()
			}
		}
	}()
	c.srv.cfg.Handler.ServeHTTP(&e.res, &e.req)
	e.aborted = false
}

// panicked logs what a handler has not caught.
func (s *Server) panicked(client string, p any) {
	stack := make([]byte, 64<<10)
	stack = stack[:runtime.Stack(stack, false)]
	s.cfg.Logger.Error("panic while serving a request", "client", client, "panic", fmt.Sprint(p), "stack", string(stack))
}

// reset makes the end of the connection an error for the client: an answer
// that lasts until it would look whole otherwise.
func reset(c net.Conn) {
	if n, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = n.NetConn()
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
}

// fail ends the connection whose request could not be read.
func (c *conn) fail(err error) {
	var refused *wire.Error
	if !errors.As(err, &refused) {
		if !errors.Is(err, errQuiet) {
			c.srv.cfg.Logger.Debug("connection ended", "client", c.remote, "error", err)
		}
		c.close()
		return
	}
	c.srv.refuse(c.remote, refused)
	text := strconv.Itoa(refused.Status) + " " + http.StatusText(refused.Status)
	c.out()
	c.pending = append(c.pending, "HTTP/1.1 "+text+"\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"...)
	c.pending = append(c.pending, c.srv.clock.date.Load().text...)
	c.pending = append(c.pending, "Content-Length: "+strconv.Itoa(len(text)+1)+"\r\n\r\n"+text+"\n"...)
	if c.flush() != nil {
		c.close()
		return
	}
	c.linger()
}

// tooLarge says which limit a head has broken.
func tooLarge(b []byte, maxTarget int) error {
	line := len(b)
	for i, ch := range b {
		if ch == '\n' {
			line = i
			break
		}
	}
	if line > maxTarget+len("OPTIONS  HTTP/1.1\r") {
		return &wire.Error{Status: http.StatusRequestURITooLong, Reason: "the request target is too long", Section: "RFC 9112, section 3"}
	}
	return &wire.Error{Status: http.StatusRequestHeaderFieldsTooLarge, Reason: "the head is too large", Section: "RFC 6585, section 5"}
}

// refuse logs a request that was not served.
func (s *Server) refuse(client string, err *wire.Error) {
	if more, ok := s.refused.admit(); ok {
		attrs := []any{"client", client, "status", err.Status, "reason", err.Reason, "source", err.Section}
		if more > 0 {
			attrs = append(attrs, "not_logged", more)
		}
		s.cfg.Logger.Info("request refused", attrs...)
	}
}

// linesPerSecond bounds what strangers can make the log grow by.
const linesPerSecond = 10

// admission lets some lines through each second.
type admission struct {
	mu       sync.Mutex
	second   int64
	admitted int
	dropped  int
}

// admit reports whether one more line may be written, and how many could not
// be since the last one.
func (a *admission) admit() (dropped int, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := time.Now().Unix(); now != a.second {
		a.second, a.admitted = now, 0
	}
	if a.admitted == linesPerSecond {
		a.dropped++
		return 0, false
	}
	a.admitted++
	dropped, a.dropped = a.dropped, 0
	return dropped, true
}

var errEnded = errors.New("the request has been answered: its handler has returned")
