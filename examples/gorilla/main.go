// Gorilla is a site with old addresses and a part for a few, routed by
// gorilla/mux.
package main

import (
	"errors"
	"log"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/examples/internal/public"
	"github.com/mountd/mountd/middleware/compress"
	"github.com/mountd/mountd/middleware/headers"
	"github.com/mountd/mountd/middleware/ipfilter"
	"github.com/mountd/mountd/middleware/limit"
	"github.com/mountd/mountd/middleware/requestid"
	"github.com/mountd/mountd/middleware/rewrite"
	"github.com/mountd/mountd/shareddata"
)

func main() {
	h, err := handler()
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", h))
}

func handler() (http.Handler, error) {
	ids, err1 := requestid.New(requestid.Config{})
	errs, err2 := errorhandler.New(errorhandler.Config{Intercept: errorhandler.Intercept{All: true}})
	small, err3 := compress.New(compress.Config{})
	old, err4 := rewrite.New(rewrite.Config{From: "/blog/{page}.php", To: "/articles/{page}", Redirect: http.StatusMovedPermanently})
	few, err5 := ipfilter.New(ipfilter.Config{Allow: []string{"loopback", "private"}})
	rate, err6 := limit.NewRate(limit.RateConfig{Count: 3, Per: time.Minute})
	private, err7 := headers.New(headers.Config{Response: headers.Changes{Set: map[string]string{"Cache-Control": "no-store"}}})
	files, err8 := shareddata.NewHandler(shareddata.Config{Exports: []shareddata.Export{{FS: public.FS}}, ScriptName: dispatcher.ScriptName})
	users, err9 := auth.NewUsers(auth.UsersConfig{
		// The password is "example"; File is for users of a real site.
		Inline: map[string]string{"joe": "$2a$10$JqVwCZaYE0UgoRJXI53O..KKtMCO1GglGk9sH84adah3kUoLctk3q"},
		Groups: map[string][]string{"admins": {"joe"}},
	})
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9); err != nil {
		return nil, err
	}
	password, err1 := auth.NewBasic(auth.BasicConfig{Users: users})
	admins, err2 := auth.NewRequire(auth.RequireConfig{Groups: []string{"admins"}})
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}

	r := mux.NewRouter()
	r.HandleFunc("/articles/{page}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("article " + mux.Vars(r)["page"] + "\n"))
	})
	r.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("a mistake of the programmer") })
	r.Handle("/limited", rate.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	admin := r.PathPrefix("/admin").Subrouter()
	admin.Use(few.Wrap, private.Wrap)
	admin.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(requestid.FromContext(r.Context())))
	})
	// Who it is, then whether he may.
	accounts := admin.PathPrefix("/accounts").Subrouter()
	accounts.Use(password.Wrap, admins.Wrap)
	accounts.HandleFunc("", func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFromContext(r.Context()) // nobody else comes here
		_, _ = w.Write([]byte("accounts for " + user.Name + "\n"))
	})

	// Middlewares of the router run for its routes only, so what is to see
	// every request stands around it. Intercept turns its plain 404 into a page.
	mounts, err := dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{{Pattern: "/files", Handler: files}}})
	if err != nil {
		return nil, err
	}
	return ids.Wrap(errs.Wrap(small.Wrap(old.Wrap(mounts.Wrap(r))))), nil
}
