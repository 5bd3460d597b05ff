package shareddata

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// key names what a path below an export means. Every opened root has a view of
// its own, so that nothing of a replaced root is found.
type key struct {
	view uint64
	rest string // the path below the export, as it is in the URL
}

// cache keeps entries within a number of bytes. Lookups take a read lock of
// one shard. What was not used lately is dropped first (SIEVE: a hand moves
// from the oldest entry on and spares those that were hit since it came by),
// so a scan of many files that are asked for once does not drive out hot ones.
type cache struct {
	seed   maphash.Seed
	shards []shard
}

type shard struct {
	mu           sync.RWMutex
	items        map[key]*node
	newest, last *node
	hand         *node
	bytes, limit int64
}

type node struct {
	key          key
	entry        *entry
	used         atomic.Bool
	newer, older *node
}

// newCache makes a cache whose shards each have room for several entries of
// the largest size.
func newCache(limit, largest int64) *cache {
	n := min(16, max(1, limit/(8*largest)))
	c := &cache{seed: maphash.MakeSeed(), shards: make([]shard, n)}
	for i := range c.shards {
		c.shards[i].items = map[key]*node{}
		c.shards[i].limit = limit / n
	}
	return c
}

func (c *cache) shard(k key) *shard {
	return &c.shards[maphash.String(c.seed, k.rest)%uint64(len(c.shards))]
}

func (c *cache) get(k key) *entry {
	s := c.shard(k)
	s.mu.RLock()
	n := s.items[k]
	var e *entry
	if n != nil {
		e = n.entry
	}
	s.mu.RUnlock()
	if n != nil && !n.used.Load() {
		n.used.Store(true)
	}
	return e
}

// put keeps e, which is larger than the shard at no time.
func (c *cache) put(k key, e *entry) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.cost > s.limit {
		s.drop(s.items[k])
		return
	}
	if n := s.items[k]; n != nil {
		s.bytes += e.cost - n.entry.cost
		n.entry = e
	} else {
		s.insert(&node{key: k, entry: e})
	}
	for s.bytes > s.limit {
		s.evict()
	}
}

// remove forgets e if it is still what k means.
func (c *cache) remove(k key, e *entry) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.items[k]; n != nil && n.entry == e {
		s.drop(n)
	}
}

// purge forgets everything of a view.
func (c *cache) purge(view uint64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for k, n := range s.items {
			if k.view == view {
				s.drop(n)
			}
		}
		s.mu.Unlock()
	}
}

func (s *shard) insert(n *node) {
	s.items[n.key] = n
	s.bytes += n.entry.cost
	if n.older = s.newest; n.older != nil {
		n.older.newer = n
	} else {
		s.last = n
	}
	s.newest = n
}

func (s *shard) drop(n *node) {
	if n == nil {
		return
	}
	delete(s.items, n.key)
	s.bytes -= n.entry.cost
	if s.hand == n {
		s.hand = n.newer
	}
	if n.newer != nil {
		n.newer.older = n.older
	} else {
		s.newest = n.older
	}
	if n.older != nil {
		n.older.newer = n.newer
	} else {
		s.last = n.newer
	}
}

func (s *shard) evict() {
	n := s.hand
	if n == nil {
		n = s.last
	}
	for n.used.Swap(false) {
		if n = n.newer; n == nil {
			n = s.last
		}
	}
	s.hand = n
	s.drop(n)
}
