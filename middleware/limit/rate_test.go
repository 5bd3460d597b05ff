package limit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/middleware/limit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var fine = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })

func rate(t testing.TB, cfg limit.RateConfig) http.Handler {
	t.Helper()
	l, err := limit.NewRate(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l.Wrap(fine)
}

func from(h http.Handler, client string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = client
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// passed counts how many of n requests are let through at once.
func passed(h http.Handler, n int, client string, header ...string) (count int) {
	for range n {
		if from(h, client, header...).Code == http.StatusNoContent {
			count++
		}
	}
	return count
}

func TestBucketFillsEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := rate(t, limit.RateConfig{Count: 20, Per: time.Second, Burst: 40})
		if n := passed(h, 100, "1.1.1.1:1"); n != 40 {
			t.Errorf("%d at once", n)
		}
		time.Sleep(50 * time.Millisecond)
		if n := passed(h, 5, "1.1.1.1:1"); n != 1 {
			t.Errorf("%d after one interval", n)
		}
		time.Sleep(time.Second)
		if n := passed(h, 100, "1.1.1.1:1"); n != 20 {
			t.Errorf("%d after a second", n)
		}
		time.Sleep(time.Hour)
		if n := passed(h, 100, "1.1.1.1:1"); n != 40 {
			t.Errorf("%d after an hour", n)
		}
	})
}

func TestAnswerOfARefusedRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := rate(t, limit.RateConfig{Count: 2, Per: time.Minute, Announce: true})
		w := from(h, "1.1.1.1:1")
		if got := w.Header().Get("RateLimit"); got != `"default";r=1;t=30` {
			t.Errorf("RateLimit: %s", got)
		}
		from(h, "1.1.1.1:1")
		time.Sleep(10500 * time.Millisecond)
		w = from(h, "1.1.1.1:1")
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "20" {
			t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		if got := w.Header().Get("RateLimit"); got != `"default";r=0;t=50` {
			t.Errorf("RateLimit: %s", got)
		}
		if got := w.Header().Get("RateLimit-Policy"); got != `"default";q=2;w=60` {
			t.Errorf("RateLimit-Policy: %s", got)
		}
		time.Sleep(20 * time.Second)
		if from(h, "1.1.1.1:1").Code != http.StatusNoContent {
			t.Error("Retry-After was too short")
		}
	})
}

func TestKeys(t *testing.T) {
	tests := []struct {
		fact, a, b string
		same       bool
	}{
		{"ports do not count", "1.1.1.1:1", "1.1.1.1:2", true},
		{"IPv4 addresses differ", "1.1.1.1:1", "1.1.1.2:1", false},
		{"mapped is IPv4", "1.1.1.1:1", "[::ffff:1.1.1.1]:1", true},
		{"a /64 is one client", "[2001:db8::1]:1", "[2001:db8::ffff:0:0:1]:1", true},
		{"another /64 is not", "[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{"unknown ones are one", "@", "", true},
	}
	for _, tt := range tests {
		h := rate(t, limit.RateConfig{Count: 1, Per: time.Hour})
		from(h, tt.a)
		if same := from(h, tt.b).Code != http.StatusNoContent; same != tt.same {
			t.Errorf("%s: same %v", tt.fact, same)
		}
	}
}

func TestHeaderKeys(t *testing.T) {
	h := rate(t, limit.RateConfig{Count: 1, Per: time.Hour, Key: limit.ByHeader("x-api-key")})
	long := strings.Repeat("k", 5000)
	for i, step := range []struct {
		header []string
		want   int
	}{
		{[]string{"X-Api-Key", "a"}, 204}, {[]string{"X-Api-Key", "a"}, 429}, {[]string{"X-Api-Key", "b"}, 204},
		{[]string{"X-Api-Key", long}, 204}, {[]string{"X-Api-Key", long}, 429}, {[]string{"X-Api-Key", long + "x"}, 204},
		{nil, 204}, {nil, 429}, {[]string{"X-Api-Key", "c", "X-Api-Key", "d"}, 429},
	} {
		if w := from(h, "1.1.1.1:1", step.header...); w.Code != step.want {
			t.Errorf("step %d: %d, want %d", i, w.Code, step.want)
		}
	}
}

func TestTheTrustedClientCounts(t *testing.T) {
	h := rate(t, limit.RateConfig{Count: 1, Per: time.Hour})
	for i, want := range []int{204, 204, 429} {
		w := httptest.NewRecorder()
		rec := request.New(w, httptest.NewRequest("GET", "/", nil))
		rec.Client = netip.AddrFrom4([4]byte{9, 9, 9, byte(min(i, 1))})
		h.ServeHTTP(&rec.Writer, &rec.Request)
		if w.Code != want {
			t.Errorf("request %d: %d", i, w.Code)
		}
	}
}

type brokenStore struct{}

func (brokenStore) Take(context.Context, string, limit.Limit) (limit.Result, error) {
	return limit.Result{}, errors.New("connection refused")
}

func TestStoreThatFailsIsReplacedByMemory(t *testing.T) {
	told := 0
	h := rate(t, limit.RateConfig{Count: 3, Per: time.Hour, Store: brokenStore{}, StoreError: func(*http.Request, error) { told++ }})
	if n := passed(h, 10, "1.1.1.1:1"); n != 3 || told != 10 {
		t.Errorf("%d let through, told %d times", n, told)
	}
}

func TestMemoryStoreIsBounded(t *testing.T) {
	s := limit.NewMemoryStore(640)
	l := limit.Limit{Count: 1, Per: time.Hour, Burst: 2}
	ctx := context.Background()
	for i := range 100_000 {
		if _, err := s.Take(ctx, fmt.Sprint(i), l); err != nil {
			t.Fatal(err)
		}
		// One that is used all the time is not forgotten.
		if res, _ := s.Take(ctx, "busy", l); res.Allowed && i > 1 {
			t.Fatalf("forgotten after %d", i)
		}
	}
}

func TestConcurrentTakesAreExact(t *testing.T) {
	s := limit.NewMemoryStore(0)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 100 {
				if res, _ := s.Take(context.Background(), "k", limit.Limit{Count: 1, Per: time.Hour, Burst: 777}); res.Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := allowed.Load(); n != 777 {
		t.Errorf("%d of 777", n)
	}
}

func TestRateMistakes(t *testing.T) {
	for want, cfg := range map[string]limit.RateConfig{
		"rate: 0 is not positive":    {},
		"rate: -1":                   {Count: -1},
		"rate: 2000000000 per":       {Count: 2_000_000_000},
		"rate: 1 per -1s":            {Count: 1, Per: -time.Second},
		"burst: -1 is out":           {Count: 1, Burst: -1},
		"burst: 9000000000000000000": {Count: 1, Burst: 9e18},
	} {
		if _, err := limit.NewRate(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func BenchmarkRate(b *testing.B) {
	for _, announce := range []bool{false, true} {
		b.Run(fmt.Sprintf("announce=%v", announce), func(b *testing.B) {
			h := rate(b, limit.RateConfig{Count: 1e6, Burst: 1e9, Announce: announce})
			d := discard{make(http.Header)}
			rec := request.New(d, httptest.NewRequest("GET", "/", nil))
			rec.Client = netip.MustParseAddr("10.1.2.3")
			b.ReportAllocs()
			for b.Loop() {
				clear(d.h)
				rec.Writer.Reset(d)
				h.ServeHTTP(&rec.Writer, &rec.Request)
			}
		})
	}
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func ExampleNewRate() {
	l, err := limit.NewRate(limit.RateConfig{Count: 1, Per: time.Minute, Burst: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := l.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusOK) }))
	for range 3 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		fmt.Printf("%d %q\n", w.Code, w.Header().Get("Retry-After"))
	}
	// Output:
	// 200 ""
	// 200 ""
	// 429 "60"
}
