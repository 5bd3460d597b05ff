package issuer_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mountd/mountd/internal/issuer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestACellIsLoadedWhenItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loads := 0
		c := issuer.NewCell(issuer.CellConfig[int]{
			Load: func(context.Context) (int, error) { loads++; return loads, nil }, Refresh: time.Minute,
		})
		defer c.Close()
		if _, ok := c.Peek(); ok || loads != 0 {
			t.Error("it was loaded before it was asked for")
		}
		for range 3 {
			if v, err := c.Get(t.Context()); v != 1 || err != nil {
				t.Error(v, err)
			}
		}
		time.Sleep(time.Hour)
		if v, _ := c.Peek(); v != 1 {
			t.Error("the old value does not serve meanwhile:", v)
		}
		synctest.Wait()
		if v, _ := c.Peek(); v != 2 || loads != 2 {
			t.Error(v, loads)
		}
	})
}

func TestRenewalsAreRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loads := 0
		c := issuer.NewCell(issuer.CellConfig[int]{Load: func(context.Context) (int, error) { loads++; return loads, nil }, Interval: time.Minute})
		defer c.Close()
		_, _ = c.Get(t.Context())
		for range 600 {
			_, _ = c.Renew(t.Context())
			time.Sleep(time.Second)
		}
		if loads != 10 {
			t.Errorf("%d loads in ten minutes", loads)
		}
	})
}

func TestACellThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("down")
		var err error
		var told []error
		c := issuer.NewCell(issuer.CellConfig[string]{
			Load: func(context.Context) (string, error) { return "v", err }, Refresh: time.Minute, Lifetime: time.Hour,
			Log: func(err error) { told = append(told, err) },
		})
		defer c.Close()
		_, _ = c.Get(t.Context())
		err = down
		for range 59 {
			time.Sleep(time.Minute)
			if v, ok := c.Peek(); !ok || v != "v" {
				t.Fatal(v, ok)
			}
		}
		time.Sleep(2 * time.Minute)
		for range 3 {
			if _, ok := c.Peek(); ok {
				t.Error("a value is used beyond its lifetime")
			}
			if _, e := c.Get(t.Context()); !errors.Is(e, down) {
				t.Error(e)
			}
		}
		err = nil
		time.Sleep(time.Minute)
		if v, e := c.Get(t.Context()); v != "v" || e != nil {
			t.Error(v, e)
		}
		if len(told) != 2 || !errors.Is(told[0], down) || told[1] != nil {
			t.Errorf("told %v", told)
		}
	})
}

func TestALoadThatHangsOrPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := issuer.NewCell(issuer.CellConfig[int]{Load: func(ctx context.Context) (int, error) {
			<-ctx.Done()
			panic("oops")
		}})
		start := time.Now()
		if _, err := c.Get(t.Context()); err == nil || time.Since(start) != issuer.LoadTimeout {
			t.Error(err, time.Since(start))
		}
		// Who asks may leave earlier.
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		c.Close()
		if _, err := c.Get(t.Context()); err == nil {
			t.Error("it is closed")
		}
	})
}

func TestFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := issuer.NewFlights[string, int](2, time.Minute)
		defer f.Close()
		var n atomic.Int32
		slow := func(context.Context) (int, error) { time.Sleep(time.Second); return int(n.Add(1)), nil }
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.Do(gone, "a", slow); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		var wg sync.WaitGroup
		for range 10 { // it goes on for the others
			wg.Go(func() {
				if v, err := f.Do(t.Context(), "a", slow); v != 1 || err != nil {
					t.Error(v, err)
				}
			})
		}
		synctest.Wait()
		_, _ = f.Do(gone, "b", func(context.Context) (int, error) { time.Sleep(time.Minute / 2); return 0, nil })
		if _, err := f.Do(t.Context(), "c", slow); !errors.Is(err, issuer.ErrBusy) {
			t.Error(err)
		}
		wg.Wait()
		time.Sleep(30 * time.Second)
		if v, _ := f.Do(t.Context(), "a", slow); v != 1 {
			t.Error("a late one asked again")
		}
		time.Sleep(time.Minute)
		if v, _ := f.Do(t.Context(), "a", slow); v != 2 {
			t.Error("a value was kept for too long:", v)
		}
		if _, err := f.Do(t.Context(), "d", func(context.Context) (int, error) { panic("oops") }); err == nil {
			t.Error("a panic is no error")
		}
	})
}

func TestGenerationsAreBounded(t *testing.T) {
	g := issuer.NewGenerations[int, int](100, 1000)
	for i := range 10000 {
		g.Put(i, i, 1)
		if v, ok := g.Get(i); !ok || v != i {
			t.Fatal("what is new was forgotten")
		}
		if g.Len() > 100 {
			t.Fatalf("%d entries", g.Len())
		}
	}
	if _, ok := g.Get(9960); !ok {
		t.Error("half of the room is not for what is new")
	}
	for i := range 100 {
		g.Put(i, i, 400)
	}
	if g.Len() != 2 {
		t.Errorf("%d heavy entries", g.Len())
	}
	g.Delete(99)
	if _, ok := g.Get(99); ok {
		t.Error("it was deleted")
	}
}
