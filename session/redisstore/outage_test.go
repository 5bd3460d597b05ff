package redisstore_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/redisstore"
)

// ctx is short for what these tests do not need.
type ctx = context.Context

// site has a public page and one that needs the session.
func site(t *testing.T, store session.Store, timeout time.Duration) string {
	t.Helper()
	m, err := session.New(session.Config{Store: store, Timeout: timeout, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := session.FromRequest(r)
		switch r.URL.Path {
		case "/login":
			if err := s.Login("joe"); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
			}
		case "/private":
			user := s.User()
			if err := s.Err(); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			if user == "" {
				http.Error(w, "log in", http.StatusUnauthorized)
				return
			}
		}
	})
	server := httptest.NewServer(m.Wrap(app))
	t.Cleanup(server.Close)
	return server.URL
}

func get(client *http.Client, url, cookie string) (status int, setCookie string, err error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	for _, c := range resp.Cookies() {
		setCookie = c.Name + "=" + c.Value
	}
	return resp.StatusCode, setCookie, nil
}

// tally counts answers by status, and the slowest, of requests that began after
// it was reset.
type tally struct {
	mu      sync.Mutex
	status  map[int]int
	slowest time.Duration
	since   time.Time
}

func (c *tally) add(status int, began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if began.After(c.since) {
		c.status[status]++
		c.slowest = max(c.slowest, time.Since(began))
	}
}

func (c *tally) count(status int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status[status]
}

func (c *tally) reset() (status map[int]int, slowest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	status, slowest = c.status, c.slowest
	c.status, c.slowest, c.since = map[int]int{}, 0, time.Now()
	return status, slowest
}

// Redis is stopped, paused and started again under load. Public pages do not
// notice, private ones fail fast and are never served without a session.
func TestOutages(t *testing.T) {
	s := serve(t)
	const timeout = 500 * time.Millisecond
	url := site(t, open(t, redisstore.Config{URL: s.url()}), timeout)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	t.Cleanup(client.CloseIdleConnections)

	login := func() string {
		var cookie string
		eventually(t, "login", func(ctx) error {
			status, set, err := get(client, url+"/login", "")
			if err == nil && (status != http.StatusOK || set == "") {
				err = fmt.Errorf("status %d, cookie %q", status, set)
			}
			cookie = set
			return err
		})
		return cookie
	}
	var cookie atomic.Value
	cookie.Store(login())

	public, private := &tally{status: map[int]int{}}, &tally{status: map[int]int{}}
	stop := make(chan struct{})
	var load sync.WaitGroup
	for path, count := range map[string]*tally{"/": public, "/private": private} {
		for range 4 {
			load.Go(func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(2 * time.Millisecond):
					}
					began := time.Now()
					status, _, err := get(client, url+path, cookie.Load().(string))
					if err != nil {
						t.Error(err)
						return
					}
					count.add(status, began)
				}
			})
		}
	}
	// A store that is well may still fail on a busy machine, one that is down
	// never succeeds.
	phase := func(name string, well bool) {
		t.Helper()
		public.reset()
		private.reset()
		time.Sleep(time.Second) // of load
		for deadline := time.Now().Add(20 * time.Second); well && private.count(http.StatusOK) == 0 && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond) // a straggler may have failed late
		}
		open, slowOpen := public.reset()
		closed, slowClosed := private.reset()
		fmt.Printf("redis %s: public %v (slowest %v), private %v (slowest %v)\n", name, open, slowOpen.Round(time.Millisecond), closed, slowClosed.Round(time.Millisecond))
		if len(open) != 1 || open[http.StatusOK] == 0 {
			t.Errorf("%s: public pages answered %v", name, open)
		}
		for status := range closed {
			if status != http.StatusServiceUnavailable && !(well && status == http.StatusOK) {
				t.Errorf("%s: private pages answered %v", name, closed)
			}
		}
		if len(closed) == 0 || well && closed[http.StatusOK] == 0 {
			t.Errorf("%s: private pages answered %v", name, closed)
		}
	}
	recovered := func(want int) time.Duration {
		t.Helper()
		return eventually(t, "recovery", func(ctx) error {
			status, _, err := get(client, url+"/private", cookie.Load().(string))
			if err == nil && status != want {
				err = fmt.Errorf("status %d", status)
			}
			return err
		})
	}

	phase("up", true)
	s.signal(syscall.SIGSTOP)
	recovered(http.StatusServiceUnavailable)
	phase("paused", false)
	s.signal(syscall.SIGCONT)
	fmt.Printf("redis continued: sessions are back after %v\n", recovered(http.StatusOK).Round(time.Millisecond))
	phase("continued", true)
	s.stop()
	recovered(http.StatusServiceUnavailable)
	phase("stopped", false)
	s.start()
	fmt.Printf("redis restarted, empty: answers after %v\n", recovered(http.StatusUnauthorized).Round(time.Millisecond))
	cookie.Store(login())
	phase("restarted", true)
	close(stop)
	load.Wait()
}

func TestAServerThatComesLater(t *testing.T) {
	s := serve(t)
	s.stop()
	url := site(t, open(t, redisstore.Config{URL: s.url()}), time.Second)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	if status, _, err := get(client, url+"/login", ""); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("status %d, %v", status, err)
	}
	if status, _, err := get(client, url+"/", "mountd_session="+session.NewToken()); err != nil || status != http.StatusOK {
		t.Errorf("status %d, %v", status, err)
	}
	s.start()
	eventually(t, "login", func(ctx) error {
		status, _, err := get(client, url+"/login", "")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
}
