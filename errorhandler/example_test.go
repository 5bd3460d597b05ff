package errorhandler_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/mountd/mountd/errorhandler"
)

func Example() {
	errs, err := errorhandler.New(errorhandler.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	app := errs.Wrap(errorhandler.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		return &errorhandler.HTTPError{
			Status:  http.StatusConflict,
			Message: "someone else has saved this page",
			Err:     errors.New("row 17 changed"), // for the log
		}
	}))

	r := httptest.NewRequest("PUT", "/page", nil)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	fmt.Print(w.Body)
	// Output:
	// 409 application/problem+json
	// {"type":"about:blank","title":"Conflict","status":409,"detail":"someone else has saved this page","instance":"/page"}
}

func ExampleRecover() {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	app := errorhandler.Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic("what the client must not see")
	}))
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Print(w.Body)
	// Output:
	// 500 Internal Server Error
	// Something went wrong on our side.
}
