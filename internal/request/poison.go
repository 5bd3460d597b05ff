//go:build poison

package request

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// With the build tag "poison", nothing is used for another request. What was
// released is made unusable instead, so that tests fail where something still
// uses it.

func recycle(rec *Record) {
	rec.Context = poisoned{}
	rec.URL = url.URL{Scheme: "poison", Path: poison}
	rec.Request = *Poison()
	rec.Request.URL = &rec.URL
	rec.Writer.ResponseWriter = poisoned{}
	rec.ID, rec.Scheme, rec.Host, rec.HostPort, rec.Prefix = poison, poison, poison, poison, poison
	rec.Path, rec.RawPath, rec.Mount, rec.User, rec.Upstream = poison, poison, poison, poison, poison
	rec.Identity = poisoned{}
	rec.Fail = func(http.ResponseWriter, *http.Request, error) { panic(late) }
}

func recyclePart(_ *sync.Pool, _, value any) {
	if p, ok := value.(interface{ Poison() }); ok {
		p.Poison()
	}
}

const (
	poison = "POISON"
	late   = "request: used after its end"
)

// Poison gives what takes the place of a request that has ended.
func Poison() *http.Request {
	return (&http.Request{Method: poison, Host: poison, RequestURI: poison, RemoteAddr: poison}).WithContext(poisoned{})
}

// poisoned is a context and a response writer for nobody.
type poisoned struct{}

var _ context.Context = poisoned{}

func (poisoned) Deadline() (time.Time, bool) { panic(late) }
func (poisoned) Done() <-chan struct{}       { panic(late) }
func (poisoned) Err() error                  { panic(late) }
func (poisoned) Value(any) any               { panic(late) }
func (poisoned) Header() http.Header         { panic(late) }
func (poisoned) Write([]byte) (int, error)   { panic(late) }
func (poisoned) WriteHeader(int)             { panic(late) }
