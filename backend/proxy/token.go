package proxy

import (
	"strings"

	"github.com/mountd/mountd/internal/wire"
)

// inPath tells the bytes that may stand in a path as they are, "%" apart: RFC
// 3986, section 3.3.
var inPath = func() (t [256]bool) {
	for c := range t {
		b := byte(c)
		t[c] = isAlnum(b) || strings.IndexByte("/-._~!$&'()*+,;=:@", b) >= 0
	}
	return t
}()

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isHost(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && strings.IndexByte("-._:[]", c) < 0 {
			return false
		}
	}
	return s != ""
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
			if strings.EqualFold(wire.Trim(part), token) {
				return true
			}
		}
	}
	return false
}
