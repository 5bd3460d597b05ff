package cookiestore

import "sync"

// endings remember the sessions that have ended, up to a number.
type endings struct {
	max int

	mu      sync.RWMutex
	handles map[string]struct{}
	order   []string // a ring once it is full
	next    int
}

func (e *endings) has(handle string) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	_, ok := e.handles[handle]
	return ok
}

func (e *endings) add(handle string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.handles[handle]; ok {
		return
	}
	if e.handles == nil {
		e.handles = map[string]struct{}{}
	}
	e.handles[handle] = struct{}{}
	if len(e.order) < e.max {
		e.order = append(e.order, handle)
		return
	}
	delete(e.handles, e.order[e.next])
	e.order[e.next] = handle
	e.next = (e.next + 1) % e.max
}
