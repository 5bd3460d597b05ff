package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// fold is how a CGI-style environment writes a name.
func fold(name string) string {
	b := []byte(strings.ToUpper(name))
	for i, c := range b {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			b[i] = '_'
		}
	}
	return string(b)
}

// ours are names, folded, that only mountd may write.
func ours(name string) bool {
	switch f := fold(name); f {
	case "FORWARDED", "PROXY", "REMOTE_USER", "REMOTE_GROUPS", "REMOTE_NAME", "REMOTE_EMAIL", "X_REAL_IP", "X_CLIENT_IP",
		"TRUE_CLIENT_IP", "X_ORIGINAL_URL", "X_REWRITE_URL", "X_SCRIPT_NAME", "X_REMOTE_USER", "X_AUTH_REQUEST_USER", "X_WEBAUTH_USER":
		return true
	default:
		return strings.HasPrefix(f, "X_FORWARDED_")
	}
}

// echoing is a site of one mount over an origin.
func echoing(t *testing.T, settings, use string) (*daemon, *origin) {
	t.Helper()
	o := listen(t, nil)
	d := start(t, fmt.Sprintf("%s\nmounts:\n  /app: {proxy: %s%s}\n", settings, o.url(), use))
	return d, o
}

func TestNamesOfIdentityAndForwarding(t *testing.T) {
	d, o := echoing(t, "", "")
	for _, row := range []struct{ name, fields string }{
		{"B01 an underscore beside the name", "X_Forwarded_User: evil\r\nX-Forwarded-User: evil"},
		{"B02 a dot", "Remote.User: evil"},
		{"B02 an underscore", "Remote_user: evil"},
		{"B02 upper case", "REMOTE-USER: evil"},
		{"B02 a tilde", "Remote~User: evil"},
		{"B02 a backquote", "Remote`User: evil"},
		{"B02 an exclamation mark", "Remote!User: evil"},
		{"B02 a plus", "Remote+User: evil"},
		{"B04 another spelling", "x-auth-request-USER: evil"},
		{"B07 forwarding of an untrusted peer", "X-Forwarded-For: evil\r\nX-Real-IP: evil\r\nForwarded: for=evil"},
		{"B07 the scheme", "X-Forwarded-Proto: evil\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Prefix: /evil\r\nX-Forwarded-Port: evil"},
		{"B11 httpoxy", "Proxy: http://evil\r\nproxy: http://evil"},
		{"A29 the address of an auth service", "X-Forwarded-Uri: /evil\r\nX-Forwarded-Method: evil\r\nX-Original-URL: /evil\r\nX-Rewrite-URL: /evil"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o.reset()
			a := get(t, d, "/app/", row.fields)
			if a.status == 400 {
				return
			}
			if a.status != 200 {
				t.Fatalf("status %d", a.status)
			}
			for _, f := range o.last(t).header {
				if strings.Contains(f[1], "evil") {
					t.Errorf("the application got %s: %s", f[0], f[1])
				}
			}
		})
	}
}

// INV-ID: of the names that state an identity or a forwarding, whatever their
// disguise, the application gets mountd's own alone.
func TestNoDisguiseOfANamePasses(t *testing.T) {
	d, o := echoing(t, "use: [errors]", "")
	names := []string{
		"Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email", "X-Forwarded-For", "X-Forwarded-User", "X-Forwarded-Proto",
		"X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Anything", "Forwarded", "X-Real-Ip", "Proxy", "X-Original-Url", "X-Rewrite-Url",
		"X-Script-Name", "X-Remote-User", "True-Client-Ip", "X-Client-Ip", "X-Auth-Request-User", "X-Webauth-User", "Accept-Thing", "X-Plain",
	}
	const odd = "_.!#$%&'*+^`|~-"
	rnd := rand.New(rand.NewPCG(7, 7))
	disguise := func(name string) string {
		b := []byte(name)
		for i, c := range b {
			switch rnd.IntN(6) {
			case 0:
				b[i] = strings.ToLower(string(c))[0]
			case 1:
				b[i] = strings.ToUpper(string(c))[0]
			}
			if c == '-' && rnd.IntN(2) == 0 {
				b[i] = odd[rnd.IntN(len(odd))]
			}
		}
		return string(b)
	}
	w := dial(t, d.addr)
	for range 1500 {
		var block []string
		for range 1 + rnd.IntN(8) {
			block = append(block, disguise(names[rnd.IntN(len(names))])+": evil")
		}
		o.reset()
		w.send("GET /app/ HTTP/1.1\r\nHost: a\r\n" + lines(block) + "\r\n")
		if a := w.read("GET"); a.status != 200 {
			t.Fatalf("status %d for %q", a.status, block)
		}
		for _, f := range o.last(t).header {
			if ours(f[0]) && strings.Contains(f[1], "evil") {
				t.Fatalf("%q: the application got %s: %s", block, f[0], f[1])
			}
			if strings.ContainsAny(f[0], strings.TrimRight(odd, "-")) {
				t.Fatalf("%q: the application got the name %s", block, f[0])
			}
		}
	}
}

func TestWhoTheClientIs(t *testing.T) {
	const told = "X-Forwarded-For: 6.6.6.6, 10.0.0.9"
	for _, row := range []struct {
		name, settings string
		fields         []string
		forwardedFor   string
		client         string
		proto          string
	}{
		{"B07 nobody is trusted", "", []string{told, "X-Forwarded-Proto: https"}, "127.0.0.1", "127.0.0.1", "http"},
		{"B08 the rightmost untrusted one", "trusted_proxies: [127.0.0.1, 10.0.0.0/8]", []string{told, "X-Forwarded-Proto: https"}, "6.6.6.6, 10.0.0.9, 127.0.0.1", "6.6.6.6", "https"},
		{"B08 two lines in their order", "trusted_proxies: [127.0.0.1, 10.0.0.0/8]", []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 10.0.0.9"}, "6.6.6.6, 10.0.0.9, 127.0.0.1", "6.6.6.6", "http"},
		{"B08 what an untrusted one has put before", "trusted_proxies: [127.0.0.1]", []string{"X-Forwarded-For: 1.1.1.1, 6.6.6.6"}, "", "6.6.6.6", "http"},
		{"I16 IPv4-mapped is IPv4", `trusted_proxies: ["::ffff:127.0.0.0/104"]`, []string{"X-Forwarded-For: 6.6.6.6"}, "6.6.6.6, 127.0.0.1", "6.6.6.6", "http"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d, o := echoing(t, row.settings, "")
			if a := get(t, d, "/app/who", row.fields...); a.status != 200 {
				t.Fatalf("status %d", a.status)
			}
			r := o.last(t)
			if got := strings.Join(r.values("X-Forwarded-For"), " | "); row.forwardedFor != "" && got != row.forwardedFor {
				t.Errorf("X-Forwarded-For: %s, want %s", got, row.forwardedFor)
			}
			if got := r.get("X-Forwarded-Proto"); got != row.proto {
				t.Errorf("X-Forwarded-Proto: %s, want %s", got, row.proto)
			}
			line := d.logged("/app/who")
			if got := fmt.Sprint(line["client"]); got != row.client {
				t.Errorf("logged client %s, want %s (%v)", got, row.client, line)
			}
		})
	}
}

// B05: naming mountd's own fields in Connection does not remove them.
func TestConnectionCannotRemoveOurFields(t *testing.T) {
	d, o := echoing(t, "", "")
	a := get(t, d, "/app/", "Connection: close, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Prefix, Forwarded, Remote-User, X-Gone, Via",
		"X-Gone: 1", "Cookie: a=b", "X-Forwarded-For: 6.6.6.6")
	if a.status != 200 {
		t.Fatalf("status %d", a.status)
	}
	r := o.last(t)
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "a", "X-Forwarded-Prefix": "/app", "Cookie": "a=b", "X-Gone": "",
	} {
		if got := r.get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// B13: trailers state nothing.
func TestTrailersStateNothing(t *testing.T) {
	d, o := echoing(t, "", "")
	a := ask(t, d.addr, "POST /app/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Forwarded-User, Remote-User, Authorization\r\n\r\n"+
		"3\r\nabc\r\n0\r\nX-Sum: fine\r\nX-Forwarded-User: evil\r\nRemote-User: evil\r\nRemote_User: evil\r\nAuthorization: evil\r\n\r\n")
	if a.status != 200 && a.status != 400 {
		t.Fatalf("status %d", a.status)
	}
	if got := o.bytes(); strings.Contains(got, "evil") {
		t.Errorf("the application got %q", got)
	}
	for _, name := range []string{"Content-Length: 5", "Transfer-Encoding: chunked", "Host: evil"} {
		a := ask(t, d.addr, "POST /app/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"+name+"\r\n\r\n")
		if strings.Contains(o.bytes(), name+"\r\n\r\n") || strings.Contains(o.bytes(), "evil") {
			t.Errorf("%s: the application got it (status %d)", name, a.status)
		}
	}
}

func TestHosts(t *testing.T) {
	d, o := echoing(t, "", "")
	for _, row := range []struct {
		name, head string
		want       []int
	}{
		{"B16 two", "Host: a\r\nHost: b", []int{400}},
		{"B16 the same twice", "Host: a\r\nHost: a", []int{400}},
		{"B16 none", "X: y", []int{400}},
		{"B16 empty", "Host:", []int{400}},
		{"B16 a path in it", "Host: a/b@c", []int{400}},
		{"B16 user info", "Host: u@a", []int{400}},
		{"B16 a space", "Host: a b", []int{400}},
		{"B16 an open bracket", "Host: [::1", []int{400}},
		{"B16 a port too large", "Host: a:99999", []int{400}},
		{"B16 two ports", "Host: a:1:2", []int{400}},
		{"a name", "Host: a.example", []int{200}},
		{"a port", "Host: a.example:8080", []int{200}},
		{"IPv6", "Host: [::1]:80", []int{200}},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := o.count()
			a := ask(t, d.addr, "GET /app/ HTTP/1.1\r\n"+row.head+"\r\n\r\n")
			if !slices.Contains(row.want, a.status) {
				t.Errorf("status %d, want %v", a.status, row.want)
			}
			if a.status == 400 && o.count() != before {
				t.Error("the application got the request")
			}
		})
	}
}

// A34: the trailing dot, the port and the case of a host make no difference,
// however many hosts there are.
func TestHostsAreNormalised(t *testing.T) {
	var table strings.Builder
	table.WriteString("mounts:\n  /: respond:default\n")
	for i := range 200 {
		fmt.Fprintf(&table, "  h%d.example/: respond:h%d\n", i, i)
	}
	d := start(t, table.String())
	for host, want := range map[string]string{
		"h7.example": "h7", "H7.Example": "h7", "h7.example.": "h7", "h7.example:80": "h7", "H199.EXAMPLE.:8080": "h199", "h7.example.evil": "default",
	} {
		if a := ask(t, d.addr, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); a.body != want {
			t.Errorf("%s: %d %q, want %q", host, a.status, a.body, want)
		}
	}
}

// B17: what belongs to the connection with the application stays there.
func TestHopByHopFieldsOfAnswers(t *testing.T) {
	const hop = "Connection: close, X-Hop, Set-Cookie\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nAlt-Svc: h2=\"evil\"\r\nSet-Cookie: a=b\r\nX-Stays: 1\r\n"
	o := listen(t, func(c *originConn, r *received) error {
		if r.get("Upgrade") != "" {
			_ = c.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" + strings.Replace(hop, "close", "Upgrade", 1) + "\r\n")
			return errDone
		}
		_ = c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + hop + "\r\nok")
		return errDone
	})
	d := start(t, "mounts: {/app: {proxy: "+o.url()+", rebase: off}}\n")
	for name, fields := range map[string][]string{
		"200": nil, "101": {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13"},
	} {
		a := get(t, d, "/app/", fields...)
		if fmt.Sprint(a.status) != name {
			t.Fatalf("status %d, want %s", a.status, name)
		}
		for _, gone := range []string{"X-Hop", "Keep-Alive", "Proxy-Authenticate", "Alt-Svc", "Set-Cookie"} {
			if got := a.get(gone); got != "" {
				t.Errorf("%s: the client got %s: %s", name, gone, got)
			}
		}
		if a.get("X-Stays") != "1" {
			t.Errorf("%s: X-Stays is gone", name)
		}
	}
}
