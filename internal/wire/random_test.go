package wire_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/wire"
)

// Pieces that requests are made of, good and bad ones.
var (
	methods  = []string{"GET", "GET", "GET", "POST", "OPTIONS", "CONNECT", "get", "G:T", "", "PRI"}
	targets  = []string{"/", "/", "/a?b", "*", "http://a/", "https://a:1/x", "http://A?y", "a:1", "[::1]:2", "/#", "/|\"{}", "/\xe9", "x", "http://u@a/", "http://a"}
	versions = []string{"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/1.11", "http/1.1", ""}
	lines    = []string{
		"Host: a", "Host: a", "host:a", "Host: a:1", "Host: [::1]", "Host: [::1", "Host:", "Host: a b", "Host: a.b.", "Host: a:0",
		"Content-Length: 5", "content-length: 0", "Content-Length: 5, 5", "Content-Length: +5", "Content-Length: 999999999999999999", "Content-Length:",
		"Transfer-Encoding: chunked", "transfer-encoding: CHUNKED", "Transfer-Encoding: gzip", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked,", "Transfer-Encoding:",
		"Connection: close", "Connection: keep-alive, x", "Connection: a b", "Connection: ,,", "Connection: upgrade", "Upgrade: websocket", "Upgrade:",
		"Expect: 100-continue", "Trailer: x", "Content-Type: a/b", "content-type: c", "Authorization: x", "AUTHORIZATION: y",
		"X: y", "X:y", "X:", "X: \t y \t", "X : y", " y", "\ty", "X", ": y", "X\x00: y", "X: \x7f", "X: caf\xe9", "X.y|z: 1", "Accept: */*", "X_Y: z",
	}
	oddEnds  = []string{"\n", "\r", "\r\r\n", "\r\n\r\n", ""}
	oddBytes = "\x00\t\n\r !\"#(),-/09:;=@AZ[]_az{|}~\x7f\x80\xff"
)

func lineEnd(r *rand.Rand) string {
	if r.IntN(50) == 0 {
		return pick(r, oddEnds)
	}
	return "\r\n"
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

func randomHead(r *rand.Rand) string {
	var b strings.Builder
	if r.IntN(2) == 0 {
		b.WriteString("POST / HTTP/1.1\r\n")
	} else {
		b.WriteString(pick(r, methods) + " " + pick(r, targets) + " " + pick(r, versions) + lineEnd(r))
	}
	if r.IntN(4) > 0 {
		b.WriteString(pick(r, lines[:3]) + "\r\n")
	}
	for range r.IntN(5) {
		b.WriteString(pick(r, lines) + lineEnd(r))
	}
	b.WriteString("\r\n")
	return mutate(r, b.String())
}

// mutate changes a byte now and then.
func mutate(r *rand.Rand, s string) string {
	for r.IntN(4) == 0 && s != "" {
		i := r.IntN(len(s))
		c := string(oddBytes[r.IntN(len(oddBytes))])
		switch r.IntN(3) {
		case 0:
			s = s[:i] + c + s[i:]
		case 1:
			s = s[:i] + c + s[i+1:]
		case 2:
			s = s[:i] + s[i+1:]
		}
	}
	return s
}

// Heads made of pieces go deeper than the fuzzer's bytes do.
func TestRandomRequestsAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for range 5_000 {
		head := randomHead(r)
		againstReference(t, head)
		againstNetHTTP(t, head)
		var q wire.Request
		if q.Parse(head, wire.Limits{}) == nil {
			accepted++
		}
		if t.Failed() {
			return
		}
	}
	if accepted < 500 {
		t.Errorf("only %d were accepted", accepted)
	}
}

var chunkPieces = []string{
	"0\r\n", "1\r\nx\r\n", "3;a=b\r\nabc\r\n", "2\r\n\r\n\r\n", "002\r\nab\r\n", "A\r\n0123456789\r\n", "1 \r\nx\r\n", "1 ;a\r\nx\r\n", "0x1\r\nx\r\n",
	"1\nx\r\n", "1\r\nxy\r\n", "2\r\nx\r\n", ";\r\n", "\r\n", "0;x\r\n", "X: y\r\n", "x-y:\tz \r\n", "Host: a\r\n", " f\r\n", "X\r\n", "7fffffffffffffff\r\n", "8000000000000000\r\n",
	"1;\xff\"\r\nx\r\n",
}

func TestRandomBodiesAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	accepted := 0
	for range 5_000 {
		var b strings.Builder
		for range r.IntN(5) {
			b.WriteString(pick(r, chunkPieces))
		}
		if r.IntN(4) > 0 {
			b.WriteString("0\r\n")
			for range r.IntN(3) {
				b.WriteString(pick(r, chunkPieces[15:18]))
			}
			b.WriteString("\r\n")
		}
		in := mutate(r, b.String())
		againstAll(t, []byte(in), byte(r.IntN(9)))
		if dechunk([]byte(in), len(in)+1).err == "EOF" {
			accepted++
		}
		if t.Failed() {
			return
		}
	}
	if accepted < 500 {
		t.Errorf("only %d were accepted", accepted)
	}
}
