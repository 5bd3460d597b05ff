package e2e_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// INV-END: an answer of the application that is cut at any byte is never a
// whole answer to the client.
func TestACutAnswerNeverLooksWhole(t *testing.T) {
	body := strings.Repeat("0123456789", 5)
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	raws := map[string]string{
		"length":  head + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body,
		"chunks":  head + "Transfer-Encoding: chunked\r\n\r\n14\r\n" + body[:20] + "\r\n1e\r\n" + body[20:] + "\r\n0\r\n\r\n",
		"trailer": head + "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n32\r\n" + body + "\r\n0\r\nX-T: 1\r\n\r\n",
		"close":   head + "\r\n" + body,
	}
	o := listen(t, func(c *originConn, r *received) error {
		raw := raws[r.get("X-Kind")]
		n, _ := strconv.Atoi(r.get("X-Cut"))
		_ = c.send(raw[:n])
		if r.get("X-Reset") != "" {
			c.reset()
		}
		return errDone
	})
	d := start(t, fmt.Sprintf(`
use: [errors]
mounts:
  /plain: {proxy: {to: %[1]s, retries: 0, max_fails: 0}, rebase: off}
  /squeezed: {proxy: {to: %[1]s, retries: 0, max_fails: 0}, rebase: off, use: [errors, {compress: {min_size: 1}}]}
  /rebased: {proxy: {to: %[1]s, retries: 0, max_fails: 0}}
  /cascade: {cascade: [{proxy: {to: %[1]s, retries: 0, max_fails: 0}}, respond:none]}
  /stacked: {proxy: {to: %[1]s, retries: 0, max_fails: 0}, use: [request_id, access_log, {errors: {intercept: all}}, {compress: {min_size: 1}}, {timeout: {after: 5s}}]}
`, o.url()))
	clients := map[string]*http.Client{"HTTP/1.1": client(t), "HTTP/2": h2Client(t)}
	for proto, c := range clients {
		for _, mount := range []string{"/plain", "/squeezed", "/rebased", "/cascade", "/stacked"} {
			for kind, raw := range raws {
				t.Run(strings.Join([]string{proto, mount[1:], kind}, " "), func(t *testing.T) {
					for n := 0; n <= len(raw); n++ {
						whole := n == len(raw)
						reset := kind == "close" // an orderly end is the end there
						if mount != "/plain" && mount != "/squeezed" && n%7 != 0 && !whole {
							continue
						}
						got, err := cutFetch(t, c, d.url(mount+"/"), kind, n, reset && !whole)
						switch {
						case whole && (err != nil || got != body):
							t.Fatalf("all %d bytes: %q, %v", n, got, err)
						case !whole && err == nil:
							t.Fatalf("cut at byte %d of %d: a whole answer %q", n, len(raw), got)
						}
					}
				})
			}
		}
	}
}

var errStatus = errors.New("an error's status")

// cutFetch gives the body of an answer if it is whole.
func cutFetch(t *testing.T, c *http.Client, url, kind string, cut int, reset bool) (string, error) {
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Kind", kind)
	req.Header.Set("X-Cut", strconv.Itoa(cut))
	req.Header.Set("Accept-Encoding", "gzip")
	if reset {
		req.Header.Set("X-Reset", "1")
	}
	res, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if res.StatusCode != 200 {
		if strings.Contains(string(b), "0123") {
			t.Errorf("the error page holds a part of the answer: %q", b)
		}
		return "", errStatus
	}
	if res.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(strings.NewReader(string(b)))
		if err != nil {
			return "", err
		}
		b, err = io.ReadAll(z)
		return string(b), err
	}
	return string(b), nil
}

// Nothing is appended to an answer that is cut, and its connection is closed.
func TestNothingFollowsACutAnswer(t *testing.T) {
	for name, raw := range map[string]string{
		"G01 shorter than its length":  "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789",
		"G02 no last chunk":            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n",
		"G02 a chunk that is no chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\nxyz\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			o := listen(t, func(c *originConn, _ *received) error { _ = c.send(raw); return errDone })
			d := start(t, "mounts: {/app: {proxy: "+o.url()+", rebase: off}}\n")
			w := dial(t, d.addr)
			w.send("GET /app/x HTTP/1.1\r\nHost: a\r\n\r\n")
			all, _ := io.ReadAll(w.r)
			_, body, _ := strings.Cut(string(all), "\r\n\r\n")
			if body != "0123456789" && body != "a\r\n0123456789\r\n" && body != "" {
				t.Errorf("the client got %q", body)
			}
			line := d.logged("/app/x")
			if line["aborted"] != true && line["error"] == nil {
				t.Errorf("the log does not tell: %v", line)
			}
		})
	}
}

// G25: a client of HTTP/1.0 gets no chunks; what is cut does not end orderly.
func TestClientsOfHTTP10(t *testing.T) {
	o := listen(t, func(c *originConn, r *received) error {
		if err := c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n"); err != nil || r.target == "/cut" {
			return errDone
		}
		return c.send("0\r\n\r\n")
	})
	d := start(t, "mounts: {/app: {proxy: "+o.url()+", rebase: off}}\n")
	a := ask(t, d.addr, "GET /app/whole HTTP/1.0\r\n\r\n")
	if a.status != 200 || a.get("Transfer-Encoding") != "" || a.err != nil || a.body != "0123456789" {
		t.Errorf("whole: %+v", a)
	}
	a = ask(t, d.addr, "GET /app/cut HTTP/1.0\r\n\r\n")
	if a.err == nil && a.status == 200 {
		t.Errorf("cut: the client cannot tell: %+v", a)
	}
}

// The same where the application speaks HTTP/2.
func TestACutStreamNeverLooksWhole(t *testing.T) {
	const body = "0123456789"
	for name, end := range map[string]string{
		"reset":                   frame(frameReset, 0, 1, "\x00\x00\x00\x02"),
		"reset without an error":  frame(frameReset, 0, 1, "\x00\x00\x00\x00"),
		"the connection is ended": "",
		"going away":              frame(frameGoAway, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x02"),
	} {
		for _, length := range []string{"", literal("content-length", "20")} {
			addr := serveH2(t, func(stream uint32) (string, bool) {
				return frame(frameHeaders, endHeaders, stream, "\x88"+length) + frame(frameData, 0, stream, body) + end, true
			})
			d := start(t, "use: [errors]\nmounts: {/app: {proxy: {to: 'h2c://"+addr+"', retries: 0}, rebase: off}}\n")
			for proto, c := range map[string]*http.Client{"HTTP/1.1": client(t), "HTTP/2": h2Client(t)} {
				if got, err := cutFetch(t, c, d.url("/app/x"), "", 0, false); err == nil {
					t.Errorf("%s, %s, length %q: a whole answer %q", name, proto, length, got)
				}
			}
		}
	}
}
