// Package mountfile reads mount tables: YAML files with variables and
// includes, in which every value keeps its place, so that whoever finds a
// mistake in one can say file:line:column. It knows the grammar of a table and
// its settings; what mounts, layers and their options mean is for others to
// say, through [Node.Decode].
package mountfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Table is a mount table with all its files.
type Table struct {
	Path  string   // of the main file
	Files []string // that were read or asked for: table, includes, ${file:…}
	Root  *Node    // of the main file; nil when it is empty or cannot be read
	Empty bool     // the main file holds no key at all

	Settings Settings

	// The definitions of the main file and of the included files without
	// mistakes, in the order they are written. No name is there twice.
	Middleware []Definition
	Stacks     []Definition
	Processes  []Definition
	Mounts     []Entry

	Use      *Node // the global stack; nil when it is not written
	Included []*Included
	Warnings Errors

	unresolved map[Pos]bool
}

// Unresolved tells whether the scalar at pos holds a variable that could not
// be replaced: whatever else seems wrong with it follows from that.
func (t *Table) Unresolved(pos Pos) bool { return t.unresolved[pos] }

// Definition is a named entry of middleware, stacks or processes.
type Definition struct {
	Name  string
	Key   *Node
	Value *Node
}

// Included is a file that the table includes.
type Included struct {
	Path string
	Root *Node  // nil when it is empty or cannot be read
	Err  Errors // its mistakes: the table holds nothing of it then

	// What could be read of a file with mistakes: the patterns of its mounts,
	// and the names it would have defined.
	Prefixes []string
	Names    []string
}

// Options tell where a table's surroundings are. The zero value is the
// process's environment and the file system.
type Options struct {
	Env      func(name string) (string, bool)
	ReadFile func(path string) ([]byte, error)
	Glob     func(pattern string) ([]string, error)
}

// Load reads the table at path. The table is there, as far as it could be
// read, even when there are mistakes, which the error then is: [Errors],
// sorted. Mistakes in included files are kept with them and warnings with the
// table; neither is part of the error.
func Load(path string, opt Options) (*Table, error) {
	l := newLoader(path, opt)
	data, err := l.read(path)
	if err != nil {
		return l.table, Errors{{Pos: Pos{File: path}, Message: "read the table: " + reason(err), Err: err}}
	}
	return l.load(data)
}

// Parse reads a table from data; name stands for its path in messages, and
// relative paths start at its directory.
func Parse(name string, data []byte, opt Options) (*Table, error) {
	return newLoader(name, opt).load(data)
}

type loader struct {
	opt    Options
	table  *Table
	onDisk bool
	names  map[string]Pos // section and name of every definition
	errs   Errors
}

func newLoader(path string, opt Options) *loader {
	l := &loader{
		opt:    opt,
		table:  &Table{Path: path, Settings: DefaultSettings(), unresolved: map[Pos]bool{}},
		onDisk: opt.ReadFile == nil,
		names:  map[string]Pos{},
	}
	if l.opt.Env == nil {
		l.opt.Env = os.LookupEnv
	}
	if l.opt.Glob == nil {
		l.opt.Glob = filepath.Glob
	}
	return l
}

// read gives the bytes of a file and remembers that it was asked for.
func (l *loader) read(path string) ([]byte, error) {
	if !slices.Contains(l.table.Files, path) {
		l.table.Files = append(l.table.Files, path)
	}
	if l.opt.ReadFile != nil {
		return l.opt.ReadFile(path)
	}
	return readFile(path, path == l.table.Path)
}

// readFile reads a file of at most the size a table may have. Only the main
// file may be a pipe: any other might keep us waiting forever.
func readFile(path string, pipe bool) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("it is a directory")
	}
	if !info.Mode().IsRegular() && !pipe {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

func (l *loader) document(path string) *document {
	return &document{file: path, dir: dirOf(path), unresolved: l.table.unresolved, env: environment{
		lookup: l.opt.Env,
		read: func(file string) (string, error) {
			data, err := l.read(file)
			return string(data), err
		},
	}}
}

var (
	sections    = []string{"middleware", "stacks", "processes", "mounts"}
	settingKeys = Keys(Settings{})
	topKeys     = append(slices.Concat(settingKeys, sections), "use")
)

func (l *loader) load(data []byte) (*Table, error) {
	t := l.table
	d := l.document(t.Path)
	t.Root = d.parse(data)
	l.errs = d.errs
	t.Empty = t.Root == nil && len(d.errs) == 0 || t.Root.Kind() == Map && len(t.Root.entries) == 0
	switch {
	case t.Root == nil:
	case t.Root.Kind() != Map:
		l.fail(notMap(t.Root, "the table"))
	default:
		l.settings()
		l.errs = append(l.errs, l.checkSections(t.Root)...)
		l.define(t.Root)
		l.includes()
	}
	l.warn(t.Path, t.Root)
	t.Warnings = Collect(t.Path, t.Warnings)
	return t, Collect(t.Path, l.errs).Err()
}

func (l *loader) fail(e *Error) { l.errs = append(l.errs, e) }

// notMap says that n is no mapping; it gives nil when it is.
func notMap(n *Node, what string) *Error {
	if n.Kind() == Map {
		return nil
	}
	e := n.Errorf("%s must be a mapping, this is %s", what, n.Kind())
	if n.Kind() == Scalar {
		e.Hint = "write each key as key: value, with a space after the colon"
	}
	return e
}

func (l *loader) settings() {
	t := l.table
	for _, e := range t.Root.entries {
		if !slices.Contains(topKeys, e.Name()) {
			l.fail(unknownTop(e))
		}
	}
	if err := t.Root.Only(settingKeys...).Decode(&t.Settings); err != nil {
		placed, _ := flatten(err)
		l.errs = append(l.errs, placed...)
	}
	t.Use = t.Root.Get("use")
	if k := t.Use.Kind(); k == Map {
		l.fail(t.Use.Errorf("a stack is a list").WithHint("write [request_id, access_log, errors]"))
	}
}

func unknownTop(e Entry) *Error {
	err := e.Key.Errorf("unknown key %s", e.Key.shown())
	name := e.Name()
	switch {
	case strings.HasPrefix(name, "/") || strings.Contains(name, "."):
		return err.WithHint("mounts stand below the key mounts")
	case Suggest(name, topKeys) == "":
		return err.WithHint("known here: " + strings.Join(topKeys, ", "))
	}
	return err.WithHint(hintFor(name, topKeys))
}

// checkSections finds what keeps the definitions of a file from being taken
// over: sections that are no mappings, and names that another file has used.
func (l *loader) checkSections(root *Node) (errs Errors) {
	for _, section := range sections {
		n := root.Get(section)
		if n.Kind() == Null {
			continue
		}
		if e := notMap(n, section); e != nil {
			errs = append(errs, e)
		}
		for _, e := range n.entries {
			if first, dup := l.names[nameID(section, e)]; dup {
				errs = append(errs, e.Key.Errorf("%s %s is defined at %s already", nouns[section], e.Key.shown(), first).
					WithHint("keep one of the two"))
			}
		}
	}
	return errs
}

var nouns = map[string]string{
	"middleware": "the middleware", "stacks": "the stack", "processes": "the process", "mounts": "the mount",
}

func nameID(section string, e Entry) string { return section + " " + e.Name() }

// define takes over the definitions of a file.
func (l *loader) define(root *Node) {
	t := l.table
	for _, section := range sections {
		for _, e := range root.Get(section).Entries() {
			l.names[nameID(section, e)] = e.Key.pos
			def := Definition{Name: e.Name(), Key: e.Key, Value: e.Value}
			switch section {
			case "middleware":
				t.Middleware = append(t.Middleware, def)
			case "stacks":
				t.Stacks = append(t.Stacks, def)
			case "processes":
				t.Processes = append(t.Processes, def)
			case "mounts":
				t.Mounts = append(t.Mounts, e)
			}
		}
	}
}

// warn says that others can read secrets.
func (l *loader) warn(path string, root *Node) {
	if !l.onDisk {
		return
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o004 == 0 || !info.Mode().IsRegular() {
		return
	}
	secret := literalSecret(root)
	if secret == nil {
		return
	}
	e := errorAt(secret.pos, "every user of this machine can read this secret")
	e.Warning = true
	l.table.Warnings = append(l.table.Warnings, e.WithHint(fmt.Sprintf("chmod o-r %s, or write ${file:path} and keep the secret there", path)))
}
