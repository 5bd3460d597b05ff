package request

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
)

// reuse is what a record knows of its own use for further requests.
type reuse struct {
	pooled   bool        // came from Acquire
	reusable bool        // someone has vouched for the layers
	kept     atomic.Bool // set by whatever may outlive the request, on any goroutine
	parts    part        // of layers, released together with the record
}

var records = sync.Pool{New: func() any { return new(Record) }}

// A Recycler is a response writer of a server that uses the writer, the request
// with its context, and the header maps for further requests once it is told,
// at the end of ServeHTTP, that nobody has kept them.
type Recycler interface{ Recycle() }

// Acquire is [New] with a record that may have served other requests before.
// Whoever calls it calls [Record.Release] when the request has been served.
func Acquire(w http.ResponseWriter, r *http.Request) *Record {
	rec := records.Get().(*Record)
	rec.pooled = true
	rec.begin(w, r)
	return rec
}

// Reusable says that all of what serves the request keeps neither the request,
// nor its context or response writer, once it has returned, unless it calls
// [Record.Keep]. Without that, a record serves one request.
func (rec *Record) Reusable() { rec.reusable = true }

// Keep says that something may still use the record when the request has been
// served: the record itself, its request, its response writer, or what a [Pool]
// gave for it. All of them are left to the garbage collector. Whoever recovers
// a panic calls it too, since nobody knows where that came from. It may be
// called from any goroutine, before the request has been served; nil is fine.
func (rec *Record) Keep() {
	if rec != nil && !rec.kept.Load() {
		rec.kept.Store(true)
	}
}

// Keep is [Record.Keep] for the record of ctx, if it has one.
func Keep(ctx context.Context) { From(ctx).Keep() }

// Release ends the record's request. It reports whether nobody has kept the
// record; then it may be another request's at once.
func (rec *Record) Release() bool {
	if !rec.pooled || !rec.reusable || rec.kept.Load() || rec.Writer.Hijacked() {
		return false
	}
	for p := rec.parts; p != nil; {
		p = p.release()
	}
	*rec = Record{}
	recycle(rec)
	return true
}

// A Pool holds what one layer needs for each request, for further requests. The
// zero value is ready. It is safe for concurrent use.
type Pool[T any] struct{ spare sync.Pool }

// Get gives a value for rec's request, zero or as its own method Clear has left
// it. It lives as long as the record and is kept with it. Without a record it
// is a new one.
func (p *Pool[T]) Get(rec *Record) *T {
	if rec == nil || !rec.pooled {
		return new(T)
	}
	o, _ := p.spare.Get().(*owned[T])
	if o == nil {
		o = &owned[T]{pool: p}
	}
	o.next, rec.parts = rec.parts, o
	return &o.value
}

// part is a value of a [Pool] that a record has.
type part interface{ release() (next part) }

type owned[T any] struct {
	value T
	pool  *Pool[T]
	next  part
}

func (o *owned[T]) release() part {
	next := o.next
	o.next = nil
	if c, ok := any(&o.value).(interface{ Clear() }); ok {
		c.Clear()
	} else {
		var zero T
		o.value = zero
	}
	recyclePart(&o.pool.spare, o, &o.value)
	return next
}
