package assemble

import (
	"fmt"
	"net/http"

	"github.com/justinas/alice"

	"github.com/mountd/mountd/internal/request"
)

func unavailable(w http.ResponseWriter, r *http.Request) {
	request.Fail(w, r, &request.Error{
		Status:  http.StatusServiceUnavailable,
		Message: "this part of the site is not configured correctly",
		Err:     fmt.Errorf("the mount table has mistakes: see mountd check"),
	})
}

// failing answers with an error through the global chain, so that a request
// which is refused before any mount is chosen is logged and gets a page like
// any other.
func failing(chain alice.Chain) func(w http.ResponseWriter, r *http.Request, err error) {
	handler := chain.Then(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rec := request.From(r.Context()); rec != nil && rec.Cause != nil {
			request.Fail(w, r, rec.Cause)
			return
		}
		request.Fail(w, r, &request.Error{Status: http.StatusBadRequest})
	}))
	return func(w http.ResponseWriter, r *http.Request, err error) {
		rec := request.From(r.Context())
		if rec == nil {
			request.Fail(w, r, err)
			return
		}
		rec.Cause = err
		handler.ServeHTTP(w, r)
	}
}

var notFound http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	request.Fail(w, r, &request.Error{Status: http.StatusNotFound})
})

func refuse(w http.ResponseWriter, r *http.Request, err error) {
	var status interface{ HTTPStatus() int }
	if !asStatus(err, &status) {
		err = &request.Error{Status: http.StatusBadRequest, Err: err}
	}
	request.Fail(w, r, err)
}
