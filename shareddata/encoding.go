package shareddata

import "strings"

// encodings are the compressed forms of a file, the one that is preferred
// among equals first.
var encodings = [...]struct {
	suffix string
	token  string
	header []string
}{
	{".br", "br", []string{"br"}},
	{".zst", "zstd", []string{"zstd"}},
	{".gz", "gzip", []string{"gzip"}},
}

// unset is the weight of a coding that Accept-Encoding does not name.
const unset = -1

// negotiate chooses the representation by RFC 9110 §12.5.3. Where nothing is
// acceptable, the file goes out as it is.
func negotiate(e *entry, accept []string) *representation {
	if !e.varies || len(accept) == 0 {
		return e.plain
	}
	weights, identity := acceptEncoding(accept)
	best, at := 0, -1
	for i, q := range weights {
		if e.encoded[i] != nil && q > best {
			best, at = q, i
		}
	}
	if at < 0 || identity > best {
		return e.plain
	}
	return e.encoded[at]
}

// acceptEncoding gives the weights, in thousandths, of our codings and of
// identity; unset for identity when nothing stands for it.
func acceptEncoding(fields []string) (weights [len(encodings)]int, identity int) {
	other := unset
	identity = unset
	for i := range weights {
		weights[i] = unset
	}
	for _, field := range fields {
		for field != "" {
			var item string
			item, field, _ = strings.Cut(field, ",")
			coding, params, _ := strings.Cut(item, ";")
			switch c := codingOf(trim(coding)); c {
			case codingOther:
			case codingAny:
				other = weight(params)
			case codingIdentity:
				identity = weight(params)
			default:
				weights[c] = weight(params)
			}
		}
	}
	for i := range weights {
		if weights[i] == unset {
			weights[i] = max(other, 0)
		}
	}
	if identity == unset {
		identity = other
	}
	return weights, identity
}

// What codingOf gives beside indices of encodings.
const (
	codingOther = -1 - iota
	codingAny
	codingIdentity
)

func codingOf(name string) int {
	switch name {
	case "br":
		return 0
	case "zstd":
		return 1
	case "gzip":
		return 2
	case "deflate":
		return codingOther
	case "*":
		return codingAny
	}
	for i := range encodings {
		if strings.EqualFold(name, encodings[i].token) {
			return i
		}
	}
	switch {
	case strings.EqualFold(name, "x-gzip"):
		return 2
	case strings.EqualFold(name, "identity"):
		return codingIdentity
	}
	return codingOther
}

// trim takes off optional white space.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// weight parses parameters for a q-value, in thousandths. A malformed one is
// zero: the coding is not used.
func weight(params string) int {
	for params != "" {
		var param string
		param, params, _ = strings.Cut(params, ";")
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(trim(name), "q") {
			return qvalue(trim(value))
		}
	}
	return 1000
}

func qvalue(s string) int {
	if s == "" || s[0] != '0' && s[0] != '1' || len(s) > 5 || len(s) > 1 && s[1] != '.' {
		return 0
	}
	q, unit := int(s[0]-'0')*1000, 100
	for i := 2; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0
		}
		q += int(s[i]-'0') * unit
		unit /= 10
	}
	return min(q, 1000)
}

// accepts reports whether Accept names the media type, or one that stands for
// it if wild, with a weight.
func accepts(fields []string, mediaType string, wild bool) bool {
	if len(fields) == 0 {
		return wild
	}
	kind, _, _ := strings.Cut(mediaType, "/")
	for _, field := range fields {
		for item := range strings.SplitSeq(field, ",") {
			name, params, _ := strings.Cut(item, ";")
			name = trim(name)
			fits := strings.EqualFold(name, mediaType) ||
				wild && (name == "*/*" || strings.EqualFold(name, kind+"/*"))
			if fits && weight(params) > 0 {
				return true
			}
		}
	}
	return false
}
