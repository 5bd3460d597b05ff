package session_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strconv"

	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/memstore"
)

func Example() {
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	sessions, err := session.New(session.Config{Store: store})
	if err != nil {
		fmt.Println(err)
		return
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := session.FromRequest(r)
		s.Update("visits", func(old string) string {
			n, _ := strconv.Atoi(old) // "" before the first visit
			return strconv.Itoa(n + 1)
		})
		fmt.Fprintln(w, "visit", s.Get("visits"))
	})
	server := httptest.NewServer(sessions.Wrap(app))
	defer server.Close()

	jar, _ := cookiejar.New(nil) // never fails without options
	client := &http.Client{Jar: jar}
	for range 2 {
		resp, err := client.Get(server.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		var text string
		_, _ = fmt.Fscanln(resp.Body, &text, &text)
		fmt.Println("visit", text)
		_ = resp.Body.Close()
	}
	client.CloseIdleConnections()
	// Output:
	// visit 1
	// visit 2
}
