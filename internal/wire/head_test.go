package wire_test

import (
	"errors"
	"net/textproto"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/wire"
)

func TestHeadEnd(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for _, c := range []struct {
		in     string
		n      int
		reason string // a part of it; empty: no error
	}{
		{"", 0, ""},
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, ""},
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n\x00", 27, ""},
		{"GET / HTTP/1.1\r\nHost: a\r\n\r", 0, ""},
		{"GET / HTTP/1.1\r\nHost: a\r\n", 0, ""},
		{"GET / HTTP/1.1\r\nHost: a\r", 0, ""},
		{"GET / HTTP/1.1\r\nHost: \ta\t\r\n\r\n", 29, ""},
		{"X: " + long + "\r\n\r\n", 5007, ""},
		{"X: caf\xc3\xa9\xff\x80" + long + "\r\n\r\n", 5014, ""},
		{"\r\n", 0, "empty line"},
		{"\r\nGET", 0, "empty line"},
		{"\r", 0, ""},
		{"\n", 0, "does not end in CR LF"},
		{"GET /\n", 0, "does not end in CR LF"},
		{"GET / HTTP/1.1\r\nHost: a\r\n\n", 0, "does not end in CR LF"},
		{"GET / HTTP/1.1\r\nHost: a\rb", 0, "does not end in CR LF"},
		{"GET / HTTP/1.1\r\nHost: a\r\r\n", 0, "does not end in CR LF"},
		{"GET /\x00", 0, "control byte"},
		{long + "\x7f", 0, "control byte"},
		{"\x16\x03\x01", 0, "control byte"},
	} {
		for _, step := range []int{1, 2, 3, 8, len(c.in) + 1} {
			n, err := headEndBySteps([]byte(c.in), step)
			if n != c.n || (err != nil) != (c.reason != "") || err != nil && !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%.40q, %d bytes at a time: %d, %v", c.in, step, n, err)
			}
			var refusal *wire.Error
			if err != nil && (!errors.As(err, &refusal) || refusal.Status != 400) {
				t.Errorf("%.40q: %#v", c.in, err)
			}
		}
	}
}

// headEndBySteps gives HeadEnd step more bytes at a time.
func headEndBySteps(in []byte, step int) (int, error) {
	for at, seen := 0, 0; ; {
		at = min(at+step, len(in))
		n, err := wire.HeadEnd(in[:at:at], seen)
		if n != 0 || err != nil || at == len(in) {
			return n, err
		}
		seen = at
	}
}

func TestHeadEndCostsNoAllocation(t *testing.T) {
	in := []byte(browserHead)
	if n := testing.AllocsPerRun(100, func() { _, _ = wire.HeadEnd(in, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Names come out as net/http would have them, whatever their case.
func TestCanonicalName(t *testing.T) {
	names := []string{"x", "X", "te", "a.b|c", "x-a--b-", "-", "etag", "content-md5", "x_y", "www-authenticate", "sec-websocket-key", "hosT", "content\x0dlength", "dn\x54"}
	for name := range strings.FieldsSeq(`Accept Accept-Encoding Accept-Language Authorization Cache-Control Connection Content-Length
		Content-Type Cookie Expect Forwarded Host If-None-Match Keep-Alive Origin Range Referer Sec-Fetch-Dest Set-Cookie Te Trailer
		Transfer-Encoding Upgrade User-Agent Via X-Forwarded-For X-Forwarded-Host X-Forwarded-Port X-Real-Ip X-Request-Id`) {
		names = append(names, name, strings.ToLower(name), strings.ToUpper(name), name+"x", "x"+name, name[1:], name[:len(name)-1])
	}
	for _, name := range names {
		got, ok := wire.CanonicalName(name)
		if want := textproto.CanonicalMIMEHeaderKey(name); ok && got != want || ok != wire.IsToken(name) {
			t.Errorf("%q: %q, %v; want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"", " ", "a b", "a:", "(a)", "caf\xe9", "a\x00", "h\x4f\x53t\x20"} {
		if got, ok := wire.CanonicalName(name); ok {
			t.Errorf("%q is %q", name, got)
		}
	}
}

func TestCommonNamesCostNoAllocation(t *testing.T) {
	for _, name := range []string{"host", "ACCEPT", "sec-ch-ua-platform", "User-Agent", "X-forwarded-For", "upgrade-insecure-requests"} {
		if n := testing.AllocsPerRun(10, func() { _, _ = wire.CanonicalName(name) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestTrim(t *testing.T) {
	for in, want := range map[string]string{"": "", " ": "", " \ta b\t ": "a b", "\va": "\va", "a\r": "a\r", "\u00a0a": "\u00a0a"} {
		if got := wire.Trim(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
