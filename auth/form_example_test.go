package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/mountd/mountd/auth"
)

// A login page over a map of users. Package session has real sessions; this one
// belongs to everybody.
func ExampleForm() {
	joe := &auth.User{Name: "joe", Groups: []string{"staff"}, Method: "form"}
	shared := newFakeSession()
	form, err := auth.NewForm(auth.FormConfig{
		Verify: func(_ context.Context, user, password string) (*auth.User, error) {
			if user == "joe" && password == "correct horse" { // a real one compares hashes
				return joe, nil
			}
			return nil, nil
		},
		Lookup:  func(name string) (*auth.User, bool) { return joe, name == joe.Name },
		Session: func(*http.Request) auth.Session { return shared },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	for path, page := range form.Handlers() {
		mux.Handle(path, page)
	}
	mux.Handle("/", form.Wrap(http.NotFoundHandler()))

	r := httptest.NewRequest("GET", "/reports?year=2026", nil)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Location"))
	// Output: 302 /.mountd/login?to=%2Freports%3Fyear%3D2026
}
