package logtext

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Redactor hides the values of query parameters. Its zero value hides only those
// of logins ([Redactor.AppendTarget]). It is safe for concurrent use.
type Redactor struct {
	names []string
	login *Redactor // for the queries of logins
}

// NewRedactor hides the parameters with these names, in upper or lower case
// and however they are percent-encoded. A name hides longer ones too of which
// it is a word: "token" hides access_token and user[token].
func NewRedactor(names []string) *Redactor {
	own := slices.Clone(names)
	return &Redactor{own, &Redactor{names: append(slices.Clone(names), loginNames...)}}
}

const redacted = "REDACTED"

// loginPaths begins the paths whose queries belong to logins.
const loginPaths = "/.mountd/"

// loginNames are what is secret in these: the answers of OpenID providers, and
// hints of who is logged in.
var loginNames = []string{"code", "state", "id_token_hint", "access_token"}

// AppendTarget appends a query with its question mark, escaped, that was sent to a
// path. Below /.mountd/ the parameters of logins (code, state, id_token_hint and
// access_token) are hidden besides, by every Redactor.
func (r *Redactor) AppendTarget(b []byte, path, query string, style Style) []byte {
	b = append(b, '?')
	if strings.HasPrefix(path, loginPaths) {
		return r.forLogins().AppendQuery(b, query, style)
	}
	return r.AppendQuery(b, query, style)
}

func (r *Redactor) forLogins() *Redactor {
	switch {
	case r.login != nil:
		return r.login
	case len(r.names) > 0: // is one for logins itself
		return r
	}
	return &Redactor{names: loginNames}
}

// AppendQuery appends a query, escaped. What holds a query with a hidden
// parameter itself, as the address to return to does after a login, is hidden
// as a whole.
func (r *Redactor) AppendQuery(b []byte, query string, style Style) []byte {
	if len(r.names) == 0 || strings.IndexByte(query, '=') < 0 && strings.IndexByte(query, '%') < 0 {
		return Append(b, query, style)
	}
	for {
		end := strings.IndexAny(query, "&;")
		pair := query
		if end >= 0 {
			pair = query[:end]
		}
		b = r.appendPair(b, pair, style)
		if end < 0 {
			return b
		}
		b = append(b, query[end])
		query = query[end+1:]
	}
}

func (r *Redactor) appendPair(b []byte, pair string, style Style) []byte {
	name, value, valued := strings.Cut(pair, "=")
	if r.hidesInside(name) {
		return append(b, redacted...)
	}
	b = Append(b, name, style)
	if !valued {
		return b
	}
	b = append(b, '=')
	if r.hides(name) || r.hidesInside(value) {
		return append(b, redacted...)
	}
	return Append(b, value, style)
}

// AppendText appends a text that may hold URLs, such as a Referer or an
// error, escaped and with their queries redacted, as [Redactor.AppendTarget] does
// once there is a path below /.mountd/.
func (r *Redactor) AppendText(b []byte, s string, style Style) []byte {
	for {
		q := strings.IndexByte(s, '?')
		if q < 0 {
			return Append(b, s, style)
		}
		if strings.Contains(s[:q], loginPaths) {
			r = r.forLogins()
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

// levels is how often a text may be percent-encoded to be looked into.
const levels = 4

// hidesInside reports whether a part of a query holds a query of its own with a
// hidden parameter, percent-encoded or not. What is encoded too often to be
// looked into is hidden.
func (r *Redactor) hidesInside(part string) bool {
	if strings.IndexByte(part, '%') < 0 && strings.IndexByte(part, '=') < 0 {
		return false
	}
	var buf [512]byte
	text := append(buf[:0], part...)
	for range levels {
		if r.hidesParameter(text) {
			return true
		}
		var changed bool
		if text, changed = unescape(text); !changed {
			return false
		}
	}
	return r.hidesParameter(text) || encoded(text)
}

// hidesParameter looks for a hidden name before each =.
func (r *Redactor) hidesParameter(text []byte) bool {
	start := 0
	for i, c := range text {
		switch c {
		case '?', '&', ';', '#':
			start = i + 1
		case '=':
			if r.hidesName(text[start:i]) {
				return true
			}
			start = i + 1
		}
	}
	return false
}

// unescape decodes b in its place.
func unescape(b []byte) (decoded []byte, changed bool) {
	n := 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '%' && i+2 < len(b) {
			if hi, lo := unhex(b[i+1]), unhex(b[i+2]); hi >= 0 && lo >= 0 {
				c = byte(hi<<4 | lo)
				i += 2
				changed = true
			}
		}
		b[n] = c
		n++
	}
	return b[:n], changed
}

// encoded reports whether something in b is percent-encoded.
func encoded(b []byte) bool {
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' && unhex(b[i+1]) >= 0 && unhex(b[i+2]) >= 0 {
			return true
		}
	}
	return false
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
	return r.hidesName(buf[:n])
}

// hidesName looks for a decoded name and for its parts.
func (r *Redactor) hidesName(name []byte) bool {
	return r.lists(name) || r.anyPart(name, bracket) || r.anyPart(name, separator)
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
