// Chi is an API with its documentation, routed by chi.
package main

import (
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/examples/internal/public"
	"github.com/mountd/mountd/middleware/accesslog"
	"github.com/mountd/mountd/middleware/compress"
	"github.com/mountd/mountd/middleware/cors"
	"github.com/mountd/mountd/middleware/limit"
	"github.com/mountd/mountd/middleware/requestid"
	"github.com/mountd/mountd/middleware/timeout"
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
	logs, err2 := accesslog.New(accesslog.Config{To: os.Stderr, Format: accesslog.Combined})
	errs, err3 := errorhandler.New(errorhandler.Config{})
	small, err4 := compress.New(compress.Config{Encodings: []string{compress.Gzip}})
	origins, err5 := cors.New(cors.Config{Origins: []string{"https://*.example.com"}, Methods: []string{"PUT"}})
	body, err6 := limit.NewBody(limit.BodyConfig{Max: 1 << 20})
	soon, err7 := timeout.New(timeout.Config{After: 5 * time.Second})
	rate, err8 := limit.NewRate(limit.RateConfig{Count: 3, Per: time.Minute, Key: limit.ByHeader("X-Api-Key")})
	files, err9 := shareddata.New(shareddata.Config{Exports: []shareddata.Export{{Prefix: "/docs", FS: public.FS}}})
	keys, err10 := auth.NewKey(auth.KeyConfig{Keys: map[string]string{
		"ci": "50d858e0985ecc7f60418aaf0cc5ab587f42c2570a884095a9e8ccacd0f6545c", // of "example"; a real one is random
	}})
	ci, err11 := auth.NewRequire(auth.RequireConfig{Users: []string{"ci"}, ErrorFunc: errorhandler.Error})
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9, err10, err11); err != nil {
		return nil, err
	}

	// Use takes Wrap as it is, outermost first.
	r := chi.NewRouter()
	r.Use(ids.Wrap, logs.Wrap, errs.Wrap, small.Wrap, files.Wrap)
	r.NotFound(fails(http.StatusNotFound))
	r.MethodNotAllowed(fails(http.StatusMethodNotAllowed))
	r.Route("/v1", func(r chi.Router) {
		r.Use(origins.Wrap, body.Wrap, soon.Wrap)
		r.Method("PUT", "/notes/{id}", errorhandler.HandlerFunc(putNote))
		r.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("a mistake of the programmer") })
		r.With(keys.Wrap, ci.Wrap).Get("/whoami", whoami)
		r.With(rate.Wrap).Get("/limited", func(http.ResponseWriter, *http.Request) {})
	})

	// The router lives below /api as well as at the root: links that start with
	// the script name are right in both places.
	mounts, err := dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{{Pattern: "/api", Handler: r}}})
	if err != nil {
		return nil, err
	}
	return mounts.Wrap(r), nil
}

// fails gives a handler that leaves the answer to the errors layer.
func fails(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		errorhandler.Error(w, r, &errorhandler.HTTPError{Status: status})
	}
}

// whoami tells programs whom their key stands for.
func whoami(w http.ResponseWriter, r *http.Request) {
	user, _ := auth.UserFromContext(r.Context()) // nobody else comes here
	_ = json.NewEncoder(w).Encode(map[string]string{"user": user.Name})
}

func putNote(w http.ResponseWriter, r *http.Request) error {
	var note struct{ Text string }
	if err := json.NewDecoder(r.Body).Decode(&note); err != nil {
		return &errorhandler.HTTPError{Status: http.StatusBadRequest, Message: "the body is no note", Err: err}
	}
	w.Header().Set("Location", dispatcher.ScriptName(r)+"/v1/notes/"+chi.URLParam(r, "id"))
	w.WriteHeader(http.StatusCreated)
	return nil
}
