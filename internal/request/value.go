package request

import "sync"

// HeaderValue gives v as the only value of a header field. It costs no
// allocation of its own, most of the time: many values share one. Nobody else
// gets the slice, which has no room for more.
func HeaderValue(v string) []string {
	b := blocks.Get().(*block)
	i := b.used
	b.values[i] = v
	if b.used++; b.used < len(b.values) {
		blocks.Put(b)
	}
	return b.values[i : i+1 : i+1]
}

// A block is filled once and then left to whoever has its values.
type block struct {
	used   int
	values [31]string // with used, 512 bytes
}

var blocks = sync.Pool{New: func() any { return new(block) }}
