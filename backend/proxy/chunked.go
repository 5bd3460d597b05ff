package proxy

import (
	"bytes"
	"errors"
	"io"
)

// maxChunkLine bounds a chunk's size line, maxExtensions what all chunk
// extensions and leading zeros of one body may add up to beyond 1 byte in 16.
const (
	maxChunkLine  = 4 << 10
	maxExtensions = 64 << 10
)

// A chunkReader takes chunked coding off what a connection gives. It is
// strict: RFC 9112 section 7.1 and no more.
type chunkReader struct {
	c       *conn
	wait    func() // called before waiting for more; may be nil
	left    int64  // of the current chunk
	inChunk bool
	done    bool
	body    int64 // bytes of data so far
	extra   int64 // bytes of size lines beyond the plain ones
	trailer []field
}

// next gives a piece of data, which stays valid until the following call, and
// io.EOF after the last chunk and the trailers.
func (cr *chunkReader) next() ([]byte, error) {
	if cr.done {
		return nil, io.EOF
	}
	if cr.inChunk && cr.left == 0 {
		if err := cr.expectLineEnd(); err != nil {
			return nil, err
		}
	}
	if !cr.inChunk {
		if err := cr.sizeLine(); err != nil {
			return nil, err
		}
		if cr.left == 0 {
			return nil, cr.trailers()
		}
	}
	c := cr.c
	if c.r == c.w {
		if err := cr.fill(); err != nil {
			return nil, err
		}
	}
	p := c.buffered()
	if int64(len(p)) > cr.left {
		p = p[:cr.left]
	}
	c.r += len(p)
	cr.left -= int64(len(p))
	cr.body += int64(len(p))
	return p, nil
}

// fill reads more; an end here is too early.
func (cr *chunkReader) fill() error {
	if cr.wait != nil {
		cr.wait()
	}
	err := cr.c.fill()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (cr *chunkReader) expectLineEnd() error {
	for cr.c.w-cr.c.r < 2 {
		if err := cr.fill(); err != nil {
			return err
		}
	}
	if b := cr.c.buffered(); b[0] != '\r' || b[1] != '\n' {
		return malformed("a chunk longer than its size")
	}
	cr.c.r += 2
	cr.inChunk = false
	return nil
}

// line gives the next line without its end.
func (cr *chunkReader) line(limit int) ([]byte, error) {
	for {
		b := cr.c.buffered()
		i := bytes.IndexByte(b, '\n')
		if i > limit || i < 0 && len(b) > limit {
			return nil, malformed("a line of more than %d bytes in a chunked body", limit)
		}
		if i >= 0 {
			if i == 0 || b[i-1] != '\r' {
				return nil, malformed("a line of a chunked body that does not end in CR LF")
			}
			cr.c.r += i + 1
			return b[:i-1], nil
		}
		if err := cr.fill(); err != nil {
			return nil, err
		}
	}
}

func (cr *chunkReader) sizeLine() error {
	line, err := cr.line(maxChunkLine)
	if err != nil {
		return err
	}
	digits, ext := line, []byte(nil)
	if i := bytes.IndexByte(line, ';'); i >= 0 {
		digits, ext = line[:i], line[i:]
	}
	if len(digits) == 0 || len(digits) > 15 {
		return malformed("chunk size %.20q", line)
	}
	var n int64
	for _, d := range digits {
		v := unhex(d)
		if v > 15 {
			return malformed("chunk size %.20q", line)
		}
		n = n<<4 | int64(v)
	}
	for _, b := range ext {
		if classes[b]&classValue == 0 {
			return malformed("chunk extension %.20q", ext)
		}
	}
	cr.extra += int64(len(ext)) + int64(max(0, len(digits)-8))
	if cr.extra > maxExtensions+cr.body/16 {
		return malformed("more chunk extensions than data")
	}
	cr.left, cr.inChunk = n, true
	return nil
}

func (cr *chunkReader) trailers() error {
	total := 0
	for {
		line, err := cr.line(maxHead)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			cr.done = true
			return io.EOF
		}
		total += len(line)
		if total > maxHead || len(cr.trailer) == maxFields {
			return malformed("too many trailers")
		}
		name, value, err := cutField(string(line))
		if err != nil {
			return err
		}
		if trailerAllowed(name) {
			cr.trailer = append(cr.trailer, field{name, value})
		}
	}
}
