package limit

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// Limit says how fast a bucket fills and how much it holds. All values are
// positive.
type Limit struct {
	Count int           // tokens added,
	Per   time.Duration // evenly over this time,
	Burst int           // up to so many
}

func (l Limit) interval() time.Duration { return l.Per / time.Duration(l.Count) }

// Result is what became of a request.
type Result struct {
	Allowed    bool
	Remaining  int           // tokens left
	RetryAfter time.Duration // until there is a token, if not allowed
	Reset      time.Duration // until the bucket is full
}

// Store keeps buckets of tokens. Implementations must be safe for concurrent
// use.
type Store interface {
	// Take takes a token out of the bucket with this key, if there is one. A
	// bucket that the store does not know is full, so a store may forget full
	// buckets. An empty bucket is no error: errors mean that the store could
	// not tell. Keys are at most 80 arbitrary bytes; one key always comes with
	// the same limit. Take should return soon after ctx is done.
	Take(ctx context.Context, key string, limit Limit) (Result, error)
}

// DefaultMaxKeys bounds a [MemoryStore] unless it is told otherwise.
const DefaultMaxKeys = 100_000

const shards = 64

// MemoryStore keeps buckets in memory, at about 150 bytes each. It holds a
// bounded number of them: a new one takes the place of one that is full again
// or, without such, of one that was not used lately. Use [NewMemoryStore].
type MemoryStore struct {
	seed  maphash.Seed
	start time.Time
	shard [shards]shard
}

// NewMemoryStore makes a store for about maxKeys buckets; zero means
// [DefaultMaxKeys].
func NewMemoryStore(maxKeys int) *MemoryStore {
	if maxKeys <= 0 {
		maxKeys = DefaultMaxKeys
	}
	s := &MemoryStore{seed: maphash.MakeSeed(), start: time.Now()}
	for i := range s.shard {
		s.shard[i].max = max(1, (maxKeys+shards-1)/shards)
	}
	return s
}

// Take implements [Store]. It never fails.
func (s *MemoryStore) Take(_ context.Context, key string, limit Limit) (Result, error) {
	now := time.Since(s.start)
	sh := &s.shard[maphash.String(s.seed, key)%shards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	b := sh.bucket(key, now)
	return b.take(now, limit), nil
}

// shard is a part of the buckets, with the clock algorithm to find one to
// forget: used ones get a second chance.
type shard struct {
	mu      sync.Mutex
	index   map[string]int
	buckets []bucket
	hand    int
	max     int
}

// bucket is as the generic cell rate algorithm has it: all of its state is the
// time at which it will be full.
type bucket struct {
	key  string
	full time.Duration // since the store's start
	used bool
}

func (s *shard) bucket(key string, now time.Duration) *bucket {
	if i, ok := s.index[key]; ok {
		b := &s.buckets[i]
		b.used = true
		return b
	}
	if s.index == nil {
		s.index = make(map[string]int)
	}
	i := len(s.buckets)
	if i < s.max {
		s.buckets = append(s.buckets, bucket{})
	} else {
		i = s.victim(now)
		delete(s.index, s.buckets[i].key)
	}
	s.buckets[i] = bucket{key: key}
	s.index[key] = i
	return &s.buckets[i]
}

func (s *shard) victim(now time.Duration) int {
	for {
		i := s.hand
		s.hand = (s.hand + 1) % len(s.buckets)
		if b := &s.buckets[i]; b.full <= now || !b.used {
			return i
		}
		s.buckets[i].used = false
	}
}

func (b *bucket) take(now time.Duration, limit Limit) Result {
	interval := limit.interval()
	depth := interval * time.Duration(limit.Burst)
	full := max(b.full, now) + interval
	if wait := full - depth - now; wait > 0 {
		return Result{RetryAfter: wait, Reset: b.full - now}
	}
	b.full = full
	return Result{Allowed: true, Remaining: int((depth - (full - now)) / interval), Reset: full - now}
}
