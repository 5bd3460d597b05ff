package main

import (
	"net/http/httptest"
	"testing"

	"github.com/mountd/mountd/examples/internal/sitetest"
)

func TestSite(t *testing.T) {
	h, err := handler()
	s := sitetest.New(t, h, err)
	s.Files("/files/index.html", "An example")
	s.Want(s.Get("/articles/one"), 200, "article one")
	s.Fails("/missing", 404, "")
	s.Fails("/files/missing", 404, "")
	s.Fails("/panic", 500, "")
	s.Limited("/limited")

	if res := s.Get("/blog/one.php?x=1"); res.StatusCode != 301 || res.Header.Get("Location") != "/articles/one?x=1" {
		t.Errorf("%d to %q", res.StatusCode, res.Header.Get("Location"))
	}
}

func TestAdminIsForAFew(t *testing.T) {
	h, err := handler()
	if err != nil {
		t.Fatal(err)
	}
	for client, want := range map[string]int{"127.0.0.1:4000": 200, "10.1.2.3:4000": 200, "[::1]:4000": 200, "192.0.2.7:4000": 403} {
		r := httptest.NewRequest("GET", "/admin/who", nil)
		r.RemoteAddr = client
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", client, w.Code, want)
		}
		if want == 200 && (w.Body.String() != w.Header().Get("X-Request-Id") || w.Header().Get("Cache-Control") != "no-store") {
			t.Errorf("%s: %q with %v", client, w.Body, w.Header())
		}
	}
}

func TestAccountsAreForAdmins(t *testing.T) {
	h, err := handler()
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]int{"": 401, "wrong": 401, "example": 200} {
		r := httptest.NewRequest("GET", "/admin/accounts", nil)
		r.RemoteAddr = "127.0.0.1:4000"
		if password != "" {
			r.SetBasicAuth("joe", password)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want || want == 200 && w.Body.String() != "accounts for joe\n" || want == 401 && w.Header().Get("Www-Authenticate") == "" {
			t.Errorf("password %q: %d %q %v, want %d", password, w.Code, w.Body, w.Header(), want)
		}
	}
}
