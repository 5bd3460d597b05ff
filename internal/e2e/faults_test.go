package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// J01, J02: what an application can do instead of answering, and what becomes
// of it. Other mounts do not notice.
func TestApplicationsThatFail(t *testing.T) {
	refusing := freePort(t)
	full, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = full.Close() })
	resetting := listen(t, func(c *originConn, _ *received) error { c.reset(); return errDone })
	silent := listen(t, func(c *originConn, _ *received) error { _, _ = c.r.ReadByte(); return errDone })
	slow := listen(t, func(c *originConn, _ *received) error {
		for _, b := range "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: " + strings.Repeat("a", 1000) {
			if err := c.send(string(b)); err != nil {
				return err
			}
			time.Sleep(50 * time.Millisecond)
		}
		return errDone
	})
	endless := listen(t, func(c *originConn, _ *received) error {
		_ = c.send("HTTP/1.1 200 OK\r\n")
		for range 10 << 10 {
			if err := c.send("X: " + strings.Repeat("a", 1000) + "\r\n"); err != nil {
				return err
			}
		}
		return errDone
	})
	table := "mounts:\n  /fine: respond:fine\n"
	app := func(name, to string) {
		table += fmt.Sprintf("  /%s: {proxy: {to: %s, connect_timeout: 1s, response_timeout: 1s, retries: 0, max_fails: 0}}\n", name, to)
	}
	app("refusing", "http://"+refusing)
	app("full", "http://"+full.Addr().String())
	app("resetting", resetting.url())
	app("silent", silent.url())
	app("slow", slow.url())
	app("endless", endless.url())
	d := start(t, table)
	var wg sync.WaitGroup
	for _, row := range []struct {
		mount string
		want  int
		limit time.Duration
	}{
		{"refusing", 502, 500 * time.Millisecond},
		{"resetting", 502, 500 * time.Millisecond},
		{"full", 504, 3 * time.Second},
		{"silent", 504, 3 * time.Second},
		{"slow", 504, 4 * time.Second},
		{"endless", 502, 3 * time.Second},
	} {
		wg.Go(func() {
			begun := time.Now()
			a := ask(t, d.addr, "GET /"+row.mount+"/x HTTP/1.1\r\nHost: a\r\n\r\n")
			if took := time.Since(begun); a.status != row.want || took > row.limit {
				t.Errorf("%s: %d after %v, want %d within %v", row.mount, a.status, took, row.want, row.limit)
			}
			for _, secret := range []string{"127.0.0.1", "refused", "dial"} {
				if strings.Contains(a.body, secret) {
					t.Errorf("%s: the client reads %q", row.mount, a.body)
				}
			}
		})
	}
	for range 20 {
		if a := get(t, d, "/fine"); a.body != "fine" {
			t.Errorf("another mount: %d %q", a.status, a.body)
		}
	}
	wg.Wait()
}

// J04: an application that comes and goes is left alone for a while, and asked
// again; nobody notices while there is another one.
func TestApplicationsThatFlap(t *testing.T) {
	var down atomic.Bool
	flapping := listen(t, func(c *originConn, r *received) error {
		if down.Load() {
			c.reset()
			return errDone
		}
		return c.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nflap")
	})
	steady := listen(t, nil)
	d := start(t, "use: [errors]\nmounts: {/app: {proxy: {to: ["+flapping.url()+", "+steady.url()+"], max_fails: 2, fail_timeout: 300ms}}}\n")
	for range 3 {
		down.Store(false)
		eventually(t, 2*time.Second, "an answer of the one that is back", func() bool { return get(t, d, "/app/x").body == "flap" })
		down.Store(true)
		begun, before := time.Now(), flapping.count()
		for range 40 {
			if a := get(t, d, "/app/x"); a.status != 200 || a.body != "ok" {
				t.Errorf("while one is down: %d %q", a.status, a.body)
			}
		}
		if asked := flapping.count() - before; asked > 4+2*int(time.Since(begun)/(300*time.Millisecond)) {
			t.Errorf("while it was down it was asked %d times", asked)
		}
	}
}

// J19, J20: clients that send a byte now and then are told to go, the others
// are served.
func TestSlowClients(t *testing.T) {
	s := newSite(t, "http: {header_timeout: 700ms, body_timeout: 700ms, idle_timeout: 700ms}")
	var conns []*wire
	drip := func(raw string) {
		w := dial(t, s.addr)
		w.send(raw)
		conns = append(conns, w)
	}
	for range 60 {
		drip("GET /app/x HTTP/1.1\r\nHost: a\r\nX-Slow: ")
		drip("PRI * HTTP/2.0\r\n\r\nS")
		drip("POST /app/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nabc")
		drip("GET /app/y HTTP/1.1\r\nHost: a\r\n\r\n")
		drip("")
	}
	ended := make(chan bool)
	var wg sync.WaitGroup
	for _, w := range conns {
		wg.Go(func() {
			_ = w.SetReadDeadline(time.Now().Add(6 * time.Second))
			buf := make([]byte, 4096)
			for {
				if _, err := w.r.Read(buf); err != nil {
					if isTimeout(err) {
						t.Error("a slow client is still there")
					}
					return
				}
			}
		})
	}
	go func() { wg.Wait(); close(ended) }()
	for done := false; !done; {
		begun := time.Now()
		if a := get(t, s.daemon, "/app/z"); a.status != 200 {
			t.Errorf("another client: %d", a.status)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("another client waited %v", took)
		}
		select {
		case <-ended:
			done = true
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// J22: what aborted clients leave behind.
func TestAbortedClients(t *testing.T) {
	s := newSite(t, "use: [errors]")
	get(t, s.daemon, "/app/x")
	before, files := runtime.NumGoroutine(), descriptors(t)
	for i := range 900 {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		w := &wire{Conn: c, t: t}
		switch i % 5 {
		case 0:
			w.send("GET /app/x HTTP/1.1\r\nHost: a\r\n\r\n")
			w.reset()
		case 1:
			w.send("POST /app/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
			w.reset()
		case 2:
			w.send("GET /app/x HT")
			w.reset()
		case 3:
			w.send("POST /app/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
			_ = c.(*net.TCPConn).CloseWrite()
			w.reset()
		case 4:
			w.send(preface + frame(frameSettings, 0, 0, "") + frame(frameHeaders, endHeaders|endStream, 1, literal(":method", "GET")+literal(":scheme", "http")+literal(":path", "/app/x")+literal(":authority", "a")) + frame(frameReset, 0, 1, "\x00\x00\x00\x08"))
			w.reset()
		}
	}
	eventually(t, 10*time.Second, "end of what the clients began", func() bool {
		// Connections to the application are kept, as many as were in use at once.
		return runtime.NumGoroutine() <= before+100 && descriptors(t) <= files+200
	})
	if a := get(t, s.daemon, "/app/x"); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
}

// J23: a client that has said all it has to say still gets its answer.
func TestHalfClosedClients(t *testing.T) {
	o := listen(t, func(c *originConn, _ *received) error {
		time.Sleep(100 * time.Millisecond)
		return c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	d := start(t, "mounts: {/app: "+o.url()+", /x: respond:x}\n")
	for target, want := range map[string]string{"/x": "x", "/app/x": "ok"} {
		w := dial(t, d.addr)
		w.send("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n")
		_ = w.Conn.(*net.TCPConn).CloseWrite()
		if a := w.read("GET"); a.body != want {
			t.Errorf("%s: %d %q", target, a.status, a.body)
		}
	}
}

// K01: headers and targets beyond the limits.
func TestHeadersBeyondTheLimits(t *testing.T) {
	s := newSite(t, "use: [errors]")
	for _, row := range []struct {
		name, raw string
		want      []int
	}{
		{"K01 a field of 1 MiB", "GET /app/x HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", []int{431}},
		{"K01 5000 fields", "GET /app/x HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 5000) + "\r\n", []int{431}},
		{"K01 201 fields", "GET /app/x HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 201) + "\r\n", []int{431}},
		{"K01 a target of 64 KiB", "GET /app/" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", []int{414, 431}},
		{"K01 a target of 17 KiB", "GET /app/" + strings.Repeat("a", 17<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", []int{414}},
		{"K01 a method of 1 MiB", strings.Repeat("A", 1<<20), []int{0, 400, 414, 431}},
		{"within the limits", "GET /app/" + strings.Repeat("a", 15<<10) + " HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 150) + "\r\n", []int{200}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.open.reset()
			a := ask(t, s.addr, row.raw)
			found := false
			for _, w := range row.want {
				found = found || a.status == w
			}
			if !found {
				t.Errorf("%d, want one of %v (%v)", a.status, row.want, a.err)
			}
			if a.status != 200 && s.open.count() > 0 {
				t.Error("the application got the request")
			}
		})
	}
}

// K07: a body beyond the limit is refused at once where its length is known,
// and cut on its way where not: never a short body that looks whole.
func TestBodiesBeyondTheLimit(t *testing.T) {
	o := listen(t, nil)
	d := start(t, "use: [errors, {limit.body: {max: 1KiB}}]\nmounts: {/app: {proxy: {to: "+o.url()+"}, rebase: off}}\n")
	big := strings.Repeat("a", 2000)
	chunked := "POST /app/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("64\r\n"+big[:100]+"\r\n", 40) + "0\r\n\r\n"
	for name, raw := range map[string]string{
		"a length":                   "POST /app/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n" + big,
		"a length that is only told": "POST /app/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n",
		"chunks":                     chunked,
	} {
		if a := ask(t, d.addr, raw); a.status != 413 {
			t.Errorf("K07 %s: %d %v", name, a.status, a.err)
		}
	}
	for proto, c := range map[string]*http.Client{"HTTP/1.1": client(t), "HTTP/2": h2Client(t)} {
		res, err := c.Post(d.url("/app/x"), "text/plain", struct{ *strings.Reader }{strings.NewReader(big)})
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode != 413 {
				t.Errorf("K07 %s, unknown length: %d", proto, res.StatusCode)
			}
		}
	}
	time.Sleep(50 * time.Millisecond)
	for _, r := range o.seen() {
		if r.complete {
			t.Errorf("K07 the application got a whole request of %d bytes", len(r.body))
		}
	}
	if a := ask(t, d.addr, "POST /app/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"+big[:1000]); a.status != 200 {
		t.Errorf("K07 within the limit: %d", a.status)
	}
}

// K11: connections at rest cost little and go in their time.
func TestIdleConnections(t *testing.T) {
	d := start(t, "http: {idle_timeout: 3s}\nmounts: {/x: respond:x}\n")
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const n = 400
	var conns []*wire
	for range n {
		w := dial(t, d.addr)
		w.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
		if a := w.read("GET"); a.status != 200 {
			t.Fatalf("%d", a.status)
		}
		conns = append(conns, w)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := (int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse)) / n
	t.Logf("%d bytes per connection, both ends of it", per)
	if per > 64<<10 {
		t.Errorf("%d bytes per connection at rest", per)
	}
	_ = conns[0].SetReadDeadline(time.Now().Add(8 * time.Second))
	if _, err := conns[0].r.ReadByte(); err == nil || isTimeout(err) {
		t.Errorf("after the idle time: %v", err)
	}
}

// K17: many mounts.
func TestManyMounts(t *testing.T) {
	var table strings.Builder
	table.WriteString("mounts:\n")
	const n = 10000
	for i := range n {
		fmt.Fprintf(&table, "  /m%d/a/b: respond:m%d\n", i, i)
	}
	begun := time.Now()
	d := start(t, table.String())
	took := time.Since(begun)
	t.Logf("%d mounts are served after %v", n, took)
	if took > 20*time.Second {
		t.Errorf("%d mounts are served after %v", n, took)
	}
	for _, i := range []int{0, 4711, n - 1} {
		if a := get(t, d, fmt.Sprintf("/m%d/a/b/c", i)); a.body != fmt.Sprintf("m%d", i) {
			t.Errorf("%d: %d %q", i, a.status, a.body)
		}
	}
	if a := get(t, d, "/m4711/a/"+strings.Repeat("b/", 2000)); a.status != 200 {
		t.Errorf("a deep path: %d", a.status)
	}
}
