package mountfile

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// What a table may hold. A table of a hundred thousand mounts stays far below.
const (
	maxFile    = 32 << 20 // bytes of one file
	maxDepth   = 100      // levels of lists and mappings
	maxAliased = 100_000  // nodes that aliases may add to those written
)

// document is one file on its way from bytes to nodes.
type document struct {
	file string
	dir  string
	env  environment
	errs Errors

	anchors map[*yaml.Node]*Node
	sizes   map[*Node]int
	open    map[*yaml.Node]bool
	aliased int
	masked  bool

	unresolved map[Pos]bool // scalars with a variable that has no value
}

func (d *document) errorf(pos Pos, format string, args ...any) *Error {
	e := errorAt(pos, format, args...)
	d.errs = append(d.errs, e)
	return e
}

// parse reads the one YAML document in data. It gives nil when there is none,
// and what could be read when there are mistakes, which d.errs holds then.
func (d *document) parse(data []byte) *Node {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if e := checkBytes(d.file, data); e != nil {
		d.errs = append(d.errs, e)
		return nil
	}
	if bytes.Contains(data, []byte("${")) {
		before := len(data)
		data = mask(data)
		d.masked = len(data) != before
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	doc, err := next(dec)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		d.errs = append(d.errs, syntaxError(d.file, data))
		return nil
	}
	d.refuseMore(dec, data)
	d.anchors = map[*yaml.Node]*Node{}
	d.sizes = map[*Node]int{}
	d.open = map[*yaml.Node]bool{}
	root := d.node(doc.Content[0], 0)
	if root.Kind() == Null && root.raw == "" {
		return nil
	}
	return root
}

func (d *document) refuseMore(dec *yaml.Decoder, data []byte) {
	more, err := next(dec)
	switch {
	case errors.Is(err, io.EOF):
	case err != nil:
		d.errs = append(d.errs, syntaxError(d.file, data))
	default:
		d.errorf(d.pos(more), "a second document begins here").
			WithHint("a table is one YAML document: remove the line ---, or put the rest into a file of its own and include it")
	}
}

// next reads a document; a panic of the parser is an error like others.
func next(dec *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errPanic
		}
	}()
	doc = new(yaml.Node)
	if err := dec.Decode(doc); err != nil {
		return nil, err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 {
		return nil, io.EOF
	}
	return doc, nil
}

var errPanic = errors.New("cannot be read as YAML")

func (d *document) pos(n *yaml.Node) Pos { return Pos{File: d.file, Line: n.Line, Column: n.Column} }

// node makes a Node of y. Aliases share what their anchor made.
func (d *document) node(y *yaml.Node, depth int) *Node {
	n := &Node{pos: d.pos(y), dir: d.dir}
	if depth > maxDepth {
		d.errorf(n.pos, "nested too deeply").WithHint("a table has at most 100 levels")
		return n
	}
	d.checkTag(y)
	switch y.Kind {
	case yaml.AliasNode:
		return d.alias(y, n)
	case yaml.ScalarNode:
		d.scalar(y, n)
	case yaml.SequenceNode:
		n.kind = List
		d.open[y] = true
		d.items(y, n, depth)
		delete(d.open, y)
	case yaml.MappingNode:
		n.kind = Map
		d.open[y] = true
		d.mapping(y, n, depth)
		delete(d.open, y)
	}
	if y.Anchor != "" {
		d.anchors[y] = n
		d.sizes[n] = d.size(n)
	}
	return n
}

func (d *document) checkTag(y *yaml.Node) {
	if y.Style&yaml.TaggedStyle == 0 {
		return
	}
	switch y.ShortTag() {
	case "!!str", "!!map", "!!seq":
	default:
		d.errorf(d.pos(y), "the tag %s has no meaning here", y.Tag).WithHint("write the value without it")
	}
}

func (d *document) scalar(y *yaml.Node, n *Node) {
	n.raw = d.unmask(y.Value)
	n.text = n.raw
	n.quoted = y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) != 0
	if !n.quoted && isNull(y.Value) {
		return
	}
	n.kind = Scalar
	if strings.Contains(n.raw, "${") {
		n.text, n.varied = d.expand(n)
	}
	n.secret = hasPassword(n.text)
}

func (d *document) items(y *yaml.Node, n *Node, depth int) {
	n.list = make([]*Node, 0, len(y.Content))
	for _, item := range y.Content {
		n.list = append(n.list, d.node(item, depth+1))
	}
}

func (d *document) mapping(y *yaml.Node, n *Node, depth int) {
	n.entries = make([]Entry, 0, len(y.Content)/2)
	seen := make(map[string]Pos, len(y.Content)/2)
	var merged []*Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		if k := y.Content[i]; k.Kind == yaml.ScalarNode && k.Tag == "!!merge" {
			merged = append(merged, d.node(y.Content[i+1], depth+1))
			continue
		}
		key, ok := d.key(y.Content[i], depth)
		value := d.node(y.Content[i+1], depth+1)
		if !ok {
			continue
		}
		if first, dup := seen[key.text]; dup {
			d.errorf(key.pos, "duplicate key %s, first written at %s", key.shown(), first).
				WithHint("keep one of the two")
			continue
		}
		seen[key.text] = key.pos
		n.entries = append(n.entries, Entry{key, value})
	}
	for _, m := range merged {
		d.merge(n, m, seen)
	}
	markSecrets(n)
}

func (d *document) key(y *yaml.Node, depth int) (*Node, bool) {
	key := d.node(y, depth+1)
	switch {
	case key.kind == List || key.kind == Map:
		d.errorf(key.pos, "a key must be a text, this is %s", key.kind).
			WithHint(`quote a key that begins with { or [, like "{tenant}.example.com/"`)
		return nil, false
	case key.kind == Null && key.raw == "":
		d.errorf(key.pos, "the key before the colon is missing")
		return nil, false
	}
	key.kind = Scalar
	return key, true
}

// merge adds the entries of << that n does not have itself.
func (d *document) merge(n, m *Node, seen map[string]Pos) {
	if m.kind == List {
		for _, item := range m.list {
			if item.kind != Map {
				d.errorf(item.pos, "<< takes mappings, this is %s", item.kind)
				continue
			}
			d.merge(n, item, seen)
		}
		return
	}
	if m.kind != Map {
		d.errorf(m.pos, "<< takes a mapping, this is %s", m.kind).WithHint("write <<: *anchor")
		return
	}
	for _, e := range m.entries {
		if _, has := seen[e.Key.text]; !has {
			seen[e.Key.text] = e.Key.pos
			n.entries = append(n.entries, e)
		}
	}
}

// alias gives the anchor's node once more, at the place of the alias.
func (d *document) alias(y *yaml.Node, n *Node) *Node {
	target, done := d.anchors[y.Alias]
	if d.open[y.Alias] || !done {
		d.errorf(n.pos, "the alias *%s stands inside of what it names", y.Value)
		return n
	}
	d.aliased += d.sizes[target]
	if d.aliased > maxAliased {
		if d.aliased-d.sizes[target] <= maxAliased {
			d.errorf(n.pos, "the aliases of this file add up to more than %d values", maxAliased)
		}
		return n
	}
	copied := *target
	copied.pos = n.pos
	return &copied
}

// size counts the nodes below n, with what aliases brought in.
func (d *document) size(n *Node) int {
	total := 0
	n.walk(func(*Node) { total++ })
	return total
}

func isNull(s string) bool {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return true
	}
	return false
}

// isText tells whether a plain scalar can only be meant as a text.
func isText(s string) bool {
	n := yaml.Node{Kind: yaml.ScalarNode, Value: s}
	return n.ShortTag() == "!!str"
}

// checkBytes finds the first byte that no YAML text holds.
func checkBytes(file string, data []byte) *Error {
	if len(data) > maxFile {
		return errorAt(Pos{File: file}, "the file is larger than 32 MiB")
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return errorAt(Pos{file, 1, 1}, "the file is UTF-16").WithHint("save it as UTF-8")
	}
	for i := 0; i < len(data); {
		if b := data[i]; b >= 0x20 && b < 0x7f || b == '\n' || b == '\t' || b == '\r' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return errorAt(place(file, data, i), "the byte %#02x is not UTF-8", data[i]).WithHint("save the file as UTF-8")
		}
		if !printable(r) {
			return errorAt(place(file, data, i), "the character %U cannot stand in YAML", r).WithHint("remove it")
		}
		i += size
	}
	return nil
}

func printable(r rune) bool {
	return r == 0x85 || r >= 0xa0 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd && r != 0xfeff || r >= 0x10000
}

// place gives the line and column of an offset.
func place(file string, data []byte, offset int) Pos {
	pos := Pos{file, 1, 1}
	for rest := data[:min(offset, len(data))]; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		rest = rest[size:]
		switch {
		case r == '\r' && len(rest) > 0 && rest[0] == '\n':
		case r == '\n', r == '\r', r == 0x85, r == 0x2028, r == 0x2029:
			pos.Line, pos.Column = pos.Line+1, 1
		default:
			pos.Column++
		}
	}
	return pos
}
