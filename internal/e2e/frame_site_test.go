package e2e_test

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorder is an application that reads strictly. It answers what is whole and
// well-formed, and remembers everything that is not.
type recorder struct {
	ln net.Listener
	wg sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	got   []message
	wrong []string // what a strict reader refuses
}

func record(t testing.TB) *recorder {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &recorder{ln: ln}
	o.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.conns = append(o.conns, c)
			o.mu.Unlock()
			o.wg.Go(func() { o.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		o.mu.Lock()
		for _, c := range o.conns {
			_ = c.Close()
		}
		o.mu.Unlock()
		o.wg.Wait()
	})
	return o
}

func (o *recorder) serve(c net.Conn) {
	defer c.Close()
	var held string
	buf := make([]byte, 8<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		held += string(buf[:n])
		for {
			m, rest, v := readOne(held, true)
			if v == partOfHead || v == partOfBody || v == nothingMore {
				break
			}
			o.mu.Lock()
			if v == whole {
				o.got = append(o.got, m)
			} else {
				o.wrong = append(o.wrong, fmt.Sprintf("%s: %q", v, held))
			}
			o.mu.Unlock()
			if v != whole {
				return
			}
			held = rest
			text := echo(m)
			if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(text)); err != nil {
				return
			}
			if m.method != "HEAD" {
				_, _ = c.Write([]byte(text))
			}
		}
	}
}

// echo is how a message is answered.
func echo(m message) string { return fmt.Sprintf("%s %s %d", m.method, m.target, len(m.body)) }

// take gives what has come since the last time.
func (o *recorder) take() (got []message, wrong []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	got, wrong = o.got, o.wrong
	o.got, o.wrong = nil, nil
	return got, wrong
}

// recorded is a site of one such application.
type recorded struct {
	*daemon
	origin *recorder
	marks  int
}

func newRecorded(t testing.TB, settings string, files ...string) *recorded {
	t.Helper()
	o := record(t)
	table := settings + "use: [access_log, errors]\nmounts: {/: {proxy: {to: 'http://" + o.ln.Addr().String() + "'}}}\n"
	return &recorded{daemon: start(t, table, files...), origin: o}
}

// entry is a line of the access log.
type entry struct {
	Msg, Method, Path string
	Status            int
}

// entries gives the access log since the last time. All handlers must have
// returned: lines are written one after the other, so that everything is there
// when a request made now is.
func (s *recorded) entries(t testing.TB) (all []entry) {
	t.Helper()
	s.marks++
	mark := fmt.Sprintf("/mark%d", s.marks)
	if a := ask(t, s.addr, "GET "+mark+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); a.status != 200 {
		t.Fatalf("the mark was answered %d", a.status)
	}
	var text strings.Builder
	eventually(t, 10*time.Second, "access line of "+mark, func() bool {
		text.WriteString(s.stderr.take())
		return strings.Contains(text.String(), `"path":"`+mark+`"`)
	})
	for line := range strings.Lines(text.String()) {
		var e entry
		if json.Unmarshal([]byte(line), &e) == nil && e.Msg == "request" {
			all = append(all, e)
		}
	}
	return slices.DeleteFunc(all, func(e entry) bool { return e.Path == mark })
}

// take gives what was printed since the last time.
func (b *buffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.b.String()
	b.b.Reset()
	return s
}

// loggedAs compares the requests that were logged as answered by the
// application with those that it got.
func loggedAs(lines []entry, got []message) error {
	var logged, seen []string
	for _, e := range lines {
		if e.Status == 200 {
			logged = append(logged, e.Method+" "+e.Path)
		}
	}
	for _, m := range got {
		seen = append(seen, m.method+" "+m.target)
	}
	if !slices.Equal(logged, seen) {
		return fmt.Errorf("logged: %q\nthe application got: %q", logged, seen)
	}
	return nil
}
