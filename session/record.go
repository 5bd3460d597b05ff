package session

import (
	"encoding/binary"
	"fmt"
	"time"
)

// recordFormat is the first byte of an encoded record. The layout behind it:
// version, created, seen, expires, deadline (8 bytes each, big endian, times in
// milliseconds of Unix time), length of the user (uvarint), user, data.
const recordFormat = 1

const recordHead = 1 + 5*8

// maxUser bounds the name of a session's user in bytes.
const maxUser = 1024

// AppendRecord appends rec to b, in a form that [ParseRecord] reads. Token and
// Handle are left out. The version stands in bytes 1 to 8, big endian.
func AppendRecord(b []byte, rec Record) []byte {
	b = append(b, recordFormat)
	b = binary.BigEndian.AppendUint64(b, rec.Version)
	for _, t := range [...]time.Time{rec.Created, rec.Seen, rec.Expires, rec.Deadline} {
		b = binary.BigEndian.AppendUint64(b, uint64(t.UnixMilli()))
	}
	b = binary.AppendUvarint(b, uint64(len(rec.User)))
	b = append(b, rec.User...)
	return append(b, rec.Data...)
}

// ParseRecord reads what [AppendRecord] wrote; the record's Data points into b.
// Anything else is an error that wraps [ErrMalformed].
func ParseRecord(b []byte) (Record, error) {
	if len(b) < recordHead+1 {
		return Record{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	if b[0] != recordFormat {
		return Record{}, fmt.Errorf("%w: format %d is not known", ErrMalformed, b[0])
	}
	rec := Record{Version: binary.BigEndian.Uint64(b[1:])}
	for i, t := range [...]*time.Time{&rec.Created, &rec.Seen, &rec.Expires, &rec.Deadline} {
		ms := int64(binary.BigEndian.Uint64(b[9+8*i:]))
		if ms < 0 || ms > maxTime {
			return Record{}, fmt.Errorf("%w: a time out of range", ErrMalformed)
		}
		*t = time.UnixMilli(ms)
	}
	n, k := binary.Uvarint(b[recordHead:])
	rest := b[recordHead:]
	if k <= 0 || n > maxUser || n > uint64(len(rest)-k) {
		return Record{}, fmt.Errorf("%w: the user's length", ErrMalformed)
	}
	rest = rest[k:]
	rec.User, rec.Data = string(rest[:n]), rest[n:]
	if rec.Version == 0 {
		return Record{}, fmt.Errorf("%w: version 0", ErrMalformed)
	}
	return rec, nil
}

// maxTime is the end of the year 9999, in milliseconds.
const maxTime = 253402300799999
