//go:build !poison

package httpserver

// recycle keeps e for the next request of the connection.
func (c *conn) recycle(e *exchange) {
	if e.reusable {
		e.reset()
		c.spare = e
	}
}
