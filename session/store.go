package session

import (
	"context"
	"errors"
	"time"
)

// Errors of a [Store]. Any other error means that the store could not do what
// it was asked.
var (
	// ErrNotFound: there is no such session. It has ended, or never was.
	ErrNotFound = errors.New("no such session")

	// ErrConflict: the session has another version by now.
	ErrConflict = errors.New("the session was changed by someone else")

	// ErrMalformed: what the store holds is no session, or one of a version
	// that this program does not know.
	ErrMalformed = errors.New("malformed session")

	// ErrTooLarge: the session is larger than the store, or the manager, takes.
	ErrTooLarge = errors.New("the session is too large")
)

// A Store keeps sessions. Package session/storetest holds every store to this
// contract.
//
// A session is named by its token, which is what its cookie holds. A server
// store makes tokens with [NewToken], and must keep sessions under the token's
// [Handle] alone, so that whoever reads the store can take over no session.
//
// Methods are called concurrently. They return soon after ctx is done. Errors
// are the ones above, possibly wrapped, or mean that the store is unavailable.
// Values inside a store may have been written by anyone: a store must not
// panic, whatever it finds.
type Store interface {
	// Traits tells what kind of store this is. They never change.
	Traits() Traits

	// Owns reports whether token could be one of this store's, judging by its
	// form. It asks nothing outside the process, and is quick.
	Owns(token string) bool

	// Find gives the session that token names, with all fields set, or
	// ErrNotFound. A session whose Expires has passed is not found. The caller
	// does not change what Data points to.
	Find(ctx context.Context, token string) (Record, error)

	// Commit keeps rec, if the session still has rec.Version, and gives back
	// the record as it is kept: its version is one higher. With another version
	// in the store it fails with ErrConflict; ErrNotFound if the session is not
	// there, which must never bring it back.
	//
	// A record without Token is a new session, whose Version is 0: Commit gives
	// it a Token and a Handle. Token and Handle of a session stay the same,
	// except that a store with Traits.InCookie makes a new Token each time.
	// User, Created and Deadline are those of the first Commit.
	Commit(ctx context.Context, rec Record) (Record, error)

	// Delete ends the session with rec.Handle, or fails with ErrNotFound. With
	// a rec.Version other than 0 it fails with ErrConflict if the session has
	// another one.
	Delete(ctx context.Context, rec Record) error

	// List gives the sessions of a user, without their tokens, in any order; ""
	// stands for every session that has a user. A store that cannot know fails
	// with [errors.ErrUnsupported].
	List(ctx context.Context, user string) ([]Record, error)
}

// Traits tell what kind of store a [Store] is. The zero value is that of a
// store on another machine.
type Traits struct {
	// Local stores never wait for anything, so they need no time limit.
	Local bool

	// InCookie says that a token is the session itself. Such a store need not
	// know about conflicts (the last writer wins), nor list sessions, and
	// forgets the ones that ended as its own documentation says.
	InCookie bool

	// MaxData is how many bytes of Data a session may have. 0: no limit of the
	// store's own.
	MaxData int
}

// Record is a session as a [Store] keeps it. Times have a resolution of
// milliseconds. All but Token are kept.
type Record struct {
	Token   string // names the session, secretly
	Handle  string // names the session to those who may list it
	Version uint64 // counts the commits
	User    string // whose session it is; empty: anonymous

	Created  time.Time // when it began
	Seen     time.Time // when it was last used, roughly
	Expires  time.Time // when the store may forget it
	Deadline time.Time // when it ends, however much it is used

	Data []byte // what it holds
}
