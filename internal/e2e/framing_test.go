package e2e_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// What comes from a client that two readers could frame in two ways is refused,
// its connection is closed, and the application gets nothing that is whole.
func TestFramingOfRequests(t *testing.T) {
	const (
		post  = "POST /app/x HTTP/1.1\r\nHost: a\r\n"
		smug  = "GET /app/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
		chunk = "Transfer-Encoding: chunked\r\n"
	)
	for _, row := range []struct {
		name, raw string
		want      []int // 0: no answer, the connection ends
	}{
		{name: "C01 both framings", raw: post + "Content-Length: 35\r\n" + chunk + "\r\n0\r\n\r\n" + smug, want: []int{400}},
		{name: "C02 two lengths", raw: post + "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde", want: []int{400}},
		{name: "C02 the same length twice", raw: post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", want: []int{400}},
		{name: "C02 a list of lengths", raw: post + "Content-Length: 3, 3\r\n\r\nabc", want: []int{400}},
		{name: "C02 a signed length", raw: post + "Content-Length: +3\r\n\r\nabc", want: []int{400}},
		{name: "C04 unknown coding", raw: post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 chunked, identity", raw: post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 chunked twice", raw: post + chunk + chunk + "\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 gzip, chunked", raw: post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 identity", raw: post + "Transfer-Encoding: identity\r\n\r\n", want: []int{400, 501}},
		{name: "C04 quoted", raw: post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 a parameter", raw: post + "Transfer-Encoding: chunked;x\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 a vertical tab", raw: post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 empty", raw: post + "Transfer-Encoding:\r\n\r\n", want: []int{400, 501}},
		{name: "C05 chunked on HTTP/1.0", raw: "POST /app/x HTTP/1.0\r\nHost: a\r\n" + chunk + "\r\n0\r\n\r\n" + smug, want: []int{400}},
		{name: "C07 a folded line", raw: "GET /app/x HTTP/1.1\r\nHost: a\r\nX: 1\r\n y\r\n\r\n", want: []int{400}},
		{name: "C08 line feeds alone", raw: "GET /app/x HTTP/1.1\nHost: a\n\n", want: []int{400}},
		{name: "C08 a space before the colon", raw: "GET /app/x HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", want: []int{400}},
		{name: "C08 a carriage return in a value", raw: "GET /app/x HTTP/1.1\r\nHost: a\r\nX: 1\r2\r\n\r\n", want: []int{400}},
		{name: "C08 NUL in a value", raw: "GET /app/x HTTP/1.1\r\nHost: a\r\nX: 1\x002\r\n\r\n", want: []int{400}},
		{name: "C10 the size line ends in a line feed", raw: post + chunk + "\r\n3\nabc\r\n0\r\n\r\n", want: []int{400, 0}},
		{name: "C10 an extension with a line feed", raw: post + chunk + "\r\n3;a\nb\r\nabc\r\n0\r\n\r\n", want: []int{400, 0}},
		{name: "C10 an extension with a carriage return", raw: post + chunk + "\r\n3;a\rb\r\nabc\r\n0\r\n\r\n", want: []int{400, 0}},
		{name: "C11 a plus", raw: post + chunk + "\r\n+3\r\nabc\r\n0\r\n\r\n", want: []int{400, 0}},
		{name: "C11 a minus", raw: post + chunk + "\r\n-3\r\nabc\r\n0\r\n\r\n", want: []int{400, 0}},
		{name: "C11 hexadecimal prefix", raw: post + chunk + "\r\n0x3\r\nabc\r\n0\r\n\r\n", want: []int{400, 0}},
		{name: "C11 an underscore", raw: post + chunk + "\r\n0_3\r\nabc\r\n0\r\n\r\n", want: []int{400, 0}},
		{name: "C11 a space before", raw: post + chunk + "\r\n 3\r\nabc\r\n0\r\n\r\n", want: []int{400, 0}},
		{name: "C11 a space behind", raw: post + chunk + "\r\n3 \r\nabc\r\n0\r\n\r\n", want: []int{400}},
		{name: "C11 no size", raw: post + chunk + "\r\n\r\nabc\r\n0\r\n\r\n", want: []int{400, 0}},
		{name: "C11 a size that overflows", raw: post + chunk + "\r\n10000000000000003\r\nabc\r\n0\r\n\r\n", want: []int{400, 0}},
		{name: "C19 an unknown expectation", raw: post + "Expect: foo\r\nContent-Length: 3\r\n\r\nabc", want: []int{417}},
		{name: "C31 HTTP/2.0 in clear", raw: "GET /app/x HTTP/2.0\r\nHost: a\r\n\r\n", want: []int{400, 505}},
		{name: "C31 HTTP/1.11", raw: "GET /app/x HTTP/1.11\r\nHost: a\r\n\r\n", want: []int{400, 505}},
		{name: "C31 HTTP/1.2", raw: "GET /app/x HTTP/1.2\r\nHost: a\r\n\r\n", want: []int{505}},
		{name: "C31 HTTP/0.9", raw: "GET /app/x\r\n\r\n", want: []int{400}},
		{name: "C31 an empty line first", raw: "\r\nGET /app/x HTTP/1.1\r\nHost: a\r\n\r\n", want: []int{400}},
		{name: "C31 two spaces", raw: "GET  /app/x HTTP/1.1\r\nHost: a\r\n\r\n", want: []int{400}},
		{name: "C31 a tab", raw: "GET\t/app/x HTTP/1.1\r\nHost: a\r\n\r\n", want: []int{400}},
		{name: "C32 a PROXY line that is not enabled", raw: "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\nGET /app/x HTTP/1.1\r\nHost: a\r\n\r\n", want: []int{400}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newFramed(t)
			w := dial(t, s.addr)
			w.send(row.raw)
			_ = w.SetReadDeadline(time.Now().Add(3 * time.Second))
			a := w.read("POST")
			if a.status == 0 && a.err != nil && !isTimeout(a.err) {
				a.status = 0
			} else if isTimeout(a.err) {
				t.Fatal("no answer")
			}
			if !slices.Contains(row.want, a.status) {
				t.Fatalf("status %d, want %v: %s", a.status, row.want, a.body)
			}
			whole := 0
			for _, r := range s.origin.seen() {
				if r.complete && strings.HasSuffix(r.target, "/x") {
					whole++
				}
			}
			if whole > 0 {
				t.Errorf("the application got %d whole requests: %q", whole, s.origin.bytes())
			}
			if strings.Contains(s.origin.bytes(), "smuggled") {
				t.Error("the application got what was behind the request")
			}
			if !w.closed() {
				t.Error("the connection stays open")
			}
		})
	}
}

// framed is a site of one application.
type framed struct {
	*daemon
	origin *origin
}

func newFramed(t testing.TB) *framed {
	o := listen(t, nil)
	return &framed{start(t, "use: [errors]\nmounts: {/app: {proxy: "+o.url()+", rebase: off}}\n"), o}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// C13: a body without its last line is not given to the application as whole.
func TestUnfinishedBodies(t *testing.T) {
	for name, raw := range map[string]string{
		"C13 no line behind the last chunk": "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
		"C34 chunks stop":                   "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"C34 shorter than its length":       "Content-Length: 10\r\n\r\nabc",
	} {
		for _, end := range []string{"half-closed", "closed", "reset"} {
			t.Run(name+" "+end, func(t *testing.T) {
				s := newFramed(t)
				w := dial(t, s.addr)
				w.send("POST /app/x HTTP/1.1\r\nHost: a\r\n" + raw)
				eventually(t, 3*time.Second, "request at the application", func() bool { return s.origin.count() == 1 })
				switch end {
				case "half-closed":
					_ = w.Conn.(*net.TCPConn).CloseWrite()
				case "closed":
					_ = w.Close()
				case "reset":
					w.reset()
				}
				eventually(t, 3*time.Second, "end of the upstream connection", func() bool { return s.origin.connections()[0].ended() })
				if s.origin.seen()[0].complete {
					t.Errorf("the application got a whole request: %q", s.origin.bytes())
				}
			})
		}
	}
}

// C20: only WebSocket upgrades are passed on.
func TestOtherUpgradesAreNotPassedOn(t *testing.T) {
	s := newFramed(t)
	a := get(t, s.daemon, "/app/x", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
	if a.status != 200 {
		t.Fatalf("status %d", a.status)
	}
	r := s.origin.last(t)
	if got := r.get("Upgrade") + r.get("HTTP2-Settings"); got != "" {
		t.Errorf("the application got an upgrade: %q", s.origin.bytes())
	}
}

// What an application answers that cannot be trusted to end where it says is
// no answer, and its connection is not used again.
func TestAnswersThatCannotBeFramed(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, row := range []struct {
		name, raw string
		method    string // GET
		fields    []string
		want      int
		body      string
	}{
		{name: "C22 a 101 that nobody asked for", raw: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", want: 502},
		{name: "C22 a 101 without Upgrade", raw: "HTTP/1.1 101 Switching Protocols\r\n\r\n", want: 502, fields: websocketFields},
		{name: "C22 a 101 to something else", raw: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", want: 502, fields: websocketFields},
		{name: "C26 both framings", raw: ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", want: 502},
		{name: "C26 chunked twice", raw: ok + "Transfer-Encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", want: 502},
		{name: "C26 unknown coding", raw: ok + "Transfer-Encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", want: 502},
		{name: "C26 chunked on HTTP/1.0", raw: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", want: 502},
		{name: "C35 two lengths", raw: ok + "Content-Length: 3\r\nContent-Length: 2\r\n\r\nok", want: 502},
		{name: "C35 a list of lengths", raw: ok + "Content-Length: 3, 3\r\n\r\nok", want: 502},
		{name: "a signed length", raw: ok + "Content-Length: +2\r\n\r\nok", want: 502},
		{name: "C28 many informational answers", raw: strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 10000) + ok + "Content-Length: 2\r\n\r\nok", want: 502},
		{name: "C28 100 twice", raw: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 2) + ok + "Content-Length: 2\r\n\r\nok", want: 200, body: "ok"},
		{name: "no HTTP", raw: "SSH-2.0-OpenSSH_9.6\r\n", want: 502},
		{name: "a folded line", raw: ok + "X: 1\r\n 2\r\nContent-Length: 2\r\n\r\nok", want: 502},
		{name: "a carriage return in a value", raw: ok + "X: 1\r2\r\nContent-Length: 2\r\n\r\nok", want: 502},
		{name: "a space in a name", raw: ok + "X y: 1\r\nContent-Length: 2\r\n\r\nok", want: 502},
		{name: "a status of two digits", raw: "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok", want: 502},
		{name: "J02 a header without end", raw: ok + strings.Repeat("X: "+strings.Repeat("a", 1000)+"\r\n", 200), want: 502},
		{name: "C25 a body to HEAD", method: "HEAD", raw: ok + "Content-Length: 2\r\n\r\nok", want: 200},
		{name: "C25 a body with 204", raw: "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", want: 204},
		{name: "C25 a body with 304", raw: "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok", want: 304},
		{name: "more than its length", raw: ok + "Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", want: 200, body: "ok"},
		{name: "more than its last chunk", raw: ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", want: 200, body: "ok"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := listen(t, func(c *originConn, r *received) error {
				if strings.HasSuffix(r.target, "/next") {
					return c.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext")
				}
				if err := c.send(row.raw); err != nil {
					return err
				}
				if strings.Contains(row.name, "J02") {
					return errDone
				}
				return nil
			})
			d := start(t, "use: [errors]\nmounts: {/app: {proxy: {to: "+o.url()+", retries: 0, response_timeout: 2s}, rebase: off}}\n")
			method := row.method
			if method == "" {
				method = "GET"
			}
			w := dial(t, d.addr)
			w.send(method + " /app/x HTTP/1.1\r\nHost: a\r\n" + lines(row.fields) + "\r\n")
			a := w.read(method)
			for a.status >= 100 && a.status < 200 && a.status != 101 {
				a = w.read(method)
			}
			if a.status != row.want || row.want < 300 && a.body != row.body {
				t.Fatalf("%d %q, want %d %q", a.status, a.body, row.want, row.body)
			}
			for range 3 {
				w = dial(t, d.addr)
				w.send("GET /app/next HTTP/1.1\r\nHost: a\r\n\r\n")
				if a := w.read("GET"); a.status != 200 || a.body != "next" {
					t.Errorf("the next request: %d %q", a.status, a.body)
				}
			}
		})
	}
}

var websocketFields = []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13"}

// C29: bytes that come on a connection at rest are nobody's answer.
func TestUnaskedAnswers(t *testing.T) {
	o := listen(t, func(c *originConn, r *received) error {
		if strings.HasSuffix(r.target, "/x") {
			_ = c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			time.Sleep(30 * time.Millisecond) // the connection is at rest by then
			return c.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
		}
		return c.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(r.target), r.target))
	})
	d := start(t, "use: [errors]\nmounts: {/app: {proxy: "+o.url()+", rebase: off}}\n")
	if a := get(t, d, "/app/x"); a.body != "ok" {
		t.Fatalf("%d %q", a.status, a.body)
	}
	time.Sleep(80 * time.Millisecond)
	for i := range 5 {
		want := fmt.Sprintf("/y%d", i)
		if a := get(t, d, "/app"+want); a.body != want {
			t.Errorf("%d %q, want %q", a.status, a.body, want)
		}
	}
}
