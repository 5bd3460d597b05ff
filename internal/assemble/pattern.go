package assemble

import "strings"

// pathOf gives the path of a pattern, without its host.
func pathOf(pattern string) string {
	if i := strings.IndexByte(pattern, '/'); i >= 0 {
		return pattern[i:]
	}
	return ""
}

// joinPatterns gives the pattern of a mount inside another one.
func joinPatterns(outer, inner string) string {
	host, path := "", inner
	if i := strings.IndexByte(inner, '/'); i > 0 {
		host, path = inner[:i], inner[i:]
	}
	joined := strings.TrimRight(outer, "/") + path
	if host == "" {
		return joined
	}
	return host + pathOf(joined)
}
