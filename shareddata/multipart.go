package shareddata

import (
	"crypto/rand"
	"strconv"
)

func (p span) contentRange(size string) string {
	b := append(make([]byte, 0, 64), "bytes "...)
	b = strconv.AppendInt(b, p.start, 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, p.start+p.length-1, 10)
	b = append(b, '/')
	return string(append(b, size...))
}

// multipart is what stands around the parts of a multipart/byteranges answer.
type multipart struct {
	boundary string
	heads    []string
	tail     string
	length   int64 // of everything
}

func newMultipart(rep *representation, spans []span) multipart {
	m := multipart{boundary: rand.Text(), heads: make([]string, len(spans))}
	for i, part := range spans {
		m.heads[i] = "\r\n--" + m.boundary + "\r\nContent-Type: " + rep.contentType[0] +
			"\r\nContent-Range: " + part.contentRange(rep.length[0]) + "\r\n\r\n"
		if i == 0 {
			m.heads[i] = m.heads[i][2:]
		}
		m.length += int64(len(m.heads[i])) + part.length
	}
	m.tail = "\r\n--" + m.boundary + "--\r\n"
	m.length += int64(len(m.tail))
	return m
}
