package httpserver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves connections. It is made by [New] and safe for concurrent use.
type Server struct {
	cfg     Config
	clock   clock
	refused admission

	stopping atomic.Bool

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	first     *conn // of all open connections
	open      int
	sweeper   *time.Timer
	sweeping  bool
	gone      chan struct{} // closed when no connection is left; nil unless waited for
}

// New makes a server.
func New(cfg Config) (*Server, error) {
	if cfg.Handler == nil {
		return nil, errNoHandler
	}
	s := &Server{cfg: cfg.withDefaults(), listeners: map[net.Listener]struct{}{}}
	// Handlers look for it to know that a server recovers their panics:
	// ReverseProxy of net/http/httputil cuts an answer short only then.
	s.cfg.BaseContext = context.WithValue(s.cfg.BaseContext, http.ServerContextKey, &http.Server{Handler: cfg.Handler})
	s.clock.init(s.cfg.tick())
	return s, nil
}

// Serve accepts connections at ln, which may give [*tls.Conn], until ln fails
// or the server is stopped; then the error is [http.ErrServerClosed].
func (s *Server) Serve(ln net.Listener) error {
	if !s.listen(ln) {
		return http.ErrServerClosed
	}
	defer s.unlisten(ln)
	var pause time.Duration
	for {
		c, err := ln.Accept()
		if err != nil {
			if s.stopping.Load() {
				return http.ErrServerClosed
			}
			var ne net.Error
			//lint:ignore SA1019 too many open files, among others, pass
			if !errors.As(err, &ne) || !ne.Temporary() {
				return err
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.cfg.Logger.Warn("accept failed, trying again", "error", err, "after", pause)
			time.Sleep(pause)
			continue
		}
		pause = 0
		s.ServeConn(c)
	}
}

// ServeConn serves one connection, on its own goroutine.
func (s *Server) ServeConn(c net.Conn) {
	k := newConn(s, c)
	s.state(c, http.StateNew)
	if !s.add(k) {
		_ = c.Close()
		s.state(c, http.StateClosed)
		return
	}
	go k.serve()
}

func (s *Server) listen(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() {
		return false
	}
	s.listeners[ln] = struct{}{}
	return true
}

func (s *Server) unlisten(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
}

func (s *Server) state(c net.Conn, state http.ConnState) {
	if s.cfg.ConnState != nil {
		s.cfg.ConnState(c, state)
	}
}

// add makes k known; false means that the server is closed.
func (s *Server) add(k *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() {
		return false
	}
	k.next = s.first
	if s.first != nil {
		s.first.prev = k
	}
	s.first = k
	s.open++
	if !s.sweeping {
		s.clock.advance(time.Now())
		s.startSweeping()
	}
	k.enter(phaseNew)
	return true
}

// remove forgets k, which is closed or another's now.
func (s *Server) remove(k *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case k.prev != nil:
		k.prev.next = k.next
	case s.first == k:
		s.first = k.next
	default: // a hook has panicked after that
		return
	}
	if k.next != nil {
		k.next.prev = k.prev
	}
	k.prev, k.next = nil, nil
	s.open--
	if s.open == 0 && s.gone != nil {
		close(s.gone)
		s.gone = nil
	}
}

// Shutdown stops accepting, closes idle connections, and returns when the
// requests under way are answered; those answers close their connections. When
// ctx ends first, it returns ctx's error, and everything goes on. Taken-over
// connections are not waited for.
func (s *Server) Shutdown(ctx context.Context) error {
	gone := s.stop(func(k *conn) { k.closeIfIdle() })
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes all listeners and connections at once.
func (s *Server) Close() error {
	s.stop(func(k *conn) { _ = k.rwc.Close() })
	return nil
}

// stop gives a channel that is closed when no connection is left.
func (s *Server) stop(each func(*conn)) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping.Store(true)
	for ln := range s.listeners {
		_ = ln.Close()
	}
	for k := s.first; k != nil; k = k.next {
		each(k)
	}
	if s.gone == nil {
		s.gone = make(chan struct{})
	}
	gone := s.gone
	if s.open == 0 {
		close(gone)
		s.gone = nil
	}
	return gone
}

// CloseIdle closes the connections that have been idle the longest, to make
// room for others. It reports how many.
func (s *Server) CloseIdle() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	var oldest time.Duration
	for k := s.first; k != nil; k = k.next {
		if state := k.state.Load(); phaseOf(state) == phaseIdle {
			oldest = max(oldest, k.watch.see(state, now))
		}
	}
	n := 0
	for k := s.first; k != nil && n < closeAtOnce; k = k.next {
		state := k.state.Load()
		if phaseOf(state) == phaseIdle && k.watch.see(state, now) >= oldest*3/4 && k.closeIfIdle() {
			n++
		}
	}
	return n
}

// closeAtOnce is how many idle connections make room together, so that looking
// for them is not done for each one that comes.
const closeAtOnce = 64
