package httpserver_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/httpserver"
)

const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

// What two readers could read in two ways is refused, and nothing behind it is
// served.
func TestMalformedHeads(t *testing.T) {
	const (
		post    = "POST /x HTTP/1.1\r\nHost: a\r\n"
		chunked = "Transfer-Encoding: chunked\r\n"
		size    = "Content-Length: 3\r\n"
	)
	for _, row := range []struct {
		name, raw string
		want      []int // 400
	}{
		{name: "B16 two Hosts", raw: host("GET / HTTP/1.1", "Host: a")},
		{name: "B16 two different Hosts", raw: host("GET / HTTP/1.1", "Host: b")},
		{name: "B16 no Host", raw: in("GET / HTTP/1.1", "X: 1")},
		{name: "B16 an empty Host", raw: in("GET / HTTP/1.1", "Host:")},
		{name: "B16 a path in Host", raw: in("GET / HTTP/1.1", "Host: a/b@c")},
		{name: "B16 a blank in Host", raw: in("GET / HTTP/1.1", "Host: a b")},
		{name: "B16 an open bracket", raw: in("GET / HTTP/1.1", "Host: [::1")},
		{name: "B16 a port too large", raw: in("GET / HTTP/1.1", "Host: a:99999")},
		{name: "B16 two ports", raw: in("GET / HTTP/1.1", "Host: a:1:2")},
		{name: "B16 two Hosts on 1.0", raw: in("GET / HTTP/1.0", "Host: a", "Host: b")},
		{name: "A22 another host in the target", raw: host("GET http://evil/x HTTP/1.1")},
		{name: "A22 user information", raw: host("GET http://u@a/x HTTP/1.1")},
		{name: "A23 GET *", raw: host("GET * HTTP/1.1")},
		{name: "A23 no slash", raw: host("GET foo/bar HTTP/1.1")},
		{name: "A23 host and port", raw: host("GET a:80 HTTP/1.1")},
		{name: "A17 a fragment", raw: host("GET /admin#frag HTTP/1.1")},

		{name: "C01 both framings", raw: post + "Content-Length: 35\r\n" + chunked + "\r\n0\r\n\r\n"},
		{name: "C01 both, the other way round", raw: post + chunked + "Content-Length: 5\r\n" + "\r\n0\r\n\r\n"},
		{name: "C01 both, a length of 0", raw: post + chunked + "Content-Length: 0\r\n" + "\r\n0\r\n\r\n"},
		{name: "C02 two lengths", raw: post + size + "Content-Length: 5\r\n\r\nabc"},
		{name: "C02 a length twice", raw: post + size + size + "\r\nabc"},
		{name: "C02 a list", raw: post + "Content-Length: 3, 3\r\n\r\nabc"},
		{name: "C02 signed", raw: post + "Content-Length: +3\r\n\r\nabc"},
		{name: "C02 negative", raw: post + "Content-Length: -3\r\n\r\nabc"},
		{name: "C02 empty", raw: post + "Content-Length:\r\n\r\nabc"},
		{name: "C02 hexadecimal", raw: post + "Content-Length: 0x3\r\n\r\nabc"},
		{name: "C02 an underscore", raw: post + "Content-Length: 1_0\r\n\r\nabc"},
		{name: "C02 blanks within", raw: post + "Content-Length: 1 0\r\n\r\nabc"},
		{name: "C02 too many digits", raw: post + "Content-Length: 99999999999999999999\r\n\r\nabc"},
		{name: "C02 wraps to 3", raw: post + "Content-Length: 18446744073709551619\r\n\r\nabc"},
		{name: "C04 unknown", raw: post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", want: []int{501}},
		{name: "C04 chunked, identity", raw: post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 twice", raw: post + chunked + chunked + "\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 twice in a list", raw: post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 gzip, chunked", raw: post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 in two lines", raw: post + "Transfer-Encoding: gzip\r\n" + chunked + "\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 identity", raw: post + "Transfer-Encoding: identity\r\n\r\n", want: []int{400, 501}},
		{name: "C04 quoted", raw: post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 a parameter", raw: post + "Transfer-Encoding: chunked;x\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 a vertical tab", raw: post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 empty", raw: post + "Transfer-Encoding:\r\n\r\n", want: []int{400, 501}},
		{name: "C04 a comma", raw: post + "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C04 another letter that folds to k", raw: post + "Transfer-Encoding: chun\u212aed\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
		{name: "C05 chunked on 1.0", raw: "POST /x HTTP/1.0\r\n" + chunked + "\r\n0\r\n\r\n"},
		{name: "C07 a folded line", raw: host("GET / HTTP/1.1", "X: 1", " y")},
		{name: "C07 folded with a tab", raw: host("GET / HTTP/1.1", "X: 1", "\ty")},
		{name: "C07 folded at once", raw: in("GET / HTTP/1.1", " Host: a", "Host: a")},
		{name: "C08 line feeds alone", raw: "GET / HTTP/1.1\nHost: a\n\n"},
		{name: "C08 one line feed alone", raw: "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n"},
		{name: "C08 the last one", raw: "GET / HTTP/1.1\r\nHost: a\r\n\n"},
		{name: "C08 a carriage return alone", raw: "GET / HTTP/1.1\r\nHost: a\rX: 1\r\n\r\n"},
		{name: "C08 carriage returns", raw: "GET / HTTP/1.1\r\rHost: a\r\r"},
		{name: "C08 two carriage returns", raw: "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"},
		{name: "C08 a space before the colon", raw: host("GET / HTTP/1.1", "X : 1")},
		{name: "C08 a tab before the colon", raw: post + "Content-Length\t: 3\r\n\r\nabc"},
		{name: "C08 no colon", raw: host("GET / HTTP/1.1", "X")},
		{name: "C08 no name", raw: host("GET / HTTP/1.1", ": 1")},
		{name: "C08 a name that is no token", raw: host("GET / HTTP/1.1", "X(y): 1")},
		{name: "C08 a high byte in a name", raw: host("GET / HTTP/1.1", "X\xe4: 1")},
		{name: "C08 NUL", raw: host("GET / HTTP/1.1", "X: 1\x002")},
		{name: "C08 a control byte", raw: host("GET / HTTP/1.1", "X: 1\x1b2")},
		{name: "C08 DEL", raw: host("GET / HTTP/1.1", "X: 1\x7f2")},
		{name: "C31 HTTP/2.0", raw: host("GET / HTTP/2.0"), want: []int{505}},
		{name: "C31 HTTP/1.11", raw: host("GET / HTTP/1.11"), want: []int{400, 505}},
		{name: "C31 HTTP/1.2", raw: host("GET / HTTP/1.2"), want: []int{505}},
		{name: "C31 HTTP/0.9", raw: host("GET / HTTP/0.9"), want: []int{400, 505}},
		{name: "C31 http/1.1", raw: host("GET / http/1.1"), want: []int{400, 505}},
		{name: "C31 no version", raw: "GET /\r\n\r\n"},
		{name: "C31 an empty line first", raw: "\r\n" + get},
		{name: "C31 two spaces", raw: host("GET  / HTTP/1.1")},
		{name: "C31 two spaces behind", raw: host("GET /  HTTP/1.1")},
		{name: "C31 a space at the end", raw: host("GET / HTTP/1.1 ")},
		{name: "C31 a space at the beginning", raw: host(" GET / HTTP/1.1")},
		{name: "C31 a tab", raw: host("GET\t/ HTTP/1.1")},
		{name: "C31 a space in the target", raw: host("GET /a b HTTP/1.1")},
		{name: "C31 a control byte in the target", raw: host("GET /a\x01b HTTP/1.1")},
		{name: "C31 a method that is no token", raw: host("G@T / HTTP/1.1")},
		{name: "C32 a PROXY line", raw: "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + get},
		{name: "C32 a PROXY header", raw: "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c0123456789ab" + get},
		{name: "C19 an unknown expectation", raw: host("POST / HTTP/1.1", "Expect: foo", "Content-Length: 3") + "abc", want: []int{417}},
		{name: "C16 CONNECT without a port", raw: host("CONNECT a HTTP/1.1")},
		{name: "C16 CONNECT with a path", raw: host("CONNECT /x HTTP/1.1")},
		{name: "two types", raw: host("POST / HTTP/1.1", "Content-Length: 3", "Content-Type: a/b", "Content-Type: c/d") + "abc"},
		{name: "two credentials", raw: host("GET / HTTP/1.1", "Authorization: Basic YQ==", "Authorization: Basic Yg==")},
		{name: "TLS to a plain port", raw: "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"},
		{name: "rubbish", raw: strings.Repeat("\x00\xff", 100)},
		{name: "K01 a header too large", raw: host("GET / HTTP/1.1", "X: "+strings.Repeat("x", 1<<20)), want: []int{431}},
		{name: "K01 many headers", raw: host("GET / HTTP/1.1", strings.Split(strings.Repeat("X: 1,", 4999)+"X: 1", ",")...), want: []int{431}},
		{name: "K01 201 fields besides Host", raw: host("GET / HTTP/1.1", strings.Split(strings.Repeat("X: 1,", 200)+"X: 1", ",")...), want: []int{431}},
		{name: "K01 a target too long", raw: host("GET /" + strings.Repeat("x", 17<<10) + " HTTP/1.1"), want: []int{414}},
		{name: "K01 a target far too long", raw: host("GET /" + strings.Repeat("x", 200<<10) + " HTTP/1.1"), want: []int{414, 431}},
		{name: "K01 a method too long", raw: host(strings.Repeat("X", 100) + " / HTTP/1.1"), want: []int{400, 501}},
	} {
		if row.want == nil {
			row.want = []int{400}
		}
		t.Run(row.name, func(t *testing.T) {
			var calls atomic.Int32
			s := ours.serving(t, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
			})
			for _, way := range []string{"at once", "byte by byte", "in halves", "behind a request"} {
				raw, n := row.raw, int32(0)
				if way == "byte by byte" && len(raw) > 4096 {
					continue
				}
				c := s.dial()
				calls.Store(0)
				if way == "behind a request" {
					c.ask(get)
					n++
					c.send(get)
					n++
					go func() { _, _ = io.WriteString(c, raw+smuggled) }()
					c.must("GET")
				} else {
					go sendIn(c, raw+smuggled, way)
				}
				a, err := c.read("GET")
				if err != nil {
					t.Errorf("%s: no answer: %v", way, err)
					continue
				}
				if !slices.Contains(row.want, a.status) || a.header.Get("Connection") != "close" || a.err != nil {
					t.Errorf("%s: want %v\n%v", way, row.want, a)
				}
				if !plausible(a.header.Get("Date")) {
					t.Errorf("%s: Date %q", way, a.header.Get("Date"))
				}
				if rest := c.ended(); rest != "" {
					t.Errorf("%s: then came %q", way, rest)
				}
				if got := calls.Load(); got != n {
					t.Errorf("%s: the handler was called %d times", way, got-n)
				}
			}
		})
	}
}

// sendIn sends as the name says; a server that has seen enough may have closed.
func sendIn(c io.Writer, raw, way string) {
	switch way {
	case "byte by byte":
		for i := range len(raw) {
			if _, err := io.WriteString(c, raw[i:i+1]); err != nil {
				return
			}
		}
	case "in halves":
		_, _ = io.WriteString(c, raw[:len(raw)/2])
		time.Sleep(2 * time.Millisecond)
		_, _ = io.WriteString(c, raw[len(raw)/2:])
	default:
		_, _ = io.WriteString(c, raw)
	}
}

// A body that is malformed is never whole, whether the handler reads it or not.
func TestMalformedBodies(t *testing.T) {
	const head = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, body := range map[string]string{
		"C10 a line feed":                      "3\nabc\r\n0\r\n\r\n",
		"C10 a line feed, then an extension":   "5\n;\r\nabcde\r\n0\r\n\r\n",
		"C10 an extension with a line feed":    "3;a\nb\r\nabc\r\n0\r\n\r\n",
		"C10 an extension with a CR":           "3;a\rb\r\nabc\r\n0\r\n\r\n",
		"C10 an extension with NUL":            "3;a\x00b\r\nabc\r\n0\r\n\r\n",
		"C10 a line feed behind the data":      "3\r\nabc\n0\r\n\r\n",
		"C10 nothing behind the data":          "3\r\nabc0\r\n\r\n",
		"C10 more than its size":               "3\r\nabcd\r\n0\r\n\r\n",
		"C10 the last line":                    "3\r\nabc\r\n0\r\n\n",
		"C10 the last chunk":                   "3\r\nabc\r\n0\n\r\n",
		"C11 plus":                             "+3\r\nabc\r\n0\r\n\r\n",
		"C11 minus":                            "-3\r\nabc\r\n0\r\n\r\n",
		"C11 a prefix":                         "0x3\r\nabc\r\n0\r\n\r\n",
		"C11 an underscore":                    "0_3\r\nabc\r\n0\r\n\r\n",
		"C11 a space before":                   " 3\r\nabc\r\n0\r\n\r\n",
		"C11 a space behind":                   "3 \r\nabc\r\n0\r\n\r\n",
		"C11 no size":                          "\r\nabc\r\n0\r\n\r\n",
		"C11 no size, an extension":            ";x\r\nabc\r\n0\r\n\r\n",
		"C11 17 digits":                        "10000000000000003\r\nabc\r\n0\r\n\r\n",
		"C11 16 digits, negative":              "ffffffffffffffff\r\nabc\r\n0\r\n\r\n",
		"C11 no digit":                         "g\r\nabc\r\n0\r\n\r\n",
		"C11 a negative last one":              "3\r\nabc\r\n-0\r\n\r\n",
		"C14 an extension of 8 KiB":            "3;" + strings.Repeat("x", 8<<10) + "\r\nabc\r\n0\r\n\r\n",
		"C14 many extensions":                  strings.Repeat("1;"+strings.Repeat("x", 2000)+"\r\na\r\n", 100) + "0\r\n\r\n",
		"a trailer with a space":               "0\r\nX : 1\r\n\r\n",
		"a trailer without a colon":            "0\r\nX\r\n\r\n",
		"a folded trailer":                     "0\r\nX: 1\r\n y\r\n\r\n",
		"a trailer with a line feed":           "0\r\nX: 1\nY: 2\r\n\r\n",
		"a trailer with NUL":                   "0\r\nX: \x00\r\n\r\n",
		"a trailer section of 64 KiB":          "0\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 64) + "\r\n",
		"a trailer section of 1000 fields":     "0\r\n" + strings.Repeat("X: 1\r\n", 1000) + "\r\n",
		"a request in the place of a trailer":  "0\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
		"a request in the place of a size":     "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
		"a second last chunk that is not last": "0\r\n0\r\n\r\n",
	} {
		for what, h := range map[string]func(io.Reader) error{
			"read":     func(r io.Reader) error { return second(io.Copy(io.Discard, r)) },
			"not read": func(io.Reader) error { return io.ErrNoProgress },
			"read in part": func(r io.Reader) error {
				_, _ = r.Read(make([]byte, 1))
				return io.ErrNoProgress
			},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				var calls atomic.Int32
				failed := make(chan error, 4)
				s := ours.serving(t, func(w http.ResponseWriter, r *http.Request) {
					calls.Add(1)
					if r.URL.Path != "/x" {
						t.Errorf("%s was served", r.URL.Path)
					}
					err := h(r.Body)
					if err != nil && what == "read" {
						w.WriteHeader(400)
					}
					failed <- err
				})
				for _, way := range []string{"at once", "byte by byte", "in halves"} {
					if way == "byte by byte" && len(body) > 8192 {
						continue
					}
					c := s.dial()
					calls.Store(0)
					go sendIn(c, head+body+smuggled, way)
					a, err := c.read("POST")
					if err := wait(t, "the handler", failed); err == nil {
						t.Errorf("%s: the handler got a whole body", way)
					}
					if err != nil {
						t.Errorf("%s: no answer: %v", way, err)
						continue
					}
					if a.err != nil || what == "read" && (a.status != 400 || a.header.Get("Connection") != "close") {
						t.Errorf("%s:\n%v", way, a)
					}
					if rest := c.ended(); rest != "" {
						t.Errorf("%s: then came %q", way, rest)
					}
					if calls.Load() != 1 {
						t.Errorf("%s: %d calls", way, calls.Load())
					}
				}
			})
		}
	}
}

// C13, C34: a body that ends too early is not whole.
func TestUnfinishedBodies(t *testing.T) {
	for name, raw := range map[string]string{
		"no line behind the last chunk":  host("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n",
		"half a line behind it":          host("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r",
		"half of the last chunk":         host("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0",
		"within a chunk":                 host("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "3\r\nab",
		"behind a chunk":                 host("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "3\r\nabc",
		"nothing of a chunked body":      host("POST / HTTP/1.1", "Transfer-Encoding: chunked"),
		"shorter than its length":        host("POST / HTTP/1.1", "Content-Length: 10") + "abc",
		"nothing of its length":          host("POST / HTTP/1.1", "Content-Length: 10"),
		"shorter than its length on 1.0": in("POST / HTTP/1.0", "Content-Length: 10") + "abc",
	} {
		for _, end := range []string{"half-closed", "closed", "reset"} {
			t.Run(name+", "+end, func(t *testing.T) {
				bodies := make(chan error, 1)
				s := ours.serving(t, func(w http.ResponseWriter, r *http.Request) {
					_, err := io.ReadAll(r.Body)
					bodies <- err
					w.WriteHeader(400)
				})
				c := s.dial()
				c.send(raw)
				switch end {
				case "half-closed":
					c.half()
				case "closed":
					_ = c.Close()
				default:
					c.abort()
				}
				err := wait(t, "the handler", bodies)
				if err == nil || end != "reset" && !strings.Contains(err.Error(), "ended") {
					t.Errorf("the handler got %v", err)
				}
				if end == "half-closed" {
					if a := c.must("POST"); a.status != 400 || !a.closes() {
						t.Error(a)
					}
					c.ended()
				}
			})
		}
	}
}

// C17: what follows a CONNECT that was accepted is not HTTP.
func TestConnect(t *testing.T) {
	s := ours.serving(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "CONNECT" {
			t.Errorf("%s %s was served", r.Method, r.URL)
		}
	})
	for _, raw := range []string{
		in("CONNECT a:80 HTTP/1.1", "Host: a:80"),
		in("CONNECT a:80 HTTP/1.1", "Host: a:80", "Content-Length: 3") + "abc",
	} {
		c := s.dial()
		c.send(raw + smuggled)
		a, err := c.read("CONNECT")
		if err != nil {
			t.Fatal(err)
		}
		if rest := c.ended(); rest != "" {
			t.Errorf("%s, then came %q", a.line, rest)
		}
	}
}

func TestLimitsOfHeads(t *testing.T) {
	s := ours.serve(t, httpserver.Config{Handler: http.HandlerFunc(describe), MaxHeader: 1000, MaxFields: 5, MaxTarget: 100})
	fill := func(n int) string { return strings.Repeat("x", n) }
	exactly := func(n int) string {
		raw := host("GET / HTTP/1.1", "X: ")
		return strings.Replace(raw, "X: ", "X: "+fill(n-len(raw)), 1)
	}
	for _, row := range []struct {
		raw  string
		want int
	}{
		{exactly(1000), 200},
		{exactly(1001), 431},
		{exactly(5000), 431},
		{exactly(500000), 431},
		{host("GET / HTTP/1.1", "A: 1", "B: 1", "C: 1", "D: 1", "E: 1"), 200},
		{host("GET / HTTP/1.1", "A: 1", "B: 1", "C: 1", "D: 1", "E: 1", "F: 1"), 431},
		{host("GET /" + fill(99) + " HTTP/1.1"), 200},
		{host("GET /" + fill(100) + " HTTP/1.1"), 414},
		{host("GET /" + fill(5000) + " HTTP/1.1"), 414},
	} {
		c := s.dial()
		go func() { _, _ = io.WriteString(c, row.raw) }()
		if a := c.must("GET"); a.status != row.want || (a.status != 200) != a.closes() {
			t.Errorf("%d bytes, %.30q…: want %d\n%v", len(row.raw), row.raw, row.want, a)
		}
	}
}
