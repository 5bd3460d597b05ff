package proxy

import "strings"

// Character classes of RFC 9110, section 5.6, and RFC 3986, section 3.3.
const (
	classToken = 1 << iota // token characters
	classPath              // may stand in a path as they are, "%" apart
	classValue             // may stand in a field value
)

var classes = func() (t [256]uint8) {
	for c := range 256 {
		b := byte(c)
		if isAlnum(b) || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0 {
			t[c] |= classToken
		}
		if isAlnum(b) || strings.IndexByte("/-._~!$&'()*+,;=:@", b) >= 0 && b != 0 {
			t[c] |= classPath
		}
		if b == '\t' || b >= ' ' && b != 0x7f {
			t[c] |= classValue
		}
	}
	return t
}()

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isToken(s string) bool {
	for i := range len(s) {
		if classes[s[i]]&classToken == 0 {
			return false
		}
	}
	return s != ""
}

func isHost(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && strings.IndexByte("-._:[]", c) < 0 {
			return false
		}
	}
	return s != ""
}

// canonical reports whether name is a token in the form that Go's header maps
// use, and whether it is a token at all.
func canonical(name string) (isCanonical, valid bool) {
	isCanonical, upper := true, true
	for i := range len(name) {
		c := name[i]
		if classes[c]&classToken == 0 {
			return false, false
		}
		if upper && 'a' <= c && c <= 'z' || !upper && 'A' <= c && c <= 'Z' {
			isCanonical = false
		}
		upper = c == '-'
	}
	return isCanonical, name != ""
}

// hasToken reports whether the comma list v holds the token, in any case.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		if strings.EqualFold(v, token) {
			return true
		}
		if strings.IndexByte(v, ',') < 0 {
			continue
		}
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(trim(part), token) {
				return true
			}
		}
	}
	return false
}

// trim cuts optional white space, RFC 9110 section 5.6.3.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}
