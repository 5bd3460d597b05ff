package headers_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/mountd/mountd/middleware/headers"
)

func Example() {
	h, err := headers.New(headers.Config{
		Request:  headers.Changes{Set: map[string]string{"X-Tenant": "{tenant}"}},
		Response: headers.Changes{Remove: []string{"Server"}},
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/t/{tenant}/", h.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("serving", r.Header.Get("X-Tenant"))
	})))
	mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/t/acme/", nil))
	// Output: serving acme
}
