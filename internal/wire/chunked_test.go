package wire_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/wire"
)

func TestChunkedIsRefused(t *testing.T) {
	for name, body := range map[string]string{
		"plus sign":                "+3\r\nabc\r\n0\r\n\r\n",
		"minus sign":               "-3\r\nabc\r\n0\r\n\r\n",
		"0x":                       "0x3\r\nabc\r\n0\r\n\r\n",
		"underscore":               "0_3\r\nabc\r\n0\r\n\r\n",
		"blank before":             " 3\r\nabc\r\n0\r\n\r\n",
		"blank behind":             "3 \r\nabc\r\n0\r\n\r\n",
		"blank before extension":   "3 ;a\r\nabc\r\n0\r\n\r\n",
		"tab behind":               "3\t\r\nabc\r\n0\r\n\r\n",
		"blank behind, not ext":    "3 x\r\nabc\r\n0\r\n\r\n",
		"comma":                    "3,3\r\nabc\r\n0\r\n\r\n",
		"no size":                  "\r\nabc\r\n0\r\n\r\n",
		"no size but extension":    ";a\r\nabc\r\n0\r\n\r\n",
		"quoted size":              "\"3\"\r\nabc\r\n0\r\n\r\n",
		"more than int63":          "8000000000000000\r\nabc",
		"more than 16 digits":      "00000000000000003\r\nabc\r\n0\r\n\r\n",
		"17 digits":                "10000000000000003\r\nabc\r\n0\r\n\r\n",
		"size line with LF":        "3\nabc\r\n0\r\n\r\n",
		"LF in an extension":       "3;\nabc\r\n0\r\n\r\n",
		"CR in an extension":       "3;a\rb\r\nabc\r\n0\r\n\r\n",
		"NUL in an extension":      "3;a\x00b\r\nabc\r\n0\r\n\r\n",
		"DEL in an extension":      "3;a\x7fb\r\nabc\r\n0\r\n\r\n",
		"chunk longer than said":   "3\r\nabcd\r\n0\r\n\r\n",
		"chunk shorter than said":  "5\r\nabc\r\n0\r\n\r\n",
		"LF after data":            "3\r\nabc\n0\r\n\r\n",
		"CR after data":            "3\r\nabc\r0\r\n\r\n",
		"last chunk with LF":       "3\r\nabc\r\n0\n\n",
		"LF as the end":            "3\r\nabc\r\n0\r\n\n",
		"trailer that folds":       "3\r\nabc\r\n0\r\nA: b\r\n c\r\n\r\n",
		"trailer without a name":   "3\r\nabc\r\n0\r\nx\r\n\r\n",
		"trailer with LF":          "3\r\nabc\r\n0\r\nA: b\n\r\n",
		"trailer with CR":          "3\r\nabc\r\n0\r\nA: b\rc\r\n\r\n",
		"trailer with blank colon": "3\r\nabc\r\n0\r\nA : b\r\n\r\n",
		"endless size line":        strings.Repeat("0", wire.MaxChunkLine+2),
		"endless extension":        "1;" + strings.Repeat("a", wire.MaxChunkLine),
		"one too long extension":   "1;" + strings.Repeat("a", wire.MaxChunkLine-1) + "\r\nx\r\n0\r\n\r\n",
		"extension flood":          strings.Repeat("1;"+strings.Repeat("a", 4000)+"\r\nx\r\n", 17) + "0\r\n\r\n",
		"flood of zeros":           strings.Repeat("0000000000000001\r\nx\r\n", 9000) + "0\r\n\r\n",
	} {
		for _, step := range []int{1, 5, 4099, len(body)} {
			if got := dechunk([]byte(body), step); got.err != "400" {
				t.Errorf("%s, %d bytes at a time: %s, %s", name, step, got.err, got.text)
			}
		}
	}
	for name, trailer := range map[string]string{
		"too many fields": strings.Repeat("X: a\r\n", wire.MaxTrailerFields+1),
		"too large":       strings.Repeat("X: "+strings.Repeat("a", 1000)+"\r\n", 9),
		"one long field":  "X: " + strings.Repeat("a", wire.MaxTrailer) + "\r\n",
		"an endless line": strings.Repeat("a", wire.MaxTrailer+2),
		"many dropped":    strings.Repeat("Host: a\r\n", 2000),
	} {
		for _, step := range []int{1, 5, 1 << 20} {
			if got := dechunk([]byte("0\r\n"+trailer+"\r\n"), step); got.err != "431" {
				t.Errorf("trailer, %s, %d bytes at a time: %s, %s", name, step, got.err, got.text)
			}
		}
	}
}

func TestChunkedIsTakenOff(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 4096)
	for _, c := range []struct{ in, body, trailer string }{
		{"0\r\n\r\n", "", ""},
		{"000\r\n\r\n", "", ""},
		{"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", "hello world", ""},
		{"A\r\n0123456789\r\n0000000000000000\r\n\r\n", "0123456789", ""},
		{"a; q = \"1 2\" ;\t;caf\xe9\r\n0123456789\r\n0;last\r\n\r\n", "0123456789", ""},
		{"1;\r\nx\r\n0\r\n\r\n", "x", ""},
		{"2\r\n\r\n\r\n0\r\n\r\n", "\r\n", ""},
		{"10000\r\n" + long + "\r\n0\r\n\r\n", long, ""},
		{"1;" + strings.Repeat("a", wire.MaxChunkLine-2) + "\r\nx\r\n0\r\n\r\n", "x", ""},
		{"0\r\nx-sum: \t42 \r\nX-Empty:\r\n\r\n", "", `{"X-Sum" "42"} {"X-Empty" ""}`},
		{"0\r\nHost: b\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nAuthorization: x\r\nX-Forwarded-For: x\r\nRemote-User: x\r\nA: b\r\n\r\n", "", `{"A" "b"}`},
	} {
		for _, step := range []int{1, 3, 1000, len(c.in)} {
			got := dechunk([]byte(c.in), step)
			if got.err != "EOF" || got.body != c.body || got.n != len(c.in) {
				t.Errorf("%.60q, %d bytes at a time: %s %s, %d of %d bytes", c.in, step, got.err, got.text, got.n, len(c.in))
			}
			if trailer := strings.Trim(fmt.Sprintf("%q", got.trailer), "[]"); trailer != c.trailer {
				t.Errorf("%.60q: trailer %s", c.in, trailer)
			}
		}
	}
}

// A body may have as many extensions as there is data to pay for them.
func TestExtensionsArePaidWithData(t *testing.T) {
	chunk := "10000;" + strings.Repeat("a", 4000) + "\r\n" + strings.Repeat("x", 0x10000) + "\r\n"
	if got := dechunk([]byte(strings.Repeat(chunk, 40)+wire.LastChunk), 1<<20); got.err != "EOF" || len(got.body) != 40*0x10000 {
		t.Errorf("got %s %s", got.err, got.text)
	}
}

func TestChunkedIsCut(t *testing.T) {
	const whole = "5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n"
	for n := range len(whole) {
		if got := dechunk([]byte(whole[:n]), n+1); got.err != "cut" || !strings.HasPrefix("hello!", got.body) {
			t.Errorf("%q: %s %q", whole[:n], got.err, got.body)
		}
	}
}

func TestChunkedIsFinal(t *testing.T) {
	var c wire.Chunked
	if _, n, err := c.Next([]byte("0\r\n\r\nGET")); n != 5 || err != io.EOF || !c.Complete() {
		t.Errorf("got %d, %v", n, err)
	}
	if data, n, err := c.Next([]byte("1\r\nx")); len(data) != 0 || n != 0 || err != io.EOF {
		t.Errorf("after the end: %q, %d, %v", data, n, err)
	}
	c.Reset()
	if _, n, err := c.Next([]byte("x")); n != 0 || err != nil {
		t.Errorf("half a line: %d, %v", n, err)
	}
	_, _, first := c.Next([]byte("x\r\n"))
	if _, n, err := c.Next([]byte("0\r\n\r\n")); n != 0 || err == nil || err != first || c.Complete() {
		t.Errorf("after an error: %d, %v", n, err)
	}
}

// Data is not copied.
func TestChunkedGivesPartsOfWhatItWasGiven(t *testing.T) {
	in := []byte("5\r\nhello\r\n0\r\n\r\n")
	var c wire.Chunked
	data, n, err := c.Next(in)
	if string(data) != "hello" || n != 8 || err != nil || &data[0] != &in[3] {
		t.Errorf("got %q, %d, %v", data, n, err)
	}
	if got := testing.AllocsPerRun(100, func() {
		c.Reset()
		for rest := in; len(rest) > 0; {
			_, n, _ := c.Next(rest)
			rest = rest[n:]
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestAppendChunkSize(t *testing.T) {
	for n, want := range map[int]string{1: "1\r\n", 255: "ff\r\n", 1 << 20: "100000\r\n", 1<<62 + 1: "4000000000000001\r\n"} {
		if got := string(wire.AppendChunkSize(nil, n)); got != want || len(got) > wire.MaxChunkHeader {
			t.Errorf("%d: %q", n, got)
		}
	}
}
