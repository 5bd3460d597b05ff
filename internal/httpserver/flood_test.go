package httpserver_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/httpserver"
)

// idleLimit is what a connection may cost while it waits, its stack included.
const idleLimit = 12 << 10

func TestMemoryOfIdleConnections(t *testing.T) {
	const n = 1000
	each(t, func(t *testing.T, k kind) {
		before := runtime.NumGoroutine()
		s := k.serving(t, text("hello"))
		conns := make([]net.Conn, 0, n)
		defer func() {
			for _, c := range conns {
				_ = c.Close()
			}
			settled(t, before+2) // Serve, and a sweep
		}()
		used := func() uint64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc + m.StackInuse
		}
		c := s.dial()
		c.ask(get)
		start := used()
		answer := make([]byte, 4096)
		for range n {
			c, err := net.Dial("tcp", s.ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
			_ = c.SetDeadline(time.Now().Add(patience))
			_, _ = io.WriteString(c, get)
			if _, err := c.Read(answer); err != nil {
				t.Fatal(err)
			}
		}
		var each uint64
		until(t, "the connections to be at rest", func() bool {
			each = (used() - start) / n
			return each < idleLimit || k.name == theirs.name
		})
		t.Logf("%d bytes for each, both ends together", each)
	})
}

func TestSlowlorisBesideOthers(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		before := runtime.NumGoroutine()
		s := k.serve(t, httpserver.Config{HeaderTimeout: 400 * time.Millisecond, IdleTimeout: 400 * time.Millisecond, Handler: text("hello")})
		stop := make(chan struct{})
		var running sync.WaitGroup
		var cutOff atomic.Int32
		for range 300 {
			running.Go(func() {
				for {
					c, err := net.Dial("tcp", s.ln.Addr().String())
					if err != nil {
						return
					}
					for i := range 10000 {
						if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nX: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"[i%50:i%50+1]); err != nil {
							break
						}
						select {
						case <-stop:
							_ = c.Close()
							return
						case <-time.After(50 * time.Millisecond):
						}
					}
					_ = c.Close()
					cutOff.Add(1)
				}
			})
		}
		var worst time.Duration
		end := time.Now().Add(2 * time.Second)
		n := 0
		for time.Now().Before(end) {
			start := time.Now()
			c := s.dial()
			for range 10 {
				if a := c.ask(get); a.body != "hello" {
					t.Fatal(a)
				}
				n++
			}
			_ = c.Close()
			worst = max(worst, time.Since(start))
			time.Sleep(time.Millisecond)
		}
		close(stop)
		running.Wait()
		t.Logf("%d requests, the slowest ten took %v; %d slow ones were cut off", n, worst, cutOff.Load())
		if worst > patience/2 || cutOff.Load() < 100 {
			t.Errorf("the slowest ten took %v; %d slow ones were cut off", worst, cutOff.Load())
		}
		settled(t, before+2)
	})
}

func TestConnectionFlood(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		before := runtime.NumGoroutine()
		var open atomic.Int32
		s := k.serve(t, httpserver.Config{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, long)
			}),
			ConnState: func(_ net.Conn, state http.ConnState) {
				switch state {
				case http.StateNew:
					open.Add(1)
				case http.StateClosed:
					open.Add(-1)
				}
			},
		})
		for i := range 2000 {
			c, err := net.Dial("tcp", s.ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			k := newClient(t, c)
			switch i % 7 {
			case 1:
				_, _ = io.WriteString(c, "GET / HTT")
			case 2:
				_, _ = io.WriteString(c, get)
			case 3:
				_, _ = io.WriteString(c, host("POST / HTTP/1.1", "Content-Length: 9")+"abc")
			case 4:
				_, _ = io.WriteString(c, host("POST / HTTP/1.1", expects, "Content-Length: 9"))
			case 5:
				_, _ = io.WriteString(c, get)
				_, _ = k.r.ReadByte()
			case 6:
				_, _ = io.WriteString(c, "\x16\x03\x01")
			}
			if i%2 == 0 {
				k.abort()
			} else {
				_ = c.Close()
			}
		}
		until(t, "the connections to end", func() bool { return open.Load() == 0 })
		if a := s.dial().ask(get); a.body != long {
			t.Error(a.line)
		}
		settled(t, before+3) // Serve, and the last connection
	})
}

// Clients that leave while their request is being served leave nothing.
func TestAbortedClientsLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	s := ours.serving(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	for i := range 300 {
		c := s.dial()
		switch i % 3 {
		case 0:
			c.send(get)
		case 1:
			c.send(host("POST / HTTP/1.1", expects, "Content-Length: 9"))
		case 2:
			c.send(host("POST / HTTP/1.1", "Content-Length: 9") + "ab")
		}
		c.abort()
	}
	settled(t, before+2)
}

// Many clients at once, each with its own answers.
func TestManyClients(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			s := ours.serveOn(t, transport, httpserver.Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				w.Header().Set("X-Id", r.Header.Get("X-Id"))
				_, _ = fmt.Fprintf(w, "%s %s %s", r.URL.Path, r.URL.RawQuery, body)
			})})
			var running sync.WaitGroup
			for i := range 32 {
				c := s.dial()
				running.Go(func() {
					for j := range 100 {
						id := fmt.Sprintf("%d-%d", i, j)
						_, _ = io.WriteString(c, host("POST /"+id+"?"+id+" HTTP/1.1", "X-Id: "+id, fmt.Sprintf("Content-Length: %d", len(id)))+id)
						a, err := c.read("POST")
						if err != nil || a.err != nil || a.body != "/"+id+" "+id+" "+id || a.header.Get("X-Id") != id {
							t.Errorf("%s: %v, %v", id, a, err)
							return
						}
					}
				})
			}
			running.Wait()
		})
	}
}
