package wire

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Limits of the chunked coding.
const (
	// MaxChunkLine bounds a chunk's size line without its CR LF. Whoever feeds
	// a [Chunked] needs a buffer that holds a line of this size.
	MaxChunkLine = 4 << 10

	// MaxChunkExtensions bounds what all chunk extensions and needless zeros
	// of a body add up to, beyond one byte in 16 of the body's data.
	MaxChunkExtensions = 64 << 10

	// MaxTrailer and MaxTrailerFields bound the trailer section.
	MaxTrailer       = 8 << 10
	MaxTrailerFields = 32

	maxDigits = 16 // of a chunk size
)

// What can be wrong with a chunked body.
var (
	errChunkLine   = bad("RFC 9112, section 7.1", "a line of a chunked body that does not end in CR LF")
	errChunkLong   = bad("", "too long a line in a chunked body")
	errChunkSize   = bad("RFC 9112, section 7.1", "an invalid chunk size")
	errChunkExt    = bad("RFC 9112, section 7.1.1", "an invalid chunk extension")
	errChunkFlood  = bad("", "more chunk extensions than data")
	errChunkEnd    = bad("RFC 9112, section 7.1", "a chunk longer than its size")
	errTrailerSize = &problem{http.StatusRequestHeaderFieldsTooLarge, "too large a trailer section", "RFC 6585, section 5"}
)

type chunkState uint8

const (
	chunkSize    chunkState = iota // a size line comes next
	chunkData                      // left bytes of data, then CR LF
	chunkTrailer                   // a trailer field or the last line
	chunkOver
)

// Chunked takes the chunked coding off a body, RFC 9112 section 7.1. Its owner
// feeds it what has come. The zero value is ready for a body.
type Chunked struct {
	state   chunkState
	left    int64 // of the chunk's data
	total   int64 // bytes of data so far
	extra   int64 // bytes of size lines beyond the plain ones
	section int   // bytes of the trailer section so far
	trailer []Field
	err     error
}

// Reset makes c ready for another body.
func (c *Chunked) Reset() { *c = Chunked{} }

// Next takes b[:n] of what has come. Of that, data is a part of the body; it is
// empty where only syntax was taken. When nothing was taken (n is 0) and there
// is no error, b must grow first: a line or the end of a chunk is not complete.
//
// The error is [io.EOF] once the body and its trailer section are complete; n
// then counts their last bytes. Otherwise it is an [*Error]. Both are final.
// How the body was divided between calls makes no difference to what comes of
// it.
func (c *Chunked) Next(b []byte) (data []byte, n int, err error) {
	for c.err == nil {
		if c.left > 0 {
			m := int(min(int64(len(b)-n), c.left))
			c.left -= int64(m)
			c.total += int64(m)
			return b[n : n+m], n + m, nil
		}
		m := 0
		switch c.state {
		case chunkSize:
			m = c.sizeLine(b[n:])
		case chunkData:
			m = c.dataEnd(b[n:])
		case chunkTrailer:
			m = c.trailerLine(b[n:])
		}
		if m == 0 {
			break
		}
		n += m
	}
	return nil, n, c.err
}

// Trailer gives the trailer fields once Next has given [io.EOF]: those that
// [TrailerAllowed] lets pass. The others are dropped.
func (c *Chunked) Trailer() []Field { return c.trailer }

// Complete reports whether Next has given [io.EOF].
func (c *Chunked) Complete() bool { return c.state == chunkOver }

func (c *Chunked) fail(p *problem, s []byte) int {
	c.err = p.at(string(s[:min(len(s), maxExcerpt)]))
	return 0
}

func (c *Chunked) dataEnd(b []byte) int {
	switch {
	case len(b) > 0 && b[0] != '\r':
		return c.fail(errChunkEnd, b[:1])
	case len(b) < 2:
		return 0
	case b[1] != '\n':
		return c.fail(errChunkEnd, b[:2])
	}
	c.state = chunkSize
	return 2
}

// line gives the length of the line at the start of b without its CR LF, or -1
// while it is not complete.
func (c *Chunked) line(b []byte, limit int, long *problem) int {
	i := bytes.IndexByte(b[:min(len(b), limit+2)], '\n')
	switch {
	case i < 0 && len(b) >= limit+2:
		c.fail(long, b)
		return -1
	case i < 0:
		return -1
	case i == 0 || b[i-1] != '\r':
		c.fail(errChunkLine, b[:i])
		return -1
	}
	return i - 1
}

// sizeLine reads
//
//	chunk-size [ chunk-ext ] CRLF      chunk-size = 1*HEXDIG
//	chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
//
// An extension may be any text here: nobody looks at it. The blanks that the
// RFC lets bad senders put before the first ";" are refused, as net/http and
// llhttp do: readers have differed about what is a size with blanks behind it.
func (c *Chunked) sizeLine(b []byte) int {
	size, digits := uint64(0), 0
	for digits < len(b) && digits < maxDigits {
		v := unhex(b[digits])
		if v > 15 {
			break
		}
		size = size<<4 | uint64(v)
		digits++
	}
	end := digits
	if digits+1 >= len(b) || b[digits] != '\r' || b[digits+1] != '\n' {
		if end = c.line(b, MaxChunkLine, errChunkLong); end < 0 {
			return 0
		}
	}
	if digits == 0 || digits < end && b[digits] != ';' || size > math.MaxInt64 {
		return c.fail(errChunkSize, b[:end])
	}
	if end > digits || digits > 8 {
		if err := c.takeExtra(b[digits:end], digits-8); err != nil {
			return c.fail(err, b[:end])
		}
	}
	c.left, c.state = int64(size), chunkData
	if size == 0 {
		c.state = chunkTrailer
	}
	return end + 2
}

// takeExtra looks at an extension, and books it and needless digits against
// the limit.
func (c *Chunked) takeExtra(ext []byte, digits int) *problem {
	for _, x := range ext {
		if classes[x]&classText == 0 {
			return errChunkExt
		}
	}
	c.extra += int64(len(ext) + max(0, digits))
	if c.extra > MaxChunkExtensions+c.total/16 {
		return errChunkFlood
	}
	return nil
}

func (c *Chunked) trailerLine(b []byte) int {
	end := c.line(b, MaxTrailer-c.section, errTrailerSize)
	switch {
	case end < 0:
		return 0
	case end == 0:
		c.state, c.err = chunkOver, io.EOF
		return 2
	}
	k, value, n, err := cutField(string(b[:end+2]))
	if err != nil {
		c.err = err
		return 0
	}
	if c.section += n; c.section > MaxTrailer || len(c.trailer) == MaxTrailerFields {
		return c.fail(errTrailerSize, b[:n])
	}
	if TrailerAllowed(k.name) {
		c.trailer = append(c.trailer, Field{k.name, value})
	}
	return n
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// TrailerAllowed tells the names of fields, in their canonical form, that may
// follow a body: none that frames or routes a message, controls it or carries
// credentials, RFC 9110 section 6.5.1.
func TrailerAllowed(name string) bool {
	switch name {
	case "Age", "Alt-Svc", "Authorization", "Cache-Control", "Connection", "Content-Encoding", "Content-Length",
		"Content-Range", "Content-Type", "Cookie", "Date", "Expect", "Expires", "Forwarded", "Host", "Http2-Settings",
		"Keep-Alive", "Location", "Max-Forwards", "Pragma", "Proxy-Authenticate", "Proxy-Authorization",
		"Proxy-Connection", "Range", "Retry-After", "Set-Cookie", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Vary", "Warning", "Www-Authenticate", "X-Real-Ip":
		return false
	}
	return !strings.HasPrefix(name, "X-Forwarded-") && !strings.HasPrefix(name, "Remote-")
}

// LastChunk ends a chunked body without a trailer section.
const LastChunk = "0\r\n\r\n"

// MaxChunkHeader is the most that [AppendChunkSize] appends.
const MaxChunkHeader = 16 + 2

// AppendChunkSize appends the size line of a chunk of n bytes, n > 0. After the
// data comes CR LF.
func AppendChunkSize(dst []byte, n int) []byte {
	return append(strconv.AppendUint(dst, uint64(n), 16), '\r', '\n')
}
