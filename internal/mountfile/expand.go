package mountfile

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// environment is where variables come from.
type environment struct {
	lookup func(name string) (string, bool)
	read   func(file string) (string, error)
}

// maxValue bounds the text that variables make of one scalar.
const maxValue = 1 << 20

// expand replaces ${NAME}, ${NAME:-default} and ${file:path} in a scalar. It
// tells whether any was, as opposed to $${ being written alone.
func (d *document) expand(n *Node) (text string, varied bool) {
	before := len(d.errs)
	defer func() {
		if len(d.errs) > before && d.unresolved != nil {
			d.unresolved[n.pos] = true
		}
	}()
	var b strings.Builder
	rest := n.raw
	for {
		i := strings.Index(rest, "${")
		if i < 0 {
			b.WriteString(rest)
			return b.String(), varied
		}
		if i > 0 && rest[i-1] == '$' {
			b.WriteString(rest[:i-1] + "${")
			rest = rest[i+2:]
			continue
		}
		b.WriteString(rest[:i])
		at := d.inside(n, len(n.raw)-len(rest)+i)
		name, after, ok := closing(rest[i+2:])
		if !ok {
			d.errorf(at, "${ without its }").WithHint("write ${NAME}, or $${ for a plain ${")
			return n.raw, true
		}
		varied = true
		b.WriteString(d.variable(at, name))
		if b.Len() > maxValue {
			d.errorf(at, "variables make this value larger than 1 MiB")
			return n.raw, true
		}
		rest = after
	}
}

// inside gives the place of an offset in a scalar that is written on one line
// without quotes; otherwise that of the scalar.
func (d *document) inside(n *Node, offset int) Pos {
	pos := n.pos
	if !n.quoted {
		pos.Column += utf8.RuneCountInString(n.raw[:offset])
	}
	return pos
}

// closing cuts s at the } that closes a variable; a default may hold pairs of
// braces itself.
func closing(s string) (name, rest string, ok bool) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return s[:i], s[i+1:], true
			}
			depth--
		}
	}
	return "", "", false
}

func (d *document) variable(at Pos, inner string) string {
	if path, ok := strings.CutPrefix(inner, "file:"); ok {
		return d.fileVariable(at, path)
	}
	name, fallback, hasDefault := strings.Cut(inner, ":-")
	if !isVariable(name) {
		d.errorf(at, "${%s} is not a variable", inner).
			WithHint("write ${NAME}, ${NAME:-default}, ${file:path}, or $${ for a plain ${")
		return ""
	}
	value, set := d.env.lookup(name)
	switch {
	case value != "", set && !hasDefault:
		return value
	case hasDefault:
		return fallback
	}
	d.errorf(at, "the variable %s is not set", name).
		WithHint("set it, or write ${" + name + ":-default}")
	return ""
}

func isVariable(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

func (d *document) fileVariable(at Pos, path string) string {
	if path == "" {
		d.errorf(at, "${file:} names no file").WithHint("write ${file:path}")
		return ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.dir, path)
	}
	text, err := d.env.read(path)
	if err != nil {
		d.errorf(at, "read %s: %s", path, reason(err)).Err = err
		return ""
	}
	if len(text) > maxValue {
		d.errorf(at, "%s is larger than 1 MiB", path)
		return ""
	}
	return strings.TrimRight(text, "\r\n")
}

// reason gives what went wrong without the path, which the message names.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
