package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server that was started.
type process struct {
	server
	cmd   *exec.Cmd
	ready time.Duration // from its start to the first connection
	done  chan error
}

// errMissing says that a peer is not installed.
var errMissing = errors.New("not installed")

func (s settings) find(name string) (string, error) {
	if name == "mountd" {
		return s.mountd, nil
	}
	if s.peers != "" {
		if path, err := exec.LookPath(filepath.Join(s.peers, name)); err == nil {
			return filepath.Abs(path)
		}
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", errMissing
	}
	return path, nil
}

func start(ctx context.Context, s settings, sv server) (*process, error) {
	bin, err := s.find(sv.bin)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(sv.file, []byte(sv.text), 0o644); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(s.work, sv.name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{server: sv, done: make(chan error, 1)}
	p.cmd = exec.Command(bin, sv.args...)
	p.cmd.Env = append(os.Environ(), sv.env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.done <- p.cmd.Wait() }()
	for {
		conn, err := net.Dial("tcp", p.address())
		if err == nil {
			p.ready = time.Since(begin)
			return p, conn.Close()
		}
		select {
		case <-p.done:
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("%s ended: %s", sv.name, text)
		case <-ctx.Done():
			p.stop()
			return nil, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
		if time.Since(begin) > 30*time.Second {
			p.stop()
			return nil, fmt.Errorf("%s does not listen", sv.name)
		}
	}
}

func (p *process) address() string { return "127.0.0.1:" + strconv.Itoa(p.port) }

// stop ends the process and what it started.
func (p *process) stop() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(3 * time.Second):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
}

// settle waits until the answer is right: some servers listen before they have
// read all of their configuration.
func (p *process) settle(ctx context.Context, path string, want []byte) error {
	for begin := time.Now(); ; {
		err := p.check(path, want)
		if err == nil || time.Since(begin) > 5*time.Second {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// check compares one answer with what it must be.
func (p *process) check(path string, want []byte) error {
	client := &http.Client{Timeout: 10 * time.Second}
	res, err := client.Get("http://" + p.address() + path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || string(body) != string(want) {
		return fmt.Errorf("%s answers %s with %d bytes instead of %d", p.name, res.Status, len(body), len(want))
	}
	return nil
}

// usage is what the processes of a group have used.
type usage struct {
	cpu time.Duration
	rss int64 // bytes
}

// usage adds up the process and its children.
func (p *process) usage() usage {
	var u usage
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue
		}
		i := strings.LastIndexByte(string(stat), ')')
		f := strings.Fields(string(stat[i+1:]))
		if len(f) < 22 || f[2] != strconv.Itoa(p.cmd.Process.Pid) {
			continue // another process group
		}
		utime, _ := strconv.ParseInt(f[11], 10, 64)
		stime, _ := strconv.ParseInt(f[12], 10, 64)
		u.cpu += time.Duration(utime+stime) * 10 * time.Millisecond
		u.rss += proportional(dir)
	}
	return u
}

// proportional gives the memory of a process, with what it shares divided by
// those that share it.
func proportional(dir string) int64 {
	text, err := os.ReadFile(dir + "/smaps_rollup")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}
