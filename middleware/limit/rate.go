package limit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

// RateConfig says how often requests may come. Count must be set.
type RateConfig struct {
	// Count requests are let through per Per, which is a second if zero.
	Count int
	Per   time.Duration

	// Burst is how many may come at once after a pause. Zero means Count.
	Burst int

	// Key tells whose request it is; those of one key share a limit. An empty
	// key means that of [ByClient]. Nil means ByClient. See [ByHeader].
	Key func(r *http.Request) string

	// Store keeps the buckets. Nil means a [MemoryStore] of its own.
	Store Store

	// StoreError is told when the Store has failed. The request is then
	// counted in memory, on this machine alone. Nil ignores the error.
	StoreError func(r *http.Request, err error)

	// Announce adds the RateLimit fields to answers of requests that are let
	// through, too.
	Announce bool

	// ErrorFunc answers requests that are refused, with 429, Retry-After and
	// the RateLimit fields (draft-ietf-httpapi-ratelimit-headers). Nil means
	// the errors layer around this one, or plain text without one.
	ErrorFunc ErrorFunc
}

// Rate limits how often requests come, as a bucket of Burst tokens does that
// gets Count new ones per Per, evenly: a request that finds it empty is
// refused, and counts for nothing. It is safe for concurrent use.
type Rate struct {
	limit    Limit
	key      func(r *http.Request) string
	store    Store
	spare    *MemoryStore // for when store fails
	failed   func(r *http.Request, err error)
	announce bool
	policy   []string
	fail     ErrorFunc
}

// NewRate makes a Rate. Its error names every value out of range.
func NewRate(cfg RateConfig) (*Rate, error) {
	l := &Rate{
		limit: Limit{Count: cfg.Count, Per: cfg.Per, Burst: cfg.Burst},
		key:   cfg.Key, store: cfg.Store, failed: cfg.StoreError,
		announce: cfg.Announce, fail: cfg.ErrorFunc,
	}
	if l.limit.Per == 0 {
		l.limit.Per = time.Second
	}
	if l.limit.Burst == 0 {
		l.limit.Burst = l.limit.Count
	}
	if err := errors.Join(l.limit.check()...); err != nil {
		return nil, err
	}
	if l.fail == nil {
		l.fail = request.Fail
	}
	l.spare = NewMemoryStore(0)
	if l.store == nil {
		l.store = l.spare
	}
	window := max(time.Second, l.limit.Per)
	l.policy = []string{fmt.Sprintf(`"default";q=%d;w=%s`, l.limit.Burst, seconds(l.limit.refill(window)))}
	return l, nil
}

// check refuses limits that would let nothing through or cannot be counted in
// nanoseconds.
func (l Limit) check() (errs []error) {
	if l.Count < 1 {
		errs = append(errs, optionError{"rate", fmt.Errorf("%d is not positive (write it like 20/s)", l.Count)})
	}
	if l.Per < 0 || l.Count > 0 && l.Per/time.Duration(l.Count) < 1 {
		errs = append(errs, optionError{"rate", fmt.Errorf("%d per %v cannot be counted", l.Count, l.Per)})
	}
	if l.Burst < 0 || len(errs) == 0 && l.Burst > 0 && l.interval() > (10*365*24*time.Hour)/time.Duration(l.Burst) {
		errs = append(errs, optionError{"burst", fmt.Errorf("%d is out of range (write a small positive number)", l.Burst)})
	}
	return errs
}

// refill gives how long an empty bucket takes to be full, at least floor.
func (l Limit) refill(floor time.Duration) time.Duration {
	return max(floor, l.interval()*time.Duration(l.Burst))
}

// Wrap hands requests within the limit on to next.
func (l *Rate) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res := l.take(r)
		if !res.Allowed {
			l.fail(w, r, &request.Error{
				Status:  http.StatusTooManyRequests,
				Message: "Too many requests. Try again in " + seconds(max(res.RetryAfter, time.Second)) + " s.",
				Header: http.Header{
					"Retry-After":      {seconds(max(res.RetryAfter, time.Second))},
					"Ratelimit":        {state(res)},
					"Ratelimit-Policy": {l.policy[0]},
				},
				Err: fmt.Errorf("more than %d requests per %v", l.limit.Count, l.limit.Per),
			})
			return
		}
		if l.announce {
			ww := httpwrap.Of(w)
			ww.Before(&announcement{l, res})
			w = ww
		}
		next.ServeHTTP(w, r)
	})
}

func (l *Rate) take(r *http.Request) Result {
	key := ""
	if l.key != nil {
		key = l.key(r)
	}
	if key == "" {
		key = ByClient(r)
	} else {
		key = "k" + short(key)
	}
	res, err := l.store.Take(r.Context(), key, l.limit)
	if err == nil {
		return res
	}
	if l.failed != nil && r.Context().Err() == nil {
		l.failed(r, err)
	}
	res, _ = l.spare.Take(context.Background(), key, l.limit)
	return res
}

// announcement tells a client how far it is from the limit.
type announcement struct {
	l   *Rate
	res Result
}

func (a *announcement) BeforeHeader(_ int, h http.Header) {
	h["Ratelimit"] = append(h["Ratelimit"], state(a.res))
	h["Ratelimit-Policy"] = append(h["Ratelimit-Policy"], a.l.policy[0])
}

func state(res Result) string {
	return `"default";r=` + strconv.Itoa(res.Remaining) + ";t=" + seconds(res.Reset)
}
