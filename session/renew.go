package session

import (
	"errors"
	"fmt"
	"strings"
)

// Login gives the session a new id and names its user, as every login must:
// whoever knew the old id has nothing. What the session held stays, its
// lifetime begins anew. The old id is dead when Login returns without error.
//
// user is at most 1024 bytes, without control characters, and not empty.
func (s *Session) Login(user string) error {
	if user == "" || len(user) > maxUser || strings.ContainsFunc(user, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%q is not a name for a session's user", user)
	}
	return s.renew(func(old Record) (Record, error) { return Record{User: user}, nil })
}

// Renew gives the session a new id and keeps everything else. A session that
// has not begun stays so.
func (s *Session) Renew() error {
	return s.renew(func(old Record) (Record, error) {
		if old.Version == 0 {
			return Record{}, ErrEnded
		}
		return Record{User: old.User, Created: old.Created, Deadline: old.Deadline}, nil
	})
}

func (s *Session) renew(successor func(old Record) (Record, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		s.lost = nil
		return err
	}
	if !s.open() {
		return ErrTooLate
	}
	begun := s.rec.Version != 0
	if err := s.retire(); err != nil {
		return err
	}
	rec, err := successor(s.rec)
	switch {
	case err != nil && begun:
		s.gone()
		return err
	case err != nil:
		return nil
	}
	s.rec = rec
	if err := s.commit(); err != nil {
		s.rec, s.failure, s.cleared = Record{}, err, true
		return err
	}
	return nil
}

// retire ends the session at the store, with the values that it has there in
// hand. A session that was ended by someone else hands nothing on but what this
// request has put.
func (s *Session) retire() error {
	if s.rec.Version == 0 {
		return nil
	}
	turn := s.m.turn(s.rec.Token)
	turn.Lock()
	defer turn.Unlock()
	for try := 1; ; try++ {
		err := s.m.guard.delete(s.ctx, s.rec)
		switch {
		case err == nil:
			s.m.watchers.ended(s.rec.Handle)
			return nil
		case errors.Is(err, ErrNotFound):
			s.rec = Record{}
			return s.replay(values{})
		case !errors.Is(err, ErrConflict) || try == maxTries:
			return err
		}
		if err := s.refresh(try); err != nil {
			return err
		}
	}
}

// refresh is again, for a session that may have ended.
func (s *Session) refresh(try int) error {
	changes := s.changes
	err := s.again(try)
	if errors.Is(err, ErrEnded) {
		s.changes = changes
		return s.replay(values{})
	}
	return err
}

// Clear ends the session and everything in it, at the store and in the
// browser. What is put afterwards begins a new one. An error means that the
// session may still be there.
func (s *Session) Clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleared = true
	if err := s.load(); err != nil {
		s.lost = nil
		return err
	}
	if s.rec.Version != 0 {
		rec := s.rec
		rec.Version = 0
		if err := s.m.guard.delete(s.ctx, rec); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		s.m.watchers.ended(rec.Handle)
	}
	s.rec, s.values, s.changes, s.due, s.lost = Record{}, values{}, nil, false, nil
	return nil
}
