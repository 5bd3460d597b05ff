package server

import (
	"net"
	"net/http"
	"sync"
)

// handed is a listener of connections that were accepted elsewhere.
type handed struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHanded() *handed {
	return &handed{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// give passes c on. After the end it does not.
func (h *handed) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.closed:
		return false
	}
}

// Accept gives the next connection.
func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, http.ErrServerClosed
	}
}

// Close ends the listener.
func (h *handed) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr says nothing: there is no address.
func (h *handed) Addr() net.Addr { return &net.UnixAddr{Name: "handed over", Net: "unix"} }
