package dispatcher

import (
	"net/http"
	"sync/atomic"
)

// Live is a handler that can be replaced while it serves. A request goes
// through the one handler that it found, to its end. The zero value answers
// 503. It is safe for concurrent use and must not be copied.
type Live struct{ p atomic.Pointer[http.Handler] }

// NewLive gives a Live that serves with h.
func NewLive(h http.Handler) *Live {
	l := new(Live)
	l.Store(h)
	return l
}

// Store replaces the handler: every request that comes afterwards gets h. A nil
// h answers 503.
func (l *Live) Store(h http.Handler) {
	if h == nil {
		l.p.Store(nil)
		return
	}
	l.p.Store(&h)
}

// Load gives the handler, nil if there is none.
func (l *Live) Load() http.Handler {
	if p := l.p.Load(); p != nil {
		return *p
	}
	return nil
}

// ServeHTTP serves with the handler of this moment.
func (l *Live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := l.Load(); h != nil {
		h.ServeHTTP(w, r)
		return
	}
	http.Error(w, "503 Service Unavailable", http.StatusServiceUnavailable)
}
