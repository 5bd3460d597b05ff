package proxy

import (
	"errors"
	"io"

	"github.com/mountd/mountd/internal/wire"
)

// A chunkReader takes chunked coding off what a connection gives.
type chunkReader struct {
	c    *conn
	wait func() // called before waiting for more; may be nil
	wire.Chunked
}

// next gives a piece of data, which stays valid until the following call, and
// io.EOF after the last chunk and the trailers.
func (cr *chunkReader) next() ([]byte, error) {
	for {
		data, n, err := cr.Next(cr.c.buffered())
		cr.c.r += n
		switch {
		case len(data) > 0:
			return data, nil
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		case err != nil:
			return nil, malformed("%w", err)
		case n == 0:
			if err := cr.fill(); err != nil {
				return nil, err
			}
		}
	}
}

// fill reads more; an end here is too early.
func (cr *chunkReader) fill() error {
	if cr.wait != nil {
		cr.wait()
	}
	return early(cr.c.fill())
}
