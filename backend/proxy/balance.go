package proxy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mountd/mountd/internal/request"
)

var (
	errAllFull = errors.New("all upstreams are busy and the queue is full")
	errWaited  = errors.New("all upstreams have been busy for too long")
)

// A balancer chooses upstreams and lets requests wait for a free one.
type balancer struct {
	policy string
	name   string

	mu      sync.Mutex
	queue   []chan struct{} // waiting requests, the oldest first
	scratch []*upstream
}

// errNoUpstream says that none is left, and why.
type errNoUpstream struct {
	mount string
	why   string
}

func (e *errNoUpstream) Error() string {
	if e.mount == "" {
		return "no upstream is available: " + e.why
	}
	return "no upstream of " + e.mount + " is available: " + e.why
}

// reserve chooses an upstream that is not among tried and counts the request
// in. It waits while all are full.
func (p *Proxy) reserve(ctx context.Context, r *http.Request, tried []*upstream) (*upstream, error) {
	if len(p.upstreams) == 1 && p.cfg.MaxConns == 0 {
		u := p.upstreams[0]
		if u.sick.Load() {
			return nil, p.noneLeft()
		}
		u.inflight.Add(1)
		u.requests.Add(1)
		return u, nil
	}
	var waited *time.Timer
	for {
		u, wait, err := p.tryReserve(r, tried)
		if u != nil || err != nil {
			return u, err
		}
		if waited == nil {
			waited = time.NewTimer(queueWait)
			defer waited.Stop()
		}
		select {
		case <-wait:
		case <-waited.C:
			p.leaveQueue(wait)
			return nil, errWaited
		case <-ctx.Done():
			p.leaveQueue(wait)
			return nil, ctx.Err()
		}
	}
}

// tryReserve gives an upstream, or a place in the queue.
func (p *Proxy) tryReserve(r *http.Request, tried []*upstream) (*upstream, chan struct{}, error) {
	b := &p.balancer
	b.mu.Lock()
	defer b.mu.Unlock()
	list, busy := p.candidates(tried)
	if len(list) == 0 {
		if !busy {
			return nil, nil, p.noneLeft()
		}
		if len(b.queue) >= queueLength {
			return nil, nil, errAllFull
		}
		wait := make(chan struct{}, 1)
		b.queue = append(b.queue, wait)
		return nil, wait, nil
	}
	u := list[0]
	if len(list) > 1 {
		u = b.pick(list, r)
	}
	u.inflight.Add(1)
	u.requests.Add(1)
	return u, nil, nil
}

// release counts the request out and lets the next one in.
func (p *Proxy) release(u *upstream) {
	u.inflight.Add(-1)
	if p.cfg.MaxConns > 0 {
		p.wakeOne()
	}
}

func (p *Proxy) wakeOne() {
	b := &p.balancer
	b.mu.Lock()
	if len(b.queue) > 0 {
		b.queue[0] <- struct{}{}
		b.queue = append(b.queue[:0], b.queue[1:]...)
	}
	b.mu.Unlock()
}

// leaveQueue gives up a place; a turn that has come meanwhile is handed on.
func (p *Proxy) leaveQueue(wait chan struct{}) {
	b := &p.balancer
	b.mu.Lock()
	for i, w := range b.queue {
		if w == wait {
			b.queue = append(b.queue[:i], b.queue[i+1:]...)
			b.mu.Unlock()
			return
		}
	}
	b.mu.Unlock()
	p.wakeOne()
}

// candidates lists who may be chosen: the well primaries, or else the well
// backups, or else those that only passive checks keep out, since trying them
// beats refusing. busy tells that there would be some if they were not full.
func (p *Proxy) candidates(tried []*upstream) (list []*upstream, busy bool) {
	now := p.now()
	list = p.balancer.scratch[:0]
	for _, round := range [...]struct{ backup, resting bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		for _, u := range p.upstreams {
			if u.backup != round.backup || u.resting(now) != round.resting || u.sick.Load() || contains(tried, u) {
				continue
			}
			if u.full() {
				busy = true
				continue
			}
			list = append(list, u)
		}
		if len(list) > 0 {
			break
		}
	}
	p.balancer.scratch = list[:0]
	return list, busy
}

func contains(list []*upstream, u *upstream) bool {
	for _, v := range list {
		if v == u {
			return true
		}
	}
	return false
}

// pick chooses one of several. b.mu is held.
func (b *balancer) pick(list []*upstream, r *http.Request) *upstream {
	switch b.policy {
	case "first":
		return list[0]
	case "least_conn":
		return leastConn(list)
	case "random_two":
		first := weighted(list, nil)
		return lighter(first, weighted(list, first))
	case "ip_hash", "cookie", "header":
		return rendezvous(list, b.key(r))
	}
	return roundRobin(list)
}

// roundRobin is the smooth weighted kind: each gains its weight, the richest
// one is chosen and pays for all.
func roundRobin(list []*upstream) *upstream {
	var best *upstream
	total := 0
	for _, u := range list {
		u.current += u.weight
		total += u.weight
		if best == nil || u.current > best.current {
			best = u
		}
	}
	best.current -= total
	return best
}

// leastConn breaks ties by round robin.
func leastConn(list []*upstream) *upstream {
	low := list[0]
	for _, u := range list[1:] {
		if u.load() < low.load() {
			low = u
		}
	}
	equal := make([]*upstream, 0, len(list))
	for _, u := range list {
		if u.load() == low.load() {
			equal = append(equal, u)
		}
	}
	return roundRobin(equal)
}

func (u *upstream) load() float64 { return float64(u.inflight.Load()) / float64(u.weight) }

func lighter(a, b *upstream) *upstream {
	if b.load() < a.load() {
		return b
	}
	return a
}

// weighted draws one by lot, other than except. There must be one.
func weighted(list []*upstream, except *upstream) *upstream {
	total := 0
	for _, u := range list {
		if u != except {
			total += u.weight
		}
	}
	n := rand.IntN(total)
	for _, u := range list {
		if u == except {
			continue
		}
		if n -= u.weight; n < 0 {
			return u
		}
	}
	return list[0]
}

// rendezvous gives the highest of the scores that key has with each upstream:
// when one goes, only its keys move (Thaler and Ravishankar, with weights).
func rendezvous(list []*upstream, key string) *upstream {
	var best *upstream
	high := math.Inf(-1)
	for _, u := range list {
		h := mix(u.seed ^ fnv(key))
		unit := (float64(h>>11) + 0.5) / (1 << 53)
		if score := -float64(u.weight) / math.Log(unit); score > high {
			best, high = u, score
		}
	}
	return best
}

// fnv is FNV-1a: the same on every start and machine, so that several mountds
// send a client to the same upstream.
func fnv(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads a hash over all its bits (the finalizer of SplitMix64).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// key is what a request is hashed by.
func (b *balancer) key(r *http.Request) string {
	switch b.policy {
	case "cookie":
		if c, err := r.Cookie(b.name); err == nil && c.Value != "" {
			return c.Value
		}
	case "header":
		if v := r.Header.Get(b.name); v != "" {
			return v
		}
	}
	_, client, _, _, _ := whence(r, request.From(r.Context()))
	return client.String()
}

// noneLeft says what is wrong with all of them.
func (p *Proxy) noneLeft() error {
	why := make([]string, 0, len(p.upstreams))
	for _, u := range p.upstreams {
		s := u.target.url
		if err := u.lastError(); err != nil {
			s += fmt.Sprintf(" %v (%d fails)", err, u.failures.Load())
		}
		why = append(why, s)
	}
	return &errNoUpstream{mount: p.cfg.Name, why: strings.Join(why, ", ")}
}
