// Package sitetest checks what the example sites have in common, whichever
// framework they are made with.
package sitetest

import (
	"compress/gzip"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Site drives a handler in memory.
type Site struct {
	testing.TB
	Handler http.Handler
}

// New gives a site for a test, whose log is nobody's to read. It fails the test
// if the handler could not be made.
func New(tb testing.TB, h http.Handler, err error) Site {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	last := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	tb.Cleanup(func() { slog.SetDefault(last) })
	return Site{tb, h}
}

// Get asks for a path. Fields are "Name: value".
func (s Site) Get(path string, fields ...string) *http.Response {
	s.Helper()
	return s.Do("GET", path, fields...)
}

// Do is Get with another method.
func (s Site) Do(method, path string, fields ...string) *http.Response {
	s.Helper()
	r := httptest.NewRequest(method, "http://example.com"+path, nil)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	return w.Result()
}

// Want checks an answer's status and that its body holds text.
func (s Site) Want(res *http.Response, status int, text string) {
	s.Helper()
	body := s.body(res)
	if res.StatusCode != status || !strings.Contains(body, text) {
		s.Errorf("%d with the body %q, want %d with %q", res.StatusCode, body, status, text)
	}
}

func (s Site) body(res *http.Response) string {
	s.Helper()
	body := io.Reader(res.Body)
	if res.Header.Get("Content-Encoding") == "gzip" {
		plain, err := gzip.NewReader(body)
		if err != nil {
			s.Fatal(err)
		}
		body = plain
	}
	text, err := io.ReadAll(body)
	if err != nil {
		s.Fatal(err)
	}
	return string(text)
}

// Files checks that path is a file of more than a kilobyte with a validator,
// and that it is compressed for those who can read that.
func (s Site) Files(path, text string) {
	s.Helper()
	res := s.Get(path)
	tag := res.Header.Get("Etag")
	if tag == "" {
		s.Errorf("%s has no ETag", path)
	}
	s.Want(res, 200, text)
	s.Want(s.Get(path, "If-None-Match: "+tag), http.StatusNotModified, "")
	res = s.Get(path, "Accept-Encoding: gzip")
	if got := res.Header.Get("Content-Encoding"); got != "gzip" {
		s.Errorf("%s: Content-Encoding %q, want gzip", path, got)
	}
	s.Want(res, 200, text)
}

// Fails checks that path is answered with an error: with a page for people,
// that shows the request's id, and a problem description for programs, that
// holds detail.
func (s Site) Fails(path string, status int, detail string) {
	s.Helper()
	res := s.Get(path, "Accept: text/html")
	id := res.Header.Get("X-Request-Id")
	if id == "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		s.Errorf("%s: id %q, type %q, want an HTML page with an id", path, id, res.Header.Get("Content-Type"))
	}
	s.Want(res, status, id)

	res = s.Get(path, "Accept: application/json")
	var problem struct {
		Status int    `json:"status"`
		Detail string `json:"detail"`
		ID     string `json:"request_id"`
	}
	if err := json.NewDecoder(res.Body).Decode(&problem); err != nil {
		s.Fatalf("%s: %v", path, err)
	}
	if res.StatusCode != status || problem.Status != status || !strings.Contains(problem.Detail, detail) || problem.ID == "" {
		s.Errorf("%s: %d with %+v, want %d with %q and an id", path, res.StatusCode, problem, status, detail)
	}
	if got := res.Header.Get("Content-Type"); got != "application/problem+json" {
		s.Errorf("%s: type %q, want application/problem+json", path, got)
	}
}

// Limited checks that the fourth request for path is one too many.
func (s Site) Limited(path string) {
	s.Helper()
	for range 3 {
		s.Want(s.Get(path), 200, "")
	}
	res := s.Get(path)
	if res.Header.Get("Retry-After") == "" {
		s.Errorf("%s: no Retry-After", path)
	}
	s.Want(res, http.StatusTooManyRequests, "")
}

var (
	formAction = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	formField  = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)
)

// LogIn checks that path leads a browser to a login page, which leads back to
// what holds text.
func (s Site) LogIn(path, user, password, text string) {
	s.Helper()
	server := httptest.NewServer(s.Handler)
	defer server.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	visit := func(method, address string, form url.Values) *http.Response {
		r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
		if err != nil {
			s.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		res, err := client.Do(r)
		if err != nil {
			s.Fatal(err)
		}
		s.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	res := visit("GET", server.URL+path, nil)
	page := s.body(res)
	action := formAction.FindStringSubmatch(page)
	if action == nil {
		s.Fatalf("no form at %s: %d %q", res.Request.URL, res.StatusCode, page)
	}
	to, err := res.Request.URL.Parse(html.UnescapeString(action[1]))
	if err != nil {
		s.Fatal(err)
	}
	form := url.Values{"username": {user}, "password": {password}}
	for _, f := range formField.FindAllStringSubmatch(page, -1) {
		form.Set(f[1], html.UnescapeString(f[2]))
	}
	res = visit("POST", to.String(), form)
	s.Want(res, http.StatusOK, text)
	if got := res.Request.URL.Path; got != path {
		s.Errorf("the login leads back to %s, not to %s", got, path)
	}
}
