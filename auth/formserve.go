package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mountd/mountd/internal/request"
)

// What the login page may say. It is the same for a user that does not exist
// and for a wrong password.
const (
	sayWrong    = "The user name or the password is not right."
	sayNoCookie = "Your browser has not sent our cookie. Allow cookies for this site, then try again."
	sayOld      = "This page was open for too long. Please try again."
)

// serveLogin shows the login page, and takes what it sends.
func (f *Form) serveLogin(w http.ResponseWriter, r *http.Request) {
	formHeader(w.Header())
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		f.showLogin(w, r)
	case http.MethodPost:
		f.takeLogin(w, r)
	default:
		f.refuseMethod(w, r)
	}
}

func (f *Form) refuseMethod(w http.ResponseWriter, r *http.Request) {
	f.cfg.ErrorFunc(w, r, &request.Error{Status: http.StatusMethodNotAllowed, Header: http.Header{"Allow": {"GET, HEAD, POST"}}})
}

// returnOf gives the address to go on to: none of our own pages, which would
// lead round in circles.
func (f *Form) returnOf(r *http.Request, to string) string {
	to = returnTo(to)
	path := to
	if i := strings.IndexAny(to, "?#"); i >= 0 {
		path = to[:i]
	}
	if path == f.page(r, f.cfg.Login, "/") || path == f.page(r, f.cfg.Logout, "/") {
		return "/"
	}
	return to
}

func (f *Form) showLogin(w http.ResponseWriter, r *http.Request) {
	u, err := f.current(r)
	if err != nil {
		f.cfg.ErrorFunc(w, r, err)
		return
	}
	to := f.returnOf(r, r.URL.Query().Get("to"))
	if u != nil {
		seeOther(w, to)
		return
	}
	f.loginPage(w, r, http.StatusOK, FormPage{To: to})
}

// current gives who is logged in, nil if nobody is.
func (f *Form) current(r *http.Request) (*User, error) {
	s, err := f.session(r)
	if err != nil {
		return nil, err
	}
	return f.userOf(s)
}

// loginPage answers with the login page, which it completes.
func (f *Form) loginPage(w http.ResponseWriter, r *http.Request, status int, page FormPage) {
	_, page.Host = seenAs(r)
	page.Action = f.page(r, f.cfg.Login, "/")
	nonce, ok := nonceOf(r)
	if !ok {
		nonce = rand.Text()
		setNonce(w, r, nonce)
	}
	page.Token = tokenOf(nonce)
	f.render(w, r, status, f.pages.login, f.pages.loginPolicy, page)
}

// takeLogin checks what the login page has sent, the cheap things first.
func (f *Form) takeLogin(w http.ResponseWriter, r *http.Request) {
	if err := sameOrigin(r); err != nil {
		f.cfg.ErrorFunc(w, r, otherSite(err))
		return
	}
	form, err := readForm(w, r)
	if err != nil {
		f.cfg.ErrorFunc(w, r, err)
		return
	}
	s, err := f.session(r)
	if err != nil {
		f.cfg.ErrorFunc(w, r, err)
		return
	}
	page := FormPage{To: f.returnOf(r, form.to)}
	if validUserName(form.user) {
		page.User = form.user
	}
	switch nonce, ok := nonceOf(r); {
	case !ok:
		page.Error = sayNoCookie
	case !hmac.Equal([]byte(form.token), []byte(tokenOf(nonce))):
		page.Error = sayOld
	default:
		f.tryPassword(w, r, s, form, page)
		return
	}
	f.loginPage(w, r, http.StatusForbidden, page)
}

func otherSite(err error) error {
	return &request.Error{Status: http.StatusForbidden, Message: "This form was sent by a page of another site.", Err: err}
}

// tryPassword makes an attempt, if there may be one now, and logs the user in
// if it succeeds.
func (f *Form) tryPassword(w http.ResponseWriter, r *http.Request, s Session, form formFields, page FormPage) {
	attempt, wait := f.throttle.try(f.cfg.Account(form.user), r)
	if wait > 0 {
		w.Header().Set("Retry-After", seconds(wait))
		page.Error = "There were too many attempts. Try again in " + inWords(wait) + "."
		f.loginPage(w, r, http.StatusTooManyRequests, page)
		return
	}
	u, version, err := f.verify(r, form)
	if err != nil {
		attempt.undo()
		f.cfg.ErrorFunc(w, r, err)
		return
	}
	if u == nil {
		page.Error, page.Wrong = sayWrong, true
		w.Header().Set("WWW-Authenticate", f.challenge())
		f.loginPage(w, r, http.StatusUnauthorized, page)
		return
	}
	attempt.succeeded()
	if err := f.login(s, u, version); err != nil {
		f.cfg.ErrorFunc(w, r, err)
		return
	}
	seeOther(w, page.To)
}

// verify gives the user, or nil if there is none with this name and password,
// and the version that the credentials had at most when they were verified.
func (f *Form) verify(r *http.Request, form formFields) (u *User, version string, err error) {
	if !validUserName(form.user) {
		return nil, "", nil
	}
	name := form.user
	for range 2 {
		version = f.versionOf(name)
		u, err = f.cfg.Verify(r.Context(), form.user, form.password)
		if err != nil {
			return nil, "", noSession(err)
		}
		if u == nil || u.Name == name || f.cfg.Version == nil {
			break
		}
		name = u.Name // which is not as it was typed
	}
	switch {
	case u == nil:
		return nil, "", nil
	case !validUserName(u.Name):
		return nil, "", errors.New("the verified user has no valid name")
	case u.Name != name && f.cfg.Version != nil:
		return nil, "", noSession(errors.New("the verified user has another name each time"))
	}
	return u, version, nil
}

// serveLogout asks, and ends the session when the answer is yes.
func (f *Form) serveLogout(w http.ResponseWriter, r *http.Request) {
	formHeader(w.Header())
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		f.showLogout(w, r)
	case http.MethodPost:
		to, err := f.takeLogout(w, r)
		if err != nil {
			f.cfg.ErrorFunc(w, r, err)
			return
		}
		seeOther(w, f.page(r, f.cfg.Logout, to))
	default:
		f.refuseMethod(w, r)
	}
}

func (f *Form) showLogout(w http.ResponseWriter, r *http.Request) {
	u, err := f.current(r)
	if err != nil {
		f.cfg.ErrorFunc(w, r, err)
		return
	}
	to := f.returnOf(r, r.URL.Query().Get("to"))
	page := FormPage{To: to, Action: f.page(r, f.cfg.Login, to)}
	_, page.Host = seenAs(r)
	if u != nil {
		page.User, page.Action = u.Name, f.page(r, f.cfg.Logout, "/")
	}
	f.render(w, r, http.StatusOK, f.pages.logout, f.pages.logoutPolicy, page)
}

// takeLogout ends the session. An application may have a button of its own for
// it, which needs no fields.
func (f *Form) takeLogout(w http.ResponseWriter, r *http.Request) (to string, err error) {
	if err := sameOrigin(r); err != nil {
		return "", otherSite(err)
	}
	to = r.URL.Query().Get("to")
	if r.Header["Content-Type"] != nil {
		form, err := readForm(w, r)
		if err != nil {
			return "", err
		}
		if form.to != "" {
			to = form.to
		}
	}
	s, err := f.session(r)
	if err != nil {
		return "", err
	}
	if err := s.Clear(); err != nil {
		return "", noSession(fmt.Errorf("end the session: %w", err))
	}
	return f.returnOf(r, to), nil
}

func seeOther(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusSeeOther)
}

func inWords(d time.Duration) string {
	s := int64((d + time.Second - 1) / time.Second)
	switch {
	case s == 1:
		return "1 second"
	case s < 120:
		return seconds(d) + " seconds"
	}
	return seconds(time.Duration((s+59)/60)*time.Second) + " minutes"
}
