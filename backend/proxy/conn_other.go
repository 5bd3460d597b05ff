//go:build !unix

package proxy

import "net"

// A parker waits without a buffer; this platform cannot.
type parker struct{}

func (c *conn) parks() bool             { return false }
func (c *conn) startParking()           {}
func (c *conn) park([]byte, bool) error { return nil }

// alive cannot look without waiting here.
func (c *conn) alive() bool { return true }

type glance struct{ net.Conn }

func newGlance(nc net.Conn) *glance { return &glance{nc} }
