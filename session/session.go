// Package session keeps values between the requests of a browser, on the
// server or in an encrypted cookie.
//
// A [Manager] stands around a handler; inside, [FromContext] gives the
// request's [Session]. A session begins when something is put into it, and is
// asked for when something is read: a request that does neither makes no call
// to the store and sets no cookie.
//
// # Saving
//
// Changes are saved right before the header of the answer goes out. What is
// put later is saved when the handler returns, if the browser has the
// session's cookie already; a new session, or one in a cookie store, cannot be
// saved by then, which is logged. [Session.Save] saves at once and tells
// whether it could; [Session.Login], [Session.Renew] and [Session.Clear] always
// do. An answer below 500 whose session could not be saved is aborted
// ([http.ErrAbortHandler]), unless the handler has learnt of the failure by an
// error that one of the methods returned, so that nothing is lost in silence.
//
// # Concurrency
//
// Requests of one session may come at once, on several machines. Each saves
// the keys that it has changed, on top of what others have saved: the last one
// to write a key wins, [Session.Update] loses nothing. A request that is still
// running when its session is ended, by [Session.Clear] or [Manager.End], does
// not bring it back. For what a store in cookies can do see package
// cookiestore.
//
// # Security
//
// Ids have 192 random bits, are kept as their SHA-256, and are never taken over
// from a client. When the store fails, [Session.Err] says so with an error that
// is answered with 503; whoever gates by what a session holds must ask it.
package session

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// ErrEnded says that a session has ended meanwhile.
var ErrEnded = errors.New("the session has ended")

// ErrTooLate says that the header has gone out, so that the browser cannot
// learn of a new session.
var ErrTooLate = errors.New("the answer has begun, no cookie can be set")

// Session is the session of one request. Its methods may be called from
// several goroutines while the request is served, except that Save, Login and
// Renew belong to the one that writes the answer. What is put after the request
// is lost, and logged.
type Session struct {
	m      *Manager
	ctx    context.Context
	writer *httpwrap.Writer
	secure bool

	mu      sync.Mutex
	sent    string // the token that the browser has, as far as it is any
	rec     Record // as the store has it; Version 0: not at all
	values  values // as they are now
	changes []change
	failure error // why the session cannot be used
	lost    error // why a change was not taken, until someone is told
	asked   bool  // the store was asked, if there was anything to ask
	due     bool  // its use is to be noted
	cleared bool  // the browser's cookie is to go
	over    bool  // the request is
}

// change is what became of a key: a value, no value, or what update makes of
// it.
type change struct {
	key    string
	value  *string
	update func(string) string
}

func (s *Session) begin(m *Manager, ctx context.Context, w *httpwrap.Writer, token string, secure bool) {
	s.m, s.ctx, s.writer, s.secure, s.sent = m, ctx, w, secure, token
	s.rec.Token = token
	w.Before((*hook)(s))
}

// load asks the store, once.
func (s *Session) load() error {
	if s.asked {
		return s.failure
	}
	s.asked = true
	if s.rec.Token == "" {
		return nil
	}
	rec, v, err := s.m.find(s.ctx, s.rec.Token)
	switch {
	case err == nil:
		s.rec, s.values = rec, v
		s.due = s.m.due(rec)
	case errors.Is(err, ErrNotFound):
		s.rec = Record{}
	default:
		s.failure = err
	}
	return s.failure
}

// Err asks for the session and gives what keeps it from being used: nil, or an
// error that [errorhandler.Error] answers with 503. It also gives the reason,
// once, why a change was not taken ([ErrTooLarge]).
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		s.lost = nil
		return err
	}
	err := s.lost
	s.lost = nil
	return err
}

// Get gives the value that was put under key, "" if there is none, or if the
// store fails ([Session.Err]).
func (s *Session) Get(key string) string {
	v, _ := s.Lookup(key)
	return v
}

// Lookup is Get that tells an empty value from none.
func (s *Session) Lookup(key string) (value string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.load() != nil {
		return "", false
	}
	return s.values.get(key)
}

// Keys gives the keys that have a value, in the order in which they came.
func (s *Session) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.load() != nil {
		return nil
	}
	keys := make([]string, 0, len(s.values.pairs))
	for _, p := range s.values.pairs {
		keys = append(keys, p.key)
	}
	return keys
}

// Put puts value under key. Where it cannot, because the session would become
// too large or the store fails, [Session.Err] tells.
func (s *Session) Put(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready() != nil {
		return
	}
	if old, ok := s.values.get(key); ok && old == value {
		return
	}
	s.put(key, value)
}

func (s *Session) put(key, value string) {
	if s.values.sizeWith(key, value) > s.m.maxBytes {
		s.lost = tooLarge(ErrTooLarge)
		return
	}
	s.values.set(key, value)
	s.note(change{key: key, value: &value})
}

func tooLarge(err error) error {
	return &request.Error{Status: http.StatusInternalServerError, Err: err}
}

// Delete removes key and its value.
func (s *Session) Delete(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready() != nil {
		return
	}
	if _, ok := s.values.get(key); ok {
		s.values.remove(key)
		s.note(change{key: key})
	}
}

// Update puts what update makes of the value under key, "" if there is none.
// Of updates by several requests at once none is lost: update is called again
// with what others have put. It must not use the session.
func (s *Session) Update(key string, update func(old string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready() != nil {
		return
	}
	old, _ := s.values.get(key)
	value := update(old)
	if s.values.sizeWith(key, value) > s.m.maxBytes {
		s.lost = tooLarge(ErrTooLarge)
		return
	}
	s.values.set(key, value)
	s.changes = append(s.changes, change{key: key, update: update})
}

// ready asks for the session before a change, and keeps in mind that one was
// refused.
func (s *Session) ready() error {
	err := s.load()
	if err == nil && s.over {
		err = ErrTooLate
		s.m.log.ErrorContext(s.ctx, "session not changed", "error", "the request is over")
		return err
	}
	if err != nil {
		s.lost = err
	}
	return err
}

// note adds a change that makes earlier ones of its key meaningless.
func (s *Session) note(c change) {
	kept := s.changes[:0]
	for _, old := range s.changes {
		if old.key != c.key {
			kept = append(kept, old)
		}
	}
	s.changes = append(kept, c)
}

// replay makes the changes once more, on top of v.
func (s *Session) replay(v values) error {
	for _, c := range s.changes {
		value := ""
		switch {
		case c.update != nil:
			old, _ := v.get(c.key)
			value = c.update(old)
		case c.value != nil:
			value = *c.value
		default:
			v.remove(c.key)
			continue
		}
		if v.sizeWith(c.key, value) > s.m.maxBytes {
			return tooLarge(ErrTooLarge)
		}
		v.set(c.key, value)
	}
	s.values = v
	return nil
}

// User is whose session it is: the user of the last [Session.Login], or "".
func (s *Session) User() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.load() != nil {
		return ""
	}
	return s.rec.User
}

// Created is when the session began; zero if there is none yet.
func (s *Session) Created() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.load() != nil {
		return time.Time{}
	}
	return s.rec.Created
}

const flashPrefix = "\x00flash\x00"

// Flash puts a value that is read once, by [Session.TakeFlash] of a later
// request: a note on the next page. Its keys are apart from those of Put.
func (s *Session) Flash(key, value string) { s.Put(flashPrefix+key, value) }

// TakeFlash gives what Flash has put under key, and removes it.
func (s *Session) TakeFlash(key string) string {
	v, ok := s.Lookup(flashPrefix + key)
	if ok {
		s.Delete(flashPrefix + key)
	}
	return v
}
