package assemble

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/justinas/alice"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/mountfile"
)

// layer is a layer of a stack with the place it was written at.
type layer struct {
	compose.Layer
	node    *mountfile.Node // the entry of the list
	options *mountfile.Node // its options; nil without
}

// defaultUse is the chain of a table that names none.
var defaultUse = []string{"request_id", "access_log", "errors"}

// stacks resolves the lists of a table's `use:` keys.
type stacks struct {
	b           *builder
	cycles      map[string]bool   // reported
	broken      map[string]string // names whose definition is a mistake, to its file
	definitions map[string]mountfile.Definition
	lists       map[string]mountfile.Definition
}

func (b *builder) readStacks() *stacks {
	s := &stacks{b: b, cycles: map[string]bool{}, broken: map[string]string{}, definitions: map[string]mountfile.Definition{}, lists: map[string]mountfile.Definition{}}
	for _, d := range b.Table.Middleware {
		s.define(d)
	}
	for _, d := range b.Table.Stacks {
		switch prior, taken := s.definitions[d.Name]; {
		case taken:
			b.report(d.Key.Errorf("stack %q has the name of the middleware at %s", d.Name, prior.Key.Pos()).WithHint("choose another name"))
		case d.Name == "default":
			b.report(d.Key.Errorf(`"default" stands for the global use`).WithHint("choose another name"))
		case b.builtin(d.Name):
			b.report(d.Key.Errorf("stack %q has the name of a middleware that mountd has", d.Name).WithHint("choose another name"))
		default:
			s.lists[d.Name] = d
		}
	}
	for _, d := range b.Table.Stacks {
		s.list(d.Value, []string{d.Name})
	}
	return s
}

func (b *builder) builtin(name string) bool {
	_, ok := b.Parts.Middlewares[name]
	return ok
}

// define keeps a middleware that the table configures under a name.
func (s *stacks) define(d mountfile.Definition) {
	kind, _, ok := s.entryParts(d.Value)
	switch {
	case !ok:
		s.broken[d.Name] = d.Key.Pos().File
		return
	case d.Name == "default":
		s.b.report(d.Key.Errorf(`"default" stands for the global use`).WithHint("choose another name"))
		return
	case s.b.builtin(d.Name) && kind != d.Name:
		s.b.report(d.Key.Errorf("middleware %q has the name of one that mountd has", d.Name).WithHint("choose another name"))
		return
	}
	s.definitions[d.Name] = d
	layers := s.resolve(d.Value, []string{d.Name})
	for _, e := range s.b.Parts.Middlewares.Check(nil, plain(layers)...) {
		if e.Message == "" { // its options; its place is judged where it is used
			s.b.reportAll(layers[e.Index].at(), e.Err)
		}
	}
}

// list resolves a list of entries; path names the stacks around it. A list
// that is not written is the default of the table.
func (s *stacks) list(list *mountfile.Node, path []string) []layer {
	if list == nil {
		var layers []layer
		for _, name := range defaultUse {
			if s.b.builtin(name) {
				node := mountfile.NewScalar("", name)
				layers = append(layers, s.resolve(node, path)...)
			}
		}
		return layers
	}
	if list.Kind() != mountfile.List {
		if list.Kind() != mountfile.Null {
			hint := "write [request_id, access_log, errors]"
			if list.Kind() == mountfile.Scalar {
				hint = "write [" + list.Text() + "]"
			}
			s.b.report(list.Errorf("a stack is a list").WithHint(hint))
		}
		return nil
	}
	var layers []layer
	for _, entry := range list.List() {
		layers = append(layers, s.resolve(entry, path)...)
	}
	return layers
}

// entryParts takes an entry apart into its name and the mapping around it.
func (s *stacks) entryParts(entry *mountfile.Node) (name string, options *mountfile.Node, ok bool) {
	switch entry.Kind() {
	case mountfile.Scalar:
		return entry.Text(), nil, true
	case mountfile.Map:
		for _, e := range entry.Entries() {
			switch key := e.Key.Text(); {
			case key == "when" || key == "except":
			case name != "":
				s.b.report(e.Key.Errorf("%q beside %q in one entry", key, name).WithHint("an entry names one middleware; begin another with a dash"))
				return "", nil, false
			default:
				name, options = key, e.Value
			}
		}
		if name != "" {
			return name, options, true
		}
	}
	s.b.report(entry.Errorf("an entry of a stack is a name, or a mapping from one name to its options").WithHint("write errors, or {errors: {debug: true}}"))
	return "", nil, false
}

// resolve gives the layers that an entry stands for.
func (s *stacks) resolve(entry *mountfile.Node, path []string) []layer {
	name, options, ok := s.entryParts(entry)
	if !ok {
		return nil
	}
	for i, p := range path {
		_, isStack := s.lists[name]
		_, isDefinition := s.definitions[name]
		if p == name && (isStack || isDefinition && (i < len(path)-1 || !s.b.builtin(name))) {
			s.cycle(entry, append(slices.Clone(path[i:]), name))
			return nil
		}
	}
	if len(path) > 64 {
		s.b.report(entry.Errorf("stacks are nested more than 64 deep"))
		return nil
	}
	if name == "default" {
		s.b.report(entry.Errorf(`"default" stands for the global use, and belongs in the use of a mount`).WithHint("name the layers here"))
		return nil
	}
	named := options.Kind() == mountfile.Null
	if stack, isStack := s.lists[name]; isStack {
		if !named {
			s.b.report(options.Errorf("stack %q takes no options", name).WithHint("its entries do"))
			return nil
		}
		return s.conditioned(entry, s.list(stack.Value, append(path[:len(path):len(path)], name)))
	}
	if d, defined := s.definitions[name]; defined && !(len(path) > 0 && path[len(path)-1] == name) {
		if !named && !s.b.builtin(name) {
			s.b.report(options.Errorf("middleware %q is configured at %s and takes no options here", name, d.Key.Pos()))
			return nil
		}
		if named {
			layers := s.resolve(d.Value, append(path[:len(path):len(path)], name))
			for i := range layers {
				layers[i].Label = name
			}
			return s.conditioned(entry, layers)
		}
	}
	if !s.b.builtin(name) {
		if e := s.unknown(entry, name); e != nil {
			s.b.report(e)
		}
		return nil
	}
	return s.conditioned(entry, []layer{s.fresh(entry, name, options)})
}

// cycle reports a stack that holds itself, once for all that are part of it.
func (s *stacks) cycle(entry *mountfile.Node, path []string) {
	members := slices.Compact(slices.Sorted(slices.Values(path)))
	id := strings.Join(members, "\x00")
	if s.cycles[id] {
		return
	}
	s.cycles[id] = true
	s.b.report(entry.Errorf("stack %q holds itself: %s", path[0], strings.Join(path, " → ")).WithHint("take it out here"))
}

func (s *stacks) fresh(entry *mountfile.Node, name string, options *mountfile.Node) layer {
	l := layer{Layer: compose.Layer{Name: name}, node: entry, options: options}
	l.Definition = s.b.Parts.Epoch + " defaults"
	if options != nil && options.Kind() != mountfile.Null {
		l.Options = options
		l.Definition = s.b.Parts.Epoch + " " + options.Fingerprint()
	}
	return l
}

// unknown says what is wrong with a name; nil: that has been said.
func (s *stacks) unknown(entry *mountfile.Node, name string) *mountfile.Error {
	if name == "rebase" {
		return entry.Errorf(`"rebase" is not a layer`).WithHint("write it as a key of the mount: rebase: auto")
	}
	if laterLayer(name) {
		return entry.Errorf("%q is not part of this version", name).WithHint("let a proxy in front of mountd do it")
	}
	for _, in := range s.b.Table.Included {
		if slices.Contains(in.Names, name) {
			return missing(entry, name, in.Path)
		}
	}
	switch file, broken := s.broken[name]; {
	case broken && !s.b.included(file):
		return nil // reported where it is defined, and nothing is served
	case broken:
		return missing(entry, name, file)
	}
	known := s.b.Parts.Middlewares.Names()
	for n := range s.definitions {
		if n == name {
			continue
		}
		known = append(known, n)
	}
	for n := range s.lists {
		known = append(known, n)
	}
	e := entry.Errorf("unknown middleware %q", name)
	if near := mountfile.Suggest(name, known); near != "" {
		return e.WithHint(fmt.Sprintf("did you mean %q?", near))
	}
	return e.WithHint("mountd has " + strings.Join(s.b.Parts.Middlewares.Names(), ", "))
}

// missing lays it at the door of the file that should define a name that it
// is not there.
func missing(entry *mountfile.Node, name, file string) *mountfile.Error {
	e := entry.Errorf("%q is missing because of this file's mistakes, and %s needs it", name, entry.Pos())
	e.Pos = mountfile.Pos{File: file}
	return e
}

// laterLayer tells the layers that the grammar knows and this version does not
// have.
func laterLayer(name string) bool { return name == "replace" }

// conditioned binds layers to the conditions of the entry that named them.
func (s *stacks) conditioned(entry *mountfile.Node, layers []layer) []layer {
	for _, c := range []struct {
		key    string
		except bool
	}{{"when", false}, {"except", true}} {
		node := entry.Get(c.key)
		if node == nil {
			continue
		}
		cond, pathBound, err := s.b.Parts.Condition(node, c.except)
		if err != nil {
			s.b.reportAll(node, err)
			continue
		}
		for i := range layers {
			l := &layers[i]
			l.PathBound = l.PathBound || pathBound
			if c.except {
				l.Except = both(l.Except, cond, " or ")
			} else {
				l.When = both(l.When, cond, " and ")
			}
		}
	}
	return layers
}

// pair joins the conditions of a stack's entry with those of the stack's own
// use: all of when must hold, and none of except.
type pair struct {
	a, b compose.Condition
	word string
}

func both(a, b compose.Condition, word string) compose.Condition {
	if a == nil {
		return b
	}
	return pair{a, b, word}
}

// Match decides both conditions, so that a doubt in either refuses.
func (p pair) Match(r *http.Request) (bool, error) {
	a, errA := p.a.Match(r)
	b, errB := p.b.Match(r)
	if err := errors.Join(errA, errB); err != nil {
		return false, err
	}
	if p.word == " or " {
		return a || b, nil
	}
	return a && b, nil
}

func (p pair) String() string { return p.a.String() + p.word + p.b.String() }

func plain(layers []layer) []compose.Layer {
	out := make([]compose.Layer, len(layers))
	for i, l := range layers {
		out[i] = l.Layer
	}
	return out
}

// at gives the place of the layer's options, or of its entry.
func (l layer) at() *mountfile.Node {
	if l.options != nil {
		return l.options
	}
	return l.node
}

// chain builds the layers as they stand inside outer, and reports what is
// wrong with them.
func (b *builder) chain(outer, layers []layer) alice.Chain {
	for _, e := range b.Parts.Middlewares.Check(plain(outer), plain(layers)...) {
		if !e.Warning {
			continue
		}
		w := layers[e.Index].node.Errorf("%s", e.Message).WithHint(e.Hint)
		w.Warning = true
		b.report(w)
	}
	for _, l := range layers {
		b.identity = append(b.identity, b.Parts.Middlewares.Reserves(l.Layer)...)
	}
	chain, err := b.build.Inside(plain(outer), plain(layers)...)
	for _, e := range layerErrors(err) {
		l := layers[e.Index]
		if e.Message != "" {
			b.report(l.node.Errorf("%s", e.Message).WithHint(e.Hint))
			continue
		}
		b.reportAll(l.at(), e.Err)
	}
	return chain
}

func layerErrors(err error) []*compose.LayerError {
	var all []*compose.LayerError
	switch e := err.(type) {
	case *compose.LayerError:
		all = append(all, e)
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			all = append(all, layerErrors(part)...)
		}
	}
	return all
}
