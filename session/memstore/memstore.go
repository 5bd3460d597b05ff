// Package memstore keeps sessions in memory: they end with the program.
package memstore

import (
	"container/heap"
	"container/list"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/mountd/mountd/session"
)

// Defaults of a [Config].
const (
	DefaultMax      = 100_000
	DefaultMaxBytes = 256 << 20
)

// Config bounds a [Store]. Its zero value is fine.
type Config struct {
	// Max is how many sessions there may be. 0: 100,000.
	Max int

	// MaxBytes is how many bytes they may take together, roughly: what they
	// hold, and about 500 bytes for each. 0: 256 MiB.
	MaxBytes int64
}

// Store keeps sessions in memory. A new one takes the place of one that has
// expired, if the store is full; without such, of the anonymous one that was
// not used for longest, and only without such of one that has a user. The
// bounds hold for each of several parts, so a store may forget a little before
// it is full. It is safe for concurrent use, and never waits.
type Store struct {
	seed   maphash.Seed
	shards []shard
}

// maxShards is how many parts a large store has; each has at least minShard
// sessions, so that a small one is exact.
const (
	maxShards = 64
	minShard  = 1024
)

// overhead of a session, in bytes.
const overhead = 500

// New makes a store.
func New(cfg Config) (*Store, error) {
	var errs []error
	if cfg.Max < 0 {
		errs = append(errs, &optionError{"max", fmt.Errorf("%d is below zero", cfg.Max)})
	}
	if cfg.MaxBytes < 0 {
		errs = append(errs, &optionError{"max_bytes", fmt.Errorf("%d is below zero", cfg.MaxBytes)})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if cfg.Max == 0 {
		cfg.Max = DefaultMax
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	n := min(maxShards, max(1, cfg.Max/minShard))
	s := &Store{seed: maphash.MakeSeed(), shards: make([]shard, n)}
	for i := range s.shards {
		s.shards[i] = shard{
			all: map[string]*entry{}, max: max(1, cfg.Max/n), maxBytes: cfg.MaxBytes / int64(n),
		}
	}
	return s, nil
}

type optionError struct {
	path string
	err  error
}

func (e *optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e *optionError) Unwrap() error      { return e.err }
func (e *optionError) OptionPath() string { return e.path }

// Traits implements [session.Store].
func (s *Store) Traits() session.Traits { return session.Traits{Local: true} }

// Owns implements [session.Store].
func (s *Store) Owns(token string) bool { return session.IsToken(token) }

func (s *Store) shard(handle string) *shard {
	return &s.shards[maphash.String(s.seed, handle)%uint64(len(s.shards))]
}

// Find implements [session.Store].
func (s *Store) Find(_ context.Context, token string) (session.Record, error) {
	handle := session.Handle(token)
	sh := s.shard(handle)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.live(handle)
	if e == nil {
		return session.Record{}, session.ErrNotFound
	}
	sh.used(e)
	rec := e.rec
	rec.Token = token
	return rec, nil
}

// Commit implements [session.Store].
func (s *Store) Commit(_ context.Context, rec session.Record) (session.Record, error) {
	begins := rec.Token == ""
	if begins {
		rec.Token = session.NewToken()
	}
	rec.Handle = session.Handle(rec.Token)
	sh := s.shard(rec.Handle)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.live(rec.Handle)
	switch {
	case begins:
		e = &entry{}
	case e == nil:
		return session.Record{}, session.ErrNotFound
	case e.rec.Version != rec.Version:
		return session.Record{}, session.ErrConflict
	}
	rec.Version++
	kept := rec
	kept.Token = ""
	if begins {
		e.rec = kept
		sh.add(e)
	} else {
		sh.change(e, kept)
	}
	return rec, nil
}

// Delete implements [session.Store].
func (s *Store) Delete(_ context.Context, rec session.Record) error {
	sh := s.shard(rec.Handle)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.live(rec.Handle)
	switch {
	case e == nil:
		return session.ErrNotFound
	case rec.Version != 0 && rec.Version != e.rec.Version:
		return session.ErrConflict
	}
	sh.drop(e)
	return nil
}

// List implements [session.Store]. It looks at every session.
func (s *Store) List(_ context.Context, user string) ([]session.Record, error) {
	var found []session.Record
	for i := range s.shards {
		found = s.shards[i].list(user, found)
	}
	return found, nil
}

// Len is how many sessions there are, expired ones included that nobody has
// come across.
func (s *Store) Len() int {
	n := 0
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		n += len(sh.all)
		sh.mu.Unlock()
	}
	return n
}

// shard is a part of the sessions.
type shard struct {
	mu        sync.Mutex
	all       map[string]*entry
	anonymous list.List // least recently used first
	users     list.List
	expiring  expiry
	max       int
	maxBytes  int64
	bytes     int64
}

type entry struct {
	rec  session.Record
	used *list.Element
	at   int // in expiring
}

func (e *entry) size() int64 { return overhead + int64(len(e.rec.Data)+len(e.rec.User)) }

// live gives a session that has not expired.
func (sh *shard) live(handle string) *entry {
	e := sh.all[handle]
	if e != nil && !time.Now().Before(e.rec.Expires) {
		sh.drop(e)
		return nil
	}
	return e
}

func (sh *shard) list(user string, found []session.Record) []session.Record {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := time.Now()
	for _, e := range sh.all {
		if e.rec.User != "" && (user == "" || e.rec.User == user) && now.Before(e.rec.Expires) {
			found = append(found, e.rec)
		}
	}
	return found
}

func (sh *shard) order(e *entry) *list.List {
	if e.rec.User != "" {
		return &sh.users
	}
	return &sh.anonymous
}

func (sh *shard) used(e *entry) { sh.order(e).MoveToBack(e.used) }

func (sh *shard) add(e *entry) {
	for len(sh.all) >= sh.max || len(sh.all) > 0 && sh.bytes+e.size() > sh.maxBytes {
		sh.drop(sh.victim(nil))
	}
	sh.all[e.rec.Handle] = e
	sh.bytes += e.size()
	e.used = sh.order(e).PushBack(e)
	heap.Push(&sh.expiring, e)
}

func (sh *shard) change(e *entry, rec session.Record) {
	sh.bytes -= e.size()
	e.rec = rec
	sh.bytes += e.size()
	sh.used(e)
	heap.Fix(&sh.expiring, e.at)
	for len(sh.all) > 1 && sh.bytes > sh.maxBytes {
		sh.drop(sh.victim(e))
	}
}

// victim is the session to forget, other than spared, of which there must be
// one.
func (sh *shard) victim(spared *entry) *entry {
	if e := sh.expiring[0]; e != spared && !time.Now().Before(e.rec.Expires) {
		return e
	}
	for _, order := range [...]*list.List{&sh.anonymous, &sh.users} {
		first := order.Front()
		if first != nil && first.Value.(*entry) == spared {
			first = first.Next()
		}
		if first != nil {
			return first.Value.(*entry)
		}
	}
	return sh.expiring[0]
}

func (sh *shard) drop(e *entry) {
	delete(sh.all, e.rec.Handle)
	sh.bytes -= e.size()
	sh.order(e).Remove(e.used)
	heap.Remove(&sh.expiring, e.at)
}

// expiry is a heap of sessions, the first to expire on top.
type expiry []*entry

func (x expiry) Len() int           { return len(x) }
func (x expiry) Less(i, j int) bool { return x[i].rec.Expires.Before(x[j].rec.Expires) }
func (x expiry) Swap(i, j int) {
	x[i], x[j] = x[j], x[i]
	x[i].at, x[j].at = i, j
}

// Push implements [heap.Interface].
func (x *expiry) Push(v any) {
	e := v.(*entry)
	e.at = len(*x)
	*x = append(*x, e)
}

// Pop implements [heap.Interface].
func (x *expiry) Pop() any {
	old := *x
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*x = old[:len(old)-1]
	return e
}
