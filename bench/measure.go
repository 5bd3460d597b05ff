package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// The columns of the tables.
const (
	keyRate   = "rate"
	keyCPU    = "cpu"
	keyP50    = "p50"
	keyP99    = "p99"
	keyMemory = "memory"
	keyOwn    = "own"
)

var ratedColumns = []column{{keyRate, "requests/s"}, {keyCPU, "CPU µs"}, {keyP50, "p50 ms"}, {keyP99, "p99 ms"}, {keyMemory, "MiB"}, {keyOwn, "of it own"}}

func (c rated) takes(s settings) time.Duration {
	n := 0
	for _, name := range c.servers {
		if s.wants(name) {
			n++
		}
	}
	return time.Duration(n) * (time.Second/2 + time.Second + time.Duration(s.rounds)*s.length)
}

// contender is a server in a case, and its rounds.
type contender struct {
	name   string
	p      *process // nil: missing
	load   load
	rounds []round
	most   usage // of memory
}

// field starts the servers of a case, and looks at an answer of each.
func (c rated) field(ctx context.Context, s settings, site *site) (all []*contender, err error) {
	defer func() {
		if err != nil {
			stopAll(all)
		}
	}()
	want := []byte(c.want)
	if c.size != "" {
		if want, err = site.body(c.size); err != nil {
			return nil, err
		}
	}
	for _, name := range c.servers {
		if !s.wants(name) {
			continue
		}
		sv, err := site.server(name, variant{tls: c.tls})
		if err != nil {
			return all, err
		}
		one := &contender{name: name}
		all = append(all, one)
		if one.p, err = start(ctx, s, sv); errors.Is(err, errMissing) {
			one.p = nil
			continue
		} else if err != nil {
			return all, err
		}
		fields, err := c.fields(ctx, one.p)
		if err != nil {
			return all, err
		}
		if err := one.p.settle(ctx, c.path, fields, want); err != nil {
			return all, err
		}
		one.load = load{one.p.url(c.path), fields, c.connections, c.handshakes}
	}
	return all, nil
}

func stopAll(all []*contender) {
	for _, one := range all {
		if one.p != nil {
			one.p.stop()
		}
	}
}

func (c rated) run(ctx context.Context, s settings, site *site) (*outcome, error) {
	all, err := c.field(ctx, s, site)
	if err != nil {
		return nil, err
	}
	defer stopAll(all)
	for i := range s.rounds + 1 {
		fmt.Fprintf(os.Stderr, "%s: round %d of %d\n", c.name, i, s.rounds)
		for _, one := range all {
			if one.p == nil {
				continue
			}
			length := s.length
			if i == 0 {
				length = time.Second // warms up
			}
			r, err := s.drive(ctx, one.p, one.load, length)
			if err != nil {
				return nil, err
			}
			if r.failed > 0 {
				return nil, fmt.Errorf("%s: %d of %d answers are wrong", one.name, r.failed, r.requests)
			}
			if i > 0 {
				one.rounds = append(one.rounds, r)
				if u := one.p.usage(); u.memory > one.most.memory {
					one.most = u
				}
			}
		}
	}
	out := &outcome{Title: c.title, Path: c.path, Columns: ratedColumns}
	for _, one := range all {
		out.Rows = append(out.Rows, one.row())
	}
	out.Base, out.Relative = out.base(c.base), cmp.Or(c.relative, keyRate)
	out.judge(c.goals)
	return out, nil
}

func (one *contender) row() row {
	if one.p == nil {
		return row{Server: one.name, Missing: true}
	}
	values := map[string]float64{
		keyRate:   collect(one.rounds, func(r round) float64 { return r.rate }),
		keyCPU:    collect(one.rounds, func(r round) float64 { return float64(r.cpu.Nanoseconds()) / 1000 }),
		keyP50:    collect(one.rounds, func(r round) float64 { return milliseconds(r.p50) }),
		keyP99:    collect(one.rounds, func(r round) float64 { return milliseconds(r.p99) }),
		keyMemory: mebibytes(one.most.memory),
		keyOwn:    mebibytes(one.most.own),
	}
	if values[keyRate] == 0 { // too slow for such short rounds
		values = map[string]float64{keyRate: 0, keyMemory: mebibytes(one.most.memory), keyOwn: mebibytes(one.most.own)}
	}
	return row{Server: one.name, Values: values}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
func mebibytes(bytes int64) float64        { return float64(bytes) / (1 << 20) }

func collect(rounds []round, get func(round) float64) float64 {
	var values []float64
	for _, r := range rounds {
		values = append(values, get(r))
	}
	return median(values)
}

func median[T cmp.Ordered](values []T) T {
	if len(values) == 0 {
		var zero T
		return zero
	}
	slices.Sort(values)
	return values[len(values)/2]
}
