package compose

import (
	"errors"
	"sync"

	"github.com/justinas/alice"
)

// Pool keeps what was built from one [Build] to the next. Its zero value is
// ready; it is safe for concurrent use, though builds should follow each other.
type Pool struct {
	mu   sync.Mutex
	live map[string]*entry // by key
	rest []*entry          // built without one
}

type entry struct {
	value any
	close func() error
	parts []string // keys of what was made for it, which lives as long
}

// Build is one new set of instances. It ends with Commit or Abort.
type Build struct {
	pool     *Pool
	registry Registry

	// Refuse answers a request whose condition can't be decided; nil: the
	// status that the error names, or 400.
	Refuse RefuseFunc

	// Observe may stand around each layer, inside its conditions; nil: none.
	Observe func(Layer, alice.Constructor) alice.Constructor

	// Lasting stands around each layer that is not transient, inside Observe; nil:
	// nothing does.
	Lasting alice.Constructor

	// Built is called with each instance that a chain comes to hold, new or taken
	// over, once for each chain; nil: not.
	Built func(Layer, Instance)

	// Used is called with each key that the build comes to hold; nil: not.
	Used func(key string)

	used  map[string]*entry // by key, taken over or new
	fresh []*entry          // made for this build
	parts *[]string         // of the entry that is being made
}

// Begin starts a new build of layers out of registry.
func (p *Pool) Begin(registry Registry) *Build {
	return &Build{pool: p, registry: registry, used: map[string]*entry{}}
}

// Keep gives the value that key had before, or makes it. An empty key is
// never shared. It is how applications and other costly parts live on over a
// reload that leaves their definition alone. What build keeps in turn is part
// of the value, and is taken over with it.
func (b *Build) Keep(key string, build func() (value any, close func() error, err error)) (any, error) {
	if key != "" {
		b.note(key)
		if e := b.used[key]; e != nil {
			b.retain(key, e)
			return e.value, nil
		}
		if v := b.Retain(key); v != nil {
			return v, nil
		}
	}
	outer, own := b.parts, []string(nil)
	b.parts = &own
	value, closer, err := build()
	b.parts = outer
	if err != nil {
		return nil, err
	}
	e := &entry{value: value, close: closer, parts: own}
	b.fresh = append(b.fresh, e)
	if key != "" {
		b.used[key] = e
	}
	return value, nil
}

// note tells whoever keeps account that key is in use.
func (b *Build) note(key string) {
	if b.Used != nil {
		b.Used(key)
	}
	if b.parts != nil {
		*b.parts = append(*b.parts, key)
	}
}

// Retain takes over what key had before, and gives nil when it had nothing.
func (b *Build) Retain(key string) any {
	b.pool.mu.Lock()
	e := b.pool.live[key]
	b.pool.mu.Unlock()
	if e == nil {
		return nil
	}
	b.retain(key, e)
	return e.value
}

func (b *Build) retain(key string, e *entry) {
	b.used[key] = e
	for _, part := range e.parts {
		b.note(part)
		if b.used[part] == nil {
			b.Retain(part)
		}
	}
}

// Commit makes the build the pool's content and gives back what closes the
// instances that it no longer has. Call that once their requests have ended.
func (b *Build) Commit() (closeOld func() error) {
	p := b.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	next := make(map[string]*entry, len(b.used))
	inUse := make(map[*entry]bool, len(b.used))
	for key, e := range b.used {
		next[key] = e
		inUse[e] = true
	}
	old := p.rest
	for _, e := range p.live {
		if !inUse[e] {
			old = append(old, e)
		}
	}
	p.live, p.rest = next, nil
	for _, e := range b.fresh {
		if !inUse[e] {
			p.rest = append(p.rest, e)
		}
	}
	return func() error { return closeAll(old) }
}

// Abort closes what was made for the build and leaves the pool as it was.
func (b *Build) Abort() error { return closeAll(b.fresh) }

// Close closes everything that the pool holds.
func (p *Pool) Close() error {
	p.mu.Lock()
	all := p.rest
	for _, e := range p.live {
		all = append(all, e)
	}
	p.live, p.rest = nil, nil
	p.mu.Unlock()
	return closeAll(all)
}

func closeAll(entries []*entry) error {
	var errs []error
	for _, e := range entries {
		if e.close != nil {
			errs = append(errs, e.close())
		}
	}
	return errors.Join(errs...)
}
