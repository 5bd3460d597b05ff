package requestid_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/mountd/mountd/middleware/requestid"
)

func Example() {
	ids, err := requestid.New(requestid.Config{Trust: true})
	if err != nil {
		panic(err)
	}
	app := ids.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("handling", requestid.FromContext(r.Context()))
	}))

	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Request-Id", "from-the-proxy-7")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	fmt.Println("answered", w.Header().Get("X-Request-Id"))
	// Output:
	// handling from-the-proxy-7
	// answered from-the-proxy-7
}
