package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/mountd/mountd/internal/request"
)

// FormConfig says whose passwords a login page takes. Verify, Lookup and
// Session must be set.
type FormConfig struct {
	// Verify gives the user with this name and password, or nil and no error
	// when there is none. It must take the same time for a user that does not
	// exist, and bound how much of it runs at once: clients decide how often it
	// is called. An error says that it cannot tell, and is answered with its own
	// status or with 503.
	Verify func(ctx context.Context, user, password string) (*User, error)

	// Lookup gives a user by the name that Verify gave. It is asked for every
	// request, so it must be fast; a user whom it no longer knows is logged out.
	Lookup func(name string) (*User, bool)

	// Version gives a text that changes when the credentials of a user do. It is
	// kept in the session, so it must not give them away. Logins from before a
	// change end. Nil: they outlive it.
	Version func(name string) string

	// Account gives the account that a typed name belongs to, for counting
	// failures: all names of one user must give the same. Nil: names that differ
	// in case or in blanks around them are one account.
	Account func(user string) string

	// Session gives the session of a request. Where it gives nil, requests are
	// refused with 503.
	Session SessionFunc

	// Watch gives a context that ends with the session of the request that ctx
	// belongs to. WebSockets and streams of events run under it. Nil: they outlive
	// the session.
	Watch WatchFunc

	// Login and Logout are the paths of the pages, below no mount. Empty:
	// /.mountd/login and /.mountd/logout.
	Login, Logout string

	// Template is a file with a html/template for the login page, which sees a
	// [FormPage]. A template "logout" that it defines is used for the logout
	// pages. It is read once. Empty: the built-in pages.
	Template string

	// Attempts is how many failed logins an account and a client address (IPv6:
	// a /64 network) have per Per; both get them back evenly. Attempts at an
	// account from an address from which it was logged in to during the last 30
	// days count apart from those of others, so that strangers cannot keep
	// its user out. Counts are kept in memory, in tables of bounded size.
	// 0: 5 per minute. The largest is 1000.
	Attempts int
	Per      time.Duration

	// ErrorFunc answers requests that get no page of the login. Nil:
	// the errors layer around, or plain text without one.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// Form logs users in with a page of its own and recognises them by their
// session. Its [Form.Handlers] must be served, with the session layer around
// them, at their paths on every host. It is safe for concurrent use.
type Form struct {
	cfg      FormConfig
	key      string // of the session: the user's name
	version  string // of the session: state of the credentials
	pages    *formPages
	throttle *throttle
}

// NewForm makes a Form. Its error names every mistake.
func NewForm(cfg FormConfig) (*Form, error) {
	f := &Form{cfg: cfg}
	c := &f.cfg
	var errs []error
	for _, must := range []struct {
		name string
		set  bool
	}{{"Verify", c.Verify != nil}, {"Lookup", c.Lookup != nil}, {"Session", c.Session != nil}} {
		if !must.set {
			errs = append(errs, fmt.Errorf("form: %s must be set", must.name))
		}
	}
	if c.Account == nil {
		c.Account = defaultAccount
	}
	if c.Watch == nil {
		c.Watch = context.WithCancel
	}
	if c.ErrorFunc == nil {
		c.ErrorFunc = request.Fail
	}
	if c.Login == "" {
		c.Login = "/.mountd/login"
	}
	if c.Logout == "" {
		c.Logout = "/.mountd/logout"
	}
	errs = append(errs, checkPage("login", c.Login), checkPage("logout", c.Logout))
	if c.Login == c.Logout {
		errs = append(errs, &optionError{"logout", fmt.Errorf("%q is the path of the login page, too (write another one)", c.Logout)})
	}
	if c.Attempts == 0 {
		c.Attempts = 5
	}
	if c.Per == 0 {
		c.Per = time.Minute
	}
	if c.Attempts < 1 || c.Attempts > 1000 || c.Per < 0 || c.Per > 30*24*time.Hour || c.Per/time.Duration(max(1, c.Attempts)) < time.Millisecond {
		errs = append(errs, &optionError{"attempts", fmt.Errorf("%d in %v is out of range (write it like 5/m)", c.Attempts, c.Per)})
	}
	var err error
	if f.pages, err = loadFormPages(c.Template); err != nil {
		errs = append(errs, &optionError{"template", err})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	// Two login pages may know different users of one name.
	f.key = "auth.form " + c.Login
	f.version = f.key + " version"
	f.throttle = newThrottle(c.Attempts, c.Per)
	return f, nil
}

func checkPage(option, p string) error {
	if len(p) < 2 || p[0] != '/' || path.Clean(p) != p || (&url.URL{Path: p}).EscapedPath() != p {
		return &optionError{option, fmt.Errorf("%q is no path of a page (write /.mountd/%s)", p, option)}
	}
	return nil
}

// Handlers gives the login and the logout page by their paths. The map is the
// caller's.
func (f *Form) Handlers() map[string]http.Handler {
	return map[string]http.Handler{
		f.cfg.Login:  http.HandlerFunc(f.serveLogin),
		f.cfg.Logout: http.HandlerFunc(f.serveLogout),
	}
}

// Wrap puts a gate of this method alone before next.
func (f *Form) Wrap(next http.Handler) http.Handler { return Wrap(f, next) }

// Authenticate implements [Method].
func (f *Form) Authenticate(w http.ResponseWriter, r *http.Request) (*User, error) {
	addVary(w.Header(), "Cookie")
	s, err := f.session(r)
	if err != nil {
		return nil, err
	}
	return f.userOf(s)
}

// Ambient says that browsers add cookies by themselves.
func (f *Form) Ambient() bool { return true }

// Watch implements [Keeper].
func (f *Form) Watch(ctx context.Context) (watched context.Context, stop context.CancelFunc) {
	return f.cfg.Watch(ctx)
}

// OwnCookie reports the cookie of the login page, which is no application's.
func (f *Form) OwnCookie(name, _ string) bool {
	return name == nonceName || name == "__Host-"+nonceName
}

// Challenge implements [Method]. The login page leads back to the address of r,
// unless that is too long.
func (f *Form) Challenge(r *http.Request) Challenge {
	return Challenge{
		Header: f.challenge(),
		Login:  f.page(r, f.cfg.Login, returnTo(addressOf(r))),
	}
}

// challenge tells clients that are no browsers where to log in. The scheme's
// name is our own: browsers leave it alone.
func (f *Form) challenge() string { return "Form realm=\"login\", action=" + quoted(f.cfg.Login) }

// page gives the address of one of our pages, from which to leads on.
func (f *Form) page(r *http.Request, page, to string) string {
	if rec := request.From(r.Context()); rec != nil {
		page = strings.TrimRight(rec.Prefix, "/") + page
	}
	if to == "/" {
		return page
	}
	return page + "?to=" + url.QueryEscape(to)
}

func (f *Form) session(r *http.Request) (Session, error) {
	s := f.cfg.Session(r)
	if s == nil {
		return nil, noSession(errors.New("the request has no session (the session layer must stand before auth.form)"))
	}
	return s, trouble(s)
}

// trouble gives what keeps a session from being used. Sessions that can tell
// have a method for it, as those of package session.
func trouble(s Session) error {
	if s, ok := s.(interface{ Err() error }); ok {
		if err := s.Err(); err != nil {
			return noSession(err)
		}
	}
	return nil
}

// noSession is a 503, unless err has a status of its own.
func noSession(err error) error {
	var known interface{ HTTPStatus() int }
	if errors.As(err, &known) {
		return err
	}
	return &request.Error{Status: http.StatusServiceUnavailable, Message: "Logging in is not possible at the moment.", Err: err}
}

// userOf gives the user who is logged in, as the current configuration knows
// him, or nil. A session whose login no longer holds ends.
func (f *Form) userOf(s Session) (*User, error) {
	name := s.Get(f.key)
	if name == "" {
		return nil, nil
	}
	u, ok := f.cfg.Lookup(name)
	if !ok || u == nil || u.Name != name || s.Get(f.version) != f.versionOf(name) {
		if err := s.Clear(); err != nil {
			return nil, noSession(fmt.Errorf("end the session of %q, who may not log in any more: %w", name, err))
		}
		return nil, nil
	}
	if u.Method != "form" {
		form := *u
		form.Method = "form"
		u = &form
	}
	return u, nil
}

func (f *Form) versionOf(name string) string {
	if f.cfg.Version == nil {
		return ""
	}
	return f.cfg.Version(name)
}

// login makes the session that of u, whose credentials had this version before
// they were verified: a change meanwhile ends the login. What another user has
// left in the session goes, and what this one has by another kind of login.
func (f *Form) login(s Session, u *User, version string) error {
	if old := f.owner(s); old != "" && (old != u.Name || s.Get(f.key) != old) {
		if err := s.Clear(); err != nil {
			return noSession(fmt.Errorf("end the session of another user: %w", err))
		}
	}
	s.Put(f.key, u.Name)
	if version != "" {
		s.Put(f.version, version)
	} else {
		s.Delete(f.version)
	}
	err := trouble(s)
	if err == nil {
		err = s.Login(u.Name)
	}
	if err != nil {
		s.Delete(f.key)
		return noSession(fmt.Errorf("log %q in to a new session: %w", u.Name, err))
	}
	return nil
}

// owner gives whose session it is, as far as it can tell.
func (f *Form) owner(s Session) string {
	if s, ok := s.(interface{ User() string }); ok {
		if name := s.User(); name != "" {
			return name
		}
	}
	return s.Get(f.key)
}

func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
