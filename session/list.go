package session

import (
	"context"
	"errors"
	"time"
)

// Info is what may be shown of a session.
type Info struct {
	ID      string // names it to [Manager.End]; not what its cookie holds
	User    string
	Created time.Time
	Seen    time.Time // roughly
	Expires time.Time // unless it is used again
}

// List gives the sessions of a user, or of all users with "". A cookie store
// does not know them: [errors.ErrUnsupported].
func (m *Manager) List(ctx context.Context, user string) ([]Info, error) {
	all, err := m.guard.list(ctx, user)
	if err != nil {
		return nil, err
	}
	infos := make([]Info, 0, len(all))
	for _, rec := range all {
		if !m.expired(rec) {
			infos = append(infos, Info{ID: rec.Handle, User: rec.User, Created: rec.Created, Seen: rec.Seen, Expires: rec.Expires})
		}
	}
	return infos, nil
}

// End ends the session with this ID, whoever uses it. [ErrNotFound] if there is
// none.
func (m *Manager) End(ctx context.Context, id string) error {
	err := m.guard.delete(ctx, Record{Handle: id})
	if err == nil || errors.Is(err, ErrNotFound) {
		m.watchers.ended(id)
	}
	return err
}

// EndUser ends the sessions of a user, and tells how many there were. Each
// failure is part of the error.
func (m *Manager) EndUser(ctx context.Context, user string) (int, error) {
	if user == "" {
		return 0, errors.New("no user is named")
	}
	return m.endAll(ctx, user)
}

// EndAll ends the sessions of all users, and tells how many there were.
// Anonymous sessions stay.
func (m *Manager) EndAll(ctx context.Context) (int, error) { return m.endAll(ctx, "") }

func (m *Manager) endAll(ctx context.Context, user string) (ended int, err error) {
	all, err := m.guard.list(ctx, user)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, rec := range all {
		switch err := m.End(ctx, rec.Handle); {
		case err == nil:
			ended++
		case !errors.Is(err, ErrNotFound):
			errs = append(errs, err)
			if errors.Is(err, ErrUnavailable) {
				return ended, errors.Join(errs...)
			}
		}
	}
	return ended, errors.Join(errs...)
}
