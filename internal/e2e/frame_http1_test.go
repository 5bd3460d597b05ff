package e2e_test

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// frameMaker makes connections by chance.
type frameMaker struct{ *rand.Rand }

func newFrameMaker(seed uint64) frameMaker { return frameMaker{rand.New(rand.NewPCG(seed, 0))} }

func (m frameMaker) of(all ...string) string { return all[m.IntN(len(all))] }

const behind = "GET /behind HTTP/1.1\r\nHost: a\r\n\r\n"

// connection is some requests in a row, well-formed.
func (m frameMaker) connection() string {
	var b strings.Builder
	for range 1 + m.IntN(4) {
		b.WriteString(m.request())
	}
	return b.String()
}

func (m frameMaker) request() string {
	version, fields := "1.1", []string{m.of("Host", "host", "HOST") + ":" + m.of("", " ", "\t ") + m.of("a", "b:81", "c0") + m.of("", " ")}
	if m.IntN(10) == 0 {
		version = "1.0"
		fields = append(fields, "Connection: keep-alive")
	}
	if m.IntN(12) == 0 {
		fields = append(fields, m.of("Connection: close", "connection: x, Close"))
	}
	for range m.IntN(3) {
		fields = append(fields, m.of("X:", "X: 1", "X: chunked", "X: Content-Length: 5", "X: caf\xe9", "x: \t1"))
	}
	data := m.of("", "x", "hello", "0\r\n\r\n", "\r\n\r\n", behind, behind+behind, "5\r\nhello\r\n0\r\n\r\n", strings.Repeat("y", m.IntN(200)), strings.Repeat("z", 9000+m.IntN(9)))
	body := ""
	switch {
	case m.IntN(3) == 0:
	case m.IntN(2) == 0 || version == "1.0":
		fields = append(fields, fmt.Sprintf("%s:%s%s%d", m.of("Content-Length", "content-length"), m.of("", " "), m.of("", "", "00"), len(data)))
		body = data
	default:
		fields = append(fields, m.of("Transfer-Encoding: chunked", "transfer-encoding:Chunked\t"))
		body = m.chunks(data)
	}
	m.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	return m.of(plainMethods...) + " /" + m.of("a", "b/c", "d") + m.of("", "?q=1") + " HTTP/" + version + "\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n" + body
}

func (m frameMaker) chunks(data string) string {
	var b strings.Builder
	for data != "" {
		n := 1 + m.IntN(len(data))
		fmt.Fprintf(&b, "%s"+m.of("%x", "%X")+"%s\r\n%s\r\n", m.of("", "0"), n, m.of("", "", ";x", ";a=b;c=\"d e\""), data[:n])
		data = data[n:]
	}
	return b.String() + m.of("0", "00", "0;x") + "\r\n" + m.of("", "", "X: 1\r\n", "Content-Length: 9\r\n", "X-Forwarded-User: admin\r\nHost: evil\r\n") + "\r\n"
}

// harm changes something that frames messages.
func (m frameMaker) harm(raw string) string {
	at := m.IntN(len(raw) + 1)
	if i := strings.Index(raw[at:], "\r\n"); i >= 0 && m.IntN(3) > 0 { // near the end of a line
		at += i + m.IntN(3)
	}
	line := at // the beginning of one
	if i := strings.Index(raw[at:], "\r\n"); i >= 0 {
		line += i + 2
	}
	switch m.IntN(7) {
	case 0:
		return raw[:at]
	case 1:
		return raw[:at] + raw[min(at+1, len(raw)):]
	case 2, 3:
		return raw[:at] + m.of("\r", "\n", "\r\n", " ", "\t", "0", "-", "+", ":", ";", ",", "x", "\x00", "\x0b", "\x7f", "1") + raw[min(at+m.IntN(2), len(raw)):]
	case 4:
		return raw[:line] + m.of("Content-Length: 5\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n",
			" folded\r\n", "Content-Length : 5\r\n", "X: 1\n", "Content-Length: 5, 5\r\n", "Connection: close\r\n", "Host: a\r\n", "\r\n", "0\r\n\r\n", "Content-Length:\r\n", "X\r\n") + raw[line:]
	case 5:
		return strings.Replace(raw, "\r\n", m.of("\n", "\r", "\r\r\n", "\n\r", "\r\n\r\n"), 1+m.IntN(3))
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
func (m frameMaker) cuts(raw string) []string {
	var pieces []string
	for raw != "" {
		n := 1 + m.IntN(min(len(raw), 60))
		pieces = append(pieces, raw[:n])
		raw = raw[n:]
	}
	return pieces
}

// play sends pieces over one connection and holds what comes back to what a
// strict reader makes of them. The requests that the application got are given
// too.
func (s *recorded) play(t testing.TB, pieces ...string) (got []message, err error) {
	t.Helper()
	raw := strings.Join(pieces, "")
	want, end := readAll(raw)
	w := dial(t, s.addr)
	defer w.Close()
	var sending sync.WaitGroup
	defer sending.Wait()
	defer w.Close()
	sending.Go(func() {
		for i, p := range pieces {
			if i > 0 && len(pieces) < 4 {
				time.Sleep(300 * time.Microsecond) // so that they are likely to come one by one
			}
			if _, err := io.WriteString(w.Conn, p); err != nil {
				return
			}
		}
	})
	for i, m := range want {
		a := w.read(m.method)
		if a.err != nil || a.status != 200 || m.method != "HEAD" && a.body != echo(m) {
			err = fmt.Errorf("request %d was answered %q %q, %w", i, a.line, a.body, a.err)
			break
		}
		closes := strings.EqualFold(a.get("Connection"), "close")
		if last := i == len(want)-1 && m.last; closes != last {
			err = fmt.Errorf("answer %d: %q", i, a.header)
			break
		}
	}
	if err == nil {
		err = s.playEnd(w, end, &sending)
	}
	got, wrong := s.origin.take()
	switch {
	case err != nil:
	case len(wrong) > 0:
		err = fmt.Errorf("the application got %q", wrong)
	case end == notSettled && len(got) >= len(want):
		if !slices.EqualFunc(got[:len(want)], want, same) {
			err = errors.New("the application got others")
		}
	case !slices.EqualFunc(got, want, same):
		err = errors.New("the application got others")
	}
	for _, m := range got {
		if len(m.trailer) > 0 && slices.ContainsFunc(m.trailer, func(f string) bool { return !strings.HasPrefix(f, "x: ") }) || m.field("x-forwarded-user") != "" {
			err = fmt.Errorf("the application got the trailers %q, the header %q", m.trailer, m.header)
		}
	}
	if err != nil {
		err = fmt.Errorf("%w\nsent, which a strict reader takes for %d requests and %s: %q in %d pieces\nthe application got %d: %+v", err, len(want), end, raw, len(pieces), len(got), got)
	}
	return got, err
}

// playEnd looks at what comes behind the last good answer.
func (s *recorded) playEnd(w *wire, end verdict, sending *sync.WaitGroup) error {
	if end == notSettled { // there may be good answers on their way
		for {
			_ = w.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if _, err := w.r.Peek(1); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			} else if err != nil {
				break
			}
			_, _ = w.r.ReadByte()
		}
	} else if end != badHead && end != badBody {
		sending.Wait()
		_ = w.Conn.(*net.TCPConn).CloseWrite()
	}
	_ = w.SetReadDeadline(time.Now().Add(20 * time.Second))
	if end == notSettled {
		_ = w.Conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, w.r)
		return nil
	}
	a := w.read("GET")
	if isTimeout(a.err) {
		return errors.New("the connection stays open")
	}
	if a.status == 0 {
		if end == badHead || end == badBody && !errors.Is(a.err, io.EOF) && !isReset(a.err) {
			return fmt.Errorf("no answer to it: %w", a.err)
		}
		return nil
	}
	if end == nothingMore || a.status < 400 || !strings.EqualFold(a.get("Connection"), "close") {
		return fmt.Errorf("behind the last answer came %q %q", a.line, a.header)
	}
	if rest, err := io.ReadAll(w.r); len(rest) > 0 || isTimeout(err) {
		return fmt.Errorf("behind the refusal came %q, %w", rest, err)
	}
	return nil
}

func isReset(err error) bool { return err != nil && strings.Contains(err.Error(), "reset") }

// INV-FRAME: what mountd logs of a connection, what a strict reader makes of
// it and what the application gets are the same requests with the same bodies,
// however they come; and nothing gets there that is behind what such a reader
// refuses.
func TestRequestsAreFramedAlikeByAll(t *testing.T) {
	const workers, rounds, batch = 3, 12, 12
	seed := frameSeed(t)
	var mu sync.Mutex
	ends := map[verdict]int{}
	var wg sync.WaitGroup
	sites := make([]*recorded, workers)
	for i := range sites {
		sites[i] = newRecorded(t, "")
	}
	limit := time.Now().Add(15 * time.Second)
	for i, s := range sites {
		wg.Go(func() {
			m := newFrameMaker(seed + uint64(i))
			for round := 0; round < rounds && time.Now().Before(limit) && !t.Failed(); round++ {
				var got []message
				spoiled := 0
				play := func(pieces ...string) bool {
					g, err := s.play(t, pieces...)
					if err != nil {
						t.Error(err)
					}
					got = append(got, g...)
					_, end := readAll(strings.Join(pieces, ""))
					if end != nothingMore {
						spoiled += 1 + strings.Count(strings.Join(pieces, ""), "HTTP/1")
					}
					mu.Lock()
					ends[end]++
					mu.Unlock()
					return err == nil
				}
				for n := range batch {
					raw := m.connection()
					for range n % 3 {
						raw = m.harm(raw)
					}
					if !play(raw) || !play(m.cuts(raw)...) {
						return
					}
				}
				lines := s.entries(t)
				if err := loggedAs(lines, got); err != nil {
					t.Error(err)
				}
				if len(lines)-len(got) > spoiled {
					t.Errorf("%d lines for %d requests and %d spoiled ones", len(lines), len(got), spoiled)
				}
				_, _ = s.origin.take()
			}
		})
	}
	wg.Wait()
	t.Log(ends)
}

// frameSeed is the same in every run, unless FRAME_SEED names another one.
func frameSeed(t *testing.T) uint64 {
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv("FRAME_SEED"), "1"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("seed", seed)
	return seed
}
