package compose_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/mountd/mountd/compose"
)

func contextWith(r *http.Request, key, value any) context.Context {
	return context.WithValue(r.Context(), key, value)
}

// ledger counts what was made and closed.
type ledger struct{ made, closed map[string]int }

func newLedger() *ledger { return &ledger{map[string]int{}, map[string]int{}} }

func (l *ledger) registry() compose.Registry {
	return compose.Registry{"count": compose.Define("", options{}, func(o options) (compose.Instance, error) {
		l.made[o.Label]++
		return compose.Instance{Wrap: noting(o.Label), Close: func() error { l.closed[o.Label]++; return nil }}, nil
	})}
}

func (l *ledger) expect(t *testing.T, label string, made, closed int) {
	t.Helper()
	if l.made[label] != made || l.closed[label] != closed {
		t.Errorf("%s: made %d, closed %d, not %d and %d", label, l.made[label], l.closed[label], made, closed)
	}
}

func counting(labels ...string) []compose.Layer {
	var layers []compose.Layer
	for _, l := range labels {
		layers = append(layers, compose.Layer{Name: "count", Options: text(fmt.Sprintf(`{"label": %q}`, l)), Definition: l})
	}
	return layers
}

func build(t *testing.T, b *compose.Build, layers []compose.Layer) {
	t.Helper()
	if _, err := b.Chain(layers...); err != nil {
		t.Fatal(err)
	}
}

func TestOneDefinitionIsOneInstance(t *testing.T) {
	l, pool := newLedger(), &compose.Pool{}
	b := pool.Begin(l.registry())
	build(t, b, counting("a", "b"))
	build(t, b, counting("b", "a", "a"))
	l.expect(t, "a", 1, 0)
	own := counting("own")
	own[0].Definition = ""
	build(t, b, own)
	build(t, b, own)
	l.expect(t, "own", 2, 0)
	if err := errors.Join(b.Commit()(), pool.Close()); err != nil {
		t.Error(err)
	}
	l.expect(t, "a", 1, 1)
	l.expect(t, "own", 2, 2)
}

func TestCommitClosesOnlyWhatIsGone(t *testing.T) {
	l, pool := newLedger(), &compose.Pool{}
	b := pool.Begin(l.registry())
	build(t, b, counting("kept", "gone"))
	b.Commit()
	b = pool.Begin(l.registry())
	build(t, b, counting("kept", "new"))
	closeOld := b.Commit()
	l.expect(t, "gone", 1, 0) // its requests may not have ended
	if err := closeOld(); err != nil {
		t.Error(err)
	}
	l.expect(t, "gone", 1, 1)
	l.expect(t, "kept", 1, 0)
	l.expect(t, "new", 1, 0)
	// What comes back is made anew.
	b = pool.Begin(l.registry())
	build(t, b, counting("gone"))
	_ = b.Commit()()
	l.expect(t, "gone", 2, 1)
	l.expect(t, "kept", 1, 1)
	_ = pool.Close()
	l.expect(t, "gone", 2, 2)
	if pool.Close() != nil {
		t.Error("a second Close fails")
	}
	l.expect(t, "gone", 2, 2)
}

func TestAbortClosesOnlyWhatIsNew(t *testing.T) {
	l, pool := newLedger(), &compose.Pool{}
	b := pool.Begin(l.registry())
	build(t, b, counting("kept"))
	b.Commit()
	b = pool.Begin(l.registry())
	build(t, b, counting("kept", "new"))
	if err := b.Abort(); err != nil {
		t.Error(err)
	}
	l.expect(t, "new", 1, 1)
	l.expect(t, "kept", 1, 0)
	_ = pool.Close()
	l.expect(t, "kept", 1, 1)
}

func TestPartsLiveAsLongAsTheWhole(t *testing.T) {
	l, pool := newLedger(), &compose.Pool{}
	keep := func(b *compose.Build, key string, parts ...string) {
		t.Helper()
		_, err := b.Keep(key, func() (any, func() error, error) {
			for _, p := range parts {
				build(t, b, counting(p))
			}
			l.made[key]++
			return key, func() error { l.closed[key]++; return nil }, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var used []string
	for range 3 {
		b := pool.Begin(l.registry())
		used = nil
		b.Used = func(key string) { used = append(used, key) }
		keep(b, "whole", "part", "other")
		keep(b, "whole", "part", "other")
		_ = b.Commit()()
	}
	if len(used) != 6 {
		t.Errorf("told of %q", used)
	}
	for _, name := range []string{"whole", "part", "other"} {
		l.expect(t, name, 1, 0)
	}
	_ = pool.Begin(l.registry()).Commit()()
	for _, name := range []string{"whole", "part", "other"} {
		l.expect(t, name, 1, 1)
	}
}

func TestRetainTakesOverWithoutMaking(t *testing.T) {
	l, pool := newLedger(), &compose.Pool{}
	b := pool.Begin(l.registry())
	var key string
	b.Used = func(k string) { key = k }
	build(t, b, counting("a"))
	b.Commit()
	b = pool.Begin(l.registry())
	if b.Retain(key) == nil || b.Retain("nothing") != nil {
		t.Error("Retain is wrong about what there was")
	}
	_ = b.Commit()()
	l.expect(t, "a", 1, 0)
	_ = pool.Close()
}

func TestWhatCannotBeMadeIsNotKept(t *testing.T) {
	pool := &compose.Pool{}
	b := pool.Begin(nil)
	fail := errors.New("no")
	for range 2 {
		if _, err := b.Keep("x", func() (any, func() error, error) { return nil, nil, fail }); !errors.Is(err, fail) {
			t.Errorf("error %v", err)
		}
	}
	if v, err := b.Keep("x", func() (any, func() error, error) { return 1, nil, nil }); v != 1 || err != nil {
		t.Error(v, err)
	}
	_ = b.Commit()()
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
}

func TestErrorsOfClosingAreJoined(t *testing.T) {
	pool := &compose.Pool{}
	b := pool.Begin(nil)
	for _, name := range []string{"a", "b"} {
		_, _ = b.Keep(name, func() (any, func() error, error) { return name, func() error { return errors.New(name) }, nil })
	}
	b.Commit()
	err := pool.Close()
	if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 2 {
		t.Errorf("error %v", err)
	}
}

func TestAStampTellsStatesApart(t *testing.T) {
	l, pool := newLedger(), &compose.Pool{}
	state := "one"
	r := l.registry()
	r["count"] = compose.StampFor(r["count"], func(options) string { return state })
	for _, state = range []string{"one", "one", "two"} {
		b := pool.Begin(r)
		build(t, b, counting("a"))
		_ = b.Commit()()
	}
	l.expect(t, "a", 2, 1)
	_ = pool.Close()
}
