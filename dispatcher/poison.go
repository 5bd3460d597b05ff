//go:build poison

package dispatcher

import "github.com/mountd/mountd/internal/request"

// Poison makes a match that was released unusable, see [request.Pool].
func (m *match) Poison() {
	m.req = *request.Poison()
	m.Context, m.url.Path = m.req.Context(), m.req.Method
	m.req.URL = &m.url
	m.script, m.rawScript = m.req.Method, m.req.Method
}
