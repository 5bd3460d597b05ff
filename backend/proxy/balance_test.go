package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mountd/mountd/backend/proxy"
)

// named starts n upstreams that answer with their index.
func named(t *testing.T, n int) (urls []string, origins []*rawOrigin) {
	for i := range n {
		o := serveRaw(t, always(okAnswer(itoa(i))))
		urls = append(urls, o.url())
		origins = append(origins, o)
	}
	return urls, origins
}

// ask gives the body of an answer to a request made by set.
func ask(p http.Handler, set func(*http.Request)) string {
	r := httptest.NewRequest("GET", "/", nil)
	if set != nil {
		set(r)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	if w.Code != 200 {
		return "status " + itoa(w.Code)
	}
	return w.Body.String()
}

func TestRoundRobinIsSmooth(t *testing.T) {
	urls, _ := named(t, 3)
	cfg := to(urls...)
	cfg.Upstreams[0].Weight = 5
	p := newProxy(t, cfg)
	got := ""
	for range 14 {
		got += ask(p, nil)
	}
	if got != "00102000010200"[:14] && got != "00120000012000" && got != "01002000100200" && strings.Count(got, "0") != 10 {
		t.Errorf("order %s", got)
	}
	if strings.Count(got, "1") != 2 || strings.Count(got, "2") != 2 || strings.Contains(got, "000000") {
		t.Errorf("order %s", got)
	}
}

func TestHashesAreConsistent(t *testing.T) {
	urls, _ := named(t, 4)
	for name, c := range map[string]struct {
		balance proxy.Balance
		set     func(*http.Request, int)
	}{
		"ip_hash": {proxy.Balance{Policy: "ip_hash"}, func(r *http.Request, i int) { r.RemoteAddr = fmt.Sprintf("10.0.%d.%d:1", i/200, i%200) }},
		"cookie":  {proxy.Balance{Policy: "cookie", Name: "sid"}, func(r *http.Request, i int) { r.Header.Set("Cookie", "a=b; sid="+itoa(i)) }},
		"header":  {proxy.Balance{Policy: "header", Name: "X-Tenant"}, func(r *http.Request, i int) { r.Header.Set("X-Tenant", itoa(i)) }},
	} {
		t.Run(name, func(t *testing.T) {
			const n = 400
			where := func(urls []string) []string {
				cfg := to(urls...)
				cfg.Balance = c.balance
				p := newProxy(t, cfg)
				out := make([]string, n)
				for i := range n {
					out[i] = ask(p, func(r *http.Request) { c.set(r, i) })
				}
				return out
			}
			all, again, fewer := where(urls), where(urls), where(urls[:3])
			share := map[string]int{}
			for i := range n {
				share[all[i]]++
				if all[i] != again[i] {
					t.Fatalf("client %d went to %s and %s", i, all[i], again[i])
				}
				if all[i] != "3" && all[i] != fewer[i] {
					t.Fatalf("client %d of %s moved to %s though its upstream stayed", i, all[i], fewer[i])
				}
			}
			for up, k := range share {
				if k < n/8 || k > n/2 {
					t.Errorf("upstream %s has %d of %d", up, k, n)
				}
			}
		})
	}
}

func TestLeastConnAndRandomTwoAvoidTheBusy(t *testing.T) {
	for _, policy := range []string{"least_conn", "random_two"} {
		t.Run(policy, func(t *testing.T) {
			release := make(chan struct{})
			slow := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
				for {
					if _, err := o.readHead(br); err != nil {
						return
					}
					<-release
					io.WriteString(c, okAnswer("slow"))
				}
			})
			quick := serveRaw(t, always(okAnswer("quick")))
			cfg := to(slow.url(), quick.url())
			cfg.Balance.Policy = policy
			p := newProxy(t, cfg)
			var wg sync.WaitGroup
			var quickly atomic.Int64
			for range 40 {
				wg.Go(func() {
					if ask(p, nil) == "quick" {
						quickly.Add(1)
					}
				})
				time.Sleep(time.Millisecond)
			}
			defer wg.Wait()
			defer close(release)
			eventually(t, "most are answered", func() bool { return quickly.Load() >= 25 })
		})
	}
}

func TestFirstAndBackups(t *testing.T) {
	urls, origins := named(t, 3)
	cfg := to(urls...)
	cfg.Balance.Policy = "first"
	cfg.Upstreams[0].Backup = true
	cfg.MaxFails = 1
	cfg.Retries = 3
	p := newProxy(t, cfg)
	down := func(o *rawOrigin) {
		o.Close()
		o.mu.Lock()
		for _, c := range o.conns {
			c.Close()
		}
		o.mu.Unlock()
	}
	for _, want := range []string{"1", "2", "0"} {
		for range 3 {
			if got := ask(p, nil); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
		down(origins[want[0]-'0'])
	}
	if got := ask(p, nil); got != "status 502" {
		t.Errorf("with all of them gone: %s", got)
	}
	for i, s := range p.Status() {
		if s.Healthy || s.Failures == 0 || s.URL != urls[i] || s.Backup != (i == 0) {
			t.Errorf("status %+v", s)
		}
	}
}

func TestUpstreamComesBackAfterFailTimeout(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	good := serveRaw(t, always(okAnswer("good")))
	cfg := to("http://"+addr, good.url())
	cfg.Balance.Policy = "first"
	cfg.MaxFails, cfg.FailTimeout = 2, 100*time.Millisecond
	p := newProxy(t, cfg)
	for range 10 {
		if got := ask(p, nil); got != "good" {
			t.Fatal(got)
		}
	}
	if s := p.Status()[0]; s.Healthy || s.Failures > 3 {
		t.Errorf("status %+v", s)
	}
	if ln, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	serveListener(t, ln, always(okAnswer("back")))
	eventually(t, "it is back", func() bool { return ask(p, nil) == "back" })
	if s := p.Status()[0]; !s.Healthy {
		t.Errorf("status %+v", s)
	}
}

func TestActiveHealth(t *testing.T) {
	var well atomic.Bool
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/base/healthz" && !well.Load() {
			w.WriteHeader(500)
		}
		io.WriteString(w, "x")
	}))
	defer up.Close()
	var log safeBuffer
	cfg := to(up.URL + "/base")
	cfg.Name = "/app"
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	cfg.Health = proxy.Health{Path: "/healthz", Interval: 5 * time.Millisecond, Fails: 2, Passes: 2}
	var cause atomic.Value
	cfg.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		cause.Store(err.Error())
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(err.(interface{ HTTPStatus() int }).HTTPStatus())
	}
	p := newProxy(t, cfg)
	eventually(t, "it is out", func() bool { return !p.Status()[0].Healthy })
	if got := ask(p, nil); got != "status 503" {
		t.Errorf("got %s", got)
	}
	if got := cause.Load().(string); !strings.Contains(got, "no upstream of /app is available: "+up.URL+"/base /healthz answered 500") {
		t.Errorf("the operator reads %q", got)
	}
	well.Store(true)
	eventually(t, "it is back", func() bool { return ask(p, nil) == "x" })
	if got := log.String(); !strings.Contains(got, "upstream is not well") || !strings.Contains(got, "upstream is well again") {
		t.Errorf("log %s", got)
	}
}

type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestMaxConnsQueues(t *testing.T) {
	var now, most atomic.Int64
	release := make(chan struct{})
	o := serveRaw(t, func(o *rawOrigin, c net.Conn, br *bufio.Reader) {
		for {
			if _, err := o.readHead(br); err != nil {
				return
			}
			most.Store(max(most.Load(), now.Add(1)))
			<-release
			now.Add(-1)
			io.WriteString(c, okAnswer("x"))
		}
	})
	cfg := to(o.url())
	cfg.MaxConns = 3
	p := newProxy(t, cfg)
	var wg sync.WaitGroup
	var served, refused atomic.Int64
	for range 3 + 512 + 50 {
		wg.Go(func() {
			switch got := ask(p, nil); got {
			case "x":
				served.Add(1)
			case "status 503":
				refused.Add(1)
			default:
				t.Error(got)
			}
		})
	}
	eventually(t, "the queue is full", func() bool { return refused.Load() == 50 })
	close(release)
	wg.Wait()
	if served.Load() != 515 || most.Load() > 3 {
		t.Errorf("%d served, %d at a time", served.Load(), most.Load())
	}
}

func TestMistakesNameTheirOption(t *testing.T) {
	cfg := proxy.Config{
		Upstreams: []proxy.Upstream{{URL: "http://ok"}, {URL: "ftp://x"}, {URL: "http://user:pw@x"}, {URL: "http://x?y"}, {URL: "http://"}, {URL: "unix:"}, {URL: "http://{x"}, {URL: "http://x:99999"}, {URL: "http://ok", Weight: -1}},
		Balance:   proxy.Balance{Policy: "best"},
		Flush:     "sometimes",
		Host:      "a b",
		MaxConns:  -1,
		Health:    proxy.Health{Path: "x", Status: "fine"},
		TLS:       proxy.TLS{CA: "/nowhere", Cert: "x"},
	}
	_, err := proxy.New(cfg)
	if err == nil {
		t.Fatal("no error")
	}
	got := map[string]bool{}
	for _, e := range flatten(err) {
		if o, ok := e.(interface{ OptionPath() string }); ok {
			got[o.OptionPath()] = true
		} else {
			t.Errorf("%v names no option", e)
		}
	}
	for _, want := range []string{"to[1]", "to[2]", "to[3]", "to[4]", "to[5]", "to[6]", "to[7]", "to[8]", "balance", "flush", "host", "max_conns", "health.path", "health.status", "tls.ca", "tls.cert"} {
		if !got[want] {
			t.Errorf("%s is not reported: %v", want, err)
		}
	}
	if got["to[0]"] {
		t.Error("to[0] is fine")
	}
	if strings.Contains(err.Error(), "pw") {
		t.Errorf("the error tells the password: %v", err)
	}
}

func flatten(err error) []error {
	j, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range j.Unwrap() {
		out = append(out, flatten(e)...)
	}
	return out
}
