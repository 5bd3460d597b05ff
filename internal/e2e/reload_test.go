package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/mountd/mountd/internal/cli"
)

// load asks for the path until stopped, and counts answers by what they say.
func load(t *testing.T, d *daemon, path string) (stop func() map[string]int) {
	var mu sync.Mutex
	seen := map[string]int{}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			c := &http.Client{Transport: tr}
			for ctx.Err() == nil {
				said := "failed"
				if res, err := c.Get(d.url(path)); err == nil {
					b, err := io.ReadAll(res.Body)
					_ = res.Body.Close()
					said = fmt.Sprintf("%d %s", res.StatusCode, b)
					if err != nil {
						said = err.Error()
					}
				} else {
					said = err.Error()
				}
				mu.Lock()
				seen[said]++
				mu.Unlock()
				time.Sleep(4 * time.Millisecond)
			}
		})
	}
	return func() map[string]int {
		cancel()
		wg.Wait()
		return seen
	}
}

// I01: an editor that empties the file and writes it slowly.
func TestATableThatIsWrittenSlowly(t *testing.T) {
	d := start(t, "mounts: {/x: respond:old}\n")
	stop := load(t, d, "/x")
	time.Sleep(100 * time.Millisecond)
	f, err := os.Create(d.file)
	if err != nil {
		t.Fatal(err)
	}
	text := "# a table that is being written, a few bytes at a time\n" + listenAnywhere + "mounts:\n  /x: respond:new\n  /y: respond:y\n"
	for len(text) > 0 {
		n := min(12, len(text))
		if _, err := f.WriteString(text[:n]); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
		time.Sleep(120 * time.Millisecond)
	}
	_ = f.Close()
	eventually(t, 5*time.Second, "reload", func() bool { return d.reloads() == 1 })
	eventually(t, 2*time.Second, "new answer", func() bool { return get(t, d, "/x").body == "new" })
	seen := stop()
	for said := range seen {
		if said != "200 old" && said != "200 new" {
			t.Errorf("an answer was %q (%v)", said, seen)
		}
	}
	if d.reloads() != 1 || d.refusals() != 0 {
		t.Errorf("%d reloads, %d refusals", d.reloads(), d.refusals())
	}
}

// I01: a table that has become empty is no table.
func TestAnEmptyTableIsRefused(t *testing.T) {
	d := start(t, "mounts: {/x: respond:old}\n")
	before := d.outcomes()
	if err := os.Truncate(d.file, 0); err != nil {
		t.Fatal(err)
	}
	d.waitOutcome(before)
	if a := get(t, d, "/x"); a.body != "old" {
		t.Errorf("%d %q", a.status, a.body)
	}
}

// check runs mountd check over a table.
func check(t *testing.T, table string) (status int, said string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mountd.yaml")
	if err := os.WriteFile(file, []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
	var out buffer
	p := cli.New()
	p.Stdin, p.Stdout, p.Stderr = strings.NewReader(""), &out, &out
	status = p.Run(t.Context(), []string{"check", "-c", file})
	return status, out.String()
}

// I02, I04, INV-OLD: every mistake is told with its place, and changes nothing.
func TestMistakesChangeNothing(t *testing.T) {
	d := start(t, "watch: false\nmounts: {/x: respond:old, /y: {respond: y, name: yy}}\n", "pub/x", "")
	for _, row := range []struct{ name, table, at string }{
		{"I02 syntax", "mounts: {/x: respond:new\n", ":"},
		{"I02 a tab", "mounts:\n\t/x: respond:new\n", ":2:"},
		{"I02 an unknown key", "mounts: {/x: respond:new}\nmuonts: {}\n", ":2:1"},
		{"I02 a wrong type", "mounts: {/x: respond:new}\ngrace: soon\n", ":2:8"},
		{"I02 a duplicate key", "mounts: {/x: respond:new}\nmounts: {}\n", ":2:1"},
		{"I02 a duplicate mount", "mounts:\n  /x: respond:new\n  /x/: respond:other\n", ":3:3"},
		{"I02 a path that is yes", "mounts: {yes: respond:new}\n", ":1:"},
		{"I02 a path that is no path", "mounts: {x: respond:new}\n", ":1:"},
		{"I02 an octal number", "mounts: {/x: {respond: {status: 08}}}\n", ":1:"},
		{"I02 a float", "mounts: {/x: {respond: {status: 1e3}}}\n", ":1:"},
		{"I02 null", "mounts: {/x: ~}\n", ":1:"},
		{"I02 an alias bomb", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", ":"},
		{"I02 nothing", "", ":"},
		{"I02 bytes that are no text", "mounts: {/x: \"\xff\xfe\"}\n", ":"},
		{"I04 a missing directory beside a good mount", "mounts:\n  /x: respond:new\n  /y: ./missing\n", ":3:"},
		{"I04 a bad upstream", "mounts:\n  /x: respond:new\n  /y: http://\n", ":3:"},
		{"I04 an upstream with a bad port", "mounts:\n  /x: respond:new\n  /y: http://a:99999\n", ":3:"},
		{"I04 an unknown middleware", "mounts:\n  /x: respond:new\n  /y: {respond: y, use: [nonsense]}\n", ":3:"},
		{"I04 a missing certificate", "tls: {cert: missing.pem, key: missing.pem}\nmounts: {/x: respond:new}\n", ":1:"},
		{"I16 everybody is trusted", "trusted_proxies: [0.0.0.0/0]\nmounts: {/x: respond:new}\n", ":1:"},
		{"I16 a name is trusted", "trusted_proxies: [proxy.example]\nmounts: {/x: respond:new}\n", ":1:"},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, said := check(t, row.table)
			if status != 1 || !strings.Contains(said, "mountd.yaml"+row.at) {
				t.Errorf("check: %d %q, want a place %q", status, said, row.at)
			}
			if strings.Contains(said, "goroutine") || strings.Contains(said, "panic") {
				t.Errorf("check: %q", said)
			}
			refusals := d.refusals()
			d.rewrite("watch: false\n" + row.table)
			if row.table != "" && d.refusals() != refusals+1 {
				t.Errorf("the table was not refused")
			}
			for target, want := range map[string]string{"/x": "old", "/y": "y"} {
				if a := get(t, d, target); a.body != want {
					t.Errorf("%s: %d %q", target, a.status, a.body)
				}
			}
		})
	}
}

// I04: an address in use refuses the whole reload.
func TestAnAddressInUse(t *testing.T) {
	busy := listen(t, nil)
	addr := freePort(t)
	d := start(t, "watch: false\nlisten: "+addr+"\nmounts: {/x: respond:old}\n")
	d.rewrite("watch: false\nlisten: [" + addr + ", " + busy.ln.Addr().String() + "]\nmounts: {/x: respond:new}\n")
	if a := get(t, d, "/x"); a.body != "old" || d.refusals() != 1 {
		t.Errorf("%d %q, %d refusals", a.status, a.body, d.refusals())
	}
}

// INV-OLD for an included file: its mounts stay as they were, the others change.
func TestABrokenInclude(t *testing.T) {
	d := start(t, "watch: false\ninclude: [conf.d/*.yaml]\nmounts: {/x: respond:old}\n", "conf.d/a.yaml", "mounts: {/a: respond:a}\n", "conf.d/b.yaml", "mounts: {/b: respond:b}\n")
	d.writeFile("conf.d/a.yaml", "mounts: {/a: respond:new\n")
	d.rewrite("watch: false\ninclude: [conf.d/*.yaml]\nmounts: {/x: respond:new}\n")
	for target, want := range map[string]string{"/x": "new", "/a": "a", "/b": "b"} {
		if a := get(t, d, target); a.body != want {
			t.Errorf("%s: %d %q, want %q", target, a.status, a.body, want)
		}
	}
	if !strings.Contains(d.stderr.String(), "a.yaml:1:") {
		t.Errorf("the mistake was not told:\n%s", d.stderr.String())
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	return len(entries)
}

// I07: reloading leaves nothing behind.
func TestReloadsLeaveNothingBehind(t *testing.T) {
	o := listen(t, nil)
	table := func(i int) string {
		return fmt.Sprintf("watch: false\ngrace: 100ms\nuse: [request_id, {access_log: {to: log/%d.log}}, errors, compress, {limit.rate: {rate: %d/s, burst: 1000000}}, {limit.concurrent: {max: %d}}]\nmounts: {/x: respond:v%d, /app: {proxy: {to: %s, retries: %d, health: {path: /h, interval: 50ms}}}, /f: {static: ./pub, name: f%d}}\n", i%3, 100000+i, 100+i, i, o.url(), i%4, i)
	}
	d := start(t, table(0), "pub/a.txt", "hello", "log/keep", "")
	rounds := 200
	if testing.Short() {
		rounds = 30
	}
	settle := func() (goroutines, files int) {
		goroutines, files = runtime.NumGoroutine(), descriptors(t)
		for range 50 {
			time.Sleep(20 * time.Millisecond)
			goroutines, files = min(goroutines, runtime.NumGoroutine()), min(files, descriptors(t))
		}
		return goroutines, files
	}
	touch := func() {
		for _, target := range []string{"/x", "/app/x", "/f/a.txt"} {
			if a := get(t, d, target); a.status != 200 {
				t.Fatalf("%s: %d", target, a.status)
			}
		}
	}
	for i := 1; i < 10; i++ {
		d.rewrite(table(i))
		touch()
	}
	goroutines, files := settle()
	for i := 10; i < rounds; i++ {
		d.rewrite(table(i))
		if i%10 == 0 {
			touch()
		}
	}
	if d.refusals() != 0 {
		t.Fatalf("refused: %s", d.stderr.String())
	}
	g, f := settle()
	t.Logf("goroutines %d -> %d, descriptors %d -> %d", goroutines, g, files, f)
	if g > goroutines+5 || f > files+5 {
		t.Errorf("after %d reloads: goroutines %d -> %d, descriptors %d -> %d", rounds, goroutines, g, files, f)
	}
}

// I08: what a reload does not change goes on, and what it removes is let end.
func TestReloadsDuringLongAnswers(t *testing.T) {
	tick := make(chan bool)
	o := listen(t, func(c *originConn, r *received) error {
		_ = c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		for {
			select {
			case <-tick:
				if err := c.send("4\r\ntick\r\n"); err != nil {
					return err
				}
			case <-t.Context().Done():
				return errDone
			}
		}
	})
	sock := echoSocket(t)
	table := func(kept, other string) string {
		return "watch: false\ngrace: 400ms\nmounts:\n" + kept + "  /other: respond:" + other + "\n"
	}
	kept := "  /app: " + o.url() + "\n  /ws: " + sock.URL + "\n"
	d := start(t, table(kept, "1"))

	res, err := client(t).Get(d.url("/app/events"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	events := bufio.NewReader(res.Body)
	next := func() error {
		select {
		case tick <- true:
		case <-time.After(2 * time.Second):
			return fmt.Errorf("the application's connection has ended")
		}
		_, err := io.ReadFull(events, make([]byte, 4))
		return err
	}
	ws, _, err := websocket.Dial(t.Context(), "ws://"+d.addr+"/ws/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	echo := func(wait time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		if err := ws.Write(ctx, websocket.MessageText, []byte("x")); err != nil {
			return err
		}
		_, _, err := ws.Read(ctx)
		return err
	}
	for i := range 3 {
		d.rewrite(table(kept, fmt.Sprint(i+2)))
		if a := get(t, d, "/other"); a.body != fmt.Sprint(i+2) {
			t.Fatalf("the reload has no effect: %d %q", a.status, a.body)
		}
		time.Sleep(600 * time.Millisecond) // longer than the grace
		if err := next(); err != nil {
			t.Fatalf("the events of a mount that did not change: %v", err)
		}
		if err := echo(2 * time.Second); err != nil {
			t.Fatalf("the WebSocket of a mount that did not change: %v", err)
		}
	}
	d.rewrite(table("", "9"))
	if a := get(t, d, "/app/events"); a.status != 404 {
		t.Errorf("the mount that was removed: %d", a.status)
	}
	if err := next(); err != nil {
		t.Errorf("within the grace: %v", err)
	}
	ended := make(chan error, 1)
	go func() { _, err := io.ReadAll(events); ended <- err }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the events of the removed mount ended as if they were whole")
		}
	case <-time.After(3 * time.Second):
		t.Error("the events of the removed mount go on")
	}
	if err := echo(2 * time.Second); err == nil {
		t.Error("the WebSocket of the removed mount goes on")
	}
}

// No request is lost or sees half a table while tables change.
func TestNoRequestIsLostOverReloads(t *testing.T) {
	d := start(t, "watch: false\nmounts: {/x: respond:v0}\n")
	stop := load(t, d, "/x")
	for i := range 30 {
		d.rewrite(fmt.Sprintf("watch: false\nmounts: {/x: respond:v%d}\n", i))
		time.Sleep(10 * time.Millisecond)
	}
	total := 0
	for said, n := range stop() {
		total += n
		if !strings.HasPrefix(said, "200 v") {
			t.Errorf("%d answers were %q", n, said)
		}
	}
	t.Logf("%d requests over 30 reloads", total)
}

// I11: the ways in which files come to change.
func TestWaysToChangeATable(t *testing.T) {
	table := func(v string) string { return listenAnywhere + "mounts: {/x: respond:" + v + "}\n" }
	d := prepare(t, "")
	_ = os.Remove(d.file)
	d.writeFile("v1/mountd.yaml", table("v1"))
	d.writeFile("v2/mountd.yaml", table("v2"))
	link := func(target, name string) {
		t.Helper()
		tmp := filepath.Join(d.dir, "tmp")
		if err := os.Symlink(target, tmp); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, filepath.Join(d.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("v1", "..data")
	link("..data/mountd.yaml", "mountd.yaml")
	d.run()
	shows := func(how, want string) {
		t.Helper()
		eventually(t, 4*time.Second, "answer "+want+" after "+how, func() bool { return get(t, d, "/x").body == want })
	}
	shows("the start", "v1")
	link("v2", "..data")
	shows("the swap of a link", "v2")
	d.writeFile("new.yaml", table("v3"))
	if err := os.Rename(filepath.Join(d.dir, "new.yaml"), d.file); err != nil {
		t.Fatal(err)
	}
	shows("a rename over it", "v3")
	if err := os.Remove(d.file); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1200 * time.Millisecond)
	shows("its removal", "v3")
	d.writeFile("mountd.yaml", table("v4"))
	shows("its return", "v4")
}
