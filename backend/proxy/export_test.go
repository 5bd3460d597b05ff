package proxy

import (
	"io"
	"net"
	"net/http"
)

// ParseHead is parse for the fuzz test, with what it found as net/http
// would say it.
func ParseHead(block []byte) (status int, length int64, chunked, closes bool, fields http.Header, err error) {
	var h head
	if err := h.parse(block, "GET"); err != nil {
		return 0, 0, false, false, nil, err
	}
	fields = http.Header{}
	for _, f := range h.Fields {
		fields[f.Name] = append(fields[f.Name], f.Value)
	}
	return h.Status, h.Declared, h.Chunked, h.Close, fields, nil
}

// Dechunk reads a whole chunked body from b, and tells how much of b it took.
func Dechunk(b []byte) (body []byte, rest int, err error) {
	c := &conn{buf: b, w: len(b), net: endOfInput{}}
	cr := &chunkReader{c: c}
	for {
		p, err := cr.next()
		body = append(body, p...)
		if err != nil {
			return body, c.w - c.r, err
		}
	}
}

type endOfInput struct{ net.Conn }

func (endOfInput) Read([]byte) (int, error) { return 0, io.EOF }

// CheckHTTP2 is what overHTTP2 asks of an answer's head.
func CheckHTTP2(resp *http.Response) error { return new(head).fromHTTP2(resp) }
