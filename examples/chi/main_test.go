package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mountd/mountd/examples/internal/sitetest"
)

func site(t *testing.T) sitetest.Site {
	h, err := handler()
	return sitetest.New(t, h, err)
}

func TestSite(t *testing.T) {
	s := site(t)
	s.Files("/docs/", "An example")
	s.Fails("/v1/missing", 404, "")
	s.Fails("/api/missing", 404, "")
	s.Fails("/v1/panic", 500, "")
	s.Limited("/v1/limited")
	s.Want(s.Get("/v1/limited", "X-Api-Key: another"), 200, "")
	s.Want(s.Get("/v1/whoami", "X-Api-Key: example"), 200, `"user":"ci"`)
	s.Fails("/v1/whoami", 401, "")
}

func TestLinksStartWithTheScriptName(t *testing.T) {
	s := site(t)
	for _, prefix := range []string{"", "/api"} {
		w := httptest.NewRecorder()
		s.Handler.ServeHTTP(w, httptest.NewRequest("PUT", prefix+"/v1/notes/7", strings.NewReader(`{"text": "milk"}`)))
		if got := w.Header().Get("Location"); w.Code != 201 || got != prefix+"/v1/notes/7" {
			t.Errorf("%d with Location %q below %q", w.Code, got, prefix)
		}
	}
}

func TestBodies(t *testing.T) {
	s := site(t)
	for body, want := range map[string]int{"no JSON": 400, strings.Repeat(" ", 1<<20+1): 413} {
		w := httptest.NewRecorder()
		s.Handler.ServeHTTP(w, httptest.NewRequest("PUT", "/v1/notes/7", strings.NewReader(body)))
		if w.Code != want {
			t.Errorf("%d for a body of %d bytes, want %d", w.Code, len(body), want)
		}
	}
}

func TestOrigins(t *testing.T) {
	s := site(t)
	for origin, want := range map[string]string{"https://www.example.com": "https://www.example.com", "https://elsewhere.test": ""} {
		res := s.Do("OPTIONS", "/v1/notes/7", "Origin: "+origin, "Access-Control-Request-Method: PUT")
		if got := res.Header.Get("Access-Control-Allow-Origin"); got != want || res.StatusCode != 204 {
			t.Errorf("%s: %d, allowed %q", origin, res.StatusCode, got)
		}
	}
}
