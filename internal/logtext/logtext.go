// Package logtext writes texts that strangers have chosen into log lines: one
// line stays one line, a terminal is not driven by it, and secrets in URLs
// stay out.
package logtext

import (
	"strings"
	"unicode/utf8"
)

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

// Redactor hides the values of query parameters. Its zero value hides none.
// It is safe for concurrent use.
type Redactor struct{ names []string }

// NewRedactor hides the parameters with these names, in upper or lower case
// and however they are percent-encoded. A name hides longer ones too of which
// it is a word: "token" hides access_token and user[token].
func NewRedactor(names []string) *Redactor {
	return &Redactor{append([]string(nil), names...)}
}

const redacted = "REDACTED"

// AppendQuery appends a query, escaped.
func (r *Redactor) AppendQuery(b []byte, query string, style Style) []byte {
	if len(r.names) == 0 || strings.IndexByte(query, '=') < 0 {
		return Append(b, query, style)
	}
	for {
		end := strings.IndexAny(query, "&;")
		pair := query
		if end >= 0 {
			pair = query[:end]
		}
		if eq := strings.IndexByte(pair, '='); eq >= 0 && r.hides(pair[:eq]) {
			b = append(Append(b, pair[:eq+1], style), redacted...)
		} else {
			b = Append(b, pair, style)
		}
		if end < 0 {
			return b
		}
		b = append(b, query[end])
		query = query[end+1:]
	}
}

// AppendText appends a text that may hold URLs, such as a Referer or an
// error, escaped and with their queries redacted.
func (r *Redactor) AppendText(b []byte, s string, style Style) []byte {
	for {
		q := strings.IndexByte(s, '?')
		if q < 0 || len(r.names) == 0 {
			return Append(b, s, style)
		}
		b = Append(b, s[:q+1], style)
		s = s[q+1:]
		end := strings.IndexAny(s, " \t\r\n\"'<>#?")
		if end < 0 {
			end = len(s)
		}
		b = r.AppendQuery(b, s[:end], style)
		s = s[end:]
		if len(s) > 0 && s[0] != '?' {
			b = Append(b, s[:1], style)
			s = s[1:]
		}
	}
}

// Text gives s in the Plain style and with its queries redacted.
func (r *Redactor) Text(s string) string {
	return string(r.AppendText(make([]byte, 0, len(s)+16), s, Plain))
}

// hides decodes a parameter's name and looks for it and for its parts. A name
// too long to be looked at is hidden.
func (r *Redactor) hides(name string) bool {
	var buf [96]byte
	n := 0
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '%' && i+2 < len(name) {
			if hi, lo := unhex(name[i+1]), unhex(name[i+2]); hi >= 0 && lo >= 0 {
				c = byte(hi<<4 | lo)
				i += 2
			}
		}
		if n == len(buf) {
			return true
		}
		buf[n] = c
		n++
	}
	decoded := buf[:n]
	return r.lists(decoded) || r.anyPart(decoded, bracket) || r.anyPart(decoded, separator)
}

func (r *Redactor) anyPart(name []byte, cut func(byte) bool) bool {
	start := 0
	for i, c := range name {
		if cut(c) {
			if i > start && r.lists(name[start:i]) {
				return true
			}
			start = i + 1
		}
	}
	return start < len(name) && r.lists(name[start:])
}

func (r *Redactor) lists(name []byte) bool {
	for _, listed := range r.names {
		if len(listed) == len(name) && strings.EqualFold(listed, string(name)) {
			return true
		}
	}
	return false
}

func bracket(c byte) bool { return c == '[' || c == ']' || c == '.' }

func separator(c byte) bool {
	return !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c >= utf8.RuneSelf)
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
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
