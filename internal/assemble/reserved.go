package assemble

import (
	"net/http"
	"strings"

	"github.com/justinas/alice"

	"github.com/mountd/mountd/internal/request"
)

// Reserved is the path that is mountd's own at the root of every host, before
// any mount: login pages and the like.
const Reserved = "/.mountd"

// reserved answers what is below [Reserved] through the global chain.
func reserved(chain alice.Chain, next http.Handler) http.Handler {
	own := chain.Then(notFound)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if rec := request.From(r.Context()); rec != nil && rec.Path != "" {
			path = rec.Path
		}
		if isReserved(path) {
			own.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isReserved(path string) bool {
	return strings.HasPrefix(path, Reserved) && (len(path) == len(Reserved) || path[len(Reserved)] == '/')
}

func reservedPattern(pattern string) bool { return isReserved(pathOf(pattern)) }
