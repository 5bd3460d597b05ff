// Package proxy forwards requests to HTTP servers: one or several, over TCP,
// TLS or unix sockets, with HTTP/1.1 or HTTP/2.
//
// Exchanges with HTTP/1.1 upstreams run on the goroutine that serves the
// request, over pooled connections. Bodies are streamed both ways; an answer
// of unknown length goes on as it comes. WebSocket and other upgrades pass,
// except to HTTP/2.
//
// # What is passed on
//
// The request's path below the mount and its query go byte for byte behind
// the upstream's own path. Fields of the connection (RFC 9110, section 7.6.1)
// are removed both ways. X-Forwarded-For, -Host, -Proto and -Prefix, X-Real-Ip,
// Forwarded and Via are written by the proxy: what the request already holds
// under these names is believed only where the front door found a trusted peer,
// and never where the package is used alone.
//
// # What is refused
//
// An answer that two readers could understand in two ways is a 502. When an
// upstream fails after its answer has begun, the proxy panics with
// [http.ErrAbortHandler], so that no client takes a part for the whole.
package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy forwards requests. It is safe for concurrent use; make one with [New].
type Proxy struct {
	cfg       Config
	flush     flushMode
	tls       *tls.Config
	upstreams []*upstream
	balancer  balancer
	dialer    net.Dialer
	epoch     time.Time

	active atomic.Int64 // requests and tunnels
	closed atomic.Bool
	stop   context.CancelFunc // of the health checks
	checks sync.WaitGroup

	kill    context.Context // ends when everything must
	killAll context.CancelFunc

	conns    atomic.Int64 // open ones, tunnels apart
	sweeping atomic.Bool
	sweeper  *time.Timer

	tunnelMu sync.Mutex
	tunnels  map[*tunnel]struct{}
}

// New makes a proxy and starts its health checks. The error joins all mistakes
// of cfg; each names its option through OptionPath.
func New(cfg Config) (*Proxy, error) {
	cfg = cfg.withDefaults()
	tlsConfig, tlsErr := cfg.TLS.config()
	p := &Proxy{
		cfg:      cfg,
		tls:      tlsConfig,
		balancer: balancer{policy: cfg.Balance.Policy, name: cfg.Balance.Name},
		epoch:    time.Now(),
		tunnels:  map[*tunnel]struct{}{},
	}
	p.dialer.KeepAlive = 30 * time.Second
	switch cfg.Flush {
	case "always":
		p.flush = flushAlways
	case "never":
		p.flush = flushNever
	}
	errs := []error{cfg.validate(), tlsErr}
	for i, u := range cfg.Upstreams {
		errs = append(errs, p.add(fmt.Sprintf("to[%d]", i), u))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	p.cfg.Upstreams = nil
	p.kill, p.killAll = context.WithCancel(context.Background())
	p.sweeper = time.AfterFunc(time.Hour, p.sweep)
	p.sweeper.Stop()
	p.startChecks()
	return p, nil
}

// add parses one upstream.
func (p *Proxy) add(option string, cfg Upstream) error {
	t, err := parseTarget(cfg.URL)
	if err != nil {
		return &optionError{option, err}
	}
	if cfg.Weight < 0 {
		return &optionError{option, fmt.Errorf("weight %d is negative", cfg.Weight)}
	}
	u := &upstream{
		p: p, target: t, weight: max(cfg.Weight, 1), backup: cfg.Backup, seed: mix(fnv(cfg.URL)),
		hostMode: p.cfg.Host, pools: map[string]*pool{},
	}
	if u.hostMode == "" {
		u.hostMode = "client"
		if t.scheme == "https" {
			u.hostMode = "upstream"
		}
	}
	switch {
	case t.addr.fixed() && t.path.fixed():
		u.single = u.newOrigin(t.addr.text[0], t.host.text[0], t.path.text[0], &pool{})
	case p.cfg.Health.Path != "":
		return &optionError{option, errors.New("an upstream with {name} in its URL cannot be checked (leave health out)")}
	}
	p.upstreams = append(p.upstreams, u)
	return nil
}

func (p *Proxy) startChecks() {
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	if p.cfg.Health.Path == "" {
		return
	}
	statuses, _ := parseStatuses(p.cfg.Health.Status)
	for _, u := range p.upstreams {
		k := newChecker(u, statuses)
		p.checks.Go(func() { k.run(ctx) })
	}
}

// now is the proxy's monotonic clock.
func (p *Proxy) now() time.Duration { return time.Since(p.epoch) }

// ServeHTTP forwards r and answers with what the upstream answers.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.active.Add(1)
	e := exchanges.Get().(*exchange)
	defer e.end()
	e.begin(p, w, r)
	if r.Method == http.MethodConnect {
		e.fail(errConnect)
		return
	}
	if err := e.takeBody(); err != nil {
		e.fail(err)
		return
	}
	if err := e.serve(); err != nil {
		e.fail(err)
	}
}

// Status tells how the upstreams are, in their configured order.
func (p *Proxy) Status() []UpstreamStatus {
	out := make([]UpstreamStatus, len(p.upstreams))
	for i, u := range p.upstreams {
		out[i] = u.status()
	}
	return out
}

// Close stops the health checks and closes the connections that are not in
// use. Requests and upgraded connections under way live on to their own end;
// even a request that comes later is still served, over a connection of its
// own. Closing twice is fine.
func (p *Proxy) Close() error {
	p.closed.Store(true)
	p.stop()
	p.checks.Wait()
	p.closeIdle()
	return nil
}

// Shutdown closes the proxy and waits until nothing is under way. When ctx
// ends before that, it cuts what is left and gives ctx's error.
func (p *Proxy) Shutdown(ctx context.Context) error {
	_ = p.Close()
	wait := time.Millisecond
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for p.active.Load() > 0 {
		select {
		case <-ctx.Done():
			p.cutAll()
			return ctx.Err()
		case <-timer.C:
			wait = min(2*wait, 200*time.Millisecond)
			timer.Reset(wait)
		}
	}
	p.closeIdle()
	return nil
}

func (p *Proxy) closeIdle() {
	for _, u := range p.upstreams {
		u.eachPool(func(pl *pool) {
			pl.sweep(p.now(), true)
			p.dropH2(pl)
		})
	}
}

func (p *Proxy) cutAll() {
	p.killAll()
	for _, u := range p.upstreams {
		u.eachPool((*pool).kill)
	}
	p.tunnelMu.Lock()
	defer p.tunnelMu.Unlock()
	for t := range p.tunnels {
		t.close()
	}
}

// opened counts a new connection and makes sure that someone looks after it.
func (p *Proxy) opened() {
	p.conns.Add(1)
	p.keepSweeping()
}

func (p *Proxy) keepSweeping() {
	if p.conns.Load() > 0 && p.sweeping.CompareAndSwap(false, true) {
		p.sweeper.Reset(sweepEvery)
	}
}

// sweep runs while there are connections. One timer for all of them is what
// spares each request a deadline of its own and a goroutine that waits for its
// client to leave.
func (p *Proxy) sweep() {
	now := p.now()
	closed := p.closed.Load()
	for _, u := range p.upstreams {
		u.eachPool(func(pl *pool) { pl.sweep(now, closed) })
	}
	if p.conns.Load() > 0 {
		p.sweeper.Reset(sweepEvery)
		return
	}
	p.sweeping.Store(false)
	p.keepSweeping()
}
