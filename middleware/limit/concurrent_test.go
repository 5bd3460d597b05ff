package limit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mountd/mountd/middleware/limit"
)

// gate is a handler that takes its time, and notes the order of requests.
type gate struct {
	mu    sync.Mutex
	order []string
	took  time.Duration
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.order = append(g.order, r.URL.Path)
	g.mu.Unlock()
	time.Sleep(g.took)
}

func concurrent(t testing.TB, cfg limit.ConcurrentConfig) *limit.Concurrent {
	t.Helper()
	l, err := limit.NewConcurrent(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// start sends a request and waits until it is served, waits or is refused.
func start(ctx context.Context, h http.Handler, path string) <-chan *httptest.ResponseRecorder {
	done := make(chan *httptest.ResponseRecorder, 1)
	go func() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil).WithContext(ctx))
		done <- w
	}()
	synctest.Wait()
	return done
}

func TestQueueIsFairAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{took: time.Second}
		l := concurrent(t, limit.ConcurrentConfig{Max: 1, Queue: 4, Wait: 10 * time.Second})
		h := l.Wrap(g)
		var all []<-chan *httptest.ResponseRecorder
		for i := range 6 {
			all = append(all, start(t.Context(), h, fmt.Sprintf("/%d", i)))
		}
		if active, waiting := l.Load(); active != 1 || waiting != 4 {
			t.Errorf("%d active, %d waiting", active, waiting)
		}
		last := <-all[5]
		if last.Code != http.StatusServiceUnavailable || last.Header().Get("Retry-After") != "10" {
			t.Errorf("beyond the queue: %d, Retry-After %q", last.Code, last.Header().Get("Retry-After"))
		}
		for i, done := range all[:5] {
			if w := <-done; w.Code != 200 {
				t.Errorf("request %d: %d", i, w.Code)
			}
		}
		if got := strings.Join(g.order[1:], ""); got != "/1/2/3/4" {
			t.Errorf("order %s", got)
		}
		if active, waiting := l.Load(); active != 0 || waiting != 0 {
			t.Errorf("%d active, %d waiting at the end", active, waiting)
		}
	})
}

func TestWaitIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := concurrent(t, limit.ConcurrentConfig{Max: 1, Queue: 1})
		h := l.Wrap(&gate{took: time.Minute})
		first := start(t.Context(), h, "/1")
		began := time.Now()
		w := <-start(t.Context(), h, "/2")
		if w.Code != http.StatusServiceUnavailable || time.Since(began) != limit.DefaultWait {
			t.Errorf("%d after %v", w.Code, time.Since(began))
		}
		if _, waiting := l.Load(); waiting != 0 {
			t.Error("the place was not given back")
		}
		<-first
	})
}

func TestClientThatLeavesFreesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := concurrent(t, limit.ConcurrentConfig{Max: 1, Queue: 1, Wait: time.Hour})
		g := &gate{took: time.Minute}
		h := l.Wrap(g)
		first := start(t.Context(), h, "/1")
		ctx, cancel := context.WithCancel(t.Context())
		second := start(ctx, h, "/2")
		cancel()
		synctest.Wait()
		if w := <-second; w.Code != 499 {
			t.Errorf("status %d", w.Code)
		}
		third := start(t.Context(), h, "/3")
		<-first
		<-third
		if got := strings.Join(g.order, ""); got != "/1/3" {
			t.Errorf("order %s", got)
		}
	})
}

// Requests that leave at the very moment their turn comes must not lose it
// for those behind them.
func TestNoTurnIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := concurrent(t, limit.ConcurrentConfig{Max: 2, Queue: 1000, Wait: time.Second})
		h := l.Wrap(&gate{took: 100 * time.Millisecond})
		var wg sync.WaitGroup
		for i := range 200 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%11)*100*time.Millisecond)
			wg.Go(func() {
				defer cancel()
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx))
			})
		}
		wg.Wait()
		if active, waiting := l.Load(); active != 0 || waiting != 0 {
			t.Errorf("%d active, %d waiting", active, waiting)
		}
	})
}

func TestPanicGivesThePlaceBack(t *testing.T) {
	l := concurrent(t, limit.ConcurrentConfig{Max: 1})
	h := l.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") }))
	func() {
		defer func() { _ = recover() }()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}()
	if active, _ := l.Load(); active != 0 {
		t.Errorf("%d active", active)
	}
}

func TestConcurrentMistakes(t *testing.T) {
	_, err := limit.NewConcurrent(limit.ConcurrentConfig{Queue: -1, Wait: -1})
	for _, want := range []string{"max: 0 lets nothing", "queue: -1", "wait: -1ns"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func BenchmarkConcurrent(b *testing.B) {
	h := concurrent(b, limit.ConcurrentConfig{Max: 100}).Wrap(fine)
	r, d := httptest.NewRequest("GET", "/", nil), discard{make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(d, r)
	}
}

func ExampleNewConcurrent() {
	l, err := limit.NewConcurrent(limit.ConcurrentConfig{Max: 100, Queue: 200, Wait: 5 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := l.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Println(l.Load()) }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	// Output: 1 0
}
