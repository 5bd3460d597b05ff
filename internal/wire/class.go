package wire

import (
	"math/bits"
	"strings"
)

// Classes of bytes.
const (
	classToken  = 1 << iota // token, RFC 9110 section 5.6.2
	classText               // may stand in a field value: HTAB, blank, visible, obs-text; section 5.5
	classTarget             // may stand in a request target
	classDigit              // 0-9
	className               // may stand in a host name
)

var classes = func() (t [256]uint8) {
	for i := range t {
		c := byte(i)
		alnum := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if alnum || c < 0x80 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			t[c] |= classToken
		}
		if c == '\t' || c >= ' ' && c != 0x7f {
			t[c] |= classText
		}
		if c > ' ' && c != 0x7f && c != '#' {
			t[c] |= classTarget
		}
		if '0' <= c && c <= '9' {
			t[c] |= classDigit
		}
		if alnum || c == '-' || c == '_' {
			t[c] |= className
		}
	}
	return t
}()

// all reports whether every byte of s is of one of the classes. An empty string
// has none that is not.
func all(s string, class uint8) bool {
	for i := range len(s) {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

// IsToken reports whether s is a token, RFC 9110 section 5.6.2.
func IsToken(s string) bool { return s != "" && all(s, classToken) }

// IsValue reports whether s may be a field value, RFC 9110 section 5.5, not
// considering blanks at its ends: HTAB, blank, visible bytes and those above
// 0x7f.
func IsValue(s string) bool { return all(s, classText) }

// Trim cuts optional white space, RFC 9110 section 5.6.3, off both ends.
func Trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// equalFold compares a with lower, which is in lower case, in ASCII alone: what
// Unicode folds to a letter is not that letter.
func equalFold(a, lower string) bool {
	if len(a) != len(lower) {
		return false
	}
	for i := range len(a) {
		c := a[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// nextControl gives the index of the first control byte of s from i on, HTAB
// and DEL included, or len(s). It looks at eight bytes at once.
func nextControl[T string | []byte](s T, i int) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; len(s)-i >= 8; i += 8 {
		w := s[i : i+8]
		x := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
			uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
		del := x ^ 0x7f*ones
		// A borrow only ever marks bytes above one that is rightly marked.
		if m := ((x-0x20*ones)&^x | (del-ones)&^del) & high; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == 0x7f {
			break
		}
	}
	return i
}
