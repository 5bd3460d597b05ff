package httpserver_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A client is a raw connection that trusts the server in nothing: what it
// reads must be a message to the letter.
type client struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func newClient(t testing.TB, c net.Conn) *client {
	return &client{Conn: c, t: t, r: bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatalf("sending %.60q: %v", text, err)
	}
}

// half ends the client's half of the connection.
func (c *client) half() {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite()
	}
}

// abort closes the connection with a reset.
func (c *client) abort() {
	low := c.Conn
	if s, ok := low.(*tls.Conn); ok {
		low = s.NetConn()
	}
	if s, ok := low.(*net.TCPConn); ok {
		_ = s.SetLinger(0)
	}
	_ = low.Close()
}

// ended waits until the server has ended the connection, and gives what came
// before that.
func (c *client) ended() string {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	rest, err := io.ReadAll(c.r)
	if timedOut(err) {
		c.t.Errorf("the connection is still open; it gave %q", rest)
	}
	return string(rest)
}

func timedOut(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// An answer is what the client has read of one.
type answer struct {
	line    string // the status line
	status  int
	fields  []string // as sent, in order
	header  http.Header
	framing string
	chunks  []string
	body    string
	trailer []string
	err     error // the body is cut, or is none
}

// read reads an answer to a request with this method.
func (c *client) read(method string) (*answer, error) {
	a := &answer{header: http.Header{}}
	line, err := c.line()
	if err != nil {
		return nil, err
	}
	a.line = line
	if len(line) < 13 || line[:7] != "HTTP/1." || line[8] != ' ' || line[12] != ' ' {
		return nil, fmt.Errorf("not a status line: %q", line)
	}
	if a.status, err = strconv.Atoi(line[9:12]); err != nil {
		return nil, err
	}
	if a.fields, err = c.fields(a.header); err != nil {
		return nil, err
	}
	a.err = c.body(a, method)
	return a, nil
}

// line reads a line, which must end in CR LF.
func (c *client) line() (string, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		if line != "" && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok || strings.ContainsAny(text, "\r\x00") {
		return "", fmt.Errorf("not a line: %q", line)
	}
	return text, nil
}

func (c *client) fields(h http.Header) (fields []string, err error) {
	for {
		line, err := c.line()
		if err != nil || line == "" {
			return fields, err
		}
		name, value, ok := strings.Cut(line, ": ")
		if !ok || strings.ContainsAny(name, " \t") {
			return fields, fmt.Errorf("not a field: %q", line)
		}
		h.Add(name, value)
		fields = append(fields, line)
	}
}

func (c *client) body(a *answer, method string) error {
	length, coding := a.header["Content-Length"], a.header["Transfer-Encoding"]
	switch {
	case method == "HEAD" || a.status < 200 || a.status == 204 || a.status == 304:
		a.framing = "no body"
		return nil
	case len(coding) > 0:
		a.framing = "chunked"
		if len(length) > 0 || !slices.Equal(coding, []string{"chunked"}) || strings.HasPrefix(a.line, "HTTP/1.0") {
			return fmt.Errorf("framed by %q and %q in %s", coding, length, a.line)
		}
		return c.chunks(a)
	case len(length) > 0:
		a.framing = "length"
		n, err := strconv.ParseUint(length[0], 10, 40)
		if err != nil || len(length) > 1 {
			return fmt.Errorf("length %q", length)
		}
		body := make([]byte, n)
		k, err := io.ReadFull(c.r, body)
		a.body = string(body[:k])
		return err
	}
	a.framing = "until the end"
	body, err := io.ReadAll(c.r)
	a.body = string(body)
	return err
}

func (c *client) chunks(a *answer) error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, err := strconv.ParseUint(line, 16, 40)
		if err != nil {
			return err
		}
		if size == 0 {
			a.trailer, err = c.fields(http.Header{})
			return err
		}
		chunk := make([]byte, size)
		k, err := io.ReadFull(c.r, chunk)
		a.body += string(chunk[:k])
		if err != nil {
			return err
		}
		a.chunks = append(a.chunks, string(chunk))
		if line, err = c.line(); err != nil || line != "" {
			return fmt.Errorf("behind a chunk: %q, %w", line, err)
		}
	}
}

// must is read for answers that have to come whole.
func (c *client) must(method string) *answer {
	c.t.Helper()
	a, err := c.read(method)
	if err != nil {
		c.t.Fatalf("no answer: %v", err)
	}
	if a.err != nil {
		c.t.Fatalf("%s, body %.100q: %v", a.line, a.body, a.err)
	}
	return a
}

// ask sends a request and reads its answer.
func (c *client) ask(text string) *answer {
	c.t.Helper()
	c.send(text)
	method, _, _ := strings.Cut(text, " ")
	return c.must(method)
}

// closes reports whether the server has said that the connection ends.
func (a *answer) closes() bool {
	for _, v := range a.header["Connection"] {
		if strings.EqualFold(v, "close") {
			return true
		}
	}
	return strings.HasPrefix(a.line, "HTTP/1.0") && !strings.EqualFold(a.header.Get("Connection"), "keep-alive") || a.framing == "until the end"
}

// String gives what two servers can be compared by.
func (a *answer) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, a.line)
	fields := slices.Clone(a.fields)
	slices.Sort(fields)
	for _, f := range fields {
		if date, ok := strings.CutPrefix(f, "Date: "); ok && plausible(date) {
			f = "Date: now"
		}
		if f == "Connection: close" && strings.HasPrefix(a.line, "HTTP/1.0") {
			continue // it says nothing there
		}
		fmt.Fprintln(&b, f)
	}
	fmt.Fprintf(&b, "[%s]", a.framing)
	switch {
	case len(a.body) > 2000:
		fmt.Fprintf(&b, " %d bytes, sum %d\n", len(a.body), sum(a.body))
	default:
		fmt.Fprintf(&b, " %q\n", a.body)
	}
	for _, f := range slices.Sorted(slices.Values(a.trailer)) {
		fmt.Fprintln(&b, "trailer", f)
	}
	if a.err != nil {
		fmt.Fprintln(&b, "cut:", endOf(a.err))
	}
	return b.String()
}

func plausible(date string) bool {
	at, err := time.Parse(http.TimeFormat, date)
	return err == nil && time.Since(at).Abs() < time.Minute
}

func sum(s string) (n uint32) {
	for i := range len(s) {
		n = n*31 + uint32(s[i])
	}
	return n
}

// endOf names the way in which a connection ended.
func endOf(err error) string {
	var alert tls.AlertError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "end"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.As(err, &alert):
		return "reset"
	case timedOut(err):
		return "nothing more came"
	}
	return err.Error()
}

// probe is what tells a connection that lives from one that has ended.
const probe = "GET /probe HTTP/1.1\r\nHost: probe\r\n\r\n"

// probed answers the probe.
func probed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/probe" && r.Host == "probe" {
			_, _ = io.WriteString(w, "probe")
			return
		}
		h.ServeHTTP(w, r)
	})
}

// converse sends raw and tells everything that the client then sees: an answer
// for each of the methods, and what becomes of the connection.
func (c *client) converse(raw string, bytewise bool, methods ...string) string {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		step := len(raw)
		if bytewise {
			step = 1
		}
		for piece := range slices.Chunk([]byte(raw), max(step, 1)) {
			if _, err := c.Write(piece); err != nil {
				return
			}
		}
	}()
	defer func() { _ = c.Close(); <-sent }()
	var b strings.Builder
	for _, method := range methods {
		for {
			a, err := c.read(method)
			if err != nil {
				end := endOf(err)
				if end == "reset" { // there may have been more to read
					end = "end"
				}
				fmt.Fprintf(&b, "no answer: %s\n", end)
				return b.String()
			}
			b.WriteString(a.String())
			if a.err != nil {
				return b.String()
			}
			if a.closes() {
				b.WriteString(c.after() + "\n")
				return b.String()
			}
			if a.status >= 200 || a.status == 101 {
				break
			}
		}
	}
	<-sent
	b.WriteString(c.reusable() + "\n")
	return b.String()
}

// after tells what comes when nothing more should.
func (c *client) after() string {
	rest, err := io.ReadAll(c.r)
	switch {
	case len(rest) > 0:
		return fmt.Sprintf("then %q", rest)
	case timedOut(err):
		return "it is open, although it was to be closed"
	}
	return "it is closed"
}

func (c *client) reusable() string {
	_, _ = io.WriteString(c, probe)
	a, err := c.read("GET")
	switch {
	case err != nil && !timedOut(err):
		return "it is closed, although that was not said"
	case err != nil || a.err != nil || !bytes.Equal([]byte(a.body), []byte("probe")):
		return fmt.Sprintf("the probe got %v, %v", a, err)
	}
	return "it is open"
}
