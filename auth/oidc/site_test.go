package oidc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/auth/oidc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sessions are as simple as can be.
type sessions struct {
	mu   sync.Mutex
	n    int
	byID map[string]map[string]string
	down error

	unclearable error
}

type visit struct {
	all *sessions
	w   http.ResponseWriter
	id  string
}

type visitKey struct{}

func (s *sessions) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{all: s, w: w}
		if c, err := r.Cookie("session"); err == nil {
			s.mu.Lock()
			if s.byID[c.Value] != nil {
				v.id = c.Value
			}
			s.mu.Unlock()
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
	})
}

func sessionOf(r *http.Request) auth.Session {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		return v
	}
	return nil
}

func (v *visit) Get(key string) string {
	v.all.mu.Lock()
	defer v.all.mu.Unlock()
	if v.all.down != nil {
		return ""
	}
	return v.all.byID[v.id][key]
}

func (v *visit) Put(key, value string) {
	v.all.mu.Lock()
	defer v.all.mu.Unlock()
	if v.all.byID[v.id] == nil {
		v.begin()
	}
	v.all.byID[v.id][key] = value
}

func (v *visit) begin() {
	v.all.n++
	v.id = fmt.Sprint("s", v.all.n)
	v.all.byID[v.id] = map[string]string{}
	http.SetCookie(v.w, &http.Cookie{Name: "session", Value: v.id, Path: "/", HttpOnly: true})
}

func (v *visit) Delete(key string) {
	v.all.mu.Lock()
	defer v.all.mu.Unlock()
	delete(v.all.byID[v.id], key)
}

func (v *visit) Err() error { return v.all.down }

func (v *visit) User() string { return v.Get("user") }

func (v *visit) Renew() error { return nil }

func (v *visit) Login(user string) error {
	v.all.mu.Lock()
	defer v.all.mu.Unlock()
	old := v.all.byID[v.id]
	delete(v.all.byID, v.id)
	v.begin()
	for key, value := range old {
		v.all.byID[v.id][key] = value
	}
	v.all.byID[v.id]["user"] = user
	return nil
}

func (v *visit) Clear() error {
	v.all.mu.Lock()
	defer v.all.mu.Unlock()
	if v.all.unclearable != nil {
		return v.all.unclearable
	}
	delete(v.all.byID, v.id)
	return nil
}

func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID)
}

// gate is a site whose /app is behind a login.
type gate struct {
	*httptest.Server
	*oidc.Method
	sessions *sessions
	handler  http.Handler
}

func newGate(t testing.TB, p *provider, change func(*oidc.Config)) *gate {
	t.Helper()
	g := buildGate(t, p.URL, change)
	g.Server = httptest.NewServer(g.handler)
	t.Cleanup(g.Server.Close)
	return g
}

// buildGate makes one that does not listen yet.
func buildGate(t testing.TB, issuer string, change func(*oidc.Config)) *gate {
	t.Helper()
	g := &gate{sessions: &sessions{byID: map[string]map[string]string{}}}
	cfg := oidc.Config{
		Issuer: issuer, ClientID: clientID, ClientSecret: clientSecret, Session: sessionOf,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if g.Method, err = oidc.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Method.Close() })
	mux := http.NewServeMux()
	for path, h := range g.Handlers() {
		mux.Handle(path, h)
	}
	mux.Handle("/", auth.Wrap(g.Method, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, _ := auth.UserFromContext(r.Context())
		fmt.Fprintf(w, "%s %q %s %s %v", u.Name, u.Groups, u.DisplayName, u.Email, u.Claims)
	})))
	g.handler = g.sessions.wrap(mux)
	return g
}

// browser follows redirects, unless it is told to stop before some address.
type browser struct {
	*http.Client
	t      testing.TB
	before string
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	b := &browser{t: t, Client: &http.Client{Jar: jar, Transport: tr}}
	b.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if b.before != "" && strings.HasPrefix(r.URL.Path, b.before) || len(via) > 10 {
			return http.ErrUseLastResponse
		}
		r.Header.Set("Accept", "text/html")
		return nil
	}
	return b
}

type result struct {
	*http.Response
	text string
}

func (b *browser) get(address string) result {
	b.t.Helper()
	return b.do("GET", address, nil, "Accept", "text/html")
}

func (b *browser) do(method, address string, form url.Values, header ...string) result {
	b.t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return result{res, string(body)}
}

// callback goes through a login up to the callback, and gives its address.
func (b *browser) callback(g *gate) *url.URL {
	b.t.Helper()
	b.before = "/.mountd/oidc/callback"
	defer func() { b.before = "" }()
	res := b.get(g.URL + "/app")
	u, err := res.Location()
	if err != nil {
		b.t.Fatalf("%d %v %s", res.StatusCode, res.Request.URL, res.text)
	}
	return u
}

func (r result) expect(t testing.TB, status int, text string) {
	t.Helper()
	if r.StatusCode != status || !strings.Contains(r.text, text) {
		t.Errorf("%s %s: %d %q, want %d and %q", r.Request.Method, r.Request.URL, r.StatusCode, r.text, status, text)
	}
}

func decode(t testing.TB, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatal(err)
	}
}

func encode(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
