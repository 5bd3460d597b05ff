package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mountd/mountd/internal/wire"
)

// overHTTP2 does the exchange with an upstream that speaks HTTP/2. Framing and
// streams are net/http's; the fields are written and read as for HTTP/1.1.
func (e *exchange) overHTTP2(o *origin) error {
	e.rec.Keep() // the transport's goroutines may still have the request's context
	out, err := e.p.appendHead(e.out[:0], e.r, e.rec, o, framing{}, "")
	e.out = out
	if err != nil {
		return &requestError{err}
	}
	ctx, release := patient(e.r.Context())
	defer release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.p.kill, func() { cancel(http.ErrServerClosed) })()
	body := e.bodyHTTP2()
	if body != nil {
		defer body.stop(e)
	}
	hints := &hints{e: e}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: hints.got})
	req, err := e.requestHTTP2(ctx, o, body)
	if err != nil {
		return &requestError{err}
	}
	e.phase = requestSent
	var late atomic.Bool
	answered := e.limitAnswer(body, &late, cancel)
	resp, err := o.transport().RoundTrip(req)
	answered()
	hints.end()
	if err != nil {
		return e.errorHTTP2(o, err, body, late.Load())
	}
	defer resp.Body.Close()
	e.phase = answerSeen
	if err := e.head.fromHTTP2(resp); err != nil {
		return err
	}
	e.up.succeeded()
	e.relayHTTP2(resp, body)
	return nil
}

// hints passes informational answers on. They come on a goroutine of the
// transport's.
type hints struct {
	e  *exchange
	mu sync.Mutex
	n  int
	no bool // no more of them
}

func (t *hints) got(code int, h textproto.MIMEHeader) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n++; t.n > maxInform {
		return malformed("more than %d informational answers", maxInform)
	}
	if t.no || code == http.StatusContinue {
		return nil
	}
	head := &t.e.head
	if err := head.fromHTTP2(&http.Response{StatusCode: code, ProtoMajor: 2, Header: http.Header(h)}); err != nil {
		return err
	}
	t.e.inform()
	return nil
}

func (t *hints) end() {
	t.mu.Lock()
	t.no = true
	t.mu.Unlock()
}

// limitAnswer ends the exchange when the answer takes too long after the
// request's end.
func (e *exchange) limitAnswer(body *bodyReader, late *atomic.Bool, cancel context.CancelCauseFunc) (answered func()) {
	t := e.p.cfg.ResponseTimeout
	if t == 0 {
		return func() {}
	}
	expire := func() {
		late.Store(true)
		cancel(context.DeadlineExceeded)
	}
	timer := time.AfterFunc(time.Hour, expire)
	timer.Stop()
	if body == nil {
		timer.Reset(t)
	} else {
		body.whenRead(func() { timer.Reset(t) })
	}
	return func() {
		if body != nil {
			body.whenRead(func() {})
		}
		timer.Stop()
	}
}

func (e *exchange) errorHTTP2(o *origin, err error, body *bodyReader, late bool) error {
	var ce *connectError
	switch {
	case errors.As(err, &ce):
		e.phase = nothingSent
		return err
	case e.ended() != nil:
		return errCanceled
	case late:
		return context.DeadlineExceeded
	}
	if body != nil {
		if berr := body.failure(); berr != nil {
			return &bodyError{berr}
		}
	}
	return err
}

// requestHTTP2 makes a request of the head in e.out.
func (e *exchange) requestHTTP2(ctx context.Context, o *origin, body *bodyReader) (*http.Request, error) {
	lines := strings.Split(strings.TrimSuffix(string(e.out), "\r\n\r\n"), "\r\n")
	_, rest, _ := strings.Cut(lines[0], " ")
	target := strings.TrimSuffix(rest, " HTTP/1.1")
	hdr := make(http.Header, len(lines))
	host := ""
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "Host":
			host = value
		case "Connection", "Content-Length":
		default:
			hdr[name] = append(hdr[name], value)
		}
	}
	if _, ok := hdr["User-Agent"]; !ok {
		hdr["User-Agent"] = nil // none invented
	}
	path, query, force := strings.Cut(target, "?")
	if strings.HasPrefix(path, "//") {
		path = "//" + host + path // or it would be taken for an authority
	}
	req := (&http.Request{
		Method: e.r.Method,
		URL:    &url.URL{Scheme: o.scheme(), Host: o.addr, Opaque: path, RawQuery: query, ForceQuery: force && query == ""},
		Host:   host,
		Header: hdr,
		Proto:  "HTTP/2.0", ProtoMajor: 2,
		ContentLength: e.body.frame.length,
	}).WithContext(ctx)
	if body != nil {
		req.Body = body
		if body.again != nil {
			req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(body.again()), nil }
		}
	}
	return req, nil
}

// fromHTTP2 takes over an answer's status and fields with the same strictness
// as parse.
func (h *head) fromHTTP2(resp *http.Response) error {
	*h = head{wire.Response{Declared: -1, Fields: h.Fields[:0], Status: resp.StatusCode, Minor: 1}}
	if resp.ProtoMajor != 2 {
		return malformed("HTTP/%d where HTTP/2 was agreed on", resp.ProtoMajor)
	}
	for name, values := range resp.Header {
		switch name {
		case "Connection", "Transfer-Encoding", "Keep-Alive", "Proxy-Connection", "Upgrade":
			return malformed("%s in an HTTP/2 answer", name)
		case "Alt-Svc", "Proxy-Authenticate", "Te":
			continue
		case "Content-Length":
			if len(values) != 1 {
				return malformed("more than one Content-Length")
			}
			n, ok := wire.ParseLength(values[0])
			if !ok {
				return malformed("Content-Length %.40q", values[0])
			}
			h.Declared, h.Digits = n, values[0]
			continue
		}
		for _, v := range values {
			if !wire.IsToken(name) || !wire.IsValue(v) {
				return malformed("header field %.40q", name)
			}
			h.Fields = append(h.Fields, wire.Field{Name: name, Value: v})
		}
	}
	for name := range resp.Trailer {
		h.Fields = append(h.Fields, wire.Field{Name: "Trailer", Value: name})
	}
	if len(h.Fields) > maxFields {
		return malformed("more than %d header fields", maxFields)
	}
	return nil
}

func (e *exchange) relayHTTP2(resp *http.Response, body *bodyReader) {
	h := &e.head
	length := h.Digits
	if h.Status == http.StatusNoContent || len(resp.Trailer) > 0 && e.r.Method != http.MethodHead {
		length = "" // HTTP/1.1 has trailers behind chunks only
	}
	if body != nil && body.live && !body.atEnd() && e.r.ProtoMajor == 1 {
		e.w.Header()["Connection"] = []string{"close"}
	}
	e.beginAnswer(nil, length)
	if wire.Bodyless(e.r.Method, h.Status) {
		return
	}
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	streaming := e.p.flush == flushAlways || e.p.flush == flushAuto && (h.Declared < 0 || e.isEvents())
	if streaming {
		e.flushNow(nil, nil)
	}
	for {
		n, err := resp.Body.Read(buf[:])
		if n > 0 {
			e.write(nil, nil, buf[:n])
			if streaming {
				e.flushNow(nil, nil)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			e.cut(nil, nil, err)
		}
	}
	var trailer []wire.Field
	for name, values := range resp.Trailer {
		for _, v := range values {
			if wire.IsToken(name) && wire.TrailerAllowed(name) && wire.IsValue(v) {
				trailer = append(trailer, wire.Field{Name: name, Value: v})
			}
		}
	}
	e.sendTrailers(trailer)
}

// A bodyReader gives the request's body to a transport, which may go on
// reading when the exchange is over: then it gets nothing more.
type bodyReader struct {
	mu     sync.Mutex // held while reading
	src    io.Reader
	live   bool
	again  func() io.Reader // nil: only once
	closed atomic.Bool

	state  sync.Mutex
	ended  bool
	err    error
	onRead func()
}

func (e *exchange) bodyHTTP2() *bodyReader {
	b := &e.body
	switch {
	case b.file != nil:
		again := func() io.Reader { return io.NewSectionReader(b.file, 0, b.frame.length) }
		return &bodyReader{src: again(), again: again}
	case b.stream:
		b.consumed = true
		_ = http.NewResponseController(e.w).EnableFullDuplex()
		return &bodyReader{src: io.MultiReader(bytes.NewReader(b.small), e.r.Body), live: true}
	case len(b.small) > 0:
		again := func() io.Reader { return bytes.NewReader(b.small) }
		return &bodyReader{src: again(), again: again}
	}
	return nil
}

func (b *bodyReader) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return 0, net.ErrClosed
	}
	n, err := b.src.Read(p)
	if err != nil {
		b.state.Lock()
		b.ended = errors.Is(err, io.EOF)
		if !b.ended && b.err == nil {
			b.err = err
		}
		f := b.onRead
		b.state.Unlock()
		if f != nil {
			f()
		}
	}
	return n, err
}

// Close leaves the client's body to the server.
func (b *bodyReader) Close() error {
	b.closed.Store(true)
	return nil
}

func (b *bodyReader) atEnd() bool {
	b.state.Lock()
	defer b.state.Unlock()
	return b.ended
}

func (b *bodyReader) failure() error {
	b.state.Lock()
	defer b.state.Unlock()
	return b.err
}

// whenRead has f called at the end of the body, at once if that has come.
func (b *bodyReader) whenRead(f func()) {
	b.state.Lock()
	b.onRead = f
	ended := b.ended
	b.state.Unlock()
	if ended {
		f()
	}
}

// stop waits for a read under way and refuses all others.
func (b *bodyReader) stop(e *exchange) {
	b.closed.Store(true)
	if b.live && !b.atEnd() {
		e.wake(http.NewResponseController(e.w), past)
		if e.phase < answerBegun && e.r.ProtoMajor == 1 {
			e.w.Header().Set("Connection", "close")
		}
	}
	b.mu.Lock() // waits for the read
	defer b.mu.Unlock()
}

// transport makes the origin's HTTP/2 transport at its first use.
func (o *origin) transport() *http.Transport {
	if t := o.pool.h2.Load(); t != nil {
		return t
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP2(o.tls != nil)
	protocols.SetUnencryptedHTTP2(o.tls == nil)
	t := &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return o.connect(ctx, nil) },
		DialTLSContext:         o.dialHTTP2,
		Protocols:              protocols,
		DisableCompression:     true,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHead,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
	if !o.pool.h2.CompareAndSwap(nil, t) {
		return o.pool.h2.Load()
	}
	return t
}

// dialHTTP2 gives a socket on which HTTP/2 has been agreed.
func (o *origin) dialHTTP2(ctx context.Context, _, _ string) (net.Conn, error) {
	pl := o.pool
	pl.mu.Lock()
	var nc net.Conn
	if n := len(pl.spare); n > 0 {
		nc = pl.spare[n-1]
		pl.spare = pl.spare[:n-1]
	}
	pl.mu.Unlock()
	if nc == nil {
		var err error
		if nc, err = o.connect(ctx, []string{"h2", "http/1.1"}); err != nil {
			return nil, err
		}
	}
	tc := nc.(*tlsConn)
	if got := tc.ConnectionState().NegotiatedProtocol; got != "h2" {
		_ = tc.Close()
		pl.proto.Store(protoUnknown)
		return nil, &connectError{err: fmt.Errorf("the upstream no longer speaks HTTP/2 but %q", got)}
	}
	return tc.Conn, nil
}

// dropH2 closes the HTTP/2 connections that are not in use.
func (p *Proxy) dropH2(pl *pool) bool {
	if t := pl.h2.Load(); t != nil {
		t.CloseIdleConnections()
	}
	return true
}
