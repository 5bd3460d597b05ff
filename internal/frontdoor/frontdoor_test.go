package frontdoor_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/frontdoor"
	"github.com/mountd/mountd/internal/request"
)

// seen is the record of the last request that came in.
type seen struct {
	rec *request.Record
	err error // of the last that did not
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.rec = request.From(r.Context())
	if r != &s.rec.Request || w != http.ResponseWriter(&s.rec.Writer) {
		panic("the layers see something else than the record holds")
	}
}

func newDoor(t testing.TB, s *seen, cfg frontdoor.Config) *frontdoor.FrontDoor {
	t.Helper()
	cfg.Next = s
	cfg.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		s.rec, s.err = request.From(r.Context()), err
		request.Fail(w, r, err)
	}
	d, err := frontdoor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// read reads a request as net/http's server does.
func read(head, peer string) (*http.Request, error) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err == nil {
		r.RemoteAddr = peer
	}
	return r, err
}

// send serves one request: a request line without its version, and header
// lines. It gives the status and the answer's header.
func send(t testing.TB, d http.Handler, peer, line string, header ...string) (int, http.Header) {
	t.Helper()
	head := line + " HTTP/1.1\r\n"
	if !slices.ContainsFunc(header, func(h string) bool { return strings.HasPrefix(h, "Host:") }) {
		head += "Host: a.example\r\n"
	}
	r, err := read(head+strings.Join(append(header, "", ""), "\r\n"), peer)
	if err != nil {
		return http.StatusBadRequest, nil
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Code, w.Header()
}

const peer = "203.0.113.9:4711"

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p)
		} else {
			a := netip.MustParseAddr(s)
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return out
}

func TestTargets(t *testing.T) {
	tests := []struct {
		name, line string
		status     int
		path, raw  string
	}{
		{"an ordinary one", "GET /app/x?q=%zz", 200, "/app/x", "/app/x"},
		{"dots are resolved", "GET /app/%2e%2e/admin/x", 200, "/admin/x", "/admin/x"},
		{"an escaped slash stays", "GET /@s%2fn", 200, "/@s/n", "/@s%2fn"},
		{"an escaped slash beside a raw byte stays", `GET /a|b%2Fc`, 200, "/a|b/c", "/a%7Cb%2Fc"},
		{"leading slashes", "GET //evil.example/x", 200, "/evil.example/x", "/evil.example/x"},
		{"an absolute one", "GET http://b.example/admin/x?q", 200, "/admin/x", "/admin/x"},
		{"an absolute one without a path", "GET http://b.example?x", 200, "/", "/"},
		{"above the root", "GET /../x", 400, "", ""},
		{"a raw #", "GET /admin#frag", 400, "", ""},
		{"a raw # in the query", "GET /x?y#/../admin", 400, "", ""},
		{"an invalid escape", "GET /%", 400, "", ""},
		{"a control byte", "GET /x%00", 400, "", ""},
		{"a star", "GET *", 400, "", ""},
		{"no path", "GET admin", 400, "", ""},
		{"a relative path", "GET foo/bar", 400, "", ""},
		{"another scheme", "GET ftp://b.example/x", 400, "", ""},
		{"a user in the target", "GET http://u@b.example/x", 400, "", ""},
		{"CONNECT", "CONNECT a.example:443", 405, "", ""},
		{"CONNECT with a path", "CONNECT /x", 405, "", ""},
		{"TRACE", "TRACE /", 405, "", ""},
		{"a method in lower case", "get /x", 400, "", ""},
		{"a method in mixed case", "GeT /x", 400, "", ""},
		{"an uncommon method", "PROPFIND /x", 200, "/x", "/x"},
		{"an unknown method", "JEFF /x", 200, "/x", "/x"},
		{"a method with a mark", "GET? /x", 400, "", ""},
		{"a long target", "GET /" + strings.Repeat("x", 17<<10), 414, "", ""},
		{"OPTIONS of everything", "OPTIONS *", 204, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s seen
			status, header := send(t, newDoor(t, &s, frontdoor.Config{}), peer, tt.line)
			if status != tt.status {
				t.Fatalf("status %d, want %d", status, tt.status)
			}
			if (status == 405 || status == 204) && header.Get("Allow") == "" {
				t.Error("no Allow")
			}
			if status == 200 && (s.rec.Path != tt.path || s.rec.RawPath != tt.raw || s.rec.URL.Path != tt.path || s.rec.URL.EscapedPath() != tt.raw || s.rec.URL.Host != "") {
				t.Errorf("path %q, %q; URL %v", s.rec.Path, s.rec.RawPath, &s.rec.URL)
			}
		})
	}
}

func TestHosts(t *testing.T) {
	tests := []struct {
		name, line, header string
		status             int
		host, hostport     string
	}{
		{"ordinary", "GET /", "Host: A.example.:80", 200, "a.example", "A.example.:80"},
		{"an absolute target wins", "GET http://B.example:81/x", "Host: a.example", 200, "b.example", "B.example:81"},
		{"an address", "GET /", "Host: [::1]:80", 200, "[::1]", "[::1]:80"},
		{"twice", "GET /", "Host: a\r\nHost: b", 400, "", ""},
		{"empty", "GET /", "Host:", 400, "", ""},
		{"a path in it", "GET /", "Host: a/b@c", 400, "", ""},
		{"a space in it", "GET /", "Host: a b", 400, "", ""},
		{"half an address", "GET /", "Host: [::1", 400, "", ""},
		{"a large port", "GET /", "Host: a:99999", 400, "", ""},
		{"two ports", "GET /", "Host: a:1:2", 400, "", ""},
		{"a list", "GET /", "Host: a,b", 400, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s seen
			status, _ := send(t, newDoor(t, &s, frontdoor.Config{}), peer, tt.line, tt.header)
			if status != tt.status {
				t.Fatalf("status %d, want %d", status, tt.status)
			}
			if status == 200 && (s.rec.Host != tt.host || s.rec.HostPort != tt.hostport || s.rec.Request.Host != tt.hostport) {
				t.Errorf("host %q, %q, %q", s.rec.Host, s.rec.HostPort, s.rec.Request.Host)
			}
		})
	}
}

func TestMissingHost(t *testing.T) {
	for proto, want := range map[string]int{"HTTP/1.0": 200, "HTTP/1.1": 400} {
		var s seen
		r, err := read("GET / "+proto+"\r\n\r\n", peer)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if newDoor(t, &s, frontdoor.Config{}).ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: %d", proto, w.Code)
		}
	}
}

func TestTrustedView(t *testing.T) {
	const proxy = "10.0.0.2:99"
	tests := []struct {
		name, peer string
		header     []string
		want       string // client, scheme, host with port, prefix
	}{
		{"nobody in front", peer, nil, "203.0.113.9 http a.example "},
		{"an untrusted peer", peer, []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil", "X-Forwarded-Prefix: /p", "Forwarded: for=6.6.6.6;proto=https"}, "203.0.113.9 http a.example "},
		{"a trusted peer", proxy, []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Forwarded-Host: B.example:8443", "X-Forwarded-Prefix: /p/"}, "6.6.6.6 https B.example:8443 /p"},
		{"rightmost untrusted", proxy, []string{"X-Forwarded-For: 7.7.7.7, 6.6.6.6, 10.0.0.9"}, "6.6.6.6 http a.example "},
		{"over several lines", proxy, []string{"X-Forwarded-For: 7.7.7.7", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 10.0.0.9,"}, "6.6.6.6 http a.example "},
		{"all trusted", proxy, []string{"X-Forwarded-For: 10.0.0.7, 10.0.0.8"}, "10.0.0.7 http a.example "},
		{"garbage ends the search", proxy, []string{"X-Forwarded-For: 6.6.6.6, unknown, 10.0.0.8"}, "10.0.0.8 http a.example "},
		{"only garbage", proxy, []string{"X-Forwarded-For: <script>"}, "10.0.0.2 http a.example "},
		{"a port is cut off", proxy, []string{"X-Forwarded-For: 6.6.6.6:80"}, "6.6.6.6 http a.example "},
		{"IPv6 with a port", proxy, []string{"X-Forwarded-For: [2001:db8::1]:80"}, "2001:db8::1 http a.example "},
		{"IPv4 in IPv6 dress", "[::ffff:10.0.0.2]:1", []string{"X-Forwarded-For: ::ffff:6.6.6.6, ::ffff:10.0.0.3"}, "6.6.6.6 http a.example "},
		{"RFC 7239", proxy, []string{`Forwarded: for="[2001:db8::1]:80";proto=HTTPS;host="c.example", for=10.0.0.8;proto=https;host=d.example`}, "2001:db8::1 https d.example "},
		{"RFC 7239 over lines", proxy, []string{`Forwarded: for=6.6.6.6`, `Forwarded: For=10.0.0.8; by="x,y;for=9.9.9.9"`}, "6.6.6.6 http a.example "},
		{"RFC 7239, hidden", proxy, []string{`Forwarded: for=_hidden, for=10.0.0.8`}, "10.0.0.8 http a.example "},
		{"RFC 7239, malformed", proxy, []string{`Forwarded: for=6.6.6.6, "`}, "10.0.0.2 http a.example "},
		{"X-Forwarded-For comes first", proxy, []string{"Forwarded: for=9.9.9.9;proto=https;host=evil", "X-Forwarded-For: 6.6.6.6"}, "6.6.6.6 http a.example "},
		{"a bogus scheme", proxy, []string{"X-Forwarded-Proto: http://p02n3e.com?url=http"}, "10.0.0.2 http a.example "},
		{"the nearest scheme", proxy, []string{"X-Forwarded-Proto: http, https"}, "10.0.0.2 https a.example "},
		{"a bogus host", proxy, []string{"X-Forwarded-Host: a/b"}, "10.0.0.2 http a.example "},
		{"a port of its own", proxy, []string{"X-Forwarded-Host: b.example", "X-Forwarded-Port: 8443", "X-Forwarded-Proto: https"}, "10.0.0.2 https b.example:8443 "},
		{"the usual port", proxy, []string{"X-Forwarded-Port: 443", "X-Forwarded-Proto: https", "Host: a.example:9000"}, "10.0.0.2 https a.example "},
		{"a bogus port", proxy, []string{"X-Forwarded-Port: 80/x"}, "10.0.0.2 http a.example "},
		{"a prefix that climbs", proxy, []string{"X-Forwarded-Prefix: /a/../b"}, "10.0.0.2 http a.example "},
		{"a prefix that is a host", proxy, []string{"X-Forwarded-Prefix: //evil"}, "10.0.0.2 http a.example "},
		{"a prefix that is no path", proxy, []string{"X-Forwarded-Prefix: evil"}, "10.0.0.2 http a.example "},
		{"an ambiguous prefix", proxy, []string{"X-Forwarded-Prefix: /a%2fb"}, "10.0.0.2 http a.example "},
		{"a prefix that breaks out", proxy, []string{`X-Forwarded-Prefix: /"><script>`}, "10.0.0.2 http a.example "},
		{"an escaped prefix", proxy, []string{"X-Forwarded-Prefix: /caf%C3%A9"}, "10.0.0.2 http a.example /caf%C3%A9"},
		{"a unix socket", "@", []string{"X-Forwarded-For: 6.6.6.6"}, "invalid IP http a.example "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s seen
			d := newDoor(t, &s, frontdoor.Config{TrustedProxies: prefixes("::ffff:10.0.0.0/104")})
			if status, _ := send(t, d, tt.peer, "GET /", tt.header...); status != 200 {
				t.Fatal(status, s.err)
			}
			if got := fmt.Sprintf("%v %s %s %s", s.rec.Client, s.rec.Scheme, s.rec.HostPort, s.rec.Prefix); got != tt.want {
				t.Errorf("view %q, want %q", got, tt.want)
			}
			if s.rec.Start.IsZero() {
				t.Error("no start")
			}
		})
	}
}

func TestUnixSocketsAreTrustedOnRequest(t *testing.T) {
	var s seen
	d := newDoor(t, &s, frontdoor.Config{TrustUnix: true})
	if send(t, d, "@", "GET /", "X-Forwarded-For: 6.6.6.6"); s.rec.Client.String() != "6.6.6.6" || s.rec.Peer.IsValid() || !s.rec.PeerTrusted {
		t.Errorf("record %v, %v", s.rec.Client, s.rec.Peer)
	}
}

func TestTLSIsHTTPS(t *testing.T) {
	var s seen
	r := httptest.NewRequest("GET", "/", nil)
	r.TLS = &tls.ConnectionState{}
	if newDoor(t, &s, frontdoor.Config{}).ServeHTTP(httptest.NewRecorder(), r); s.rec.Scheme != "https" {
		t.Error(s.rec.Scheme)
	}
}

func TestHeadersThatNobodyMaySee(t *testing.T) {
	always := []string{
		"Remote-User", "REMOTE-USER", "Remote_user", "Remote.User", "Remote~User", "Remote`User", "Remote!User", "Remote+User", "X_Forwarded_User",
		"X-Forwarded-User", "X-Forwarded-Preferred-Username", "X-Remote-User", "X-Auth-Request-Email", "X-My-User", "X_my_user",
		"Proxy", "X-Original-URL", "X-Rewrite-Url", "X-Script-Name", "X_Forwarded_For", "X_Custom", "A.b", "Content_Length",
	}
	untrusted := []string{
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Forwarded-Anything", "Forwarded", "X-Real-IP", "True-Client-IP",
	}
	free := []string{"Accept", "X-Custom", "Authorization", "X-User-Agent", "Remote-Usage", "Proxy-Authorization", "X_Allowed"}
	for _, from := range []string{"10.0.0.1:1", peer} {
		trusted := from != peer
		var s seen
		d := newDoor(t, &s, frontdoor.Config{
			TrustedProxies: prefixes("10.0.0.1"), IdentityHeaders: []string{"x-my-user"}, AllowHeaders: []string{"x_allowed"},
		})
		check := func(names []string, want bool) {
			for _, name := range names {
				if send(t, d, from, "GET /", name+": /v"); s.rec == nil {
					t.Fatal(s.err)
				}
				if got := len(s.rec.Request.Header) > 0; got != want {
					t.Errorf("%s of %s (trusted: %v): passed is %v", name, from, trusted, got)
				}
			}
		}
		check(always, false)
		check(untrusted[:1], trusted)
		if !trusted {
			check(untrusted, false)
		}
		check(free, true)
		send(t, d, from, "GET /", "Remote-User: joe", "X-My-User: ann", "Remote_User: eve")
		if got := fmt.Sprint(s.rec.Asserted); got != map[bool]string{true: "map[Remote-User:[joe] X-My-User:[ann]]", false: "map[]"}[trusted] {
			t.Errorf("asserted by %s: %s", from, got)
		}
	}
}

// fold is what a CGI-style environment makes of a name.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 32
		}
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

func TestNoNameFoldsIntoAnIdentity(t *testing.T) {
	secret := map[string]bool{"PROXY": true, "X_ORIGINAL_URL": true, "X_REAL_IP": true, "FORWARDED": true}
	words := []string{"remote", "user", "X", "forwarded", "For", "Groups", "email", "name", "real", "ip", "proxy", "Original", "URL", "my", "Proto", "prefix"}
	for _, n := range []string{"User", "Groups", "Email", "Name"} {
		secret["REMOTE_"+strings.ToUpper(n)] = true
	}
	secret["X_MY_USER"] = true
	var s seen
	d := newDoor(t, &s, frontdoor.Config{IdentityHeaders: []string{"X-My-User"}, AllowHeaders: []string{"a_b"}})
	rng := rand.New(rand.NewPCG(3, 4))
	seps := []string{"-", "-", "-", "_", ".", "~", "!", "+", "'", "|", "^", "`", "", "0"}
	for range 50_000 {
		r := httptest.NewRequest("GET", "/", nil)
		for range 3 {
			name := ""
			for i := range 1 + rng.IntN(3) {
				if i > 0 {
					name += seps[rng.IntN(len(seps))]
				}
				word := words[rng.IntN(len(words))]
				if rng.IntN(3) == 0 {
					word = strings.ToUpper(word)
				}
				name += word
			}
			if rng.IntN(2) == 0 {
				r.Header[name] = []string{"v"} // as a server that does not canonicalise would
			} else {
				r.Header.Set(name, "v")
			}
		}
		d.ServeHTTP(httptest.NewRecorder(), r)
		for name := range s.rec.Request.Header {
			if f := fold(name); secret[f] || strings.HasPrefix(f, "X_FORWARDED_") {
				t.Fatalf("%q got through", name)
			}
		}
	}
}

func TestTrailers(t *testing.T) {
	var s seen
	d := newDoor(t, &s, frontdoor.Config{})
	r, err := read("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Forwarded-User, Authorization\r\n\r\n"+
		"3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Forwarded-User: admin\r\nRemote_User: admin\r\nAuthorization: x\r\nX-Unannounced: 2\r\n\r\n", peer)
	if err != nil {
		t.Fatal(err)
	}
	d.ServeHTTP(httptest.NewRecorder(), r)
	if got := fmt.Sprint(s.rec.Request.Trailer); got != "map[X-Sum:[]]" {
		t.Errorf("announced: %s", got)
	}
	if body, err := io.ReadAll(s.rec.Request.Body); err != nil || string(body) != "abc" {
		t.Error(string(body), err)
	}
	if got := fmt.Sprint(s.rec.Request.Trailer); got != "map[X-Sum:[1] X-Unannounced:[2]]" {
		t.Errorf("came: %s", got)
	}
}

func TestLoopsEnd(t *testing.T) {
	for via, want := range map[string]int{
		"":                                  200,
		"1.1 mountd, 1.0 fred":              200,
		"1.1 mountd,1.1 MOUNTD (x), 1.0 nn": 200,
		strings.Repeat("1.1 mountd, ", 3):   508,
		"HTTP/2.0  mountd , 1.1 mountd,1.1 mountd": 508,
	} {
		var s seen
		if status, _ := send(t, newDoor(t, &s, frontdoor.Config{MaxHops: 3}), peer, "GET /", "Via: "+via); status != want {
			t.Errorf("Via: %s is answered %d, want %d", via, status, want)
		}
	}
}

func TestManyHeaders(t *testing.T) {
	var s seen
	d := newDoor(t, &s, frontdoor.Config{})
	lines := slices.Repeat([]string{"X-A: b"}, 201)
	if status, _ := send(t, d, peer, "GET /", lines...); status != 431 {
		t.Error(status)
	}
	if status, _ := send(t, d, peer, "GET /", lines[:150]...); status != 200 {
		t.Error(status)
	}
}

func TestRefusedRequestsAreKnown(t *testing.T) {
	var s seen
	d := newDoor(t, &s, frontdoor.Config{})
	send(t, d, peer, "GET /..")
	if s.rec.Client.String() != "203.0.113.9" || s.rec.Host != "a.example" || s.rec.Cause == nil || s.rec.Writer.Status() != 400 {
		t.Errorf("record %+v", s.rec)
	}
}

func TestMistakes(t *testing.T) {
	_, err := frontdoor.New(frontdoor.Config{
		TrustedProxies:  []netip.Prefix{netip.MustParsePrefix("::ffff:0:0/90"), {}},
		AllowHeaders:    []string{"X_ok", "Remote_User", "X.Forwarded.For", "Content_Length", ""},
		IdentityHeaders: []string{"X-Fine", "X_Bad", "Cookie"},
	})
	want := `front door: Next must be set
trusted_proxies[0]: ::ffff:0.0.0.0/90 holds more than IPv4-mapped addresses (write the IPv4 network)
trusted_proxies[1]: invalid Prefix is no network (write an address or a CIDR)
identity header "X_bad" cannot be one (use letters, digits and dashes, and no name that HTTP uses)
identity header "Cookie" cannot be one (use letters, digits and dashes, and no name that HTTP uses)
http.allow_headers[1]: "Remote_User" could be taken for "Remote-User" (rename it in the client)
http.allow_headers[2]: "X.Forwarded.For" could be taken for "X-Forwarded-For" (rename it in the client)
http.allow_headers[3]: "Content_Length" could be taken for "Content-Length" (rename it in the client)
http.allow_headers[4]: the name is empty`
	if err == nil || err.Error() != want {
		t.Errorf("mistakes:\n%v\nwant:\n%s", err, want)
	}
	var o interface{ OptionPath() string }
	if !errors.As(err, &o) || o.OptionPath() != "trusted_proxies[0]" {
		t.Error("no option path")
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add("1.2.3.4, 10.0.0.1", `for="[::1]:80";host=a`, "https", "a:80", "/p")
	f.Fuzz(func(t *testing.T, xff, forwarded, proto, host, prefix string) {
		var s seen
		d := newDoor(t, &s, frontdoor.Config{TrustedProxies: prefixes("10.0.0.0/8")})
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header = http.Header{"X-Forwarded-For": {xff}, "X-Forwarded-Proto": {proto}, "X-Forwarded-Host": {host}, "X-Forwarded-Prefix": {prefix}}
		if forwarded != "" {
			r.Header = http.Header{"Forwarded": {forwarded}}
		}
		d.ServeHTTP(httptest.NewRecorder(), r)
		if s.rec.Scheme != "http" && s.rec.Scheme != "https" {
			t.Fatal(s.rec.Scheme)
		}
		if p := s.rec.Prefix; p != "" && (p[0] != '/' || strings.ContainsAny(p, "\"<> \r\n;\\") || strings.Contains(p, "//") || strings.Contains(p+"/", "/../")) {
			t.Fatalf("prefix %q", p)
		}
		if strings.ContainsAny(s.rec.HostPort, "/\\@\"<> \r\n,") || !s.rec.Client.IsValid() {
			t.Fatalf("host %q, client %v", s.rec.HostPort, s.rec.Client)
		}
	})
}

func TestCost(t *testing.T) {
	d, err := frontdoor.New(frontdoor.Config{Next: nothing})
	if err != nil {
		t.Fatal(err)
	}
	r, w := ordinary(), httptest.NewRecorder()
	if n := testing.AllocsPerRun(100, func() { d.ServeHTTP(w, r) }); n != 1 {
		t.Errorf("%v allocations, want the record alone", n)
	}
}

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

func ordinary() *http.Request {
	r := httptest.NewRequest("GET", "/app/some/page.html?q=1", nil)
	r.RemoteAddr = peer
	for _, name := range []string{"Accept", "Accept-Encoding", "Accept-Language", "Cookie", "User-Agent", "Referer", "Sec-Fetch-Mode", "Cache-Control"} {
		r.Header.Set(name, "some value")
	}
	return r
}

func BenchmarkFrontDoor(b *testing.B) {
	d, err := frontdoor.New(frontdoor.Config{Next: nothing})
	if err != nil {
		b.Fatal(err)
	}
	r, w := ordinary(), httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		d.ServeHTTP(w, r)
	}
}
