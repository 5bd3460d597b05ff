// Nethttp is a site made of plain handlers: files, an API and a server behind
// a prefix, and a part for members, under one stack of middlewares.
package main

import (
	"errors"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/justinas/alice"

	"github.com/mountd/mountd/backend/cascade"
	"github.com/mountd/mountd/backend/proxy"
	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/examples/internal/public"
	"github.com/mountd/mountd/middleware/accesslog"
	"github.com/mountd/mountd/middleware/compress"
	"github.com/mountd/mountd/middleware/csrf"
	"github.com/mountd/mountd/middleware/limit"
	"github.com/mountd/mountd/middleware/requestid"
	"github.com/mountd/mountd/middleware/secureheaders"
	"github.com/mountd/mountd/rebase"
	"github.com/mountd/mountd/shareddata"
)

func main() {
	h, err := handler("http://127.0.0.1:9000")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", h))
}

// handler gives the site. The wiki is a server of its own, which believes to
// live at the root of its host.
func handler(wiki string) (http.Handler, error) {
	files, err1 := shareddata.NewHandler(shareddata.Config{
		Exports: []shareddata.Export{{Prefix: "/", FS: public.FS}},
		MaxAge:  time.Minute,
	})
	upstream, err2 := proxy.New(proxy.Config{
		Upstreams:     []proxy.Upstream{{URL: wiki}},
		ScriptName:    dispatcher.ScriptName,
		RawScriptName: dispatcher.RawScriptName,
		Bare:          dispatcher.Bare,
	})
	below, err3 := rebase.New(rebase.Config{Prefix: dispatcher.RawScriptName, Upstreams: []string{wiki}})
	rate, err4 := limit.NewRate(limit.RateConfig{Count: 3, Per: time.Minute})
	members, err5 := newLogin()
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return nil, err
	}
	api := http.NewServeMux()
	api.Handle("GET /notes/{id}", errorhandler.HandlerFunc(note))
	api.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("a mistake of the programmer") })

	// What the API does not have, the files may.
	first, err1 := cascade.New(cascade.Config{Apps: []http.Handler{api, files}})
	mounts, err2 := dispatcher.New(dispatcher.Config{Mounts: append(members.mounts(), []dispatcher.Mount{
		{Pattern: "/", Handler: files},
		{Pattern: "/api", Handler: first},
		{Pattern: "/limited", Handler: rate.Wrap(http.HandlerFunc(hello))},
		{Pattern: "/wiki", Handler: below.Wrap(upstream)},
	}...)})
	stack, err3 := web()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	return stack.Append(members.sessions.Wrap).Then(mounts.Wrap(nil)), nil
}

// web is what every request goes through, outermost first.
func web() (alice.Chain, error) {
	ids, err1 := requestid.New(requestid.Config{})
	logs, err2 := accesslog.New(accesslog.Config{To: os.Stderr, Format: accesslog.Text})
	errs, err3 := errorhandler.New(errorhandler.Config{})
	small, err4 := compress.New(compress.Config{})
	careful, err5 := secureheaders.New(secureheaders.Config{Frame: "DENY"})
	ours, err6 := csrf.New(csrf.Config{})
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		return alice.Chain{}, err
	}
	return alice.New(ids.Wrap, logs.Wrap, errs.Wrap, small.Wrap, careful.Wrap, ours.Wrap), nil
}

// note returns its errors instead of answering with them.
func note(w http.ResponseWriter, r *http.Request) error {
	if id := r.PathValue("id"); id != "1" {
		return &errorhandler.HTTPError{Status: http.StatusNotFound, Message: "there is no note " + id}
	}
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write([]byte(`{"id": 1, "self": "` + dispatcher.ScriptName(r) + `/notes/1"}` + "\n"))
	return err
}

func hello(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("hello\n"))
}
