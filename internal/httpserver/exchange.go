package httpserver

import (
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/mountd/mountd/internal/wire"
)

// An exchange is a request and its answer.
type exchange struct {
	head wire.Request
	ctx  requestContext
	req  http.Request
	url  url.URL
	body body
	res  response

	header   http.Header // of the request
	values   []string    // what header's values are cut from
	awaited  bool        // the client waits for a 100 before its body
	closes   bool        // the client wants the connection to end
	aborted  bool        // the handler has panicked
	reusable bool        // nobody has kept any of it
}

var exchanges = sync.Pool{New: func() any { return &exchange{header: http.Header{}} }}

// begin turns the parsed head into a request on c.
func (e *exchange) begin(c *conn) error {
	h := &e.head
	if h.Expect != "" && h.Expect != "100-continue" && h.Minor > 0 {
		return &wire.Error{Status: http.StatusExpectationFailed, Reason: "an unknown expectation", Section: "RFC 9110, section 10.1.1"}
	}
	if err := setURL(&e.url, h); err != nil {
		return err
	}
	e.ctx.parent, e.ctx.local = c.ctx, c.local
	e.body.begin(c, h)
	e.awaited = e.body.expect
	if e.awaited {
		c.answered = false
	}
	e.closes = h.Close || h.Minor == 0 && !h.KeepAlive
	req := http.Request{
		Method: h.Method, URL: &e.url, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: h.Minor,
		Header: e.fields(), ContentLength: h.Length, Host: h.Host, RequestURI: h.Target,
		RemoteAddr: c.remote, TLS: c.tlsState, Close: e.closes,
	}
	if h.Minor == 0 {
		req.Proto = "HTTP/1.0"
	}
	if h.Host == "" || e.url.Host != "" {
		req.Host = e.url.Host
	}
	req.Body = http.NoBody
	if h.Length != 0 {
		req.Body = &e.body
	}
	e.req = *req.WithContext(&e.ctx)
	e.body.trailer = nil
	if h.Length < 0 {
		e.req.TransferEncoding = []string{"chunked"}
		if err := e.announceTrailers(); err != nil {
			return err
		}
		e.body.trailer = &e.req.Trailer
	}
	e.res.begin(e, c)
	c.mu.Lock()
	c.current = e
	c.mu.Unlock()
	return nil
}

// fields makes the request's header. Values stand in one array; who appends to
// one of them gets another.
func (e *exchange) fields() http.Header {
	if cap(e.values) < len(e.head.Fields) {
		e.values = make([]string, 0, max(len(e.head.Fields), 16))
	}
	values := e.values[:0]
	for i := range e.head.Fields {
		f := &e.head.Fields[i]
		if f.Name == "Host" || f.Name == "Transfer-Encoding" {
			continue
		}
		if have, again := e.header[f.Name]; again {
			e.header[f.Name] = append(have, f.Value)
			continue
		}
		values = append(values, f.Value)
		n := len(values)
		e.header[f.Name] = values[n-1 : n : n]
	}
	e.values = values
	return e.header
}

// announceTrailers moves the Trailer field to Request.Trailer.
func (e *exchange) announceTrailers() error {
	lists, ok := e.header["Trailer"]
	if !ok {
		return nil
	}
	delete(e.header, "Trailer")
	trailer := http.Header{}
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			name = http.CanonicalHeaderKey(strings.Trim(name, " \t"))
			switch name {
			case "Transfer-Encoding", "Trailer", "Content-Length":
				return &wire.Error{Status: http.StatusBadRequest, Reason: "a trailer that frames the message", Section: "RFC 9110, section 6.5.1"}
			case "":
				continue
			}
			trailer[name] = nil
		}
	}
	e.req.Trailer = trailer
	return nil
}

// plain are the bytes of a path that mean the same escaped or not, and that
// package url leaves alone.
var plain = func() (table [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~$&+,/:;=@" {
		table[c] = true
	}
	return table
}()

// setURL is [url.ParseRequestURI], without an allocation for plain paths.
func setURL(u *url.URL, h *wire.Request) error {
	target := h.Target
	if target[0] == '/' {
		path, query, asked := strings.Cut(target, "?")
		if isPlain(path) {
			*u = url.URL{Path: path, RawQuery: query, ForceQuery: asked && query == ""}
			return nil
		}
	}
	connect := h.Method == http.MethodConnect && target[0] != '/'
	if connect {
		target = "http://" + target
	}
	parsed, err := url.ParseRequestURI(target)
	if err != nil {
		return &wire.Error{Status: http.StatusBadRequest, Reason: "a malformed target", Section: "RFC 9112, section 3.2"}
	}
	*u = *parsed
	if connect {
		u.Scheme = ""
	}
	return nil
}

func isPlain(path string) bool {
	for i := range len(path) {
		if !plain[path[i]] {
			return false
		}
	}
	return true
}

// A verdict says what becomes of a connection after an exchange.
type verdict int

const (
	keepOpen verdict = iota
	closeNow
	closeGently
	handedOver
)

// finish completes the answer and takes everything back from the handler.
func (e *exchange) finish() verdict {
	c, r := e.res.c, &e.res
	c.mu.Lock()
	c.current = nil
	c.mu.Unlock()
	defer func() {
		r.ended.Store(true)
		e.reusable = e.ctx.finish() && e.reusable
	}()
	if r.hijacked {
		return handedOver
	}
	if e.aborted || !r.complete() {
		e.body.end()
		if !e.aborted {
			_ = c.flush()
		}
		if !r.tellsItsEnd() {
			reset(c.rwc)
		}
		return closeNow
	}
	r.ended.Store(true)
	if r.readDeadline {
		_ = c.rwc.SetReadDeadline(never)
	}
	if r.writeDeadline {
		_ = c.rwc.SetWriteDeadline(never)
	}
	if !e.body.end() {
		if c.flush() != nil {
			return closeNow
		}
		if r.closing || !e.body.drain() {
			return closeGently
		}
	}
	if !r.closing {
		return keepOpen
	}
	if c.flush() != nil || e.closes {
		return closeNow
	}
	return closeGently
}

// reset makes the exchange ready for another request.
func (e *exchange) reset() {
	clear(e.header)
	clear(e.values)
	clear(e.head.Fields)
	fields := e.head.Fields[:0]
	e.head = wire.Request{Fields: fields}
	e.url, e.req = url.URL{}, http.Request{}
	e.ctx.parent, e.ctx.local = nil, nil
	e.ctx.ended.Store(false)
	e.body.c, e.body.trailer, e.body.rest = nil, nil, nil
	e.awaited, e.aborted, e.reusable = false, false, false
	e.res.reset()
}
