package session

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// maxTries bounds how often a commit is begun anew because other machines keep
// changing the session.
const maxTries = 32

// Save saves what was changed so far, at once. The browser gets the cookie of
// a new session with the answer: [ErrTooLate] if that has begun. [ErrEnded]
// means that the session has ended meanwhile, and the changes with it.
func (s *Session) Save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.load()
	if err == nil {
		err = s.lost
	}
	if err == nil {
		err = s.save(s.open())
	}
	s.lost = nil
	return err
}

// open reports whether a cookie can still be set.
func (s *Session) open() bool { return !s.over && !s.writer.Started() }

// save commits what was changed. A use that cannot be noted is no failure.
func (s *Session) save(open bool) error {
	if s.failure != nil || len(s.changes) == 0 && !s.due || s.rec.Version == 0 && len(s.values.pairs) == 0 {
		return nil
	}
	if !open && (s.rec.Version == 0 || s.m.guard.traits.InCookie) {
		if len(s.changes) == 0 {
			return nil
		}
		return ErrTooLate
	}
	if s.rec.Version != 0 {
		turn := s.m.turn(s.rec.Token)
		turn.Lock()
		defer turn.Unlock()
	}
	return s.commit()
}

func (s *Session) commit() error {
	noting := len(s.changes) == 0 && s.rec.Version != 0
	for try := 1; ; try++ {
		kept, err := s.m.guard.commit(s.ctx, s.next())
		switch {
		case err == nil:
			s.rec, s.changes, s.due = kept, nil, false
			return nil
		case errors.Is(err, ErrNotFound):
			s.gone()
			if noting {
				return nil
			}
			return ErrEnded
		case noting:
			s.due = false
			return nil
		case errors.Is(err, ErrConflict) && try < maxTries:
			if err := s.again(try); err != nil {
				return err
			}
		case errors.Is(err, ErrConflict):
			return unavailable(fmt.Errorf("%w: %d times", err, try))
		case errors.Is(err, ErrTooLarge):
			return tooLarge(err)
		default:
			return err
		}
	}
}

// next is the record to commit.
func (s *Session) next() Record {
	now := s.m.now()
	rec := s.rec
	if rec.Version == 0 && rec.Created.IsZero() {
		rec.Created, rec.Deadline = now, now.Add(s.m.lifetime)
	}
	rec.Seen, rec.Expires = now, rec.Deadline
	if e := now.Add(s.m.idle); e.Before(rec.Expires) {
		rec.Expires = e
	}
	if len(s.changes) > 0 || rec.Version == 0 {
		rec.Data = s.values.encode()
	}
	return rec
}

// again asks for the session as others have changed it, and makes our changes
// on top. From the second time on it lets the others finish.
func (s *Session) again(try int) error {
	if try > 1 {
		time.Sleep(rand.N(time.Duration(min(try, 10)) * 2 * time.Millisecond))
	}
	rec, v, err := s.m.find(s.ctx, s.rec.Token)
	if errors.Is(err, ErrNotFound) {
		s.gone()
		return ErrEnded
	}
	if err != nil {
		return err
	}
	s.rec = rec
	return s.replay(v)
}

// gone forgets a session that has ended while the request was served. The
// browser's cookie stays: it may be that of a later session by now.
func (s *Session) gone() {
	s.rec, s.values, s.changes, s.due, s.sent = Record{}, values{}, nil, false, ""
}

// hook saves the session before the header goes out.
type hook Session

// BeforeHeader serves [httpwrap.Writer].
func (h *hook) BeforeHeader(status int, header http.Header) {
	s := (*Session)(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finish(header) != nil && status < http.StatusInternalServerError {
		panic(http.ErrAbortHandler)
	}
}

var _ httpwrap.Hook = (*hook)(nil)

// finish saves, and writes what the answer's header has to say.
func (s *Session) finish(header http.Header) error {
	if s.over || !s.asked {
		return nil
	}
	err := s.lost
	if err == nil {
		err = s.save(true)
	}
	s.lost = nil
	if errors.Is(err, ErrEnded) {
		err = nil
	}
	if err != nil {
		s.changes = nil
		s.complain(err)
	}
	s.settle(header)
	varyByCookie(header)
	return err
}

// settle tells the browser of the session's token.
func (s *Session) settle(header http.Header) {
	switch token := s.rec.Token; {
	case s.rec.Version != 0 && token != s.sent:
		s.m.jar.write(header, s.secure, token, s.rec.Deadline.Sub(s.m.now()))
		s.sent = token
	case s.rec.Version == 0 && s.cleared:
		s.m.jar.write(header, s.secure, "", 0)
		s.sent = ""
	}
	s.cleared = false
}

// complain logs a change that is lost.
func (s *Session) complain(err error) {
	s.m.log.ErrorContext(s.ctx, "session not saved", "error", err)
	if rec := request.From(s.ctx); rec != nil && rec.Cause == nil {
		rec.Cause = err
	}
}

// end is called when the handler has returned. If it has left the answer to
// the server, a failure can still be one.
func (s *Session) end(w http.ResponseWriter, r *http.Request) {
	if err := s.close(); err != nil {
		request.Fail(w, r, err)
	}
}

func (s *Session) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.over = true }()
	if !s.writer.Started() {
		return s.finish(s.writer.Header())
	}
	if !s.asked {
		return nil
	}
	err := s.lost
	if err == nil {
		err = s.save(false)
	}
	if err != nil && !errors.Is(err, ErrEnded) {
		s.complain(err)
	}
	return nil
}
