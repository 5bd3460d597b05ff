package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/wire"
)

func TestResponseIsRefused(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, block := range map[string]string{
		"length and coding":        ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"chunked, chunked":         ok + "Transfer-Encoding: chunked, chunked\r\n\r\n",
		"chunked in two lines":     ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		"gzip, chunked":            ok + "Transfer-Encoding: gzip, chunked\r\n\r\n",
		"identity":                 ok + "Transfer-Encoding: identity\r\n\r\n",
		"empty coding":             ok + "Transfer-Encoding: \r\n\r\n",
		"coding on 1.0":            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"two lengths":              ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"listed lengths":           ok + "Content-Length: 1, 1\r\n\r\n",
		"signed length":            ok + "Content-Length: +1\r\n\r\n",
		"folded line":              ok + "X: a\r\n b\r\n\r\n",
		"bare CR":                  ok + "X: a\rb\r\n\r\n",
		"bare LF":                  ok + "X: a\nb: c\r\n\r\n",
		"NUL":                      ok + "X: a\x00\r\n\r\n",
		"NUL in the reason":        "HTTP/1.1 200 O\x00K\r\n\r\n",
		"blank before the colon":   ok + "X : a\r\n\r\n",
		"no colon":                 ok + "X\r\n\r\n",
		"no name":                  ok + ": a\r\n\r\n",
		"HTTP/2.0":                 "HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.2":                 "HTTP/1.2 200 OK\r\n\r\n",
		"http":                     "http/1.1 200 OK\r\n\r\n",
		"two digits":               "HTTP/1.1 20 OK\r\n\r\n",
		"four digits":              "HTTP/1.1 2000 OK\r\n\r\n",
		"below 100":                "HTTP/1.1 099 OK\r\n\r\n",
		"signed status":            "HTTP/1.1 +20 OK\r\n\r\n",
		"two blanks":               "HTTP/1.1  200 OK\r\n\r\n",
		"tab":                      "HTTP/1.1\t200 OK\r\n\r\n",
		"no status":                "HTTP/1.1\r\n\r\n",
		"empty line before":        "\r\n" + ok + "\r\n",
		"no HTTP":                  "SSH-2.0-OpenSSH_9.9\r\n\r\n",
		"option that is no token":  ok + "Connection: a b\r\n\r\n",
		"two upgrades":             ok + "Upgrade: a\r\nUpgrade: b\r\n\r\n",
		"bytes behind":             ok + "\r\nx",
		"cut":                      ok,
		"cut in a line":            ok + "X: y",
		"nothing":                  "",
		"too many fields":          ok + strings.Repeat("X: a\r\n", 11) + "\r\n",
		"too large":                ok + "X: " + strings.Repeat("a", 1000) + "\r\n\r\n",
		"name with a control byte": ok + "X\x01: a\r\n\r\n",
	} {
		var r wire.Response
		err := r.Parse(block, wire.Limits{MaxHead: 1000, MaxFields: 10}, "GET")
		var refusal *wire.Error
		if !errors.As(err, &refusal) || refusal.Status != 502 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResponseIsUnderstood(t *testing.T) {
	for _, c := range []struct{ method, block, want string }{
		{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", `200 "OK" 1.1 length=5 declared=5 "5"`},
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 05\r\n\r\n", `200 "OK" 1.1 length=0 declared=5 "05"`},
		{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", `304 "Not Modified" 1.1 length=0 declared=5 "5"`},
		{"GET", "HTTP/1.1 204\r\nTransfer-Encoding: chunked\r\n\r\n", `204 "" 1.1 length=0 declared=-1 "" chunked`},
		{"GET", "HTTP/1.1 103 Early Hints\r\n\r\n", `103 "Early Hints" 1.1 length=0 declared=-1 ""`},
		{"CONNECT", "HTTP/1.1 200 OK\r\n\r\n", `200 "OK" 1.1 length=0 declared=-1 ""`},
		{"CONNECT", "HTTP/1.1 400 Bad\r\nContent-Length: 1\r\n\r\n", `400 "Bad" 1.1 length=1 declared=1 "1"`},
		{"GET", "HTTP/1.1 404\r\n\r\n", `404 "" 1.1 length=-2 declared=-1 ""`},
		{"GET", "HTTP/1.1 404 \r\n\r\n", `404 "" 1.1 length=-2 declared=-1 ""`},
		{"GET", "HTTP/1.1 999 caf\xe9\tau lait \r\n\r\n", `999 "caf\xe9\tau lait " 1.1 length=-2 declared=-1 ""`},
		{"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", `200 "OK" 1.0 length=-2 declared=-1 "" close`},
		{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nTrailer: X\r\nConnection: Close, X-Hop\r\n\r\n", `200 "OK" 1.1 length=-1 declared=-1 "" chunked close listed trailer`},
		{"GET", "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", `101 "S" 1.1 length=0 declared=-1 "" upgrade=websocket`},
		{"GET", "HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n", `200 "OK" 1.1 length=0 declared=0 "0"`},
		{"GET", "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Type: a/b\r\nContent-Length: 0\r\n\r\n", `200 "OK" 1.1 length=0 declared=0 "0"`},
	} {
		var r wire.Response
		if err := r.Parse(c.block, wire.Limits{}, c.method); err != nil {
			t.Errorf("%q: %v", c.block, err)
			continue
		}
		got := fmt.Sprintf("%d %q 1.%d length=%d declared=%d %q", r.Status, r.Reason, r.Minor, r.Length, r.Declared, r.Digits)
		for _, f := range []struct {
			name string
			on   bool
		}{{"chunked", r.Chunked}, {"close", r.Close}, {"listed", r.Listed}, {"trailer", r.Trailer}, {"upgrade=" + r.Upgrade, r.Upgrade != ""}} {
			if f.on {
				got += " " + f.name
			}
		}
		if got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.block, got, c.want)
		}
		if want := strings.Count(c.block, "\r\n") - 2; len(r.Fields) != want {
			t.Errorf("%q: %d fields, want %d", c.block, len(r.Fields), want)
		}
	}
}

func TestResponseCostsNoAllocation(t *testing.T) {
	var r wire.Response
	if n := testing.AllocsPerRun(100, func() {
		if err := r.Parse(answerHead, wire.Limits{}, "GET"); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
