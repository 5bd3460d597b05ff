package auth

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// lasts reports whether the answer to r may last longer than its user's login.
func lasts(r *http.Request) bool {
	if upgrades(r) {
		return true
	}
	for _, line := range r.Header["Accept"] {
		if strings.Contains(strings.ToLower(line), "text/event-stream") {
			return true
		}
	}
	return false
}

// errLoggedOut is why the context of a watched request is canceled.
var errLoggedOut = errors.New("the user's session has ended")

// serveWatched serves r for as long as its session lasts. A connection that is
// taken over is watched until it is closed, even after next has returned.
func serveWatched(next http.Handler, w http.ResponseWriter, r *http.Request, watch WatchFunc) {
	request.Keep(r.Context()) // the watch asks the context for more than its end
	life, stop := watch(context.WithoutCancel(r.Context()))
	ctx, cancel := context.WithCancelCause(r.Context())
	ww := &watchedWriter{ResponseWriter: w, life: life, stop: stop}
	release := context.AfterFunc(life, func() { cancel(errLoggedOut) })
	served := false
	defer func() {
		cancel(nil)
		release()
		if !served || !ww.taken {
			stop()
		}
	}()
	next.ServeHTTP(httpwrap.Of(ww), r.WithContext(ctx))
	served = true
}

// watchedWriter ties a connection that is taken over to a session.
type watchedWriter struct {
	http.ResponseWriter
	life  context.Context
	stop  context.CancelFunc
	taken bool
}

// Unwrap serves [http.ResponseController].
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack hands the connection over.
func (w *watchedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return conn, rw, err
	}
	w.taken = true
	c := &watchedConn{Conn: conn, stop: w.stop}
	context.AfterFunc(w.life, func() { _ = c.Close() })
	return c, rw, nil
}

// watchedConn ends the watch when it is closed.
type watchedConn struct {
	net.Conn
	stop context.CancelFunc
	once sync.Once
	err  error
}

// Close closes the connection, once.
func (c *watchedConn) Close() error {
	c.once.Do(func() {
		c.err = c.Conn.Close()
		c.stop()
	})
	return c.err
}

// CloseWrite tells the peer that nothing more comes.
func (c *watchedConn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}
