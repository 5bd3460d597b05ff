//go:build !poison

package httpserver

// recycle gives e to other requests, of any connection: what was used a moment
// ago is still in the processor's caches.
func (c *conn) recycle(e *exchange) {
	if e.reusable {
		e.reset()
		exchanges.Put(e)
	}
}
