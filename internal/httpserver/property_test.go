package httpserver_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// judge compares what became of raw with what a strict reader says.
func judge(raw string, seen []arrival, out string) error {
	want, why := readStrictly(raw)
	var whole []message
	broken := 0
	for _, a := range seen {
		if a.whole {
			whole = append(whole, a.message)
		} else {
			broken++
		}
	}
	if why == unclear {
		if len(whole) < len(want) || !slices.Equal(whole[:len(want)], want) {
			return fmt.Errorf("the handler got %q, want %q first", whole, want)
		}
		return nil
	}
	if !slices.Equal(whole, want) {
		return fmt.Errorf("the handler got %q, want %q: it ends %s", whole, want, why)
	}
	if max := map[end]int{cutBody: 1, badBody: 1}[why]; broken > max || broken > 0 && seen[len(seen)-1].whole {
		return fmt.Errorf("the handler got %d requests with broken bodies, although it ends %s: %v", broken, why, seen)
	}
	return judgeAnswers(out, want, why)
}

func judgeAnswers(out string, want []message, why end) error {
	c := &client{r: bufio.NewReader(strings.NewReader(out))}
	for i, m := range want {
		a, err := c.read(m.method)
		if err != nil || a.err != nil {
			return fmt.Errorf("answer %d: %w", i, errors.Join(err, errOf(a)))
		}
		if last := i == len(want)-1 && why == over; a.status != http.StatusOK || a.closes() && !last || !a.closes() && last {
			return fmt.Errorf("answer %d, it ends %s: %v", i, why, a)
		}
	}
	if why != clean && why != over {
		a, err := c.read("GET")
		switch {
		case err == nil && (a.err != nil || a.status < 400 || !a.closes()):
			return fmt.Errorf("the answer where it ends %s: %v", why, a)
		case err != nil && why != cut && why != cutBody:
			return fmt.Errorf("no answer where it ends %s: %w", why, err)
		}
	}
	if rest, _ := io.ReadAll(c.r); len(rest) > 0 {
		return fmt.Errorf("after the last answer came %q", rest)
	}
	return nil
}

func errOf(a *answer) error {
	if a == nil {
		return nil
	}
	return a.err
}

// A maker makes connections by chance.
type maker struct{ *rand.Rand }

func (m maker) of(all ...string) string { return all[m.IntN(len(all))] }

func (m maker) connection() string {
	var b strings.Builder
	for range 1 + m.IntN(4) {
		b.WriteString(m.request())
	}
	return b.String()
}

func (m maker) request() string {
	version := "HTTP/1.1"
	fields := []string{m.of("Host", "host", "HOST") + ":" + m.of("", " ", "\t", "  ") + m.of("a", "b:80", "c_d") + m.of("", " ")}
	if m.IntN(8) == 0 {
		version = "HTTP/1.0"
		fields = append(fields, m.of("Connection: keep-alive", "Connection: x, Keep-Alive"))
	}
	if m.IntN(12) == 0 {
		fields = append(fields, m.of("Connection: close", "connection: x,Close"))
	}
	for range m.IntN(3) {
		fields = append(fields, m.of("X:", "X: 1", "Accept: */*", "Cookie: a=b; c=d", "X-Length: 5", "Content-Type: text/x", "TE: trailers", "X: chunked"))
	}
	body := ""
	switch data := m.data(); {
	case m.IntN(3) == 0:
	case m.IntN(2) == 0 || version == "HTTP/1.0":
		fields = append(fields, fmt.Sprintf("%s: %s%d", m.of("Content-Length", "content-length"), m.of("", "", "0", "00"), len(data)))
		body = data
	default:
		fields = append(fields, m.of("Transfer-Encoding: chunked", "transfer-encoding:Chunked "))
		body = m.chunks(data)
	}
	m.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	line := m.of("GET", "POST", "PUT", "HEAD", "x") + " " + m.of("/", "/a?b", "//c", "/%20") + " " + version
	return in(line, fields...) + body
}

// data looks like requests and chunks, so that a wrong boundary shows.
func (m maker) data() string {
	return m.of("", "x", "hello", "0\r\n\r\n", "\r\n", get, "5\r\nhello\r\n", smuggled+smuggled, strings.Repeat("y", m.IntN(100)))
}

func (m maker) chunks(data string) string {
	var b strings.Builder
	for data != "" {
		n := 1 + m.IntN(len(data))
		fmt.Fprintf(&b, "%s%s%s\r\n%s\r\n", m.of("", "0", "000"), fmt.Sprintf(m.of("%x", "%X"), n), m.of("", "", ";x", ";a=b;c=\"d e\""), data[:n])
		data = data[n:]
	}
	b.WriteString(m.of("0", "00", "0;x") + "\r\n" + m.of("", "", "X: 1\r\n", "X: 1\r\nY:\r\n") + "\r\n")
	return b.String()
}

// harm changes something that frames messages.
func (m maker) harm(raw string) string {
	at := m.IntN(len(raw) + 1)
	if m.IntN(2) == 0 { // near the end of a line
		if i := strings.Index(raw[at:], "\r\n"); i >= 0 {
			at += i + m.IntN(3)
		}
	}
	switch m.IntN(8) {
	case 0:
		return raw[:at]
	case 1:
		return raw[:at] + raw[min(at+1, len(raw)):]
	case 2:
		return raw[:at] + m.of("\r", "\n", "\r\n", " ", "\t", "0", "-", "+", ":", ";", ",", "x", "\x00", "\x0b", "\x7f", "\x80", "1", "f") + raw[at:]
	case 3:
		return raw[:at] + m.of("\r", "\n", " ", "\t", "0", "1", ":", ";", "\x00", "z") + raw[min(at+1, len(raw)):]
	case 4: // a line more
		if i := strings.Index(raw[at:], "\r\n"); i >= 0 {
			at += i + 2
		}
		return raw[:at] + m.of("Content-Length: 5\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n",
			" folded\r\n", "Content-Length : 5\r\n", "X: 1\n", "Content-Length: 5, 5\r\n", "Connection: close\r\n", "Host: a\r\n", "\r\n", "0\r\n\r\n") + raw[at:]
	case 5: // a line less
		if i := strings.Index(raw[at:], "\r\n"); i >= 0 {
			if j := strings.Index(raw[at+i+2:], "\r\n"); j >= 0 {
				return raw[:at+i+2] + raw[at+i+2+j+2:]
			}
		}
		return raw
	case 6:
		return strings.Replace(raw, "\r\n", m.of("\n", "\r", "\r\r\n", "\n\r", "\r\n\r\n"), 1+m.IntN(2)) // the first lines
	default: // a digit more or less
		b := []byte(raw)
		for i := at; i < len(b); i++ {
			if '0' < b[i] && b[i] < '9' {
				b[i] += byte(2*m.IntN(2)) - 1
				break
			}
		}
		return string(b)
	}
}

// cuts cuts raw in pieces by chance.
func (m maker) cuts(raw string) []string {
	var pieces []string
	for raw != "" {
		n := 1 + m.IntN(min(len(raw), 40))
		pieces = append(pieces, raw[:n])
		raw = raw[n:]
	}
	return pieces
}

// INV-FRAME: the handler sees as many requests as a strict reader, with the
// same bodies, however they are cut into segments; and nothing that is behind
// what such a reader refuses.
func TestFramingIsThatOfAStrictReader(t *testing.T) {
	l := newStage(t, ours)
	m := maker{rand.New(rand.NewPCG(1, 2))}
	check := func(raw string, pieces ...string) {
		t.Helper()
		seen, out := l.play(t, pieces...)
		if err := judge(raw, seen, out); err != nil {
			t.Errorf("%q\nin pieces of %v: %v\nanswers: %q", raw, lengths(pieces), err, out)
		}
	}
	ends := map[end]int{}
	for i := range 3000 {
		raw := m.connection()
		for range i % 3 {
			raw = m.harm(raw)
		}
		_, why := readStrictly(raw)
		ends[why]++
		check(raw, raw)
		check(raw, strings.Split(raw, "")...)
		check(raw, m.cuts(raw)...)
		if i%60 < 3 {
			for at := range raw {
				check(raw, raw[:at], raw[at:])
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Log(ends)
	for _, why := range []end{clean, over, cut, cutBody, bad, badBody} {
		if ends[why] < 50 {
			t.Errorf("only %d connections end %s: the test is not worth much", ends[why], why)
		}
	}
}

func lengths(pieces []string) []int {
	var n []int
	for _, p := range pieces {
		n = append(n, len(p))
	}
	return n
}

// FuzzConnection holds the server to the strict reader and to net/http: where
// both accept everything, they see the same number of requests.
func FuzzConnection(f *testing.F) {
	m := maker{rand.New(rand.NewPCG(3, 4))}
	for i := range 40 {
		raw := m.connection()
		for range i % 3 {
			raw = m.harm(raw)
		}
		f.Add(raw, uint64(i))
	}
	for _, raw := range []string{
		get, old, kept, upgrade, smuggled + "x", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", host("OPTIONS * HTTP/1.1"), host("GET http://a/ HTTP/1.1") + get,
		host("CONNECT a:80 HTTP/1.1") + get, host("POST / HTTP/1.1", expects, "Content-Length: 5") + "hello" + get,
		host("POST / HTTP/1.1", "Content-Length: 3", "Transfer-Encoding: chunked") + "0\r\n\r\n" + smuggled,
		host("POST / HTTP/1.1", "Transfer-Encoding: chunked", "Trailer: X") + "3 ;x\r\nabc\r\n0\r\nX: 1\r\n\r\n" + get,
		in("GET / HTTP/1.1", "Host: [::1]:80") + in("GET / HTTP/1.1", "Host: a.b."),
	} {
		f.Add(raw, uint64(0))
	}
	us, them := newStage(f, ours), newStage(f, theirs)
	f.Fuzz(func(t *testing.T, raw string, seed uint64) {
		if len(raw) > 16<<10 {
			return
		}
		pieces := []string{raw}
		if seed > 0 {
			pieces = maker{rand.New(rand.NewPCG(seed, 0))}.cuts(raw)
		}
		seen, out := us.play(t, pieces...)
		if err := judge(raw, seen, out); err != nil {
			t.Fatalf("%q\nin pieces of %v: %v\nanswers: %q", raw, lengths(pieces), err, out)
		}
		other, answers := them.play(t, pieces...)
		if _, why := readStrictly(raw); why == clean && accepted(out) && accepted(answers) && len(seen) != len(other) {
			t.Fatalf("%q: ours saw %v, net/http %v", raw, seen, other)
		}
	})
}

// accepted reports whether out holds no refusal.
func accepted(out string) bool {
	return !strings.Contains(out, "HTTP/1.1 4") && !strings.Contains(out, "HTTP/1.1 5")
}
