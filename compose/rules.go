package compose

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/justinas/alice"
)

// Rules say where a layer may stand in a stack.
type Rules struct {
	// Provides lists what the layer gives to those further in: "session".
	Provides []string

	// Needs lists what a layer further out must provide.
	Needs []string

	// Outside and Inside list the layers that this one must enclose, or be
	// enclosed by, where both are in one stack.
	Outside, Inside []Relation

	// Once refuses a second layer of the kind with another definition; the same
	// one is left out where it comes again.
	Once bool

	// Group names layers that stand side by side in a list, nothing between
	// them. Layers of the group in a stack around are another matter.
	Group string

	// End stands right inside the last layer of the group, whatever the
	// conditions of its layers. All layers of a group say the same.
	End End
}

// End closes a group of layers: it draws the conclusion from what they found.
// The zero value is none.
type End struct {
	Name string // for introspection
	Doc  string // in one line, what it does
	Wrap alice.Constructor

	Transient bool // see [Factory.Transient]
}

// Relation is a rule about two layers.
type Relation struct {
	Of        string   // a layer's name or what it provides; a glob: "auth.*"
	Unless    []string // names, globs too, that the rule leaves alone
	PathBound bool     // only layers with a condition on the path
	Warning   bool     // breaking it is a warning, not a mistake
	Because   string   // why, for the message
}

func (rel Relation) concerns(s *slot) bool {
	if rel.PathBound && !s.layer.PathBound {
		return false
	}
	for _, u := range rel.Unless {
		if match(u, s.layer.Name) {
			return false
		}
	}
	if match(rel.Of, s.layer.Name) {
		return true
	}
	return slices.ContainsFunc(s.rules.Provides, func(p string) bool { return match(rel.Of, p) })
}

func match(glob, name string) bool {
	ok, _ := path.Match(glob, name)
	return ok
}

// slot is a layer with its decoded options and its rules.
type slot struct {
	layer   Layer
	index   int
	outer   bool // of the stack around
	options any
	rules   Rules
	same    bool // left out: the very same layer stands further out
}

// Check tells what is wrong with a stack without building it: the options of
// every layer are decoded and the order rules are applied. The stack stands
// inside the layers of outer, which are taken to be right. The result is in
// the order of the stack.
func (r Registry) Check(outer []Layer, layers ...Layer) []*LayerError {
	_, errs := r.resolve(outer, layers)
	return errs
}

// resolve gives the slots of layers alone, checked as they stand inside outer.
func (r Registry) resolve(outer, layers []Layer) ([]slot, []*LayerError) {
	var errs []*LayerError
	slots := make([]slot, 0, len(outer)+len(layers))
	for i, l := range slices.Concat(outer, layers) {
		s := slot{layer: l, index: i, outer: i < len(outer)}
		opts, err := r.options(l)
		if err != nil {
			errs = append(errs, &LayerError{Index: i, Name: l.Name, Err: err})
		}
		s.options = opts
		if f := r[l.Name]; f.Rules != nil && err == nil {
			s.rules = f.Rules(opts)
		}
		slots = append(slots, s)
	}
	for i := range slots {
		slots[i].same = slots[i].again(slots[:i])
	}
	for i := range slots {
		if !slots[i].same {
			errs = append(errs, r.breaks(&slots[i], slots)...)
		}
	}
	errs = slices.DeleteFunc(errs, func(e *LayerError) bool { e.Index -= len(outer); return e.Index < 0 })
	slices.SortStableFunc(errs, func(a, b *LayerError) int { return a.Index - b.Index })
	return slots[len(outer):], errs
}

// breaks tells which rules s breaks where it stands.
func (r Registry) breaks(s *slot, slots []slot) []*LayerError {
	var errs []*LayerError
	report := func(warning bool, hint, format string, args ...any) {
		errs = append(errs, &LayerError{Index: s.index, Name: s.layer.Name, Warning: warning, Hint: hint, Message: fmt.Sprintf(format, args...)})
	}
	outer, inner := slots[:s.index], slots[s.index+1:]
	named := func(o slot) bool { return o.layer.Name == s.layer.Name }
	if s.rules.Once && slices.ContainsFunc(outer, named) {
		report(false, "leave one of them out", "a second %q with other options in one chain", s.layer.Name)
	}
	for _, need := range s.rules.Needs {
		provides := func(o slot) bool { return slices.Contains(o.rules.Provides, need) }
		if slices.ContainsFunc(outer, provides) {
			continue
		}
		hint := r.providing(need)
		if i := slices.IndexFunc(inner, provides); i >= 0 {
			hint = fmt.Sprintf("move %q before %q", inner[i].layer, s.layer)
		}
		report(false, hint, "%q needs %q before it", s.layer.Name, need)
	}
	for _, rel := range s.rules.Outside {
		for j := range outer {
			if o := &outer[j]; !o.same && rel.concerns(o) {
				report(rel.Warning, fmt.Sprintf("move %q before %q", s.layer, o.layer), "%q stands inside %q%s", s.layer.Name, o.layer.Name, because(rel))
			}
		}
	}
	for _, rel := range s.rules.Inside {
		for j := range inner {
			if in := &inner[j]; !in.same && rel.concerns(in) {
				report(rel.Warning, fmt.Sprintf("move %q after %q", s.layer, in.layer), "%q stands outside %q%s", s.layer.Name, in.layer.Name, because(rel))
			}
		}
	}
	if apart := s.apart(outer); apart != nil {
		report(false, fmt.Sprintf("put %q next to %q", s.layer, apart.layer), "%q does not stand side by side with %q", s.layer.Name, apart.layer.Name)
	}
	return errs
}

// providing says which layers provide what is needed.
func (r Registry) providing(need string) string {
	var names []string
	for _, name := range r.Names() {
		f := r[name]
		if f.Rules != nil && slices.Contains(f.Rules(f.Options()).Provides, need) {
			names = append(names, name)
		}
	}
	switch len(names) {
	case 0:
		return "no layer here provides it"
	case 1:
		return fmt.Sprintf("write %s further left in the list", names[0])
	}
	return "write one of " + strings.Join(names, ", ") + " further left in the list"
}

func because(rel Relation) string {
	if rel.Because == "" {
		return ""
	}
	return ": " + rel.Because
}

// again reports whether s stands in outer already, as it is.
func (s *slot) again(outer []slot) bool {
	return s.rules.Once && slices.ContainsFunc(outer, func(o slot) bool { return o.layer.Name == s.layer.Name && s.sameAs(&o) })
}

func (s *slot) sameAs(o *slot) bool {
	return s.layer.Definition != "" && s.layer.Definition == o.layer.Definition &&
		s.layer.condition() == o.layer.condition()
}

func (l Layer) condition() string {
	var c string
	if l.When != nil {
		c = "when " + l.When.String()
	}
	if l.Except != nil {
		c += " except " + l.Except.String()
	}
	return c
}

// apart gives the nearest layer further out that belongs to s's group but
// does not stand next to it.
func (s *slot) apart(outer []slot) *slot {
	if s.rules.Group == "" {
		return nil
	}
	between := false
	for j := len(outer) - 1; j >= 0; j-- {
		switch o := &outer[j]; {
		case o.outer != s.outer:
			return nil
		case o.same:
		case o.rules.Group != s.rules.Group:
			between = true
		case between:
			return o
		default:
			return nil
		}
	}
	return nil
}

// ends gives the end that stands right inside slot i, nil where there is none.
func ends(slots []slot, i int) *End {
	s := &slots[i]
	if s.rules.End.Wrap == nil || s.same {
		return nil
	}
	for j := i + 1; j < len(slots); j++ {
		if !slots[j].same {
			if slots[j].rules.Group == s.rules.Group {
				return nil
			}
			break
		}
	}
	return &s.rules.End
}

// endLayer stands for an end where layers are looked at. Its definition is that
// of the layers it ends.
func endLayer(slots []slot, i int) Layer {
	l := Layer{Name: slots[i].rules.End.Name}
	for j := i; j >= 0 && (slots[j].same || slots[j].rules.Group == slots[i].rules.Group); j-- {
		l.Definition = slots[j].layer.Name + " " + slots[j].layer.Definition + " " + l.Definition
	}
	return l
}
