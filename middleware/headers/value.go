package headers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// value is a field's value, cut at its parameters: literal[0] param[0]
// literal[1] …
type value struct {
	literals []string
	names    []string
}

func (v value) params() []string { return v.names }

// parseValue refuses what would end the line; a tab is allowed, as it is in
// HTTP.
func parseValue(s string) (value, error) {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return value{}, fmt.Errorf("value %q holds the control character %q", s, c)
		}
	}
	var v value
	var literal strings.Builder
	for s = strings.TrimSpace(s); s != ""; {
		before, rest, found := strings.Cut(s, "{")
		literal.WriteString(before)
		if !found {
			break
		}
		escaped := strings.HasPrefix(rest, "{")
		name := leadingName(strings.TrimPrefix(rest, "{"))
		switch after := strings.TrimPrefix(rest, "{")[len(name):]; {
		case escaped && name != "" && strings.HasPrefix(after, "}}"):
			literal.WriteString("{" + name + "}")
			s = after[2:]
		case !escaped && name != "" && strings.HasPrefix(after, "}"):
			v.literals = append(v.literals, literal.String())
			v.names = append(v.names, name)
			literal.Reset()
			s = after[1:]
		default:
			literal.WriteByte('{')
			s = rest
		}
	}
	v.literals = append(v.literals, literal.String())
	return v, nil
}

func leadingName(s string) string {
	i := 0
	for i < len(s) && (s[i] == '_' || 'a' <= s[i]|0x20 && s[i]|0x20 <= 'z' || i > 0 && '0' <= s[i] && s[i] <= '9') {
		i++
	}
	return s[:i]
}

func (v value) text(r *http.Request) string {
	if len(v.names) == 0 {
		return v.literals[0]
	}
	var b strings.Builder
	for i, name := range v.names {
		b.WriteString(v.literals[i])
		b.WriteString(clean(r.PathValue(name)))
	}
	b.WriteString(v.literals[len(v.names)])
	return b.String()
}

// clean escapes a captured segment that holds more than visible ASCII, as the
// URL did that it came from: a decoded line break must not end the field.
func clean(s string) string {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return url.PathEscape(s)
		}
	}
	return s
}
