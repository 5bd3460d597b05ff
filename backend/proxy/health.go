package proxy

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// A checker asks one upstream regularly how it is.
type checker struct {
	u        *upstream
	client   *http.Client
	url      string
	host     string
	statuses []statusRange
	streak   int // of answers that contradict the current state
}

func newChecker(u *upstream, statuses []statusRange) *checker {
	o := u.single
	protocols := new(http.Protocols)
	protocols.SetHTTP1(u.target.scheme != "h2c")
	protocols.SetHTTP2(u.target.scheme == "https")
	protocols.SetUnencryptedHTTP2(u.target.scheme == "h2c")
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return u.p.dialer.DialContext(ctx, o.network, o.addr)
		},
		DisableKeepAlives: true,
		Protocols:         protocols,
	}
	if o.tls != nil {
		transport.TLSClientConfig = o.tls.Clone()
	}
	host := o.host
	if u.hostMode != "client" && u.hostMode != "upstream" {
		host = u.hostMode
	}
	return &checker{
		u:   u,
		url: o.scheme() + "://" + o.host + o.path + u.p.cfg.Health.Path,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		host:     host,
		statuses: statuses,
	}
}

// run checks until ctx ends.
func (k *checker) run(ctx context.Context) {
	interval := k.u.p.cfg.Health.Interval
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		err := k.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		k.note(err)
		timer.Reset(interval*9/10 + rand.N(interval/5+1))
	}
}

func (k *checker) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, k.u.p.cfg.Health.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return err
	}
	req.Host = k.host
	req.Header.Set("User-Agent", "mountd-health")
	resp, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	for _, s := range k.statuses {
		if s.from <= resp.StatusCode && resp.StatusCode <= s.to {
			return nil
		}
	}
	return fmt.Errorf("%s answered %s", k.u.p.cfg.Health.Path, resp.Status)
}

// note counts an answer, and changes the upstream's state when enough of them
// agree.
func (k *checker) note(err error) {
	u, cfg := k.u, &k.u.p.cfg
	sick := u.sick.Load()
	if (err != nil) == sick {
		k.streak = 0
		return
	}
	if err != nil {
		u.failMu.Lock()
		u.last = err
		u.failMu.Unlock()
	}
	k.streak++
	if need := cfg.Health.Fails; !sick && k.streak >= need {
		u.sick.Store(true)
		k.streak = 0
		cfg.Logger.Warn("upstream is not well", "mount", cfg.Name, "upstream", u.target.url, "error", err)
	}
	if need := cfg.Health.Passes; sick && k.streak >= need {
		u.sick.Store(false)
		k.streak = 0
		cfg.Logger.Info("upstream is well again", "mount", cfg.Name, "upstream", u.target.url)
	}
}
