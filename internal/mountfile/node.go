package mountfile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Kind tells what a [Node] holds.
type Kind int

// The kinds of nodes.
const (
	Null   Kind = iota // nothing: an empty value, ~ or null
	Scalar             // text, a number, true or false
	List
	Map
)

func (k Kind) String() string {
	switch k {
	case Scalar:
		return "a text"
	case List:
		return "a list"
	case Map:
		return "a mapping"
	}
	return "nothing"
}

// Node is a value of a table together with its place. Variables are replaced
// already and aliases followed. A nil *Node stands for a value that was not
// written; all methods accept it. A Node does not change once it is made and
// is safe for concurrent use.
type Node struct {
	pos     Pos
	dir     string
	kind    Kind
	text    string // of a scalar, variables replaced
	raw     string // of a scalar, as written
	quoted  bool
	varied  bool // text came out of ${…}
	secret  bool // never to be printed
	list    []*Node
	entries []Entry
	others  []string // keys that were taken out by Only or Without
}

// Entry is one key of a mapping with its value, which is never nil.
type Entry struct {
	Key   *Node
	Value *Node
}

// Name gives the text of the key.
func (e Entry) Name() string { return e.Key.Text() }

// NewScalar makes a text that stands in no file: file tells where it comes
// from ("command line"). Relative paths in it start at file's directory.
func NewScalar(file, text string) *Node {
	return &Node{pos: Pos{File: file}, dir: dirOf(file), kind: Scalar, text: text, raw: text, secret: hasPassword(text)}
}

// NewMap makes a mapping that stands in no file.
func NewMap(file string, entries ...Entry) *Node {
	return &Node{pos: Pos{File: file}, dir: dirOf(file), kind: Map, entries: slices.Clone(entries)}
}

// FromValue makes a node out of nil, scalars, slices of any and maps from
// string to any, whose keys are sorted; other values are written with
// [fmt.Sprint]. A *Node is taken as it is.
func FromValue(file string, v any) *Node {
	switch v := v.(type) {
	case nil:
		return &Node{pos: Pos{File: file}, dir: dirOf(file)}
	case *Node:
		return v
	case []any:
		n := &Node{pos: Pos{File: file}, dir: dirOf(file), kind: List}
		for _, item := range v {
			n.list = append(n.list, FromValue(file, item))
		}
		return n
	case []string:
		n := &Node{pos: Pos{File: file}, dir: dirOf(file), kind: List}
		for _, item := range v {
			n.list = append(n.list, NewScalar(file, item))
		}
		return n
	case map[string]any:
		n := NewMap(file)
		for name, value := range v {
			n.entries = append(n.entries, Entry{NewScalar(file, name), FromValue(file, value)})
		}
		slices.SortFunc(n.entries, func(a, b Entry) int { return strings.Compare(a.Name(), b.Name()) })
		markSecrets(n)
		return n
	}
	return NewScalar(file, fmt.Sprint(v))
}

func dirOf(file string) string {
	if strings.Contains(file, "://") {
		file = ""
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return filepath.Dir(file)
	}
	return dir
}

// Pos gives the place of n.
func (n *Node) Pos() Pos {
	if n == nil {
		return Pos{}
	}
	return n.pos
}

// Kind tells what n holds.
func (n *Node) Kind() Kind {
	if n == nil {
		return Null
	}
	return n.kind
}

// Text gives the text of a scalar, exactly as it is written apart from quotes
// and variables; everything else has none.
func (n *Node) Text() string {
	if n == nil {
		return ""
	}
	return n.text
}

// Dir gives the directory of the file n is written in, which relative paths
// start from. It is absolute.
func (n *Node) Dir() string {
	if n == nil {
		return ""
	}
	return n.dir
}

// Secret tells whether n must not be shown: its key says that it is a
// password, or it holds one.
func (n *Node) Secret() bool { return n != nil && n.secret }

// List gives the items of a list. They are n's own: do not change them.
func (n *Node) List() []*Node {
	if n == nil {
		return nil
	}
	return n.list
}

// Entries gives the keys and values of a mapping, in the order they are
// written. They are n's own: do not change them.
func (n *Node) Entries() []Entry {
	if n == nil {
		return nil
	}
	return n.entries
}

// Get gives the value of a key, nil when the key is not written.
func (n *Node) Get(key string) *Node {
	for _, e := range n.Entries() {
		if e.Key.text == key {
			return e.Value
		}
	}
	return nil
}

// WithEntries gives a mapping at n's place with other entries.
func (n *Node) WithEntries(entries ...Entry) *Node {
	m := &Node{kind: Map, entries: slices.Clone(entries)}
	if n != nil {
		m.pos, m.dir, m.others = n.pos, n.dir, n.others
	}
	return m
}

// Only gives the mapping n reduced to the named keys; the keys left out
// remain known names in what [Node.Decode] suggests.
func (n *Node) Only(keys ...string) *Node {
	return n.filter(func(key string) bool { return slices.Contains(keys, key) })
}

// Without gives the mapping n without the named keys, which remain known
// names in what [Node.Decode] suggests.
func (n *Node) Without(keys ...string) *Node {
	m := n.filter(func(key string) bool { return !slices.Contains(keys, key) })
	if m != nil {
		m.others = append(slices.Clone(m.others), keys...)
	}
	return m
}

func (n *Node) filter(keep func(key string) bool) *Node {
	if n == nil {
		return nil
	}
	var entries []Entry
	for _, e := range n.entries {
		if keep(e.Key.text) {
			entries = append(entries, e)
		}
	}
	m := n.WithEntries()
	m.entries = entries
	return m
}

// At gives the node at a path such as "tls.cert" or "to[1]", or the closest
// one around it that exists. Keys may hold dots themselves.
func (n *Node) At(path string) *Node {
	for n != nil && path != "" {
		next, rest := n.step(path)
		if next == nil {
			return n
		}
		n, path = next, rest
	}
	return n
}

func (n *Node) step(path string) (*Node, string) {
	if strings.HasPrefix(path, "[") {
		index, rest, _ := strings.Cut(path[1:], "]")
		i, err := strconv.Atoi(index)
		if err != nil || i < 0 || i >= len(n.list) {
			return nil, ""
		}
		return n.list[i], strings.TrimPrefix(rest, ".")
	}
	for end := len(path); end > 0; end = strings.LastIndexAny(path[:end], ".[") {
		if value := n.Get(path[:end]); value != nil {
			return value, strings.TrimPrefix(path[end:], ".")
		}
	}
	return nil, ""
}

// Errorf makes a mistake at n's place. Secrets that n holds, and what
// variables stood for, are not shown in it.
func (n *Node) Errorf(format string, args ...any) *Error {
	e := errorAt(n.Pos(), "%s", n.scrub(fmt.Errorf(format, args...).Error()))
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			e.Err = err
		}
	}
	return e
}

// scrub takes hidden values out of a message.
func (n *Node) scrub(message string) string {
	n.walk(func(n *Node) {
		if n.kind != Scalar || n.text == "" || !n.secret && !n.varied {
			return
		}
		shown := n.shown()
		plain := strings.Trim(shown, `"`)
		// What is scrubbed already may hold the value, as its default.
		const done = "\x00"
		message = strings.ReplaceAll(message, plain, done)
		message = strings.ReplaceAll(message, strconv.Quote(n.text), shown)
		if n.secret || len(n.text) >= 4 {
			message = strings.ReplaceAll(message, n.text, plain)
		}
		message = strings.ReplaceAll(message, done, plain)
	})
	return message
}

// walk calls f for n and everything below it, keys too.
func (n *Node) walk(f func(*Node)) {
	if n == nil {
		return
	}
	f(n)
	for _, item := range n.list {
		item.walk(f)
	}
	for _, e := range n.entries {
		f(e.Key)
		e.Value.walk(f)
	}
}

// shown gives a scalar as it may stand in a message.
func (n *Node) shown() string {
	switch {
	case n.kind != Scalar:
		return n.kind.String()
	case n.secret:
		return "the value"
	}
	text := n.text
	if n.varied {
		text = n.raw
	}
	if r := []rune(text); len(r) > 80 {
		text = string(r[:77]) + "..."
	}
	return strconv.Quote(text)
}

// Fingerprint gives a digest of what n holds and the directory its paths start
// from. Places, comments, quotes and the order of keys do not count, so that an
// unchanged definition keeps its fingerprint wherever it moves to in its file.
func (n *Node) Fingerprint() string {
	h := sha256.New()
	n.digest(h, "")
	return hex.EncodeToString(h.Sum(nil))
}

func (n *Node) digest(h hash.Hash, dir string) {
	if n == nil {
		write(h, "nil")
		return
	}
	if n.dir != dir {
		write(h, "dir", n.dir)
	}
	switch n.kind {
	case Null:
		write(h, "null")
	case Scalar:
		write(h, "scalar", n.text)
		if n.quoted && !isText(n.text) {
			write(h, "quoted")
		}
	case List:
		write(h, "list", strconv.Itoa(len(n.list)))
		for _, item := range n.list {
			item.digest(h, n.dir)
		}
	case Map:
		n.digestMap(h)
	}
}

func (n *Node) digestMap(h hash.Hash) {
	write(h, "map", strconv.Itoa(len(n.entries)))
	sorted := slices.Clone(n.entries)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].Name() < sorted[j].Name() })
	for _, e := range sorted {
		write(h, e.Name())
		e.Value.digest(h, n.dir)
	}
}

func write(h hash.Hash, words ...string) {
	for _, w := range words {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(w)))
		h.Write(length[:])
		h.Write([]byte(w))
	}
}

// JSONSchema allows everything.
func (n *Node) JSONSchema() map[string]any { return map[string]any{} }
