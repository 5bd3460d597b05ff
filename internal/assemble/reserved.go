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

// reserved answers what is below [Reserved]: pages, and what is none through the
// global chain. Unless the site is observed, it vouches for all that is behind
// it: what may keep a request is marked, see [keeping].
func reserved(pages map[string]http.Handler, chain alice.Chain, observed bool, next http.Handler) http.Handler {
	own := chain.Then(notFound)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if rec := request.From(r.Context()); rec != nil {
			if !observed {
				rec.Reusable()
			}
			if rec.Path != "" {
				path = rec.Path
			}
		}
		if isReserved(path) {
			if page := pages[path]; page != nil {
				page.ServeHTTP(w, r)
				return
			}
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
