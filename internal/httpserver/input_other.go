//go:build !unix

package httpserver

func (c *conn) parks() bool                      { return false }
func (c *conn) park() error                      { return nil }
func (c *conn) move(uintptr) bool                { return true }
func (c *conn) clientLeft(nothingMore bool) bool { return false }
func (c *conn) hasUnread() bool                  { return false }
