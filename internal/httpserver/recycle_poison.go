//go:build poison

package httpserver

import (
	"context"
	"net/http"
	"net/url"
)

// recycle makes whatever a handler kept against its promise useless, so that a
// late use shows.
func (c *conn) recycle(e *exchange) {
	if !e.reusable {
		return
	}
	clear(e.header)
	e.header["Poison"] = []string{"poison"}
	for i := range e.values {
		e.values[i] = "POISON"
	}
	e.url = url.URL{Scheme: "poison", Path: "POISON"}
	e.req = http.Request{Method: "POISON", URL: &e.url, RequestURI: "POISON", Host: "poison"}
	e.ctx.parent = poisoned{context.Background()}
	clear(e.res.header)
	e.res.header = nil
}

// A poisoned context fails whoever asks it.
type poisoned struct{ context.Context }

func (poisoned) Value(any) any { panic("the context of a request that was given back is used") }
func (poisoned) Err() error    { panic("the context of a request that was given back is used") }
