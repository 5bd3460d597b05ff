package session

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// values are what a session holds, in the order in which keys came. Encoded,
// they are a format byte and, for each, the lengths (uvarint) and bytes of key
// and value. Sessions hold few keys: a list is quicker than a map.
type values struct {
	pairs []pair
	size  int // encoded
}

type pair struct{ key, value string }

const valuesFormat = 1

func (v *values) index(key string) int {
	return slices.IndexFunc(v.pairs, func(p pair) bool { return p.key == key })
}

func (v *values) get(key string) (string, bool) {
	if i := v.index(key); i >= 0 {
		return v.pairs[i].value, true
	}
	return "", false
}

// sizeWith is the encoded size if key had value.
func (v *values) sizeWith(key, value string) int {
	n := max(v.size, 1) + (pair{key, value}).size()
	if i := v.index(key); i >= 0 {
		n -= v.pairs[i].size()
	}
	return n
}

func (v *values) set(key, value string) {
	v.size = v.sizeWith(key, value)
	if i := v.index(key); i >= 0 {
		v.pairs[i].value = value
		return
	}
	v.pairs = append(v.pairs, pair{key, value})
}

func (v *values) remove(key string) {
	if i := v.index(key); i >= 0 {
		v.size -= v.pairs[i].size()
		v.pairs = slices.Delete(v.pairs, i, i+1)
	}
}

func (p pair) size() int {
	return uvarintSize(len(p.key)) + len(p.key) + uvarintSize(len(p.value)) + len(p.value)
}

func uvarintSize(n int) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], uint64(n))
}

func (v *values) encode() []byte {
	b := make([]byte, 1, max(v.size, 1))
	b[0] = valuesFormat
	for _, p := range v.pairs {
		b = binary.AppendUvarint(b, uint64(len(p.key)))
		b = append(b, p.key...)
		b = binary.AppendUvarint(b, uint64(len(p.value)))
		b = append(b, p.value...)
	}
	return b
}

// decodeValues reads what encode wrote.
func decodeValues(b []byte) (values, error) {
	if len(b) == 0 || b[0] != valuesFormat {
		return values{}, fmt.Errorf("%w: the values have another format", ErrMalformed)
	}
	v := values{size: len(b)}
	rest := string(b[1:]) // shared by all keys and values
	if n := len(rest) / 16; n > 0 {
		v.pairs = make([]pair, 0, min(n, 8))
	}
	for rest != "" {
		var p pair
		var ok bool
		if p.key, rest, ok = cutText(rest); ok {
			p.value, rest, ok = cutText(rest)
		}
		if !ok {
			return values{}, fmt.Errorf("%w: the values end too early", ErrMalformed)
		}
		v.pairs = append(v.pairs, p)
	}
	return v, nil
}

// cutText reads a length and as many bytes off s. A length in more bytes than
// it needs is refused, so that sizes stay true.
func cutText(s string) (text, rest string, ok bool) {
	var n uint64
	for i := 0; i < len(s) && i < 5; i++ {
		c := s[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			s = s[i+1:]
			if n > uint64(len(s)) || i > 0 && c == 0 {
				return "", "", false
			}
			return s[:n], s[n:], true
		}
	}
	return "", "", false
}
