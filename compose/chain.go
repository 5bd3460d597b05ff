package compose

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/justinas/alice"
)

// RefuseFunc answers a request that a condition's error refuses.
type RefuseFunc func(w http.ResponseWriter, r *http.Request, err error)

// Chain builds the layers, outermost first. All that is wrong is found in one
// go: the error joins a [*LayerError] for each mistake. Warnings don't count;
// [Registry.Check] tells them.
func (b *Build) Chain(layers ...Layer) (alice.Chain, error) { return b.Inside(nil, layers...) }

// Inside is [Build.Chain] for layers that stand inside those of outer, which
// are built elsewhere.
func (b *Build) Inside(outer []Layer, layers ...Layer) (alice.Chain, error) {
	slots, found := b.registry.resolve(outer, layers)
	var errs []error
	bad := map[int]bool{}
	for _, e := range found {
		if !e.Warning {
			errs = append(errs, e)
			bad[e.Index] = true
		}
	}
	var chain []alice.Constructor
	for i := range slots {
		s := &slots[i]
		if s.same || bad[i] {
			continue
		}
		wrap, err := b.instance(s)
		if err != nil {
			errs = append(errs, &LayerError{Index: i, Name: s.layer.Name, Err: err})
			continue
		}
		chain = append(chain, wrap)
		if end := ends(slots, i); end != nil {
			wrap := b.lasting(end.Wrap, end.Transient)
			if b.Observe != nil {
				wrap = b.Observe(endLayer(slots, i), wrap)
			}
			chain = append(chain, wrap)
		}
	}
	if len(errs) > 0 {
		return alice.Chain{}, errors.Join(errs...)
	}
	return alice.New(chain...), nil
}

func (b *Build) instance(s *slot) (alice.Constructor, error) {
	key := ""
	if s.layer.Definition != "" {
		key = "layer " + s.layer.Name + " " + s.layer.Definition
		if stamp := b.registry[s.layer.Name].Stamp; stamp != nil {
			key += " " + stamp(s.options)
		}
	}
	v, err := b.Keep(key, func() (any, func() error, error) {
		in, err := b.registry[s.layer.Name].New(s.options)
		return in, in.Close, err
	})
	if err != nil {
		return nil, err
	}
	in := v.(Instance)
	if b.Built != nil {
		b.Built(s.layer, in)
	}
	wrap := b.lasting(in.Wrap, b.registry[s.layer.Name].Transient)
	if b.Observe != nil {
		wrap = b.Observe(s.layer, wrap)
	}
	return conditional(s.layer, wrap, b.Refuse), nil
}

func (b *Build) lasting(wrap alice.Constructor, transient bool) alice.Constructor {
	if transient || b.Lasting == nil {
		return wrap
	}
	return func(next http.Handler) http.Handler { return b.Lasting(wrap(next)) }
}

// conditional binds wrap to the conditions of l.
func conditional(l Layer, wrap alice.Constructor, refuse RefuseFunc) alice.Constructor {
	if l.When == nil && l.Except == nil {
		return wrap
	}
	if refuse == nil {
		refuse = refusePlainly
	}
	return func(next http.Handler) http.Handler {
		with := wrap(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			applies, err := l.Applies(r)
			switch {
			case err != nil:
				refuse(w, r, err)
			case applies:
				with.ServeHTTP(w, r)
			default:
				next.ServeHTTP(w, r)
			}
		})
	}
}

// Applies reports whether the layer takes part in r.
func (l Layer) Applies(r *http.Request) (bool, error) {
	if l.When != nil {
		if ok, err := l.When.Match(r); !ok || err != nil {
			return false, err
		}
	}
	if l.Except != nil {
		ok, err := l.Except.Match(r)
		return !ok, err
	}
	return true, nil
}

func refusePlainly(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusBadRequest
	var s interface{ HTTPStatus() int }
	if errors.As(err, &s) {
		status = s.HTTPStatus()
	}
	http.Error(w, fmt.Sprintf("%d %s", status, http.StatusText(status)), status)
}

// Chain builds a stack on its own, for programs that build one and keep it
// until they end. Use a [Pool] where instances are to be shared or closed.
func (r Registry) Chain(layers ...Layer) (alice.Chain, error) {
	b := new(Pool).Begin(r)
	chain, err := b.Chain(layers...)
	if err != nil {
		return alice.Chain{}, errors.Join(err, b.Abort())
	}
	b.Commit()
	return chain, nil
}
