package auth

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/mountd/mountd/internal/request"
)

// A throttle bounds how often passwords can be guessed: per account, whatever
// name was typed for it, and per client address. Only failures count in the
// end; each attempt takes a token before it is made, so that many at once
// cannot pass together, and one that succeeds gives its tokens back.
//
// Whoever fails on purpose under somebody's name uses up the tokens of that
// account. No lock grows out of that: tokens come back evenly (at 5/m one each
// 12 s), and an address from which the account was logged in to before has
// tokens of its own for it.
type throttle struct {
	interval time.Duration // in which a token comes back
	depth    time.Duration // as many intervals as there are tokens

	mu        sync.Mutex
	start     time.Time
	accounts  *throttleTable // by account, or account and known address
	addresses *throttleTable
	known     *throttleTable // account and address → when it was last logged in to
}

const (
	maxBuckets = 1 << 16 // of each kind, about 100 bytes each
	maxKnown   = 1 << 14 // accounts and addresses
	knownFor   = 30 * 24 * time.Hour
)

func newThrottle(attempts int, per time.Duration) *throttle {
	interval := per / time.Duration(attempts)
	return &throttle{
		interval: interval, depth: interval * time.Duration(attempts), start: time.Now(),
		accounts: newThrottleTable(maxBuckets), addresses: newThrottleTable(maxBuckets), known: newThrottleTable(maxKnown),
	}
}

// An attempt is one login that is tried.
type attempt struct {
	t                *throttle
	account, address throttleKey
	pair             throttleKey // of both; zero if the address is not known
}

// try begins an attempt, or says how long to wait for the next one. An attempt
// that has to wait counts for nothing.
func (t *throttle) try(account string, r *http.Request) (a attempt, wait time.Duration) {
	a = attempt{t: t, account: throttleKeyOf("account", account)}
	network := networkOf(r)
	a.address = throttleKeyOf("address", network)
	if network != "" {
		a.pair = throttleKeyOf("pair", network, account)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Since(t.start)
	if seen, ok := t.known.get(a.pair); ok && now-seen < knownFor && network != "" {
		a.account = a.pair
	}
	wait = max(t.wait(t.addresses, a.address, now), t.wait(t.accounts, a.account, now))
	if wait > 0 {
		return a, wait
	}
	t.take(t.addresses, a.address, now)
	t.take(t.accounts, a.account, now)
	return a, 0
}

// undo gives back what the attempt has taken: it was not a wrong guess.
func (a attempt) undo() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	a.giveBack()
}

// succeeded gives back what the attempt has taken, and remembers the address.
func (a attempt) succeeded() {
	t := a.t
	t.mu.Lock()
	defer t.mu.Unlock()
	a.giveBack()
	if a.pair != (throttleKey{}) {
		t.known.set(a.pair, time.Since(t.start))
	}
}

func (a attempt) giveBack() {
	for _, b := range [...]struct {
		t *throttleTable
		k throttleKey
	}{{a.t.addresses, a.address}, {a.t.accounts, a.account}} {
		if full, ok := b.t.get(b.k); ok {
			b.t.set(b.k, full-a.t.interval)
		}
	}
}

// wait and take are the generic cell rate algorithm: all the state of a bucket
// is the time at which it will be full.
func (t *throttle) wait(buckets *throttleTable, k throttleKey, now time.Duration) time.Duration {
	full, _ := buckets.get(k)
	return max(full, now) + t.interval - t.depth - now
}

func (t *throttle) take(buckets *throttleTable, k throttleKey, now time.Duration) {
	full, _ := buckets.get(k)
	buckets.set(k, max(full, now)+t.interval)
}

// networkOf gives what stands for a request's client: its IPv4 address, the /64
// network of its IPv6 address, as one client has all of that, or "" for a
// client without an address.
func networkOf(r *http.Request) string {
	var addr netip.Addr
	if rec := request.From(r.Context()); rec != nil {
		addr = rec.Client
	} else if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		addr = ap.Addr()
	}
	return networkOfAddr(addr)
}

func networkOfAddr(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	switch {
	case !addr.IsValid():
		return ""
	case addr.Is4():
		return addr.String()
	}
	network, _ := addr.Prefix(64) // an IPv6 address has one
	return network.String()
}

// defaultAccount takes names that differ in case or in blanks around them for
// one account.
func defaultAccount(user string) string { return strings.ToLower(strings.TrimSpace(user)) }

// throttleKey identifies a bucket. It is a hash, so that long names cost no more.
type throttleKey [sha256.Size]byte

func throttleKeyOf(kind string, parts ...string) throttleKey {
	return sha256.Sum256([]byte(kind + "\x00" + strings.Join(parts, "\x00")))
}

// throttleTable maps a bounded number of keys to times. A new key takes the place of
// the one with the earliest time among a few: that of a full bucket, or of the
// one with the fewest failures. So nobody can have an exhausted bucket
// forgotten by filling the table with fresh ones.
type throttleTable struct {
	max   int
	index map[throttleKey]int
	slots []throttleSlot
	next  int // where to look for a slot to reuse
}

type throttleSlot struct {
	key throttleKey
	at  time.Duration
}

const throttleSample = 16

func newThrottleTable(size int) *throttleTable {
	return &throttleTable{max: size, index: make(map[throttleKey]int)}
}

func (t *throttleTable) get(k throttleKey) (time.Duration, bool) {
	i, ok := t.index[k]
	if !ok {
		return 0, false
	}
	return t.slots[i].at, true
}

func (t *throttleTable) set(k throttleKey, at time.Duration) {
	i, ok := t.index[k]
	switch {
	case ok:
	case len(t.slots) < t.max:
		i = len(t.slots)
		t.slots = append(t.slots, throttleSlot{})
	default:
		i = t.earliest()
		delete(t.index, t.slots[i].key)
	}
	t.slots[i] = throttleSlot{k, at}
	t.index[k] = i
}

// earliest looks at the next few slots, round and round.
func (t *throttleTable) earliest() int {
	best := t.next
	for n := range min(throttleSample, len(t.slots)) {
		if i := (t.next + n) % len(t.slots); t.slots[i].at < t.slots[best].at {
			best = i
		}
	}
	t.next = (t.next + throttleSample) % len(t.slots)
	return best
}
