package oidc_test

import (
	"fmt"
	"net/http"
	"os"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/auth/oidc"
	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/memstore"
)

// One client serves all that is behind the login. Its own addresses stand
// behind the same sessions.
func Example() {
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	sessions, err := session.New(session.Config{Store: store})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sessions.Close()
	login, err := oidc.New(oidc.Config{
		Issuer:       "https://id.example.com/realms/team",
		ClientID:     "intranet",
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		Claims:       oidc.Claims{User: "preferred_username"},
		Session: func(r *http.Request) auth.Session {
			if s := session.FromRequest(r); s != nil {
				return s
			}
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer login.Close()

	mux := http.NewServeMux()
	for path, h := range login.Handlers() {
		mux.Handle(path, h)
	}
	mux.Handle("/", auth.Wrap(login, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFromContext(r.Context())
		fmt.Fprintf(w, "hello, %s\n", user.Name)
	})))
	_ = http.ListenAndServe("127.0.0.1:8080", sessions.Wrap(mux))
}
