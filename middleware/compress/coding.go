package compress

import (
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

type encoder interface {
	io.Writer
	Flush() error
	Close() error
	Reset(io.Writer)
}

// A coding is an encoding with its spare encoders.
type coding struct {
	name [1]string
	cost int64 // an encoder's memory, at most
	pool sync.Pool
}

// The settings keep an encoder within its cost. The zstd window is far below the 8 MiB that every client must
// support (RFC 8878, section 3.1.1.1.2, and RFC 9659).
const (
	zstdWindow  = 256 << 10
	brotliLevel = 5
	brotliBits  = 18
	gzipLevel   = 5
)

func newCoding(index int) *coding {
	switch index {
	case zstdCoding:
		return &coding{name: [1]string{Zstd}, cost: 1 << 20, pool: sync.Pool{New: func() any { return newZstd() }}}
	case brCoding:
		return &coding{name: [1]string{Brotli}, cost: 4 << 20, pool: sync.Pool{New: func() any {
			return brotli.NewWriterOptions(nil, brotli.WriterOptions{Quality: brotliLevel, LGWin: brotliBits})
		}}}
	}
	return &coding{name: [1]string{Gzip}, cost: 1 << 20, pool: sync.Pool{New: func() any {
		w, err := gzip.NewWriterLevel(nil, gzipLevel)
		if err != nil {
			panic(err) // the level is a constant
		}
		return w
	}}}
}

// newZstd makes an encoder that works on the caller's goroutine only.
func newZstd() *zstd.Encoder {
	w, err := zstd.NewWriter(nil,
		zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false),
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(zstdWindow))
	if err != nil {
		panic(err) // the options are constants
	}
	return w
}

func (c *coding) get(w io.Writer) encoder {
	e := c.pool.Get().(encoder)
	e.Reset(w)
	return e
}

// put takes back an encoder that has finished. One that has not is left to the
// garbage collector.
func (c *coding) put(e encoder) {
	e.Reset(nil)
	c.pool.Put(e)
}
