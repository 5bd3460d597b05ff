package e2e_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Frames of HTTP/2, RFC 9113 section 6, written by hand: what is to be sent
// here no library sends.
const (
	frameData     = 0
	frameHeaders  = 1
	frameReset    = 3
	frameSettings = 4
	frameGoAway   = 7
	frameContinue = 9

	endStream  = 1
	endHeaders = 4
	ack        = 1

	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

func frame(kind, flags byte, stream uint32, payload string) string {
	b := make([]byte, 9, 9+len(payload))
	binary.BigEndian.PutUint32(b[:4], uint32(len(payload))<<8)
	b[3], b[4] = kind, flags
	binary.BigEndian.PutUint32(b[5:], stream)
	return string(append(b, payload...))
}

// literal is a field without index and compression, RFC 7541 section 6.2.2.
func literal(name, value string) string {
	return "\x00" + hpackString(name) + hpackString(value)
}

func hpackString(s string) string {
	n := len(s)
	if n < 127 {
		return string([]byte{byte(n)}) + s
	}
	b := []byte{127}
	for n -= 127; n >= 128; n /= 128 {
		b = append(b, byte(n%128+128))
	}
	return string(append(b, byte(n))) + s
}

type h2Frame struct {
	kind, flags byte
	stream      uint32
	payload     string
}

func readFrame(r io.Reader) (f h2Frame, err error) {
	var b [9]byte
	if _, err = io.ReadFull(r, b[:]); err != nil {
		return f, err
	}
	payload := make([]byte, int(b[0])<<16|int(b[1])<<8|int(b[2]))
	_, err = io.ReadFull(r, payload)
	return h2Frame{b[3], b[4], binary.BigEndian.Uint32(b[5:]), string(payload)}, err
}

// h2Ask sends fields and a body on a stream, and tells how it ended: "reset",
// "gone" when the connection ended, or the payload of the header that came
// back, whose status is the first indexed or literal field.
func h2Ask(t *testing.T, addr string, fields [][2]string, body string) string {
	t.Helper()
	w := dial(t, addr)
	defer w.Close()
	_ = w.SetDeadline(time.Now().Add(5 * time.Second))
	block := ""
	for _, f := range fields {
		block += literal(f[0], f[1])
	}
	flags := byte(endHeaders)
	if body == "" {
		flags |= endStream
	}
	raw := preface + frame(frameSettings, 0, 0, "") + frame(frameHeaders, flags, 1, block)
	if body != "" {
		raw += frame(frameData, endStream, 1, body)
	}
	w.send(raw)
	for {
		f, err := readFrame(w.r)
		switch {
		case err != nil:
			return "gone"
		case f.kind == frameReset && f.stream == 1:
			return "reset"
		case f.kind == frameGoAway:
			return "gone"
		case f.kind == frameHeaders && f.stream == 1:
			return h2Status(f.payload)
		}
	}
}

// h2Status reads a :status, which answers send first: indexed, or as a
// literal with an indexed name whose value may be compressed.
func h2Status(block string) string {
	static := map[byte]string{0x88: "200", 0x89: "204", 0x8a: "206", 0x8b: "304", 0x8c: "400", 0x8d: "404", 0x8e: "500"}
	if s, ok := static[block[0]]; ok {
		return s
	}
	return "other"
}

func TestFieldsOfHTTP2(t *testing.T) {
	s := newSite(t, "use: [errors]")
	good := [][2]string{{":method", "GET"}, {":scheme", "http"}, {":path", "/app/x"}, {":authority", "good"}}
	with := func(more ...[2]string) [][2]string { return append(append([][2]string{}, good...), more...) }
	change := func(name, value string) [][2]string {
		all := with()
		for i := range all {
			if all[i][0] == name {
				all[i][1] = value
			}
		}
		return all
	}
	refused := []string{"reset", "gone", "400", "other"}
	for _, row := range []struct {
		name   string
		fields [][2]string
		body   string
		want   []string
	}{
		{"an ordinary request", good, "", []string{"200"}},
		{"A35 another host", with([2]string{"host", "evil"}), "", append(refused, "200")},
		{"A35 a path without a slash", change(":path", "hello"), "", refused},
		{"A35 an empty path", change(":path", ""), "", refused},
		{"A35 a path with a space", change(":path", "/app/x HTTP/1.1"), "", refused},
		{"A35 a path with CR LF", change(":path", "/app/x HTTP/1.1\r\nX: y"), "", refused},
		{"A35 a method with a question mark", change(":method", "GET?"), "", refused},
		{"A35 a method with a space", change(":method", "GET /admin/x HTTP/1.1\r\n"), "", refused},
		{"A35 dot segments", change(":path", "/app/../admin/x"), "", refused},
		{"A35 a fragment", change(":path", "/app/x#y"), "", refused},
		{"A35 an authority with user info", change(":authority", "u@good"), "", refused},
		{"A35 an authority with a path", change(":authority", "good/x"), "", refused},
		{"A35 no authority", change(":authority", ""), "", refused},
		{"A35 the path twice", with([2]string{":path", "/admin/x"}), "", refused},
		{"B22 an upper-case name", with([2]string{"X-User-id", "1"}), "", refused},
		{"C23 transfer-encoding", with([2]string{"transfer-encoding", "chunked"}), "", refused},
		{"C23 connection", with([2]string{"connection", "x"}), "", refused},
		{"C23 a name with CR LF", with([2]string{"x\r\ny", "1"}), "", refused},
		{"C23 a value with CR LF", with([2]string{"x", "1\r\ny: 2"}), "", refused},
		{"C23 a value with NUL", with([2]string{"x", "1\x002"}), "", refused},
		{"C23 a name with a colon", with([2]string{"x:y", "1"}), "", refused},
		{"C23 less than its length", with([2]string{"content-length", "5"}), "abc", refused},
		{"C23 more than its length", with([2]string{"content-length", "2"}), "abc", refused},
		{"C23 two lengths", with([2]string{"content-length", "3"}, [2]string{"content-length", "5"}), "abc", append(refused, "200")},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.open.reset()
			got := h2Ask(t, s.addr, row.fields, row.body)
			found := false
			for _, w := range row.want {
				found = found || got == w
			}
			if !found {
				t.Errorf("%s, want one of %v", got, row.want)
			}
			s.untouched(t)
			for _, r := range s.open.seen() {
				if len(r.values("Content-Length")) > 1 || r.complete && string(r.body) != row.body {
					t.Errorf("the application got %+v", r)
				}
				if got != "200" && r.complete {
					t.Errorf("the application got a whole request: %+v", r)
				}
				if strings.Contains(r.get("Host"), "evil") || strings.Contains(r.get("X-Forwarded-Host"), "evil") {
					t.Errorf("the application got the other host: %+v", r.header)
				}
			}
		})
	}
}

// K02: a header that never ends is cut off.
func TestHeadersWithoutEnd(t *testing.T) {
	s := newSite(t, "use: [errors]")
	w := dial(t, s.addr)
	_ = w.SetDeadline(time.Now().Add(10 * time.Second))
	w.send(preface + frame(frameSettings, 0, 0, "") + frame(frameHeaders, 0, 1, literal(":method", "GET")+literal(":path", "/app/x")))
	go func() { _, _ = io.Copy(io.Discard, w.r) }()
	piece := frame(frameContinue, 0, 1, strings.Repeat(literal("x", strings.Repeat("a", 100)), 100))
	sent := 0
	for sent < 64<<20 {
		n, err := io.WriteString(w.Conn, piece)
		sent += n
		if err != nil {
			return
		}
	}
	t.Errorf("mountd took %d MiB of header", sent>>20)
}

// C35: what an application says over HTTP/2 that HTTP/1 would frame by.
func TestFramingByApplicationsOfHTTP2(t *testing.T) {
	for _, row := range []struct {
		name   string
		fields string
		anew   bool
	}{
		{"C35 a list of lengths", literal("content-length", "3, 3"), true},
		{"C35 two lengths", literal("content-length", "3") + literal("content-length", "4"), true},
		{"C35 a length that is none", literal("content-length", "+3"), true},
		{"C35 transfer-encoding", literal("transfer-encoding", "chunked"), true},
		{"C35 a value with CR LF", literal("x", "1\r\nContent-Length: 0"), false},
		{"C35 a length that is not kept", literal("content-length", "100"), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			addr := serveH2(t, func(stream uint32) (string, bool) {
				return frame(frameHeaders, endHeaders, stream, "\x88"+row.fields) + frame(frameData, endStream, stream, "abc"), false
			})
			d := start(t, "use: [errors]\nmounts: {/app: {proxy: {to: 'h2c://"+addr+"', retries: 0}, rebase: off}}\n")
			a := get(t, d, "/app/x")
			if a.status != 200 || a.err != nil {
				return
			}
			// Left out and framed anew is safe as well.
			if a.body != "abc" || len(a.values("Content-Length")) != 0 || !row.anew {
				t.Errorf("a whole answer: %+v", a)
			}
		})
	}
}

// serveH2 is an application that answers every stream with frames, and ends
// the connection then if answer says so.
func serveH2(t *testing.T, answer func(stream uint32) (frames string, end bool)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serveFrames(c, answer) })
		}
	})
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	return ln.Addr().String()
}

func serveFrames(c net.Conn, answer func(uint32) (string, bool)) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(3 * time.Second))
	r := bufio.NewReader(c)
	if _, err := io.ReadFull(r, make([]byte, len(preface))); err != nil {
		return
	}
	_, _ = io.WriteString(c, frame(frameSettings, 0, 0, ""))
	for {
		f, err := readFrame(r)
		switch {
		case err != nil:
			return
		case f.kind == frameSettings && f.flags&ack == 0:
			_, _ = io.WriteString(c, frame(frameSettings, ack, 0, ""))
		case f.kind == frameHeaders:
			frames, end := answer(f.stream)
			_, _ = io.WriteString(c, frames)
			if end {
				return
			}
		}
	}
}
