package main

import (
	"errors"
	"net/http"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/memstore"
)

// login lets members in with a page of its own. Its sessions stand around the
// pages and around whatever needs a login.
type login struct {
	sessions *session.Manager
	form     *auth.Form
}

func newLogin() (*login, error) {
	users, err1 := auth.NewUsers(auth.UsersConfig{
		// The password is "example"; File is for users of a real site.
		Inline: map[string]string{"joe": "$2a$10$JqVwCZaYE0UgoRJXI53O..KKtMCO1GglGk9sH84adah3kUoLctk3q"},
		Groups: map[string][]string{"staff": {"joe"}},
	})
	store, err2 := memstore.New(memstore.Config{})
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	sessions, err1 := session.New(session.Config{Store: store})
	form, err2 := auth.NewForm(auth.FormConfig{
		Verify: users.Verify, Lookup: users.Lookup, Version: users.Version,
		Session: func(r *http.Request) auth.Session {
			if s := session.FromRequest(r); s != nil {
				return s
			}
			return nil
		},
		ErrorFunc: errorhandler.Error,
	})
	return &login{sessions, form}, errors.Join(err1, err2)
}

// mounts are the login's own pages, and the part that needs it.
func (l *login) mounts() []dispatcher.Mount {
	all := []dispatcher.Mount{{Pattern: "/members", Handler: l.form.Wrap(http.HandlerFunc(greet))}}
	for path, page := range l.form.Handlers() {
		all = append(all, dispatcher.Mount{Pattern: path, Handler: page})
	}
	return all
}

func greet(w http.ResponseWriter, r *http.Request) {
	user, _ := auth.UserFromContext(r.Context()) // nobody else comes here
	_, _ = w.Write([]byte("hello " + user.Name + "\n"))
}
