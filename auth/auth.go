// Package auth finds out who sends a request, and says who may.
//
// A [Method] recognises one kind of credentials. A [Gate] puts several of them
// before a handler: the identity that one finds is kept, and only when none
// does is the request refused, with the challenges of all. [Require] says who
// of the known users may pass.
//
// # WebSockets and streams
//
// A request to switch protocols that a page of another origin has made a browser
// send is refused with 403, unless its credentials are of a kind that browsers
// don't add by themselves; see [Ambient].
//
// Connections that were upgraded, and requests that accept text/event-stream,
// end with the session of their user ([Keeper]): at once where it is ended on
// this machine, and within the recheck interval of the session layer, 30 s
// unless it is set, where it is ended elsewhere or by its age (three times that
// if the store fails). The connection is closed; a stream's context is canceled.
//
// # Caches
//
// Answers to users whom caches can't tell apart, since their credentials are
// neither in Authorization nor in a cookie, get "Cache-Control: private" if they
// have no Cache-Control.
package auth

import (
	"context"
	"net/http"
)

// User is an authenticated user. It is shared between requests and must not be
// changed once it was handed out.
type User struct {
	// Name identifies the user. It is never empty, unless a [Fallback] says that
	// nobody need be known, and holds no control characters.
	Name string

	// Groups that the user belongs to.
	Groups []string

	// DisplayName and Email are for people to read; empty if unknown.
	DisplayName, Email string

	// Claims are what a token or a provider says besides. They may be nil.
	Claims map[string]any

	// Method is what authenticated the user: "basic", "bearer", "form", …
	Method string
}

// A Method authenticates requests by one kind of credentials. It must be safe
// for concurrent use.
type Method interface {
	// Authenticate gives the user who sent r, or nil and no error when r has
	// no credentials of this kind. An error refuses r whatever other methods
	// find: an [Answer] is served as it is, anything else is answered as
	// errors of other layers are, with the challenges added if it is a 401. Error
	// values may have the methods of package errorhandler's HTTPError.
	//
	// w may get header fields, but is not answered. A gate asks all of its
	// methods, unless one refuses; see [Fallback] and [Holder] for more that a
	// method may be.
	Authenticate(w http.ResponseWriter, r *http.Request) (*User, error)

	// Challenge says how to authenticate, for a request that is refused.
	Challenge(r *http.Request) Challenge
}

// A Fallback is a [Method] that asks somebody else. A gate asks it only where
// no other method has found a user, whatever their order. A [User] without a
// name lets the request pass as nobody's: [UserFromContext] gives none, and
// [Require] refuses.
type Fallback interface {
	Method
	Fallback()
}

// A Holder is a [Method] that says where its credentials are, so that they go
// no further than the gateway: [Outgoing] removes them.
type Holder interface {
	Method

	// Credentials gives the same answer every time.
	Credentials() Credentials
}

// An Ambient method says whether browsers add its credentials to requests by
// themselves, as they do with cookies, with passwords and certificates that they
// remember, and with whatever an asked service looks at. A gate refuses upgrades
// that pages of other origins ask for in the name of such a user. Methods that
// are no Ambient are taken for one whose answer is yes.
type Ambient interface {
	Method

	// Ambient gives the same answer every time.
	Ambient() bool
}

// A Keeper is a [Method] that knows users by their sessions, and so by cookies.
type Keeper interface {
	Method

	// Watch gives a context that is done when ctx is, and also when the session
	// of the request that ctx belongs to ends. stop must be called.
	Watch(ctx context.Context) (watched context.Context, stop context.CancelFunc)
}

// A WatchFunc is [Keeper]'s Watch. Package session's fits.
type WatchFunc = func(ctx context.Context) (watched context.Context, stop context.CancelFunc)

// Credentials say where credentials are in a request. Empty fields stand for
// nowhere.
type Credentials struct {
	Scheme string // of an Authorization field: "Basic"
	Header string // a field of its own, in its canonical form: "X-Api-Key"
	Query  string // a parameter of the query
}

// A Challenge tells a client what it lacks.
type Challenge struct {
	// Header is one value for WWW-Authenticate, or empty.
	Header string

	// Login is where a browser is sent to log in, or empty.
	Login string
}

// An Answer is an error that knows its whole answer, such as a redirect.
type Answer interface {
	error
	http.Handler
}

// A Session is what a login keeps between requests. Package session's fits.
type Session interface {
	// Get gives the value that was put under key, "" if there is none.
	Get(key string) string
	Put(key, value string)
	Delete(key string)

	// Renew gives the session a new id, as every login must; what it held
	// stays. Login also names its user, for lists of a user's sessions.
	Login(user string) error

	// Clear ends the session and everything in it.
	Clear() error
}

// A SessionFunc gives the session that r belongs to, nil where there is none.
type SessionFunc func(r *http.Request) Session

// UserFromContext gives the user who sent the request that ctx belongs to: the
// one that the innermost gate around the caller has found.
func UserFromContext(ctx context.Context) (*User, bool) {
	p, ok := placeOf(ctx)
	if !ok {
		return nil, false
	}
	u, ok := (*p.identity).(*User)
	return u, ok
}
