package rebase_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/mountd/mountd/rebase"
)

func Example() {
	// An app that knows nothing of where it is mounted.
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes", Path: "/"})
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	})
	m, err := rebase.New(rebase.Config{
		Prefix: func(*http.Request) string { return "/app" },
	})
	if err != nil {
		log.Fatal(err)
	}
	site := http.StripPrefix("/app", m.Wrap(app))

	w := httptest.NewRecorder()
	site.ServeHTTP(w, httptest.NewRequest("GET", "/app/", nil))
	fmt.Println(w.Header().Get("Location"))
	fmt.Println(w.Header().Get("Set-Cookie"))
	// Output:
	// /app/login
	// seen=yes; Path=/app
}
