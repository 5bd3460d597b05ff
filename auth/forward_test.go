package auth_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/request"
)

// service is an auth service that keeps what it was asked.
type service struct {
	*httptest.Server
	mu    sync.Mutex
	asked []*http.Request
	body  []byte
	conns atomic.Int32
}

func newService(t *testing.T, answer http.HandlerFunc) *service {
	s := &service{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.asked, s.body = append(s.asked, r), append(s.body, body...)
		s.mu.Unlock()
		answer(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *service) last(t *testing.T) *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) == 0 {
		t.Fatal("the service was not asked")
	}
	return s.asked[len(s.asked)-1]
}

func answering(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func newForward(t *testing.T, cfg auth.ForwardConfig) *auth.Forward {
	f, err := auth.NewForward(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// outcome is what became of a request before a forward.
type outcome struct {
	*httptest.ResponseRecorder
	user *auth.User
	err  error
	app  http.Header // what the application sees; nil: nothing
}

// arrive makes what layers see of a request to w: one with a record, as in
// mountd, or one without.
func arrive(w http.ResponseWriter, r *http.Request, record bool, change ...func(*request.Record)) (http.ResponseWriter, *http.Request) {
	if !record {
		return w, r.WithContext(r.Context()) // as every layer that puts something into the context
	}
	rec := request.New(w, r)
	rec.Scheme, rec.Host, rec.HostPort = "http", r.Host, r.Host
	rec.Path, rec.RawPath = r.URL.Path, r.URL.EscapedPath()
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		rec.Client, rec.Peer = ap.Addr(), ap.Addr()
	}
	for _, c := range change {
		c(rec)
	}
	return &rec.Writer, &rec.Request
}

// behindGate sends r through a gate of f to an application.
func behindGate(t *testing.T, f *auth.Forward, r *http.Request, record bool, change ...func(*request.Record)) (o outcome) {
	gate, err := auth.NewGate(auth.GateConfig{Methods: []auth.Method{f}})
	if err != nil {
		t.Fatal(err)
	}
	o.ResponseRecorder = httptest.NewRecorder()
	w, r := arrive(o.ResponseRecorder, r, record, change...)
	gate.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		o.app = r.Header
		o.user, _ = auth.UserFromContext(r.Context())
	})).ServeHTTP(w, r)
	return o
}

// through sends r through f to an application.
func through(f *auth.Forward, r *http.Request, record bool, change ...func(*request.Record)) (o outcome) {
	o.ResponseRecorder = httptest.NewRecorder()
	w, r := arrive(o.ResponseRecorder, r, record, change...)
	o.user, o.err = f.Authenticate(w, r)
	var answer auth.Answer
	switch {
	case errors.As(o.err, &answer):
		answer.ServeHTTP(w, r)
	case o.err != nil:
		request.Fail(w, r, o.err)
	case o.user != nil:
		o.app = r.Header
	}
	return o
}

func TestTheServiceIsAskedWhatTheClientAsked(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newService(t, answering(200))
		f := newForward(t, auth.ForwardConfig{To: s.URL + "/verify?rd=https://auth.example.com"})
		r := httptest.NewRequest("POST", "http://example.com:8080/app/a%2Fb/%7Ex?q=1&r=%20", strings.NewReader("the body of the request"))
		r.RemoteAddr = "192.0.2.7:1234"
		for name, value := range map[string]string{
			"Cookie": "a=b; c=d", "Authorization": "Bearer x", "Accept": "text/html", "User-Agent": "browser", "Accept-Encoding": "br",
			"Content-Type": "text/plain", "Content-Encoding": "gzip", "Content-Length": "23", "Transfer-Encoding": "chunked", "Expect": "100-continue", "Te": "trailers", "Trailer": "X-T",
			"Range": "bytes=0-1", "If-None-Match": `"x"`, "If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT",
			"Connection": "keep-alive, X-Hop, Upgrade", "X-Hop": "1", "Upgrade": "websocket", "Sec-Websocket-Key": "k", "Sec-Websocket-Version": "13", "Keep-Alive": "5", "Proxy-Authorization": "x",
			"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example", "X-Forwarded-Uri": "/public/x", "X-Forwarded-Method": "GET",
			"X-Forwarded-Port": "1", "X-Forwarded-User": "admin", "Forwarded": "for=10.0.0.1", "X-Real-Ip": "10.0.0.1", "X-Original-Url": "/public", "X-Original-Uri": "/public", "X-Rewrite-Url": "/public",
			"Remote-User": "admin", "Remote-Groups": "admins", "X-Custom": "kept",
		} {
			r.Header.Set(name, value)
		}
		r.Header["X_forwarded_for"] = []string{"127.0.0.1"}
		r.Header["Remote.user"] = []string{"admin"}
		if o := through(f, r, record); o.err != nil {
			t.Fatal(o.err)
		}
		got := s.last(t)
		if got.Method != "GET" || got.RequestURI != "/verify?rd=https://auth.example.com" || got.Host != s.Listener.Addr().String() {
			t.Errorf("%s %s of %s", got.Method, got.RequestURI, got.Host)
		}
		if got.ContentLength != 0 || len(got.TransferEncoding) != 0 || len(s.body) != 0 {
			t.Errorf("a body of %d, %q", got.ContentLength, s.body)
		}
		want := http.Header{
			"Cookie": {"a=b; c=d"}, "Authorization": {"Bearer x"}, "Accept": {"text/html"}, "User-Agent": {"browser"}, "Accept-Encoding": {"br"}, "X-Custom": {"kept"},
			"X-Forwarded-Method": {"POST"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"example.com:8080"}, "X-Forwarded-Uri": {"/app/a%2Fb/%7Ex?q=1&r=%20"},
			"X-Forwarded-For": {"192.0.2.7"}, "X-Real-Ip": {"192.0.2.7"}, "X-Original-Method": {"POST"}, "X-Original-Url": {"http://example.com:8080/app/a%2Fb/%7Ex?q=1&r=%20"},
		}
		sameHeader(t, got.Header, want)
	})
}

func sameHeader(t *testing.T, got, want http.Header) {
	t.Helper()
	for name := range got {
		if !slices.Equal(got[name], want[name]) {
			t.Errorf("%s is %q, not %q", name, got[name], want[name])
		}
	}
	for name := range want {
		if got[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestOnlyChosenFieldsAreSent(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newService(t, answering(200))
		f := newForward(t, auth.ForwardConfig{To: s.URL, RequestHeaders: []string{"cookie", "X-Missing"}})
		r := httptest.NewRequest("GET", "http://example.com/", nil)
		r.RemoteAddr = "192.0.2.7:1"
		r.Header = http.Header{"Cookie": {"a=b"}, "Authorization": {"x"}, "User-Agent": {"b"}}
		through(f, r, record)
		sameHeader(t, s.last(t).Header, http.Header{
			"Cookie": {"a=b"}, "X-Forwarded-Method": {"GET"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"example.com"}, "X-Forwarded-Uri": {"/"},
			"X-Forwarded-For": {"192.0.2.7"}, "X-Real-Ip": {"192.0.2.7"}, "X-Original-Method": {"GET"}, "X-Original-Url": {"http://example.com/"},
		})
	})
}

func TestTrustedProxiesAreBelieved(t *testing.T) {
	s := newService(t, answering(200))
	f := newForward(t, auth.ForwardConfig{To: s.URL})
	r := httptest.NewRequest("GET", "http://inner:8080/app?x", nil)
	r.Header.Set("X-Forwarded-For", "198.51.100.1, 10.0.0.2")
	through(f, r, true, func(rec *request.Record) {
		rec.PeerTrusted, rec.Peer, rec.Client = true, netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("198.51.100.1")
		rec.Scheme, rec.HostPort, rec.Prefix = "https", "example.com", "/outer"
	})
	h := s.last(t).Header
	for name, want := range map[string]string{
		"X-Forwarded-For": "198.51.100.1, 10.0.0.2, 10.0.0.3", "X-Real-Ip": "198.51.100.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "example.com",
		"X-Forwarded-Uri": "/outer/app?x", "X-Original-Url": "https://example.com/outer/app?x",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
}

func TestTheServiceSeesTheWholeCanonicalPath(t *testing.T) {
	s := newService(t, answering(200))
	f := newForward(t, auth.ForwardConfig{To: s.URL})
	r := httptest.NewRequest("GET", "http://example.com/x", nil)
	r.RequestURI = "/public/../admin/x?y=/public"
	through(f, r, true, func(rec *request.Record) {
		rec.Path, rec.RawPath = "/admin/x", "/admin/x"
		rec.URL.Path = "/x" // below the mount
	})
	if got := s.last(t).Header.Get("X-Forwarded-Uri"); got != "/admin/x?y=/public" {
		t.Errorf("%q", got)
	}
	through(f, r, false)
	if got := s.last(t).Header.Get("X-Forwarded-Uri"); got != "/admin/x?y=/public" {
		t.Errorf("%q", got)
	}
	r.RequestURI = "/a%00b"
	if o := through(f, r, false); o.Code != 400 {
		t.Errorf("%d", o.Code)
	}
}

func TestWhatTheServiceSaysOfTheUser(t *testing.T) {
	cases := []struct {
		name   string
		cfg    auth.ForwardConfig
		answer http.Header
		user   auth.User
		app    http.Header
	}{
		{
			"the usual fields", auth.ForwardConfig{},
			http.Header{"Remote-User": {"joe"}, "Remote-Groups": {"staff, ,admins ,"}, "Remote-Name": {"Joe Doe"}, "Remote-Email": {"joe@example.com"}, "X-Other": {"no"}},
			auth.User{Name: "joe", Groups: []string{"staff", "admins"}, DisplayName: "Joe Doe", Email: "joe@example.com"},
			http.Header{"Remote-User": {"joe"}, "Remote-Groups": {"staff, ,admins ,"}, "Remote-Name": {"Joe Doe"}, "Remote-Email": {"joe@example.com"}, "X-User-Id": {"forged"}},
		},
		{
			"oauth2-proxy", auth.ForwardConfig{Copy: []string{"X-Auth-Request-User", "x-auth-request-email", "X-Auth-Request-Groups", "Authorization"}},
			http.Header{"X-Auth-Request-User": {"joe"}, "X-Auth-Request-Email": {"joe@example.com"}, "X-Auth-Request-Groups": {"a", "b"}, "Authorization": {"Bearer new"}},
			auth.User{Name: "joe", Groups: []string{"a", "b"}, Email: "joe@example.com"},
			http.Header{"X-Auth-Request-User": {"joe"}, "X-Auth-Request-Email": {"joe@example.com"}, "X-Auth-Request-Groups": {"a", "b"}, "Authorization": {"Bearer new"}, "Remote-User": {"forged"}, "X-User-Id": {"forged"}},
		},
		{
			"Authentik", auth.ForwardConfig{Copy: []string{"X-authentik-username", "X-authentik-groups", "X-authentik-name"}},
			http.Header{"X-Authentik-Username": {"joe"}, "X-Authentik-Groups": {"a|b, c"}, "X-Authentik-Name": {"Jö"}},
			auth.User{Name: "joe", Groups: []string{"a", "b, c"}, DisplayName: "Jö"},
			http.Header{"X-Authentik-Username": {"joe"}, "X-Authentik-Groups": {"a|b, c"}, "X-Authentik-Name": {"Jö"}, "Remote-User": {"forged"}, "X-User-Id": {"forged"}},
		},
		{
			"fields of one's own", auth.ForwardConfig{Copy: []string{"X-User-Id", "X-Who", "X-What"}, User: "x-who", Groups: "X-What"},
			http.Header{"X-User-Id": {"7"}, "X-Who": {" joe "}, "X-What": {"a"}},
			auth.User{Name: "joe", Groups: []string{"a"}},
			http.Header{"X-User-Id": {"7"}, "X-Who": {"joe"}, "X-What": {"a"}, "Remote-User": {"forged"}},
		},
		{
			"silence leaves nothing of the client's", auth.ForwardConfig{Copy: []string{"Remote-User", "X-User-Id"}}, http.Header{}, auth.User{}, http.Header{},
		},
		{
			"hop-by-hop fields are not copied", auth.ForwardConfig{Copy: []string{"X-User-Id", "Remote-User"}},
			http.Header{"Connection": {"X-User-Id"}, "X-User-Id": {"7"}, "Remote-User": {"joe"}}, auth.User{Name: "joe"}, http.Header{"Remote-User": {"joe"}},
		},
		{"nothing is copied", auth.ForwardConfig{Copy: []string{}}, http.Header{"Remote-User": {"joe"}}, auth.User{}, http.Header{"Remote-User": {"forged"}, "X-User-Id": {"forged"}}},
	}
	bothWays(t, func(t *testing.T, record bool) {
		for _, c := range cases {
			s := newService(t, func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range c.answer {
					w.Header()[name] = values
				}
			})
			c.cfg.To = s.URL
			f := newForward(t, c.cfg)
			r := httptest.NewRequest("GET", "http://example.com/", nil)
			r.Header = http.Header{"Remote-User": {"forged"}, "X-User-Id": {"forged"}}
			before := r.Header.Clone()
			o := through(f, r, record)
			if o.err != nil || o.user == nil {
				t.Errorf("%s: %v", c.name, o.err)
				continue
			}
			c.user.Method = "forward"
			if fmt.Sprint(*o.user) != fmt.Sprint(c.user) {
				t.Errorf("%s: %+v, not %+v", c.name, *o.user, c.user)
			}
			t.Run(c.name, func(t *testing.T) { sameHeader(t, o.app, c.app) })
			if fmt.Sprint(r.Header) != fmt.Sprint(before) {
				t.Errorf("%s: the caller's header was changed to %v", c.name, r.Header)
			}
		}
	})
}

// rawService is a service that answers with bytes.
func rawService(t *testing.T, answer string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.WriteString(c, answer)
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return "http://" + l.Addr().String()
}

// What clients say in the name of the service goes no further where another
// method has found the user, and the service is not asked.
func TestTheClientsClaimsAreRemovedWithoutAsking(t *testing.T) {
	s := newService(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Remote-User", "joe")
		w.Header().Set("X-User-Id", "7")
	})
	f := newForward(t, auth.ForwardConfig{To: s.URL, Copy: []string{"Remote-User", "X-User-Id", "Authorization"}})
	other := newForward(t, auth.ForwardConfig{To: s.URL, Copy: []string{"X-User-Id", "X-Other"}})
	for _, c := range []struct {
		fact    string
		methods []auth.Method
		badge   string
		want    [4]string // Remote-User, X-User-Id, X-Other, Authorization
	}{
		{"another method has the user", []auth.Method{badge{field: "X-Badge"}, f}, "ann", [4]string{"", "", "forged", ""}},
		{"whatever the order", []auth.Method{f, other, badge{field: "X-Badge"}}, "ann", [4]string{"", "", "", ""}},
		{"the service has the user", []auth.Method{badge{field: "X-Badge"}, f, other}, "", [4]string{"joe", "7", "", ""}},
		{"an Authorization that a method reads", []auth.Method{holder{badge{field: "X-Badge"}}, f}, "ann", [4]string{"", "", "forged", "Forged x"}},
	} {
		g, err := auth.NewGate(auth.GateConfig{Methods: c.methods})
		if err != nil {
			t.Fatal(err)
		}
		var got [4]string
		h := g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			for i, name := range [...]string{"Remote-User", "X-User-Id", "X-Other", "Authorization"} {
				got[i] = strings.Join(r.Header.Values(name), ",")
			}
		}))
		r := httptest.NewRequest("GET", "http://example.com/", nil)
		for _, name := range []string{"Remote-User", "X-User-Id", "X-Other"} {
			r.Header.Set(name, "forged")
		}
		r.Header.Set("Authorization", "Forged x")
		if c.badge != "" {
			r.Header.Set("X-Badge", c.badge)
		}
		before := r.Header.Clone()
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.fact, got, c.want)
		}
		if fmt.Sprint(r.Header) != fmt.Sprint(before) {
			t.Errorf("%s: the caller's header was changed: %v", c.fact, r.Header)
		}
	}
}

// holder is a badge that reads an Authorization field.
type holder struct{ badge }

func (holder) Credentials() auth.Credentials { return auth.Credentials{Scheme: "Forged"} }

func TestAnswersThatCannotBeTrustedRefuse(t *testing.T) {
	const end = "Content-Length: 0\r\n\r\n"
	const malformed = 0 // 503 where net/http finds out, 502 where we do
	cases := map[string]struct {
		answer string
		status int
	}{
		"a CR in a copied value":       {"HTTP/1.1 200 OK\r\nRemote-User: joe\rX-Admin: 1\r\n" + end, malformed},
		"a NUL in a copied value":      {"HTTP/1.1 200 OK\r\nRemote-Groups: a\x00b\r\n" + end, malformed},
		"a tab in a name":              {"HTTP/1.1 200 OK\r\nRemote-User: jo\te\r\n" + end, 502},
		"two users":                    {"HTTP/1.1 200 OK\r\nRemote-User: joe\r\nRemote-User: admin\r\n" + end, 502},
		"a name that is no UTF-8":      {"HTTP/1.1 200 OK\r\nRemote-User: j\xf6e\r\n" + end, 502},
		"500":                          {"HTTP/1.1 500 Oops\r\n" + end, 502},
		"503":                          {"HTTP/1.1 503 Busy\r\n" + end, 502},
		"101":                          {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", 502},
		"304":                          {"HTTP/1.1 304 Not Modified\r\n\r\n", 502},
		"no HTTP":                      {"SSH-2.0-x\r\n\r\n", 503},
		"nothing":                      {"", 503},
		"a header without an end":      {"HTTP/1.1 200 OK\r\nRemote-User: joe\r\n", 503},
		"a header that is too large":   {"HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 80<<10) + "\r\n" + end, 503},
		"a refusal that is cut":        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nshort", 503},
		"a refusal that is too large":  {"HTTP/1.1 403 Forbidden\r\n\r\n" + strings.Repeat("a", 1<<20+1), 502},
		"two lengths":                  {"HTTP/1.1 403 Forbidden\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 503},
		"both chunked and with length": {"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 503},
	}
	for name, c := range cases {
		bothWays(t, func(t *testing.T, record bool) {
			f := newForward(t, auth.ForwardConfig{To: rawService(t, c.answer)})
			r := httptest.NewRequest("GET", "http://example.com/", nil)
			if o := through(f, r, record); o.Code != c.status && (c.status != malformed || o.Code != 502 && o.Code != 503) || o.user != nil || o.app != nil {
				t.Errorf("%s: %d, %v", name, o.Code, o.user)
			}
		})
	}
}

func TestManyFieldsDoNoHarm(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newService(t, func(w http.ResponseWriter, _ *http.Request) {
			for i := range 300 {
				w.Header().Set(fmt.Sprintf("X-F%d", i), "v")
			}
			w.Header().Set("Remote-User", "joe")
		})
		f := newForward(t, auth.ForwardConfig{To: s.URL})
		o := through(f, httptest.NewRequest("GET", "http://example.com/", nil), record)
		if o.err != nil || o.user.Name != "joe" || len(o.app) != 1 || len(o.Header()) != 0 {
			t.Errorf("%v: %d fields to the app, %d to the client", o.err, len(o.app), len(o.Header()))
		}
	})
}

func TestARefusalIsTheServicesAnswer(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		for _, code := range []int{301, 302, 303, 307, 400, 401, 403, 404, 418, 429} {
			s := newService(t, func(w http.ResponseWriter, r *http.Request) {
				h := w.Header()
				h.Set("Location", "https://auth.example.com/?rd=x")
				h["Www-Authenticate"] = []string{"foo", "bar"}
				h["Set-Cookie"] = []string{"a=1; Path=/", "b=2"}
				h.Set("X-Foo", "bar")
				h.Set("Content-Type", "text/plain")
				h.Set("Connection", "X-Hop")
				h.Set("X-Hop", "1")
				h.Set("Proxy-Authenticate", "test")
				h.Set("Keep-Alive", "timeout=5")
				w.WriteHeader(code)
				fmt.Fprintf(w, "no: %d", code)
			})
			f := newForward(t, auth.ForwardConfig{To: s.URL})
			o := through(f, httptest.NewRequest("GET", "http://example.com/", nil), record)
			if o.Code != code || o.Body.String() != fmt.Sprintf("no: %d", code) || o.app != nil {
				t.Errorf("%d: %d %q", code, o.Code, o.Body)
			}
			sameHeader(t, o.Header(), http.Header{
				"Location": {"https://auth.example.com/?rd=x"}, "Www-Authenticate": {"foo", "bar"}, "Set-Cookie": {"a=1; Path=/", "b=2"}, "X-Foo": {"bar"},
				"Content-Type": {"text/plain"}, "Content-Length": {"7"}, "Cache-Control": {"no-store"}, "Vary": {"Cookie", "Authorization"},
			})
			if len(s.asked) != 1 {
				t.Errorf("%d: asked %d times", code, len(s.asked))
			}
			if o := through(f, httptest.NewRequest("HEAD", "http://example.com/", nil), record); o.Code != code || o.Body.Len() != 0 || o.Header().Get("Content-Length") != "7" {
				t.Errorf("HEAD %d: %d, %q", code, o.Code, o.Body)
			}
		}
	})
}

func TestCookiesOfTheServiceReachTheClient(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newService(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Set-Cookie"] = []string{"session=new; Path=/; HttpOnly", "b=2"}
			w.Header().Set("X-Secret", "1")
		})
		f := newForward(t, auth.ForwardConfig{To: s.URL})
		o := through(f, httptest.NewRequest("GET", "http://example.com/", nil), record)
		sameHeader(t, o.Header(), http.Header{"Set-Cookie": {"session=new; Path=/; HttpOnly", "b=2"}})
	})
}

func TestAnOptionalServiceMayKnowNobody(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		for code, passes := range map[int]bool{401: true, 302: true, 303: true, 403: false, 404: false, 500: false, 304: false} {
			s := newService(t, answering(code))
			f := newForward(t, auth.ForwardConfig{To: s.URL, Optional: true})
			o := through(f, httptest.NewRequest("GET", "http://example.com/", nil), record)
			if o.user != nil || (o.err == nil) != passes {
				t.Errorf("%d: %v, %v", code, o.user, o.err)
			}
		}
	})
}

func TestEveryMethodIsAskedAboutWithGET(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		s := newService(t, answering(200))
		f := newForward(t, auth.ForwardConfig{To: s.URL})
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
			r := httptest.NewRequest(method, "http://example.com/", io.LimitReader(endless{}, 1<<20))
			r.ContentLength = -1
			if o := through(f, r, record); o.err != nil {
				t.Errorf("%s: %v", method, o.err)
			}
			if got := s.last(t); got.Method != "GET" || got.Header.Get("X-Forwarded-Method") != method || len(s.body) != 0 {
				t.Errorf("%s: %s, %d bytes", method, got.Method, len(s.body))
			}
			if n, _ := io.Copy(io.Discard, r.Body); n != 1<<20 {
				t.Errorf("%s: %d bytes of the body are left", method, n)
			}
		}
		asked := len(s.asked)
		r := httptest.NewRequest("GET", "http://example.com/", nil)
		r.Method = "CONNECT"
		if o := through(f, r, record); o.Code != 405 || len(s.asked) != asked {
			t.Errorf("CONNECT: %d", o.Code)
		}
	})
}

func TestConnectionsAreKept(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"empty":   answering(200),
		"short":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "OK") },
		"chunked": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); fmt.Fprint(w, "OK") },
		"refused": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403); fmt.Fprint(w, "no") },
		"failing": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); fmt.Fprint(w, "no") },
	} {
		s := newService(t, answer)
		f := newForward(t, auth.ForwardConfig{To: s.URL})
		for range 20 {
			through(f, httptest.NewRequest("GET", "http://example.com/", nil), true)
		}
		if n := s.conns.Load(); n != 1 {
			t.Errorf("%s: %d connections", name, n)
		}
	}
}

func TestAServiceThatIsDown(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		var log bytes.Buffer
		up := &atomic.Bool{}
		s := newService(t, func(w http.ResponseWriter, r *http.Request) {
			if !up.Load() {
				panic(http.ErrAbortHandler)
			}
		})
		f := newForward(t, auth.ForwardConfig{To: s.URL, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		ask := func() int { return through(f, httptest.NewRequest("GET", "http://example.com/", nil), record).Code }
		for range 3 {
			if code := ask(); code != 503 {
				t.Errorf("%d", code)
			}
		}
		up.Store(true)
		for range 3 {
			if code := ask(); code != 200 {
				t.Errorf("%d", code)
			}
		}
		up.Store(false)
		ask()
		if n, back := strings.Count(log.String(), "level=ERROR"), strings.Count(log.String(), "level=INFO"); n != 2 || back != 1 {
			t.Errorf("%s", log.String())
		}
		s.Close()
		if code := ask(); code != 503 {
			t.Errorf("%d", code)
		}
	})
}

func TestAServiceThatIsSlow(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		release := make(chan struct{})
		for name, answer := range map[string]http.HandlerFunc{
			"no header": func(http.ResponseWriter, *http.Request) { <-release },
			"no body": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "10")
				w.WriteHeader(403)
				w.(http.Flusher).Flush()
				<-release
			},
		} {
			s := newService(t, answer)
			f := newForward(t, auth.ForwardConfig{To: s.URL, Timeout: 50 * time.Millisecond})
			if o := through(f, httptest.NewRequest("GET", "http://example.com/", nil), record); o.Code != 503 {
				t.Errorf("%s: %d", name, o.Code)
			}
		}
		close(release)
	})
}

func TestAClientThatLeavesIsNoFailure(t *testing.T) {
	bothWays(t, func(t *testing.T, record bool) {
		var log bytes.Buffer
		asked, release := make(chan struct{}), make(chan struct{})
		s := newService(t, func(http.ResponseWriter, *http.Request) { close(asked); <-release })
		f := newForward(t, auth.ForwardConfig{To: s.URL, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, leave := context.WithCancel(t.Context())
		go func() { <-asked; leave() }()
		if o := through(f, httptest.NewRequest("GET", "http://example.com/", nil).WithContext(ctx), record); o.err == nil {
			t.Error("it passed")
		}
		close(release)
		if log.Len() != 0 {
			t.Errorf("%s", log.String())
		}
	})
}

func TestAServiceOnAUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "forward")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "auth.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := newService(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Remote-User", "joe") })
	onSocket := &http.Server{Handler: s.Config.Handler}
	go func() { _ = onSocket.Serve(l) }()
	defer onSocket.Close()
	for to, uri := range map[string]string{"unix:" + socket: "/", "unix:" + socket + ":/verify?x=1": "/verify?x=1"} {
		f := newForward(t, auth.ForwardConfig{To: to})
		o := through(f, httptest.NewRequest("GET", "http://example.com/", nil), true)
		if o.err != nil || o.user.Name != "joe" || s.last(t).RequestURI != uri || s.last(t).Host != "localhost" {
			t.Errorf("%s: %v, %+v, %s", to, o.err, o.user, s.last(t).RequestURI)
		}
	}
}

func TestAServiceWithTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Remote-User", "joe") }))
	defer s.Close()
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	f := newForward(t, auth.ForwardConfig{To: s.URL, TLS: s.Client().Transport.(*http.Transport).TLSClientConfig})
	if o := through(f, httptest.NewRequest("GET", "http://example.com/", nil), true); o.err != nil || o.user.Name != "joe" {
		t.Errorf("%v", o.err)
	}
	f = newForward(t, auth.ForwardConfig{To: s.URL})
	if o := through(f, httptest.NewRequest("GET", "http://example.com/", nil), true); o.Code != 503 {
		t.Errorf("an unknown certificate: %d", o.Code)
	}
}

func TestMistakesOfAForwardAreAllReported(t *testing.T) {
	for _, to := range []string{"", "auth:9091", "ftp://auth/", "http://", "http:///x", "http://joe:pw@auth/", "http://auth/#x", "unix:", "unix:/", "http://a b/", "://"} {
		if _, err := auth.NewForward(auth.ForwardConfig{To: to}); err == nil || !strings.HasPrefix(err.Error(), "to: ") || strings.Contains(err.Error(), "pw") {
			t.Errorf("%q: %v", to, err)
		}
	}
	_, err := auth.NewForward(auth.ForwardConfig{
		Copy:           []string{"Remote-User", "Connection", "Remote_User", "", "Set-Cookie", "Content-Length", "Host", "Cookie", "X-Forwarded-For", "X-Original-Url", "a b"},
		RequestHeaders: []string{"Accept", "Content-Length", "Remote-User", "X-Forwarded-Host", "X_Y", "Upgrade"},
		Timeout:        -1, User: "X-User",
	})
	for _, want := range []string{"to: ", "timeout: ", "user: ", "copy[1]", "copy[2]", "copy[3]", "copy[4]", "copy[5]", "copy[6]", "copy[7]", "copy[8]", "copy[9]", "copy[10]",
		"request_headers[1]", "request_headers[2]", "request_headers[3]", "request_headers[4]", "request_headers[5]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if err != nil && (strings.Contains(err.Error(), "copy[0]") || strings.Contains(err.Error(), "request_headers[0]")) {
		t.Errorf("%v", err)
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	s := newService(t, answering(200))
	f := newForward(t, auth.ForwardConfig{To: s.URL})
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 20 {
				through(f, httptest.NewRequest("GET", "http://example.com/", nil), true)
			}
		})
	}
	all.Wait()
	_ = f.Close()
	s.Close()
	goleak.VerifyNone(t, ignore)
}

func BenchmarkForward(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Remote-User", "joe") }))
	defer s.Close()
	f, err := auth.NewForward(auth.ForwardConfig{To: s.URL})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("GET", "http://example.com/app", nil)
		if _, err := f.Authenticate(httptest.NewRecorder(), r); err != nil {
			b.Fatal(err)
		}
	}
}
