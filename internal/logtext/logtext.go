// Package logtext writes texts that strangers have chosen into log lines: one
// line stays one line, a terminal is not driven by it, and secrets in URLs
// stay out.
package logtext

import "unicode/utf8"

// Style says how a text is escaped.
type Style uint8

const (
	JSON  Style = iota // as the inside of a JSON string, UTF-8
	ASCII              // \xNN for every byte beyond visible ASCII, \" and \\, as Apache's logs have it
	Plain              // \xNN and \u{NNNN} for control and invisible direction characters only; backslashes stay
)

const hex = "0123456789abcdef"

// Append appends s to b, escaped.
func Append(b []byte, s string, style Style) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f && (c != '"' && c != '\\' || style == Plain) {
			i++
			continue
		}
		size := 1
		r := rune(c)
		if c >= utf8.RuneSelf && style != ASCII {
			if r, size = utf8.DecodeRuneInString(s[i:]); !hidden(r) && (r != utf8.RuneError || size > 1) {
				i += size
				continue
			}
		}
		b = append(b, s[start:i]...)
		b = escape(b, c, r, size, style)
		i += size
		start = i
	}
	return append(b, s[start:]...)
}

// escape writes the rune r of the given size, whose first byte is c. Invalid
// UTF-8 has size 1.
func escape(b []byte, c byte, r rune, size int, style Style) []byte {
	if style == JSON {
		return escapeJSON(b, r)
	}
	switch {
	case c == '"' || c == '\\':
		return append(b, '\\', c)
	case size == 1:
		return append(b, '\\', 'x', hex[c>>4], hex[c&15])
	}
	return append(b, '\\', 'u', '{', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15], '}')
}

func escapeJSON(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// hidden reports the characters that drive terminals (C1), break lines or
// turn the direction of what follows. All lie in the first plane.
func hidden(r rune) bool {
	switch {
	case r < 0xa0, r == 0x061c, r == 0x200e, r == 0x200f, r == 0xfeff:
		return true
	case 0x2028 <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069:
		return true
	}
	return false
}

// Printable gives s in the Plain style.
func Printable(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return string(Append(make([]byte, 0, len(s)+16), s, Plain))
		}
	}
	return s
}
