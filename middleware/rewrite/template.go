package rewrite

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// template is a replacement: literal texts, each followed by a capture.
type template []piece

type piece struct {
	text  string
	group int // of the capture after the text; 0: none
}

func parseTemplate(s string, re *regexp.Regexp) (template, error) {
	var t template
	var text strings.Builder
	for s != "" {
		name, n := reference(s)
		switch {
		case n == 0:
			text.WriteByte(s[0])
			n = 1
		case name == "$":
			text.WriteByte('$')
		default:
			group, err := groupOf(name, re)
			if err != nil {
				return nil, err
			}
			t = append(t, piece{text.String(), group})
			text.Reset()
		}
		s = s[n:]
	}
	return append(t, piece{text: text.String()}), nil
}

// reference gives the name that s begins with a reference to, and the length
// of that; 0 if it does not.
func reference(s string) (name string, n int) {
	switch {
	case strings.HasPrefix(s, "$$"):
		return "$", 2
	case strings.HasPrefix(s, "${"), s[0] == '{':
		start := strings.IndexByte(s, '{') + 1
		if end := strings.IndexByte(s[start:], '}'); end >= 0 {
			return s[start : start+end], start + end + 1
		}
	case s[0] == '$':
		n = 1
		for n < len(s) && '0' <= s[n] && s[n] <= '9' {
			n++
		}
		if n > 1 {
			return s[1:n], n
		}
	}
	return "", 0
}

func groupOf(name string, re *regexp.Regexp) (int, error) {
	if i, err := strconv.Atoi(name); err == nil {
		if i < 1 || i > re.NumSubexp() {
			return 0, fmt.Errorf("$%s is not captured (from captures %d)", name, re.NumSubexp())
		}
		return i, nil
	}
	if i := re.SubexpIndex(name); name != "" && i > 0 {
		return i, nil
	}
	return 0, fmt.Errorf("{%s} is not captured (write {%s} in from, or a number)", name, name)
}

// expand fills in the captures of subject, each changed by encode.
func (t template) expand(subject string, at []int, encode func(string) string) string {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.text)
		if p.group == 0 || at[2*p.group] < 0 {
			continue
		}
		capture := subject[at[2*p.group]:at[2*p.group+1]]
		if encode != nil {
			capture = encode(capture)
		}
		b.WriteString(capture)
	}
	return b.String()
}

// view gives the path as patterns see it: decoded, but for %2F and %25.
func view(u *url.URL) string {
	if u.RawPath == "" {
		if strings.IndexByte(u.Path, '%') < 0 {
			return u.Path
		}
		return strings.ReplaceAll(u.Path, "%", "%25")
	}
	escaped := u.EscapedPath()
	if strings.IndexByte(escaped, '%') < 0 {
		return escaped
	}
	return decodeMost(escaped)
}

func decodeMost(escaped string) string {
	var b strings.Builder
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		if c != '%' || i+2 >= len(escaped) {
			b.WriteByte(c)
			continue
		}
		switch d := unhex(escaped[i+1])<<4 | unhex(escaped[i+2]); d {
		case '/':
			b.WriteString("%2F")
		case '%':
			b.WriteString("%25")
		default:
			b.WriteByte(d)
		}
		i += 2
	}
	return b.String()
}

// unhex gives the value of a digit of a valid escape.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&0x0f + 9
}

// escape undoes [view]: what must not stand raw in a path is escaped, and
// %2F, %25 and other escapes that a replacement holds stay.
func escape(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if raw(c) || c == '%' && i+2 < len(s) && hex(s[i+1]) && hex(s[i+2]) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// raw reports whether c may stand in a path as it is (RFC 3986, section 3.3).
func raw(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@/", c) >= 0
}

func hex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// badEscape gives the index of a percent sign that starts no escape, or -1.
func badEscape(s string) int {
	for i := range len(s) {
		if s[i] == '%' && !(i+2 < len(s) && hex(s[i+1]) && hex(s[i+2])) {
			return i
		}
	}
	return -1
}

// escapeQuery makes a capture a value in a query.
func escapeQuery(s string) string {
	s = strings.ReplaceAll(s, "%2F", "/")
	return url.QueryEscape(strings.ReplaceAll(s, "%25", "%"))
}
