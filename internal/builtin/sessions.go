package builtin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/mountd/mountd/session"
)

// Sessions knows the session layers that are in use, so that an operator can
// see and end sessions. The zero value is ready; it is safe for concurrent use.
type Sessions struct {
	mu       sync.Mutex
	managers map[*session.Manager]string // to the kind of their store
}

// SessionInfo is a session with the kind of the store that keeps it.
type SessionInfo struct {
	session.Info
	Store string
}

func (s *Sessions) add(m *session.Manager, kind string) (forget func()) {
	if s == nil {
		return func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.managers == nil {
		s.managers = map[*session.Manager]string{}
	}
	s.managers[m] = kind
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.managers, m)
	}
}

func (s *Sessions) all() map[*session.Manager]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[*session.Manager]string, len(s.managers))
	for m, kind := range s.managers {
		all[m] = kind
	}
	return all
}

// SessionsError is a store that could not be asked, or cannot tell
// ([errors.ErrUnsupported]).
type SessionsError struct {
	Store string
	Err   error
}

func (e *SessionsError) Error() string {
	if errors.Is(e.Err, errors.ErrUnsupported) {
		return e.Store + " store: its sessions are known to the browsers alone"
	}
	return e.Store + " store: " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *SessionsError) Unwrap() error { return e.Err }

// List gives the sessions of a user, or of all users with "", ordered by user
// and age. Its error joins a [*SessionsError] for each store that could not
// tell; the list is what the others have.
func (s *Sessions) List(ctx context.Context, user string) ([]SessionInfo, error) {
	var found []SessionInfo
	known := map[string]bool{} // layers may share a store
	err := s.each(func(m *session.Manager, kind string) error {
		infos, err := m.List(ctx, user)
		for _, in := range infos {
			if !known[in.ID] {
				known[in.ID] = true
				found = append(found, SessionInfo{in, kind})
			}
		}
		return err
	})
	slices.SortFunc(found, func(a, b SessionInfo) int {
		if c := strings.Compare(a.User, b.User); c != 0 {
			return c
		}
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return found, err
}

// End ends the session with this ID. It reports whether there was one.
func (s *Sessions) End(ctx context.Context, id string) (bool, error) {
	ended := false
	err := s.each(func(m *session.Manager, _ string) error {
		err := m.End(ctx, id)
		if errors.Is(err, session.ErrNotFound) {
			return nil
		}
		ended = ended || err == nil
		return err
	})
	return ended, err
}

// EndUser ends the sessions of a user and gives their number. Stores that
// cannot are in the error, as for [Sessions.List].
func (s *Sessions) EndUser(ctx context.Context, user string) (int, error) {
	return s.end(func(m *session.Manager) (int, error) { return m.EndUser(ctx, user) })
}

// EndAll ends the sessions of all users and gives their number.
func (s *Sessions) EndAll(ctx context.Context) (int, error) {
	return s.end(func(m *session.Manager) (int, error) { return m.EndAll(ctx) })
}

func (s *Sessions) end(by func(*session.Manager) (int, error)) (ended int, err error) {
	err = s.each(func(m *session.Manager, _ string) error {
		n, err := by(m)
		ended += n
		return err
	})
	return ended, err
}

// each calls f for every layer; of each kind of store, one failure is told.
func (s *Sessions) each(f func(*session.Manager, string) error) error {
	failed := map[string]error{}
	for m, kind := range s.all() {
		if err := f(m, kind); err != nil {
			failed[kind] = &SessionsError{kind, err}
		}
	}
	kinds := make([]string, 0, len(failed))
	for kind := range failed {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	var errs []error
	for _, kind := range kinds {
		errs = append(errs, failed[kind])
	}
	return errors.Join(errs...)
}

// endSessions ends the sessions of a user that the layer around the caller
// keeps. A store that cannot is no failure: who asks remembers the user.
func endSessions(ctx context.Context, user string) error {
	m := session.ManagerFromContext(ctx)
	if m == nil {
		return errors.New("no session layer stands around")
	}
	_, err := m.EndUser(ctx, user)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
