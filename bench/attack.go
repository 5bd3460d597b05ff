package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// attack is a case where clients behave badly beside normal load, which is
// measured before they come and while they are there.
type attack struct {
	name, title string
	kind        string // what hostileClient does
	count       int    // of its connections
	path        string // that they ask for
	servers     []string
	goals       []goal
}

// normalLoad runs beside every attack.
const (
	normalPath        = "/app/13B.txt"
	normalConnections = 32
)

func attackCases() []attack {
	few := []string{"nginx", "mountd", "mountd-nethttp"}
	return []attack{{
		name: "hostile-slowloris-500", title: "500 connections that send a byte of a request's header each second",
		kind: "slowloris", count: 500, path: normalPath, servers: few,
	}, {
		name: "hostile-slow-readers-500", title: "500 connections that read 1 KiB a second of 16 MiB",
		kind: "slowread", count: 500, path: "/static/16MiB.txt", servers: few,
	}, {
		name: "hostile-flood", title: "Connections opened and cut off as fast as one client can: before, in and after a request",
		kind: "flood", count: 8, path: normalPath, servers: few,
	}, {
		name: "hostile-passwords-32", title: "32 connections that try wrong passwords (bcrypt of cost 10) on another mount",
		kind: "passwords", count: 32, path: "/private/13B.txt", servers: []string{"nginx", "caddy", "mountd", "mountd-nethttp"},
	}, {
		name: "idle-10000", title: "10,000 connections that stay open after one request",
		kind: "idle", count: 10000, path: normalPath, servers: []string{"nginx", "caddy", "traefik", "mountd", "mountd-nethttp"},
		goals: []goal{{Server: "mountd", Key: "memory during", Most: true, Limit: 150}},
	}}
}

func (a attack) id() string { return a.name }

// lengths of the load before and during the attack.
func (a attack) lengths(s settings) (before, during time.Duration) {
	return 2 * s.length, time.Duration(s.rounds) * s.length
}

func (a attack) takes(s settings) time.Duration {
	before, during := a.lengths(s)
	n := 0
	for _, name := range a.servers {
		if s.wants(name) {
			n++
		}
	}
	return time.Duration(n) * (before + during + 4*time.Second)
}

func (a attack) run(ctx context.Context, s settings, site *site) (*outcome, error) {
	out := &outcome{Title: a.title, Path: a.path, Columns: []column{
		{"rate before", "requests/s before"}, {"rate during", "during"}, {"p50 before", "p50 ms before"}, {"p50 during", "during"},
		{"p99 before", "p99 ms before"}, {"p99 during", "during"}, {"cpu before", "CPU µs before"}, {"errors", "errors during"},
		{"memory before", "MiB before"}, {"memory during", "MiB during"}, {"each", "KiB a connection"}, {"done", "attacks/s"},
	}}
	for _, name := range a.servers {
		if !s.wants(name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", a.name, name)
		r, err := a.one(ctx, s, site, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.Rows = append(out.Rows, r)
	}
	out.judge(a.goals)
	return out, nil
}

// one measures one server.
func (a attack) one(ctx context.Context, s settings, site *site, name string) (row, error) {
	sv, err := site.server(name, variant{many: a.count > 4096})
	if err != nil {
		return row{}, err
	}
	p, err := start(ctx, s, sv)
	if errors.Is(err, errMissing) {
		return row{Server: name, Missing: true}, nil
	}
	if err != nil {
		return row{}, err
	}
	defer p.stop()
	if err := p.settle(ctx, normalPath, nil, []byte(hello)); err != nil {
		return row{}, err
	}
	normal := load{url: p.url(normalPath), connections: normalConnections}
	length, during := a.lengths(s)
	if _, err := s.drive(ctx, p, normal, time.Second); err != nil { // warms up
		return row{}, err
	}
	before, err := s.drive(ctx, p, normal, length)
	if err != nil {
		return row{}, err
	}
	memory := p.usage().memory
	begin := time.Now()
	enemy, err := a.begin(ctx, s, p)
	if err != nil {
		return row{}, err
	}
	defer enemy.kill()
	// A second for what the opening took, and for the attack to be felt.
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return row{}, ctx.Err()
	}
	grown := p.usage().memory
	now, err := s.drive(ctx, p, normal, during)
	if err != nil {
		return row{}, err
	}
	grown = max(grown, p.usage().memory)
	done, err := enemy.end()
	if err != nil {
		return row{}, err
	}
	values := map[string]float64{
		"rate before": before.rate, "rate during": now.rate, "p50 before": milliseconds(before.p50), "p50 during": milliseconds(now.p50),
		"p99 before": milliseconds(before.p99), "p99 during": milliseconds(now.p99), "errors": float64(now.failed),
		"cpu before": float64(before.cpu.Nanoseconds()) / 1000, "memory before": mebibytes(memory), "memory during": mebibytes(grown),
	}
	if done > 0 {
		values["done"] = float64(done) / time.Since(begin).Seconds()
	} else {
		values["each"] = float64(grown-memory) / 1024 / float64(a.count)
	}
	return row{Server: name, Values: values}, nil
}

// enemy is a hostile client in a process of its own, on the processor of the
// load, so that it takes none of the server's time by itself.
type enemy struct {
	cmd *exec.Cmd
	in  io.Closer
	out *bufio.Reader
}

// begin returns once the attack is on.
func (a attack) begin(ctx context.Context, s settings, p *process) (*enemy, error) {
	args := s.on([]string{s.self, "client", a.kind, p.address(), a.path, strconv.Itoa(a.count)})
	e := &enemy{cmd: exec.CommandContext(ctx, args[0], args[1:]...)}
	e.cmd.Stderr = os.Stderr
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := e.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	e.in, e.out = in, bufio.NewReader(out)
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	if line, err := e.out.ReadString('\n'); err != nil || line != attackOn {
		e.kill()
		return nil, fmt.Errorf("the hostile client says %q: %w", line, err)
	}
	return e, nil
}

// end stops the attack, and tells how many there were.
func (e *enemy) end() (int, error) {
	e.in.Close()
	line, err := e.out.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("the hostile client ended early: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(line))
}

func (e *enemy) kill() {
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait()
}
