package rewrite

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// pattern is what paths are compared with. literal is what all that match
// start with: most paths do not, and need no look at the expression.
type pattern struct {
	literal string
	re      *regexp.Regexp
}

func compile(s string) (pattern, error) {
	switch {
	case s == "":
		return pattern{}, errors.New("is missing (write a glob like /old/** or an expression like ^/old/(.*))")
	case s[0] == '/':
		return compileGlob(s)
	case s[0] == '^':
		// The group holds every alternative to the anchor.
		re, err := regexp.Compile(`(?s)\A(?:` + s[1:] + `)`)
		if err != nil {
			return pattern{}, fmt.Errorf("%q is no regular expression: %w", s, err)
		}
		return pattern{re: re}, namesDiffer(re)
	}
	return pattern{}, fmt.Errorf("%q is neither a glob (write %q) nor an anchored expression (write %q)", s, "/"+s, "^"+s)
}

func compileGlob(s string) (pattern, error) {
	p := pattern{literal: s}
	if i := strings.IndexAny(s, "*{"); i >= 0 {
		p.literal = s[:i]
		if strings.HasPrefix(s[i:], "**") {
			p.literal = strings.TrimSuffix(p.literal, "/") // may stand for nothing
		}
	}
	var expr strings.Builder
	expr.WriteString(`(?s)\A`)
	for rest := s; rest != ""; {
		part, n, err := globPart(rest)
		if err != nil {
			return pattern{}, fmt.Errorf("%q: %w", s, err)
		}
		expr.WriteString(part)
		rest = rest[n:]
	}
	expr.WriteString(`\z`)
	re, err := regexp.Compile(expr.String())
	if err != nil {
		return pattern{}, fmt.Errorf("%q is no glob: %w", s, err)
	}
	p.re = re
	return p, namesDiffer(re)
}

func namesDiffer(re *regexp.Regexp) error {
	seen := make(map[string]bool)
	for _, name := range re.SubexpNames() {
		if name != "" && seen[name] {
			return fmt.Errorf("{%s} stands there twice (choose different names)", name)
		}
		seen[name] = true
	}
	return nil
}

// globPart translates the beginning of a glob and says how long it was.
func globPart(s string) (expr string, n int, err error) {
	switch {
	case strings.HasPrefix(s, "/**/"):
		return `(?:/(.*))?`, len("/**"), nil
	case s == "/**":
		return `(?:/(.*))?`, len(s), nil
	case strings.HasPrefix(s, "**"):
		return `(.*)`, len("**"), nil
	case s[0] == '*':
		return `([^/]*)`, 1, nil
	case s[0] == '{':
		name, _, ok := strings.Cut(s[1:], "}")
		if !ok || !identifier(name) {
			return "", 0, errors.New("{ starts no name (write {name})")
		}
		return `(?P<` + name + `>[^/]+)`, len(name) + 2, nil
	}
	n = 1
	for n < len(s) && s[n] != '/' && s[n] != '*' && s[n] != '{' {
		n++
	}
	return regexp.QuoteMeta(s[:n]), n, nil
}

func identifier(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if !('a' <= c && c <= 'z' || s[i] == '_' || i > 0 && '0' <= c && c <= '9') {
			return false
		}
	}
	return s != ""
}

// match gives the places of the captures, nil if s does not match.
func (p *pattern) match(s string) []int {
	if !strings.HasPrefix(s, p.literal) || !p.re.MatchString(s) {
		return nil
	}
	return p.re.FindStringSubmatchIndex(s)
}
