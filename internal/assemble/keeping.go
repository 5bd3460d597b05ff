package assemble

import (
	"net/http"

	"github.com/mountd/mountd/internal/request"
)

// keeping stands around what may use a request after it has been served: the
// request's record is then nobody else's.
func keeping(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request.Keep(r.Context())
		next.ServeHTTP(w, r)
	})
}
