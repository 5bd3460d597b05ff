//go:build !linux

package httpserver

// flushMore sends what is pending.
func (c *conn) flushMore() error { return c.flush() }
