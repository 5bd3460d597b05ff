package issuer

import "sync"

// Generations is a bounded map that forgets what has not been used for long.
// Make one with [NewGenerations]; it is safe for concurrent use.
type Generations[K comparable, V any] struct {
	max, maxWeight int

	mu         sync.RWMutex
	young, old map[K]V
	weight     int
}

// NewGenerations makes a map of max entries at most, whose weights add up to
// maxWeight at most.
func NewGenerations[K comparable, V any](max, maxWeight int) *Generations[K, V] {
	return &Generations[K, V]{max: max, maxWeight: maxWeight, young: map[K]V{}}
}

// Get gives what was put under k.
func (g *Generations[K, V]) Get(k K) (V, bool) {
	g.mu.RLock()
	v, ok := g.young[k]
	if !ok {
		v, ok = g.old[k]
	}
	g.mu.RUnlock()
	return v, ok
}

// Put keeps v, of the given weight, under k. What is used still must be put
// again now and then: half of the room is for what is new.
func (g *Generations[K, V]) Put(k K, v V, weight int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, again := g.young[k]; !again {
		if 2*len(g.young)+2 > g.max || 2*(g.weight+weight) > g.maxWeight {
			g.old, g.young, g.weight = g.young, map[K]V{}, 0
		}
		g.weight += weight
	}
	g.young[k] = v
}

// Delete forgets k.
func (g *Generations[K, V]) Delete(k K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.young, k)
	delete(g.old, k)
}

// Len gives the number of entries.
func (g *Generations[K, V]) Len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.young) + len(g.old)
}
