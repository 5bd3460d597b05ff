package e2e_test

import (
	"io"
	"strings"
	"testing"
	"time"
)

// C19, end to end: an application that wants no body says so before it comes,
// and nothing that comes later is taken for a request.
func TestExpectationsThatAreNotMet(t *testing.T) {
	for name, final := range map[string]string{
		"417":           "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n",
		"200":           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"103, then 413": "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			o := listen(t, func(c *originConn, _ *received) error {
				_ = c.send(final)
				_, _ = io.Copy(io.Discard, c.r) // until the gateway leaves
				return errDone
			})
			d := start(t, "use: [access_log, errors]\nmounts: {/app: "+o.url()+"}\n")
			w := dial(t, d.addr)
			w.send("POST /app/x HTTP/1.1\r\nHost: a\r\nX-Lazy: 1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
			a := w.read("POST")
			if a.status == 103 {
				a = w.read("POST")
			}
			if a.line[9:12] != name[len(name)-3:] || a.get("Connection") != "close" {
				t.Fatalf("%q %q", a.line, a.header)
			}
			w.send(strings.Repeat(behind, 3))
			if !w.closed() {
				t.Error("the connection stays open")
			}
			eventually(t, 5*time.Second, "end of the upstream connection", func() bool { return o.connections()[0].ended() })
			if o.count() != 1 || strings.Contains(o.bytes(), "behind") {
				t.Errorf("the application got %q", o.bytes())
			}
		})
	}
}

// What both sides of a new protocol have to say at once, right behind the
// request and the 101, arrives.
func TestUpgradesWithEarlyData(t *testing.T) {
	o := listen(t, func(c *originConn, _ *received) error {
		_ = c.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
		b := make([]byte, 5)
		if _, err := io.ReadFull(c.r, b); err != nil {
			return err
		}
		_ = c.send(strings.ToUpper(string(b)))
		return errDone
	})
	d := start(t, fullStack+"\nmounts: {/app: "+o.url()+"}\n")
	w := dial(t, d.addr)
	w.send("GET /app/x HTTP/1.1\r\nHost: a\r\n" + lines(websocketFields) + "\r\nearly")
	if a := w.read("GET"); a.status != 101 || !strings.EqualFold(a.get("Upgrade"), "websocket") {
		t.Fatalf("%q %q", a.line, a.header)
	}
	if rest, err := io.ReadAll(w.r); err != nil || string(rest) != "helloEARLY" {
		t.Errorf("%q %v", rest, err)
	}
}

// B13: of the trailers of a request, none gets to an application as what it
// must not be.
func TestTrailersOfRequests(t *testing.T) {
	o := listen(t, nil)
	d := start(t, "use: [access_log, errors]\nmounts: {/app: {proxy: "+o.url()+", rebase: off}}\n")
	w := dial(t, d.addr)
	w.send("POST /app/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n" +
		"X-Forwarded-User: admin\r\nRemote-User: admin\r\nAuthorization: Basic eA==\r\nContent-Length: 5\r\nHost: evil\r\nTransfer-Encoding: chunked\r\nX_Remote_User: admin\r\n\r\n" +
		"GET /app/y HTTP/1.1\r\nHost: a\r\n\r\n")
	for range 2 {
		if a := w.read("GET"); a.status != 200 {
			t.Fatalf("%q", a.line)
		}
	}
	first := o.seen()[0]
	if string(first.body) != "ok" || len(first.trailer) > 0 || strings.Contains(o.bytes(), "admin") || strings.Contains(o.bytes(), "evil") {
		t.Errorf("the application got %q", o.bytes())
	}
}

// The same bytes mean the same wherever they are cut in two.
func TestRequestsCutAnywhere(t *testing.T) {
	s := newRecorded(t, "")
	const post = "POST /a HTTP/1.1\r\nHost: a\r\n"
	for _, raw := range []string{
		post + "Content-Length: 5\r\n\r\nhello" + behind,
		post + "Transfer-Encoding: chunked\r\n\r\n2;x\r\nhe\r\n3\r\nllo\r\n0\r\nX: 1\r\n\r\n" + behind,
		post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + behind,
		post + "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n" + behind,
		post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n" + behind,
		"GET /a HTTP/1.1\nHost: a\r\n\r\n" + behind,
	} {
		for at := 1; at < len(raw); at++ {
			if _, err := s.play(t, raw[:at], raw[at:]); err != nil {
				t.Fatalf("cut at %d: %v", at, err)
			}
		}
	}
}

// FuzzRequestsAreFramedAlike plays any connection.
func FuzzRequestsAreFramedAlike(f *testing.F) {
	m := newFrameMaker(1)
	for i := range uint64(20) {
		raw := m.connection()
		for range i % 3 {
			raw = m.harm(raw)
		}
		f.Add(raw, i)
	}
	s := newRecorded(f, "")
	f.Fuzz(func(t *testing.T, raw string, seed uint64) {
		if len(raw) > 16<<10 {
			return
		}
		pieces := []string{raw}
		if seed > 0 {
			pieces = newFrameMaker(seed).cuts(raw)
		}
		if _, err := s.play(t, pieces...); err != nil {
			t.Fatal(err)
		}
	})
}
