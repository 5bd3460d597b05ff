package rebase

import (
	"encoding/json"
	"io"
	"strings"
)

// The functions here find the URLs in a value and put mapped ones in their
// place. Every other byte stays, and a value that needs no change is given
// back as it is.

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

func skipSpace(v string, i int) int {
	for i < len(v) && isSpace(v[i]) {
		i++
	}
	return i
}

// splice gives v with mapped for v[i:j].
func splice(v string, i, j int, mapped string) string {
	if v[i:j] == mapped {
		return v
	}
	return v[:i] + mapped + v[j:]
}

// An edit collects the changes to one value, from left to right.
type edit struct {
	v    string
	out  []byte
	done int // bytes of v that out holds
}

func (e *edit) replace(i, j int, mapped string) {
	if e.v[i:j] == mapped {
		return
	}
	e.out = append(e.out, e.v[e.done:i]...)
	e.out = append(e.out, mapped...)
	e.done = j
}

func (e *edit) String() string {
	if e.done == 0 {
		return e.v
	}
	return string(e.out) + e.v[e.done:]
}

// mapFields maps the words between separators. The separators ; and , are
// shown to f as words of their own.
func mapFields(v string, separator func(byte) bool, f func(string) string) string {
	e := edit{v: v}
	for i := 0; i < len(v); {
		if separator(v[i]) {
			if !isSpace(v[i]) {
				f(v[i : i+1])
			}
			i++
			continue
		}
		j := i
		for j < len(v) && !separator(v[j]) {
			j++
		}
		e.replace(i, j, f(v[i:j]))
		i = j
	}
	return e.String()
}

// mapQuoted maps the strings of a structured field (RFC 8941). A string with
// escapes is no URL.
func mapQuoted(v string, f func(string) string) string {
	e := edit{v: v}
	for i := 0; i < len(v); {
		if v[i] != '"' {
			i++
			continue
		}
		i++
		end := closing(v, i)
		if strings.IndexByte(v[i:end], '\\') < 0 {
			e.replace(i, end, f(v[i:end]))
		}
		i = end + 1
	}
	return e.String()
}

// closing finds the quote that ends the string that begins at i.
func closing(v string, i int) int {
	for ; i < len(v) && v[i] != '"'; i++ {
		if v[i] == '\\' {
			i++
		}
	}
	return min(i, len(v))
}

// link maps what stands in angle brackets, and the parameters that hold URLs.
func (s *site) link(v string) string {
	e := edit{v: v}
	for i := 0; i < len(v); {
		switch v[i] {
		case '<':
			end := strings.IndexByte(v[i:], '>')
			if end < 0 {
				return e.String()
			}
			e.replace(i+1, i+end, s.public(v[i+1:i+end]))
			i += end + 1
		case '"':
			end := closing(v, i+1)
			name := paramName(v[:i])
			switch text := v[i+1 : end]; {
			case strings.IndexByte(text, '\\') >= 0:
			case strings.EqualFold(name, "anchor"):
				e.replace(i+1, end, s.public(text))
			case strings.EqualFold(name, "imagesrcset"):
				e.replace(i+1, end, mapSrcset(text, s.public))
			}
			i = end + 1
		default:
			i++
		}
	}
	return e.String()
}

// paramName gives the name in `…; name=`.
func paramName(v string) string {
	v = strings.TrimRight(v, " \t")
	if !strings.HasSuffix(v, "=") {
		return ""
	}
	v = strings.TrimRight(v[:len(v)-1], " \t")
	return v[strings.LastIndexAny(v, "; \t,")+1:]
}

// mapSrcset maps the candidates of an HTML srcset.
func mapSrcset(v string, f func(string) string) string {
	e := edit{v: v}
	for i := 0; i < len(v); {
		if isSpace(v[i]) || v[i] == ',' {
			i++
			continue
		}
		j := i
		for j < len(v) && !isSpace(v[j]) {
			j++
		}
		end := i + len(strings.TrimRight(v[i:j], ","))
		e.replace(i, end, f(v[i:end]))
		if end == j { // descriptors follow
			for depth := 0; j < len(v) && (v[j] != ',' || depth > 0); j++ {
				switch v[j] {
				case '(':
					depth++
				case ')':
					depth--
				}
			}
		}
		i = j
	}
	return e.String()
}

// mapJSON maps the string members that pick names, in one value or several
// with commas between. What is no JSON stays.
func mapJSON(v string, pick func(depth int, key string) bool, f func(string) string) string {
	type level struct {
		object, value bool // value: the next string is a member's value
		key           string
	}
	const opening = "["
	dec := json.NewDecoder(io.MultiReader(strings.NewReader(opening), strings.NewReader(v), strings.NewReader("]")))
	e := edit{v: v}
	var levels []level
	for at := 0; ; {
		token, err := dec.Token()
		if err == io.EOF {
			return e.String()
		}
		if err != nil {
			return v
		}
		start, end := at, int(dec.InputOffset())-len(opening)
		at = end
		top := len(levels) - 1
		if delim, ok := token.(json.Delim); ok {
			if delim == '{' || delim == '[' {
				if top >= 0 {
					levels[top].value = false
				}
				levels = append(levels, level{object: delim == '{'})
			} else {
				levels = levels[:top]
			}
			continue
		}
		if top < 0 || !levels[top].object {
			continue
		}
		l := &levels[top]
		text, isString := token.(string)
		if !l.value {
			l.key, l.value = text, true
			continue
		}
		l.value = false
		if isString && pick(top, l.key) {
			start += strings.IndexByte(v[start:end], '"')
			if mapped := f(text); mapped != text {
				quoted, _ := json.Marshal(mapped)
				e.replace(start, end, string(quoted))
			}
		}
	}
}
