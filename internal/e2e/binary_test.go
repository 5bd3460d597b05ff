package e2e_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// build makes the program once for all tests, in a directory that TestMain
// makes and removes.
var build = sync.OnceValues(func() (string, error) {
	out := filepath.Join(builds, "mountd")
	if text, err := exec.Command("go", "build", "-o", out, "github.com/mountd/mountd/cmd/mountd").CombinedOutput(); err != nil {
		return "", errors.New(string(text))
	}
	return out, nil
})

// process is mountd as a process of its own.
type process struct {
	*daemon
	cmd *exec.Cmd
}

func launch(t *testing.T, table string, files ...string) *process {
	t.Helper()
	name, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{daemon: prepare(t, table, files...)}
	p.cmd = exec.Command(name, "run", "-c", p.file)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); p.done <- p.cmd.ProcessState.ExitCode() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		select {
		case <-p.done:
		case <-time.After(5 * time.Second):
		}
	})
	eventually(t, 10*time.Second, "listening mountd", func() bool {
		if m := served.FindStringSubmatch(p.stdout.String()); m != nil {
			p.addr = m[1]
		}
		return p.addr != ""
	})
	return p
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// ended gives the exit status.
func (p *process) ended(limit time.Duration) int {
	p.t.Helper()
	select {
	case status := <-p.done:
		p.done <- status
		return status
	case <-time.After(limit):
		p.t.Fatalf("mountd goes on:\n%s", p.stderr.String())
	}
	return 0
}

// slowOrigin answers after the wait.
func slowOrigin(t *testing.T, wait time.Duration) *origin {
	return listen(t, func(c *originConn, _ *received) error {
		time.Sleep(wait)
		return c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
}

// J13: the first signal lets requests end, and takes no more.
func TestOneSignalEndsInOrder(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run("J13 "+s.String(), func(t *testing.T) {
			o := slowOrigin(t, 500*time.Millisecond)
			p := launch(t, "mounts: {/app: "+o.url()+"}\n")
			idle := dial(t, p.addr)
			w := dial(t, p.addr)
			w.send("GET /app/x HTTP/1.1\r\nHost: a\r\n\r\n")
			eventually(t, 3*time.Second, "request", func() bool { return o.count() == 1 })
			p.signal(s)
			if a := w.read("GET"); a.status != 200 || a.body != "ok" {
				t.Errorf("the request under way: %d %q %v", a.status, a.body, a.err)
			}
			if status := p.ended(3 * time.Second); status != 0 {
				t.Errorf("exit status %d", status)
			}
			if _, err := io.ReadAll(idle.r); err != nil && isTimeout(err) {
				t.Error("the idle connection is still there")
			}
		})
	}
}

// J13: the second signal ends it at once.
func TestTwoSignalsEndAtOnce(t *testing.T) {
	o := listen(t, func(c *originConn, _ *received) error { _, _ = c.r.ReadByte(); return errDone })
	p := launch(t, "grace: 30s\nmounts: {/app: "+o.url()+"}\n")
	w := dial(t, p.addr)
	w.send("GET /app/x HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, 3*time.Second, "request", func() bool { return o.count() == 1 })
	p.signal(syscall.SIGTERM)
	eventually(t, 3*time.Second, "notice of the signal", func() bool { return strings.Contains(p.stderr.String(), "stopping") })
	time.Sleep(100 * time.Millisecond)
	p.signal(syscall.SIGTERM)
	begun := time.Now()
	p.ended(3 * time.Second)
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	if a := w.read("GET"); a.status == 200 && a.err == nil {
		t.Error("the request under way was answered as if nothing were")
	}
}

// J13, J17: the other signals: HUP reloads, USR1 reopens logs, PIPE is nothing.
func TestOtherSignals(t *testing.T) {
	p := launch(t, "watch: false\nuse: [{access_log: {to: access.log}}, errors]\nmounts: {/x: respond:old}\n")
	get(t, p.daemon, "/x")
	log := filepath.Join(p.dir, "access.log")
	holds := func(name, what string) {
		t.Helper()
		eventually(t, 3*time.Second, what+" in "+name, func() bool {
			b, _ := os.ReadFile(name)
			return strings.Contains(string(b), what)
		})
	}
	holds(log, "/x")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGUSR1)
	eventually(t, 3*time.Second, "a new log file", func() bool { _, err := os.Stat(log); return err == nil })
	get(t, p.daemon, "/x?rotated")
	holds(log, "rotated")
	p.signal(syscall.SIGPIPE)
	p.writeFile("mountd.yaml", listenAnywhere+"watch: false\nmounts: {/x: respond:new}\n")
	p.signal(syscall.SIGHUP)
	eventually(t, 3*time.Second, "the new answer", func() bool { return get(t, p.daemon, "/x").body == "new" })
	p.signal(syscall.SIGTERM)
	if status := p.ended(5 * time.Second); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// A table with a mistake starts nothing.
func TestABadTableStartsNothing(t *testing.T) {
	name, err := build()
	if err != nil {
		t.Fatal(err)
	}
	d := prepare(t, "mounts: {/x: ./missing}\n")
	out, err := exec.Command(name, "run", "-c", d.file).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "mountd.yaml:2:") {
		t.Errorf("%v: %s", err, out)
	}
	_ = os.Remove(d.file)
}
