package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// halfClosedLimit is how long one direction of a tunnel may rest once the
// other one has ended. A tunnel open both ways may rest for ever.
const halfClosedLimit = 5 * time.Minute

// A tunnel is an upgraded connection: bytes both ways until both have ended.
type tunnel struct {
	client, upstream net.Conn
	once             sync.Once
	halfClosed       atomic.Bool
}

func (t *tunnel) close() {
	t.once.Do(func() {
		_ = t.client.Close()
		_ = t.upstream.Close()
	})
}

// tunnel passes a 101 on and serves the new protocol to its end.
func (e *exchange) tunnel(c *conn) error {
	c.unwatch()
	if c.wasCanceled() {
		c.discard()
		return errCanceled
	}
	_ = c.net.SetDeadline(time.Time{})
	early := append([]byte(nil), c.buffered()...)
	c.free()
	c.origin.forget(c)

	hdr := e.w.Header()
	e.copyFields(hdr, "")
	hdr["Connection"] = []string{"Upgrade"}
	hdr["Upgrade"] = []string{e.head.Upgrade}
	e.phase = answerBegun
	var client net.Conn
	var rw *bufio.ReadWriter
	var err error
	apart(func() {
		e.w.WriteHeader(http.StatusSwitchingProtocols)
		client, rw, err = http.NewResponseController(e.w).Hijack()
	})
	if err != nil {
		_ = c.net.Close()
		e.p.cfg.Logger.Error("connection cannot be upgraded", "mount", e.p.cfg.Name, "error", err)
		panic(http.ErrAbortHandler)
	}
	var late []byte
	if n := rw.Reader.Buffered(); n > 0 {
		peeked, _ := rw.Reader.Peek(n)
		late = append(late, peeked...)
	}
	_ = client.SetDeadline(time.Time{})
	t := &tunnel{client: client, upstream: c.net}
	e.p.addTunnel(t)
	defer e.p.removeTunnel(t)
	t.serve(early, late)
	return nil
}

// apart runs f on a goroutine of its own and waits for it. It is for what needs
// a deep stack on the way to a tunnel: the tunnel would keep that stack for as
// long as it lives.
func apart(f func()) {
	done := make(chan any)
	go func() {
		defer func() { done <- recover() }()
		f()
	}()
	if v := <-done; v != nil {
		panic(v)
	}
}

// serve copies both ways. early is what the upstream, late what the client had
// already sent.
func (t *tunnel) serve(early, late []byte) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.copy(t.upstream, t.client, late)
	}()
	t.copy(t.client, t.upstream, early)
	<-done
	t.close()
}

// copy moves bytes from src to dst. An orderly end is passed on alone; an error
// ends both directions.
func (t *tunnel) copy(dst, src net.Conn, first []byte) {
	var err error
	if len(first) > 0 {
		_, err = dst.Write(first)
	}
	if err == nil {
		err = t.pump(dst, src)
	}
	cw, ok := dst.(interface{ CloseWrite() error })
	if !errors.Is(err, io.EOF) || !ok || cw.CloseWrite() != nil {
		t.close()
		return
	}
	t.halfClosed.Store(true)
	_ = dst.SetReadDeadline(time.Now().Add(halfClosedLimit))
}

// pump moves bytes until an error, which is io.EOF at an orderly end. No buffer
// is held while there is nothing to move, where the platform can wait so.
func (t *tunnel) pump(dst, src net.Conn) error {
	c := &conn{net: src}
	switch s := src.(type) {
	case *net.TCPConn, *net.UnixConn:
		c.startParking()
	default:
		_ = s
	}
	defer c.free()
	for {
		if err := c.fill(); err != nil {
			return err
		}
		if _, err := dst.Write(c.buffered()); err != nil {
			return errors.Join(errors.New("write"), err)
		}
		c.r = c.w
		if c.parks() {
			c.free()
		}
		if t.halfClosed.Load() {
			_ = src.SetReadDeadline(time.Now().Add(halfClosedLimit))
		}
	}
}

func (p *Proxy) addTunnel(t *tunnel) {
	p.tunnelMu.Lock()
	p.tunnels[t] = struct{}{}
	p.tunnelMu.Unlock()
	if p.kill.Err() != nil {
		t.close()
	}
}

func (p *Proxy) removeTunnel(t *tunnel) {
	p.tunnelMu.Lock()
	delete(p.tunnels, t)
	p.tunnelMu.Unlock()
}
