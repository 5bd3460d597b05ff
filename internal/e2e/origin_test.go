package e2e_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// origin is a server that keeps every byte it gets, and answers with bytes.
// It shares no code with net/http: what it finds is what was sent.
type origin struct {
	ln     net.Listener
	answer func(c *originConn, r *received) error // an error ends the connection

	mu       sync.Mutex
	conns    []*originConn
	requests []*received
	wg       sync.WaitGroup
	quiet    atomic.Bool // bytes are not kept
}

// received is a request as it came.
type received struct {
	method, target, proto string
	header                [][2]string // names as they came
	body                  []byte
	trailer               [][2]string
	complete              bool
}

func (r *received) get(name string) string {
	for _, f := range r.header {
		if strings.EqualFold(f[0], name) {
			return f[1]
		}
	}
	return ""
}

func (r *received) values(name string) (all []string) {
	for _, f := range r.header {
		if strings.EqualFold(f[0], name) {
			all = append(all, f[1])
		}
	}
	return all
}

// originConn is one connection, with everything that came over it.
type originConn struct {
	net.Conn
	r  *bufio.Reader
	n  int // of the connection
	mu sync.Mutex
	in bytes.Buffer
	up bool // the other side has ended

	quiet *atomic.Bool
}

func (c *originConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.quiet.Load() {
		c.in.Write(p[:n])
	}
	c.up = c.up || err != nil
	return n, err
}

func (c *originConn) send(raw string) error {
	_, err := io.WriteString(c.Conn, raw)
	return err
}

// reset ends the connection with a RST.
func (c *originConn) reset() {
	if t, ok := c.Conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// ended reports whether the gateway has closed the connection.
func (c *originConn) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up
}

var errDone = errors.New("done")

// listen runs an origin. The default answer is 200 with "ok".
func listen(t testing.TB, answer func(c *originConn, r *received) error) *origin {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listenOn(t, ln, answer)
}

func listenOn(t testing.TB, ln net.Listener, answer func(c *originConn, r *received) error) *origin {
	o := &origin{ln: ln, answer: answer}
	if answer == nil {
		o.answer = say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}
	o.wg.Go(o.accept)
	t.Cleanup(o.close)
	return o
}

// say always answers with the same bytes.
func say(raw string) func(*originConn, *received) error {
	return func(c *originConn, _ *received) error { return c.send(raw) }
}

func (o *origin) close() {
	_ = o.ln.Close()
	o.mu.Lock()
	for _, c := range o.conns {
		_ = c.Close()
	}
	o.mu.Unlock()
	o.wg.Wait()
}

func (o *origin) url() string { return "http://" + o.ln.Addr().String() }

func (o *origin) accept() {
	for {
		nc, err := o.ln.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		c := &originConn{Conn: nc, n: len(o.conns), quiet: &o.quiet}
		c.r = bufio.NewReader(c)
		o.conns = append(o.conns, c)
		o.mu.Unlock()
		o.wg.Go(func() { o.serve(c) })
	}
}

func (o *origin) serve(c *originConn) {
	defer c.Close()
	for {
		r, err := readHead(c.r)
		if err != nil {
			return
		}
		o.mu.Lock()
		o.requests = append(o.requests, r)
		o.mu.Unlock()
		if r.get("Expect") != "" && r.get("Content-Length") != "" {
			_ = c.send("HTTP/1.1 100 Continue\r\n\r\n")
		}
		if r.get("X-Lazy") == "" {
			if err := r.readBody(c.r); err != nil {
				return
			}
		}
		if o.answer(c, r) != nil {
			return
		}
	}
}

// seen gives the requests so far.
func (o *origin) seen() []*received {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.requests)
}

func (o *origin) count() int { return len(o.seen()) }

func (o *origin) last(t testing.TB) *received {
	t.Helper()
	all := o.seen()
	if len(all) == 0 {
		t.Fatal("the origin got nothing")
	}
	return all[len(all)-1]
}

// bytes gives everything that came over all connections.
func (o *origin) bytes() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var b strings.Builder
	for _, c := range o.conns {
		c.mu.Lock()
		b.Write(c.in.Bytes())
		c.mu.Unlock()
	}
	return b.String()
}

func (o *origin) connections() []*originConn {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.conns)
}

func (o *origin) reset() {
	o.mu.Lock()
	o.requests = nil
	o.mu.Unlock()
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	if !strings.HasSuffix(line, "\r\n") {
		return "", fmt.Errorf("line without CR: %q", line)
	}
	return strings.TrimSuffix(line, "\r\n"), nil
}

func readFields(r *bufio.Reader) (fields [][2]string, err error) {
	for {
		line, err := readLine(r)
		if err != nil || line == "" {
			return fields, err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.ContainsAny(name, " \t") {
			return fields, fmt.Errorf("no field: %q", line)
		}
		fields = append(fields, [2]string{name, strings.TrimSpace(value)})
	}
}

func readHead(r *bufio.Reader) (*received, error) {
	line, err := readLine(r)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 {
		return nil, fmt.Errorf("request line %q", line)
	}
	q := &received{method: parts[0], target: parts[1], proto: parts[2]}
	q.header, err = readFields(r)
	return q, err
}

func (r *received) readBody(in *bufio.Reader) error {
	switch te, cl := r.get("Transfer-Encoding"), r.get("Content-Length"); {
	case te != "" && cl != "":
		return errors.New("both framings")
	case te != "":
		for {
			line, err := readLine(in)
			if err != nil {
				return err
			}
			n, err := strconv.ParseUint(line, 16, 31)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			piece := make([]byte, n+2)
			if _, err := io.ReadFull(in, piece); err != nil {
				return err
			}
			r.body = append(r.body, piece[:n]...)
		}
		var err error
		if r.trailer, err = readFields(in); err != nil {
			return err
		}
	case cl != "":
		n, err := strconv.Atoi(cl)
		if err != nil {
			return err
		}
		r.body = make([]byte, n)
		if m, err := io.ReadFull(in, r.body); err != nil {
			r.body = r.body[:m]
			return err
		}
	}
	r.complete = true
	return nil
}

// wire is a raw connection to mountd.
type wire struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func dial(t testing.TB, addr string) *wire {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return &wire{Conn: c, t: t, r: bufio.NewReader(c)}
}

func (w *wire) send(raw string) {
	w.t.Helper()
	if _, err := io.WriteString(w.Conn, raw); err != nil {
		w.t.Logf("send: %v", err)
	}
}

// reset ends the connection with a RST.
func (w *wire) reset() {
	if t, ok := w.Conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = w.Close()
}

// answer is a response as it came.
type answer struct {
	status  int
	line    string
	header  [][2]string
	body    string
	trailer [][2]string
	err     error // why the body is not complete
	until   bool  // the body ended with the connection
}

func (a *answer) get(name string) string {
	for _, f := range a.header {
		if strings.EqualFold(f[0], name) {
			return f[1]
		}
	}
	return ""
}

func (a *answer) values(name string) (all []string) {
	for _, f := range a.header {
		if strings.EqualFold(f[0], name) {
			all = append(all, f[1])
		}
	}
	return all
}

// read reads one answer to a request of the method; informational ones are
// answers of their own.
func (w *wire) read(method string) *answer {
	a := &answer{}
	var err error
	if a.line, err = readLine(w.r); err != nil {
		a.err = err
		return a
	}
	if len(a.line) < 12 {
		a.err = fmt.Errorf("status line %q", a.line)
		return a
	}
	a.status, _ = strconv.Atoi(a.line[9:12])
	if a.header, a.err = readFields(w.r); a.err != nil {
		return a
	}
	if method == "HEAD" || a.status < 200 || a.status == 204 || a.status == 304 {
		return a
	}
	var q received
	q.header = a.header
	if a.get("Content-Length") == "" && a.get("Transfer-Encoding") == "" {
		a.until = true
		b, err := io.ReadAll(w.r)
		a.body, a.err = string(b), err
		return a
	}
	a.err = q.readBody(w.r)
	a.body, a.trailer = string(q.body), q.trailer
	return a
}

// closed reports whether mountd closes the connection soon, with nothing more
// on it.
func (w *wire) closed() bool {
	_ = w.SetReadDeadline(time.Now().Add(2 * time.Second))
	_, err := w.r.ReadByte()
	var ne net.Error
	return err != nil && !(errors.As(err, &ne) && ne.Timeout())
}

// ask sends one request on a connection of its own.
func ask(t testing.TB, addr, raw string) *answer {
	t.Helper()
	w := dial(t, addr)
	defer w.Close()
	w.send(raw)
	method, _, _ := strings.Cut(raw, " ")
	return w.read(method)
}

// get asks for a target as it stands.
func get(t testing.TB, d *daemon, target string, fields ...string) *answer {
	t.Helper()
	return ask(t, d.addr, "GET "+target+" HTTP/1.1\r\nHost: a\r\n"+lines(fields)+"\r\n")
}

func lines(fields []string) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f + "\r\n")
	}
	return b.String()
}
