// Package compose turns named layers into a chain of middlewares, and checks
// the chain before it runs.
//
// A [Registry] maps names to factories. A stack is a list of [Layer] values,
// outermost first, as a configuration file would hold them: a name, options
// behind a [Decoder], conditions. [Registry.Check] tells what is wrong with a
// stack (unknown names, bad options, wrong order, missing parts) without
// building anything; [Build.Chain] builds it as an [alice.Chain].
//
// # Instances
//
// Layers of one definition are one instance, whichever stacks name them, so
// that one session store is one login. A [Pool] keeps instances from one
// [Build] to the next: what is defined as before is taken over as it runs, the
// rest is closed once the new build is committed.
//
// The package knows neither a file format nor any middleware.
package compose

import (
	"net/http"
	"sort"

	"github.com/justinas/alice"
)

// Decoder fills the options that v points to and reports what does not fit.
// A *yaml.Node and a *json.Decoder are decoders.
type Decoder interface{ Decode(v any) error }

// Condition decides whether a layer takes part in a request. An error refuses
// the request: a condition that can't be decided must not be guessed.
type Condition interface {
	Match(r *http.Request) (bool, error)
	String() string
}

// Layer is one entry of a stack.
type Layer struct {
	Name    string  // of the factory
	Options Decoder // nil: the factory's defaults

	// Definition identifies what was defined: layers of equal Name and
	// Definition share one instance. Empty: the layer is an instance of its own.
	Definition string

	// Label is the name that the layer was given where it is defined apart.
	Label string

	// When and Except bind the layer to requests; nil: to all, and to none.
	When, Except Condition

	// PathBound says that When or Except look at the path.
	PathBound bool
}

// String gives the label, or the name where there is none.
func (l Layer) String() string {
	if l.Label != "" {
		return l.Label
	}
	return l.Name
}

// Instance is a layer that was built.
type Instance struct {
	Wrap  alice.Constructor
	Close func() error // nil: nothing to close

	// Offers is what the instance offers besides, to whoever looks for it with
	// [Build.Built]; nil: nothing.
	Offers any
}

// Factory makes the instances of one kind of layer. [Define] makes a factory
// from a struct of options.
type Factory struct {
	// Doc says in one line what the layer does.
	Doc string

	// Options gives a pointer to new options that hold the defaults.
	Options func() any

	// New builds an instance from what Options gave and a decoder filled. An
	// error about one option has a method OptionPath() string, as
	// [OptionError] has.
	New func(options any) (Instance, error)

	// Stamp tells one state of what an instance reads once (files) from
	// another: an instance is kept over a reload only while it is the same. Nil:
	// the options are all there is.
	Stamp func(options any) string

	// Rules gives the layer's place in a stack; nil: anywhere.
	Rules func(options any) Rules

	// Reserves lists the header fields that the layer believes, so that no
	// client may send them; nil: none.
	Reserves func(options any) []string

	// Captures lists the {names} in the options that stand for what the mount's
	// pattern captures; nil: none.
	Captures func(options any) []string

	// Describe says in a few words what an instance with these options does;
	// nil: nothing to add to its name.
	Describe func(options any) string

	// Transient says that instances use neither the request, nor its context,
	// header or body, nor the response writer once ServeHTTP has returned, in
	// no goroutine that they have started: mountd may then use them for another
	// request at once. False is always right, and costs an allocation for each
	// request.
	Transient bool
}

// Define makes a factory whose options are a struct of type O.
func Define[O any](doc string, defaults O, build func(O) (Instance, error)) Factory {
	return Factory{
		Doc:     doc,
		Options: func() any { o := defaults; return &o },
		New:     func(o any) (Instance, error) { return build(*o.(*O)) },
	}
}

// WithRules gives f with fixed rules.
func (f Factory) WithRules(rules Rules) Factory {
	f.Rules = func(any) Rules { return rules }
	return f
}

// RulesFor gives f with rules that depend on its options, which are of type O.
func RulesFor[O any](f Factory, rules func(O) Rules) Factory {
	f.Rules = func(o any) Rules { return rules(*o.(*O)) }
	return f
}

// StampFor gives f with a stamp made from its options of type O.
func StampFor[O any](f Factory, stamp func(O) string) Factory {
	f.Stamp = func(o any) string { return stamp(*o.(*O)) }
	return f
}

// ReservesFor gives f with header fields found in its options of type O.
func ReservesFor[O any](f Factory, reserves func(O) []string) Factory {
	f.Reserves = func(o any) []string { return reserves(*o.(*O)) }
	return f
}

// CapturesFor gives f with captures found in its options of type O.
func CapturesFor[O any](f Factory, captures func(O) []string) Factory {
	f.Captures = func(o any) []string { return captures(*o.(*O)) }
	return f
}

// DescribeFor gives f with a description made from its options of type O.
func DescribeFor[O any](f Factory, describe func(O) string) Factory {
	f.Describe = func(o any) string { return describe(*o.(*O)) }
	return f
}

// Registry maps names to factories. It is a value: nothing registers itself.
type Registry map[string]Factory

// Names gives the names in order.
func (r Registry) Names() []string {
	names := make([]string, 0, len(r))
	for name := range r {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Rules gives the place of the layer in a stack, as its options have it.
func (r Registry) Rules(l Layer) Rules {
	f := r[l.Name]
	if f.Rules == nil {
		return Rules{}
	}
	o, err := r.options(l)
	if err != nil {
		return Rules{}
	}
	return f.Rules(o)
}

// Reserves lists the header fields that the layer believes, so that no client
// may send them.
func (r Registry) Reserves(l Layer) []string {
	f := r[l.Name]
	if f.Reserves == nil {
		return nil
	}
	o, err := r.options(l)
	if err != nil {
		return nil
	}
	return f.Reserves(o)
}

// Captures lists the {names} in the layer's options that stand for what a
// mount's pattern captures.
func (r Registry) Captures(l Layer) []string {
	f := r[l.Name]
	if f.Captures == nil {
		return nil
	}
	o, err := r.options(l)
	if err != nil {
		return nil
	}
	return f.Captures(o)
}

// options decodes the options of l.
func (r Registry) options(l Layer) (any, error) {
	f, ok := r[l.Name]
	if !ok {
		return nil, &UnknownError{Name: l.Name, Known: r.Names()}
	}
	o := f.Options()
	if l.Options == nil {
		return o, nil
	}
	return o, l.Options.Decode(o)
}
