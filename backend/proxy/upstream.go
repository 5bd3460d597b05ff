package proxy

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// An upstream is one entry of Config.Upstreams at work.
type upstream struct {
	p        *Proxy
	target   *target
	weight   int
	backup   bool
	seed     uint64 // of its hashes
	hostMode string
	single   *origin // unless its address or path has holes

	mu    sync.Mutex
	pools map[string]*pool // by address, where it has holes

	inflight atomic.Int64
	requests atomic.Int64
	failures atomic.Int64

	sick atomic.Bool // active checks have failed

	failMu    sync.Mutex
	fails     int           // within FailTimeout
	failSince time.Duration // of the first of them
	downUntil atomic.Int64  // on the proxy's clock, 0: not down
	last      error

	current int // smooth round robin, behind balancer.mu
}

// UpstreamStatus is a snapshot of one upstream.
type UpstreamStatus struct {
	URL       string
	Backup    bool
	Healthy   bool  // takes part in the choice
	InFlight  int64 // requests being served
	Requests  int64 // so far, retries included
	Failures  int64 // so far, of those
	LastError string
}

// errTooManyNames is about an upstream with {name} in its host.
var errTooManyNames = errors.New("the upstream's {name} has taken too many values at once")

// origin gives the address that r goes to.
func (u *upstream) origin(r *http.Request) (*origin, error) {
	if u.single != nil {
		return u.single, nil
	}
	t := u.target
	addr, err := t.addr.expand(r, cleanLabel)
	if err != nil {
		return nil, err
	}
	host, err := t.host.expand(r, cleanLabel)
	if err != nil {
		return nil, err
	}
	path, err := t.path.expand(r, cleanSegment)
	if err != nil {
		return nil, err
	}
	pl, err := u.pool(addr)
	if err != nil {
		return nil, err
	}
	return u.newOrigin(addr, host, path, pl), nil
}

func (u *upstream) newOrigin(addr, host, path string, pl *pool) *origin {
	o := &origin{p: u.p, up: u, network: u.target.network, addr: addr, host: host, path: path, slash: u.target.slash, pool: pl}
	if u.target.scheme == "https" {
		o.tls = u.p.tls
	}
	if u.target.scheme == "h2c" {
		pl.proto.Store(protoHTTP2)
	}
	return o
}

// pool finds the connections to addr. Pools without any make room for new
// ones.
func (u *upstream) pool(addr string) (*pool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if pl := u.pools[addr]; pl != nil {
		pl.lastUse = u.p.now()
		return pl, nil
	}
	if len(u.pools) >= maxOrigins {
		u.evict()
	}
	if len(u.pools) >= maxOrigins {
		return nil, errTooManyNames
	}
	pl := &pool{lastUse: u.p.now()}
	u.pools[addr] = pl
	return pl, nil
}

// evict drops the pools that have no connection and have rested for a while.
func (u *upstream) evict() {
	now := u.p.now()
	for addr, pl := range u.pools {
		pl.mu.Lock()
		unused := pl.all == nil && now-pl.lastUse > time.Minute
		pl.mu.Unlock()
		if unused && u.p.dropH2(pl) {
			delete(u.pools, addr)
		}
	}
}

// eachPool visits all pools.
func (u *upstream) eachPool(f func(*pool)) {
	if u.single != nil {
		f(u.single.pool)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, pl := range u.pools {
		f(pl)
	}
}

// failed books a failure, and takes the upstream out when there are too many.
func (u *upstream) failed(err error) {
	u.failures.Add(1)
	cfg := &u.p.cfg
	now := u.p.now()
	u.failMu.Lock()
	u.last = err
	if now-u.failSince > cfg.FailTimeout {
		u.fails, u.failSince = 0, now
	}
	u.fails++
	fails := u.fails
	down := cfg.MaxFails > 0 && fails >= cfg.MaxFails && len(u.p.upstreams) > 1
	wasUp := u.downUntil.Load() == 0
	if down {
		u.downUntil.Store(int64(now + cfg.FailTimeout))
		u.fails = 0
	}
	u.failMu.Unlock()
	if down && wasUp {
		cfg.Logger.Warn("upstream is out", "mount", cfg.Name, "upstream", u.target.url, "fails", fails, "for", cfg.FailTimeout, "error", err)
	}
}

// succeeded forgives earlier failures.
func (u *upstream) succeeded() {
	if u.downUntil.Load() == 0 {
		return
	}
	u.failMu.Lock()
	was := u.downUntil.Swap(0)
	u.fails = 0
	u.failMu.Unlock()
	if was != 0 {
		u.p.cfg.Logger.Info("upstream is back", "mount", u.p.cfg.Name, "upstream", u.target.url)
	}
}

// resting reports whether passive checks keep u out now.
func (u *upstream) resting(now time.Duration) bool {
	until := u.downUntil.Load()
	return until != 0 && now < time.Duration(until)
}

func (u *upstream) full() bool {
	return u.p.cfg.MaxConns > 0 && u.inflight.Load() >= int64(u.p.cfg.MaxConns)
}

func (u *upstream) status() UpstreamStatus {
	s := UpstreamStatus{
		URL:      u.target.url,
		Backup:   u.backup,
		Healthy:  !u.sick.Load() && !u.resting(u.p.now()),
		InFlight: u.inflight.Load(),
		Requests: u.requests.Load(),
		Failures: u.failures.Load(),
	}
	if err := u.lastError(); err != nil {
		s.LastError = err.Error()
	}
	return s
}

func (u *upstream) lastError() error {
	u.failMu.Lock()
	defer u.failMu.Unlock()
	return u.last
}
