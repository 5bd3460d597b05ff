package oidc_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/auth/oidc"
	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/memstore"
)

// What a trusted proxy in front says of the browser's view counts.
func TestBehindAProxy(t *testing.T) {
	p := newProvider(t)
	g := newGate(t, p, nil)
	seen := func(target string) (*httptest.ResponseRecorder, *http.Request) {
		rec := httptest.NewRecorder()
		record := request.New(rec, httptest.NewRequest("GET", target, nil))
		record.Scheme, record.HostPort, record.Prefix = "https", "www.example.com:8443", "/gate"
		return rec, &record.Request
	}
	_, r := seen("http://10.0.0.1/app?x")
	login := g.Challenge(r).Login
	if want := "/gate/.mountd/oidc/start?to=" + url.QueryEscape("/gate/app?x"); login != want {
		t.Errorf("%s, want %s", login, want)
	}
	rec, r := seen("http://10.0.0.1" + strings.TrimPrefix(login, "/gate"))
	g.Handlers()["/.mountd/oidc/start"].ServeHTTP(rec, r)
	to, _ := url.Parse(rec.Header().Get("Location"))
	if got := to.Query().Get("redirect_uri"); got != "https://www.example.com:8443/gate/.mountd/oidc/callback" {
		t.Errorf("%d %s", rec.Code, got)
	}
	if c := rec.Header().Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-mountd_login_") || !strings.Contains(c, "; Secure") {
		t.Error(c)
	}
}

func TestWithPackageSession(t *testing.T) {
	p := newProvider(t)
	p.refresh, p.expires = true, 1 // 30 seconds are the least
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	manager, err := session.New(session.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = manager.Close() }()
	g := buildGate(t, p.URL, func(cfg *oidc.Config) {
		cfg.Session = func(r *http.Request) auth.Session {
			if s := session.FromRequest(r); s != nil {
				return s
			}
			return nil
		}
	})
	age := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s := session.FromRequest(r)
		for _, key := range s.Keys() {
			if strings.HasPrefix(key, "oidc.") {
				s.Put(key, older(t, s.Get(key), 60e9))
			}
		}
	})
	mux := http.NewServeMux()
	mux.Handle("/age", age)
	mux.Handle("/", g.handler)
	site := httptest.NewServer(manager.Wrap(mux))
	defer site.Close()

	b := newBrowser(t)
	b.get(site.URL+"/app").expect(t, 200, "joe")
	at, _ := url.Parse(site.URL)
	before := fmt.Sprint(b.Jar.Cookies(at))
	b.get(site.URL + "/age")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { b.get(site.URL+"/app").expect(t, 200, "joe") })
	}
	wg.Wait()
	if n := p.count("/token"); n != 2 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	if after := fmt.Sprint(b.Jar.Cookies(at)); after != before {
		t.Errorf("%s became %s", before, after)
	}
	b.do("POST", site.URL+"/.mountd/logout", url.Values{}, "Origin", site.URL)
	b.before = "/.mountd"
	b.get(site.URL+"/app").expect(t, 302, "")
}
