package assemble

import (
	"errors"
	"net/http"

	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/internal/request"
)

// slash redirects GET and HEAD of a bare prefix to the prefix with a slash, so
// that the application's relative URLs stay below it.
func slash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !dispatcher.Bare(r) || r.Method != http.MethodGet && r.Method != http.MethodHead || r.Header.Get("Upgrade") != "" {
			next.ServeHTTP(w, r)
			return
		}
		target := dispatcher.RawScriptName(r) + "/"
		if rec := request.From(r.Context()); rec != nil {
			target = rec.Prefix + target
		}
		if r.URL.RawQuery != "" {
			target += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", target)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
}

func asStatus(err error, status *interface{ HTTPStatus() int }) bool { return errors.As(err, status) }
