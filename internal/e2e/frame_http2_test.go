package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// h2Request is what goes over one stream.
type h2Request struct {
	fields  [][2]string
	data    []string // payloads of DATA frames
	trailer [][2]string
	open    bool // the stream is not ended
	defect  string
	want    message // what the application is to get, without a defect
}

// with replaces a field's value.
func (q *h2Request) with(name, value string) {
	for i := range q.fields {
		if q.fields[i][0] == name {
			q.fields[i][1] = value
		}
	}
}

func (q *h2Request) without(name string) {
	q.fields = slices.DeleteFunc(q.fields, func(f [2]string) bool { return f[0] == name })
}

func (q *h2Request) add(name, value string) { q.fields = append(q.fields, [2]string{name, value}) }

// What can be wrong with a request of HTTP/2 that would frame another one in
// HTTP/1, or be another one.
var h2Defects = map[string]func(q *h2Request, n int){
	"C23 a length that is too large": func(q *h2Request, n int) { q.without("content-length"); q.add("content-length", fmt.Sprint(n+1)) },
	"C23 a length that is too small": func(q *h2Request, n int) {
		q.data = append(q.data, "x")
		q.without("content-length")
		q.add("content-length", fmt.Sprint(n))
	},
	"C23 two lengths": func(q *h2Request, n int) {
		q.without("content-length")
		q.add("content-length", fmt.Sprint(n))
		q.add("content-length", fmt.Sprint(n+1))
	},
	"C23 a list of lengths": func(q *h2Request, n int) {
		q.without("content-length")
		q.add("content-length", fmt.Sprintf("%d, %d", n, n))
	},
	"C23 a signed length": func(q *h2Request, n int) { q.without("content-length"); q.add("content-length", fmt.Sprintf("+%d", n)) },
	"C23 no length but a body": func(q *h2Request, _ int) {
		q.without("content-length")
		q.add("content-length", "0")
		q.data = append(q.data, "x")
	},
	"C23 transfer-encoding":         func(q *h2Request, _ int) { q.add("transfer-encoding", "chunked") },
	"C23 connection":                func(q *h2Request, _ int) { q.add("connection", "x") },
	"C23 keep-alive":                func(q *h2Request, _ int) { q.add("keep-alive", "1") },
	"C23 proxy-connection":          func(q *h2Request, _ int) { q.add("proxy-connection", "close") },
	"C23 upgrade":                   func(q *h2Request, _ int) { q.add("upgrade", "websocket") },
	"C23 te":                        func(q *h2Request, _ int) { q.add("te", "gzip") },
	"C23 a name with CR LF":         func(q *h2Request, _ int) { q.add("x: 1\r\ny", "1") },
	"C23 a name with LF":            func(q *h2Request, _ int) { q.add("x\ny", "1") },
	"C23 a name with NUL":           func(q *h2Request, _ int) { q.add("x\x00", "1") },
	"C23 a name with a space":       func(q *h2Request, _ int) { q.add("x y", "1") },
	"C23 a name with a colon":       func(q *h2Request, _ int) { q.add("x:y", "1") },
	"C23 no name":                   func(q *h2Request, _ int) { q.add("", "1") },
	"C23 a value with CR LF":        func(q *h2Request, _ int) { q.add("x", "1\r\nContent-Length: 0\r\n\r\n"+behind) },
	"C23 a value with LF":           func(q *h2Request, _ int) { q.add("x", "1\n"+behind) },
	"C23 a value with CR":           func(q *h2Request, _ int) { q.add("x", "1\r2") },
	"C23 a value with NUL":          func(q *h2Request, _ int) { q.add("x", "1\x002") },
	"B22 an upper-case name":        func(q *h2Request, _ int) { q.add("X-User-id", "1") },
	"A35 no method":                 func(q *h2Request, _ int) { q.without(":method") },
	"A35 no path":                   func(q *h2Request, _ int) { q.without(":path") },
	"A35 no scheme":                 func(q *h2Request, _ int) { q.without(":scheme") },
	"A35 the method twice":          func(q *h2Request, _ int) { q.fields = append([][2]string{{":method", "GET"}}, q.fields...) },
	"A35 the path twice":            func(q *h2Request, _ int) { q.fields = append([][2]string{{":path", "/behind"}}, q.fields...) },
	"A35 an unknown pseudo-header":  func(q *h2Request, _ int) { q.fields = append([][2]string{{":x", "1"}}, q.fields...) },
	"A35 :status":                   func(q *h2Request, _ int) { q.fields = append([][2]string{{":status", "200"}}, q.fields...) },
	"A35 a late pseudo-header":      func(q *h2Request, _ int) { q.without(":scheme"); q.add("x", "1"); q.add(":scheme", "http") },
	"A35 a path without a slash":    func(q *h2Request, _ int) { q.with(":path", "hello") },
	"A35 an empty path":             func(q *h2Request, _ int) { q.with(":path", "") },
	"A35 a path with a space":       func(q *h2Request, _ int) { q.with(":path", "/x HTTP/1.1") },
	"A35 a path with CR LF":         func(q *h2Request, _ int) { q.with(":path", "/x HTTP/1.1\r\nHost: a\r\n\r\nGET /behind") },
	"A35 a path with a fragment":    func(q *h2Request, _ int) { q.with(":path", "/x#y") },
	"A35 a method with a mark":      func(q *h2Request, _ int) { q.with(":method", "GET?") },
	"A35 a method with a line":      func(q *h2Request, _ int) { q.with(":method", "GET /behind HTTP/1.1\r\nX:") },
	"A35 an empty method":           func(q *h2Request, _ int) { q.with(":method", "") },
	"A35 an authority with a user":  func(q *h2Request, _ int) { q.with(":authority", "u@a") },
	"A35 an authority with a path":  func(q *h2Request, _ int) { q.with(":authority", "a/b") },
	"A35 an authority with CR LF":   func(q *h2Request, _ int) { q.with(":authority", "a\r\nX: 1") },
	"A35 an authority with a space": func(q *h2Request, _ int) { q.with(":authority", "a b") },
	"C34 a body without an end":     func(q *h2Request, _ int) { q.data, q.open = append(q.data, "x"), true; q.without("content-length") },
	"C23 a pseudo-header at the end": func(q *h2Request, _ int) {
		q.data, q.trailer = append(q.data, "x"), [][2]string{{":path", "/behind"}}
		q.without("content-length")
	},
}

func (m frameMaker) h2Request(target string) *h2Request {
	method := m.of(plainMethods...)
	data := m.of("", "", "x", "hello", "0\r\n\r\n", behind, strings.Repeat("y", m.IntN(9000)))
	q := &h2Request{fields: [][2]string{{":method", method}, {":scheme", "http"}, {":path", target}, {":authority", "a"}}, want: message{method: method, target: target, body: data}}
	m.Shuffle(len(q.fields), func(i, j int) { q.fields[i], q.fields[j] = q.fields[j], q.fields[i] })
	for range m.IntN(3) {
		q.add(m.of("x", "accept", "cookie", "x-length"), m.of("1", "a, b", "content-length: 5"))
	}
	if m.IntN(4) == 0 {
		q.add("te", "trailers")
	}
	if data != "" && m.IntN(2) == 0 {
		q.add("content-length", fmt.Sprint(len(data)))
	}
	for rest := data; rest != ""; {
		n := 1 + m.IntN(len(rest))
		q.data = append(q.data, rest[:n])
		rest = rest[n:]
	}
	if len(q.data) > 0 && m.IntN(4) == 0 {
		q.trailer = [][2]string{{m.of("x", "x-forwarded-user", "transfer-encoding", "content-length"), "1"}}
		if q.trailer[0][0] == "transfer-encoding" || q.trailer[0][0] == "content-length" {
			q.trailer[0][0] = "host"
		}
	}
	return q
}

// frames writes a request on a stream. The block is cut into pieces, and each
// is a frame.
func (q *h2Request) frames(stream uint32, cut func(string) []string) []string {
	var out []string
	block := ""
	for _, f := range q.fields {
		block += literal(f[0], f[1])
	}
	var flags byte
	if len(q.data) == 0 && q.trailer == nil && !q.open {
		flags = endStream
	}
	pieces := cut(block)
	head := ""
	for i, p := range pieces {
		kind := byte(frameContinue)
		if i == 0 {
			kind = frameHeaders
		} else {
			flags = 0
		}
		if i == len(pieces)-1 {
			flags |= endHeaders
		}
		head += frame(kind, flags, stream, p)
	}
	out = append(out, head) // nothing may come in between
	for i, p := range q.data {
		flags = 0
		if i == len(q.data)-1 && q.trailer == nil && !q.open {
			flags = endStream
		}
		out = append(out, frame(frameData, flags, stream, p))
	}
	if q.trailer != nil {
		out = append(out, frame(frameHeaders, endStream|endHeaders, stream, literal(q.trailer[0][0], q.trailer[0][1])))
	}
	return out
}

// playHTTP2 sends requests over one connection, mixed, and gives how each
// stream ended: its status, "reset", or "gone" with the connection.
func (s *recorded) playHTTP2(t testing.TB, m frameMaker, requests []*h2Request) []string {
	t.Helper()
	w := dial(t, s.addr)
	defer w.Close()
	queues := make([][]string, len(requests))
	for i, q := range requests {
		queues[i] = q.frames(uint32(2*i+1), func(block string) []string {
			if m.IntN(2) == 0 {
				return []string{block}
			}
			return m.cuts(block)
		})
	}
	var raw strings.Builder
	raw.WriteString(preface + frame(frameSettings, 0, 0, ""))
	for _, queue := range queues { // streams begin in their order
		raw.WriteString(queue[0])
	}
	for left := true; left; {
		left = false
		for i := range queues {
			if len(queues[i]) > 1 {
				queues[i] = queues[i][1:]
				raw.WriteString(queues[i][0])
				left = true
			}
		}
	}
	for _, p := range m.of2(raw.String()) {
		w.send(p)
	}
	ends := make([]string, len(requests))
	waiting := 0
	for i, q := range requests {
		ends[i] = "gone"
		if !q.open {
			waiting++
		}
	}
	_ = w.SetReadDeadline(time.Now().Add(20 * time.Second))
	for waiting > 0 {
		f, err := readFrame(w.r)
		if err != nil {
			if isTimeout(err) {
				t.Errorf("%d streams do not end", waiting)
			}
			return ends
		}
		i := int(f.stream-1) / 2
		switch {
		case f.kind == frameSettings && f.flags&ack == 0:
			w.send(frame(frameSettings, ack, 0, ""))
		case f.kind == frameGoAway && f.payload[7] != 0:
			return ends
		case f.stream == 0 || ends[i] == "reset":
		case f.kind == frameReset && !(strings.HasPrefix(ends[i], "done")):
			ends[i] = "reset"
			if !requests[i].open {
				waiting--
			}
		case f.kind == frameHeaders && ends[i] == "gone":
			ends[i] = h2Status(f.payload)
		}
		if (f.kind == frameHeaders || f.kind == frameData) && f.flags&endStream != 0 && !requests[i].open {
			waiting--
			ends[i] = "done " + ends[i]
		}
	}
	return ends
}

// of2 cuts raw in pieces, or not.
func (m frameMaker) of2(raw string) []string {
	if m.IntN(3) > 0 {
		return []string{raw}
	}
	return m.cuts(raw)
}

// INV-FRAME, from HTTP/2: each good request gets to the application once, as
// it was; nothing of a bad one does that looks like a request.
func TestRequestsOfHTTP2AreFramedAlikeByAll(t *testing.T) {
	seed := frameSeed(t)
	m := frameMaker{rand.New(rand.NewPCG(seed, 2))}
	s := newRecorded(t, "")
	names := make([]string, 0, len(h2Defects))
	for name := range h2Defects {
		names = append(names, name)
	}
	slices.Sort(names)
	limit := time.Now().Add(12 * time.Second)
	served := 0
	for n := 0; n < 4*len(names) && time.Now().Before(limit) && !t.Failed(); n++ {
		var requests []*h2Request
		bad := m.IntN(4)
		for i := range 4 {
			q := m.h2Request(fmt.Sprintf("/c%d/r%d", n, i))
			if i == bad && n%5 > 0 {
				q.defect = names[n%len(names)]
				q.trailer = nil
				h2Defects[q.defect](q, len(q.want.body))
			}
			requests = append(requests, q)
		}
		ends := s.playHTTP2(t, m, requests)
		gone := slices.Contains(ends, "gone")
		// What was cut off may still be on its way.
		var got []message
		lines := s.entries(t)
		all, wrong := s.origin.take()
		for _, g := range all {
			if !strings.HasPrefix(g.target, "/mark") {
				got = append(got, g)
			}
		}
		if len(wrong) > 0 {
			t.Errorf("the application got %q", wrong)
		}
		for i, q := range requests {
			seen := slices.DeleteFunc(slices.Clone(got), func(g message) bool { return g.target != q.want.target })
			logged := slices.DeleteFunc(slices.Clone(lines), func(e entry) bool { return e.Path != q.want.target || e.Status != 200 })
			switch {
			case q.defect != "":
				if len(seen) > 0 || ends[i] == "done 200" || len(logged) > 0 {
					t.Errorf("%s: it ended %s, logged %v, the application got %+v\nfields %q", q.defect, ends[i], logged, seen, q.fields)
				}
			case ends[i] == "done 200":
				served++
				if len(seen) != 1 || !same(seen[0], q.want) || len(logged) != 1 {
					t.Errorf("stream %d: logged %v, the application got %+v, want %+v", i, logged, seen, q.want)
				}
			case !gone:
				t.Errorf("a good request ended %s: %q %q %q", ends[i], q.fields, q.data, q.trailer)
			case len(seen) > 1 || len(seen) == 1 && !same(seen[0], q.want):
				t.Errorf("the application got %+v", seen)
			}
			got = slices.DeleteFunc(got, func(g message) bool { return g.target == q.want.target })
		}
		if len(got) > 0 {
			t.Errorf("the application got what nobody sent: %+v", got)
		}
	}
	if served < 50 && !t.Failed() {
		t.Errorf("only %d requests were served: the test is not worth much", served)
	}
}
