package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mountd/mountd/examples/internal/sitetest"
)

func TestSite(t *testing.T) {
	wiki := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/Main_Page", http.StatusFound)
			return
		}
		fmt.Fprintln(w, r.URL.Path, "below", r.Header.Get("X-Forwarded-Prefix"))
	}))
	defer wiki.Close()
	h, err := handler(wiki.URL)
	s := sitetest.New(t, h, err)
	s.Files("/", "An example")
	s.Files("/api/index.html", "An example") // the second of the cascade
	s.Want(s.Get("/api/notes/1"), 200, `"self": "/api/notes/1"`)
	s.Fails("/missing", 404, "")
	s.Fails("/api/panic", 500, "")
	s.Limited("/limited")
	s.Want(s.Do("POST", "/limited", "Sec-Fetch-Site: cross-site"), 403, "")

	res := s.Get("/wiki/")
	if got := res.Header.Get("Location"); got != "/wiki/Main_Page" {
		t.Errorf("Location %q, want it below /wiki", got)
	}
	s.Want(s.Get("/wiki/Main_Page"), 200, "/Main_Page below /wiki")
	if got := res.Header.Get("X-Frame-Options"); got != "DENY" {
		t.Errorf("X-Frame-Options %q", got)
	}
}

func TestMembersLogIn(t *testing.T) {
	h, err := handler("http://127.0.0.1:9")
	s := sitetest.New(t, h, err)
	s.LogIn("/members", "joe", "example", "hello joe")
}

func TestMistakesAreErrors(t *testing.T) {
	if _, err := handler("ftp://127.0.0.1"); err == nil {
		t.Error("an upstream that speaks no HTTP was taken")
	}
}
