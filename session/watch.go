package session

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// maxFailures is how many times in a row a watch may fail to learn anything
// before it takes the session for ended.
const maxFailures = 3

// Valid asks the store anew whether the session with which r came still is
// there: nil, [ErrEnded], or an error that is answered with 503. It takes no
// account of what the request itself has changed. Without a session it is
// ErrEnded.
func (m *Manager) Valid(ctx context.Context, r *http.Request) error {
	secure := r.TLS != nil
	if s := FromContext(r.Context()); s != nil {
		secure = s.secure
	}
	return m.check(ctx, m.jar.read(r.Header, secure))
}

// check tells whether the session with this token still is there.
func (m *Manager) check(ctx context.Context, token string) error {
	if token == "" {
		return ErrEnded
	}
	rec, err := m.guard.find(ctx, token)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrMalformed) || err == nil && m.expired(rec) {
		return ErrEnded
	}
	return err
}

// Watch gives a context for what lasts longer than a request should, such as a
// WebSocket or a stream of events: it is done when ctx is, and also when the
// session has ended, with [ErrEnded] as its cause. An end on this machine shows
// at once, one elsewhere and the end of its lifetime within Config.Recheck, and
// three times as much when the store fails. Watching is no use of the session:
// it ends by being idle all the same; in a cookie store, by the age of the
// cookie that this request came with, whatever newer ones there are. Without a
// session the context is ctx's child and no more.
//
// stop must be called.
func Watch(ctx context.Context) (watched context.Context, stop context.CancelFunc) {
	watched, cancel := context.WithCancelCause(ctx)
	stop = func() { cancel(nil) }
	s := FromContext(ctx)
	if s == nil {
		return watched, stop
	}
	s.mu.Lock()
	err := s.load()
	rec, m := s.rec, s.m
	s.mu.Unlock()
	if err != nil {
		cancel(err)
		return watched, stop
	}
	if rec.Version == 0 {
		return watched, stop
	}
	w := &watch{m: m, token: rec.Token, handle: rec.Handle, cancel: cancel, ctx: watched}
	if !m.watchers.add(w) {
		cancel(ErrEnded)
		return watched, stop
	}
	w.mu.Lock()
	w.timer = time.AfterFunc(m.recheck, w.look)
	w.mu.Unlock()
	context.AfterFunc(watched, w.stop)
	return watched, stop
}

// watch looks at a session from time to time.
type watch struct {
	m             *Manager
	token, handle string
	ctx           context.Context
	cancel        context.CancelCauseFunc

	mu       sync.Mutex
	timer    *time.Timer
	failures int
	stopped  bool
}

func (w *watch) look() {
	err := w.m.check(w.ctx, w.token)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.stopped:
		return
	case err == nil:
		w.failures = 0
	default:
		w.failures++
	}
	if errors.Is(err, ErrEnded) || w.failures == maxFailures {
		w.cancel(err)
		return
	}
	w.timer.Reset(w.m.recheck)
}

func (w *watch) stop() {
	w.m.watchers.remove(w)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}

// watchers are the watches of a manager, by the handle of their session.
type watchers struct {
	mu     sync.Mutex
	closed bool
	of     map[string]map[*watch]struct{}
}

func (ws *watchers) add(w *watch) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.closed {
		return false
	}
	if ws.of == nil {
		ws.of = map[string]map[*watch]struct{}{}
	}
	if ws.of[w.handle] == nil {
		ws.of[w.handle] = map[*watch]struct{}{}
	}
	ws.of[w.handle][w] = struct{}{}
	return true
}

func (ws *watchers) remove(w *watch) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.of[w.handle], w)
	if len(ws.of[w.handle]) == 0 {
		delete(ws.of, w.handle)
	}
}

// ended tells those who watch this session.
func (ws *watchers) ended(handle string) {
	for _, w := range ws.take(handle) {
		w.cancel(ErrEnded)
	}
}

func (ws *watchers) take(handle string) (taken []*watch) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.of[handle] {
		taken = append(taken, w)
	}
	return taken
}

func (ws *watchers) close() {
	ws.mu.Lock()
	ws.closed = true
	var all []*watch
	for _, of := range ws.of {
		for w := range of {
			all = append(all, w)
		}
	}
	ws.mu.Unlock()
	for _, w := range all {
		w.cancel(ErrEnded)
	}
}
