package option

import "strings"

// Captures gives the names in braces of a pattern or a target: tenant and id
// of "{tenant}.example.com/{id}".
func Captures(text string) []string {
	var names []string
	for {
		_, rest, found := strings.Cut(text, "{")
		if !found {
			return names
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return names
		}
		names = append(names, name)
		text = after
	}
}
