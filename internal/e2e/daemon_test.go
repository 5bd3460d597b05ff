package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/cli"
)

// buffer is what a running program prints.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// daemon is mountd in this process, so that the race detector and the leak
// check see all of it.
type daemon struct {
	t      testing.TB
	dir    string // of the table
	file   string
	addr   string // host:port of the first listener
	stdout buffer
	stderr buffer
	cancel context.CancelFunc
	done   chan int
	once   sync.Once

	middlewares compose.Registry
}

const listenAnywhere = "listen: 127.0.0.1:0\n"

// start runs a table until the test ends.
func start(t testing.TB, table string, files ...string) *daemon {
	t.Helper()
	d := prepare(t, table, files...)
	d.run()
	return d
}

// prepare writes a table and the files beside it, given as name and content in
// turn.
func prepare(t testing.TB, table string, files ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: t.TempDir(), done: make(chan int, 1)}
	d.file = filepath.Join(d.dir, "mountd.yaml")
	for i := 0; i < len(files); i += 2 {
		d.writeFile(files[i], files[i+1])
	}
	if !strings.Contains(table, "listen:") {
		table = listenAnywhere + table
	}
	d.writeFile("mountd.yaml", table)
	return d
}

func (d *daemon) writeFile(name, content string) {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

var served = regexp.MustCompile(`serving \d+ mounts? on https?://(\S+)`)

func (d *daemon) run() {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	p := cli.New()
	p.Stdin, p.Stdout, p.Stderr = strings.NewReader(""), &d.stdout, &d.stderr
	p.Middlewares = d.middlewares
	go func() { d.done <- p.Run(ctx, []string{"run", "-c", d.file}) }()
	d.t.Cleanup(func() { d.stop() })
	deadline := time.Now().Add(20 * time.Second)
	for {
		if m := served.FindStringSubmatch(d.stdout.String()); m != nil {
			d.addr = m[1]
			return
		}
		select {
		case status := <-d.done:
			d.done <- status
			d.t.Fatalf("mountd ended with status %d:\n%s", status, d.stderr.String())
		case <-time.After(2 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("mountd does not come up:\n%s", d.stderr.String())
		}
	}
}

// stop ends the program as a signal would.
func (d *daemon) stop() {
	d.once.Do(func() {
		d.cancel()
		select {
		case <-d.done:
		case <-time.After(20 * time.Second):
			d.t.Errorf("mountd does not stop:\n%s", d.stderr.String())
		}
	})
}

// rewrite changes the table and waits until it was reloaded or refused.
func (d *daemon) rewrite(table string) {
	d.t.Helper()
	if !strings.Contains(table, "listen:") {
		table = listenAnywhere + table
	}
	before := d.outcomes()
	d.writeFile("mountd.yaml", table)
	d.hup()
	d.waitOutcome(before)
}

// hup tells every daemon of this process to reload.
func (d *daemon) hup() {
	d.t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		d.t.Fatal(err)
	}
}

func (d *daemon) reloads() int  { return strings.Count(d.stderr.String(), `"msg":"reloaded`) }
func (d *daemon) refusals() int { return strings.Count(d.stderr.String(), "the old one stays") }
func (d *daemon) outcomes() int { return d.reloads() + d.refusals() }

func (d *daemon) waitOutcome(before int) {
	d.t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for d.outcomes() == before {
		if time.Now().After(deadline) {
			d.t.Fatalf("no reload:\n%s", d.stderr.String())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// access gives the lines of the access log so far.
func (d *daemon) access() []map[string]any {
	var lines []map[string]any
	for line := range strings.Lines(d.stderr.String()) {
		var m map[string]any
		if json.Unmarshal([]byte(line), &m) == nil && m["msg"] == "request" {
			lines = append(lines, m)
		}
	}
	return lines
}

// logged waits for an access line of the path.
func (d *daemon) logged(path string) map[string]any {
	d.t.Helper()
	var found map[string]any
	eventually(d.t, 3*time.Second, "an access line of "+path, func() bool {
		for _, m := range d.access() {
			if m["path"] == path {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

func (d *daemon) url(path string) string { return "http://" + d.addr + path }

func eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %v", what, limit)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// client gives an HTTP client that is closed with the test.
func client(t testing.TB) *http.Client {
	tr := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport:     tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// h2Client speaks HTTP/2 with prior knowledge.
func h2Client(t testing.TB) *http.Client {
	var only http.Protocols
	only.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &only, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport:     tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// guarded is the stack of a mount that this machine must not reach.
const guarded = "use: [default, {ip: {allow: [203.0.113.1]}}]"

// mark is a stack that tells the application which mount it was reached by.
func mark(name string) string {
	return fmt.Sprintf("use: [default, {headers: {request: {set: {X-Mount: %q}}}}]", name)
}
