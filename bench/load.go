package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// round is one run of the load against one server.
type round struct {
	rate     float64 // requests a second
	cpu      time.Duration
	requests int
	failed   int
	p50, p99 time.Duration
}

// load is what clients ask for.
type load struct {
	url         string
	fields      []string
	connections int
	handshakes  bool
}

var (
	rateLine     = regexp.MustCompile(`Requests(?:/sec| per second):\s+([0-9.]+)`)
	requestsLine = regexp.MustCompile(`(\d+) requests in`)
	p50Line      = regexp.MustCompile(`50%\s+([0-9.]+)(us|ms|s)`)
	p99Line      = regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s)`)
	statusLine   = regexp.MustCompile(`Non-2xx (?:or 3xx )?responses:\s+(\d+)`)
	socketLine   = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)

	completeLine = regexp.MustCompile(`Complete requests:\s+(\d+)`)
	failedLine   = regexp.MustCompile(`Failed requests:\s+(\d+)`)
	ab50Line     = regexp.MustCompile(`50%\s+(\d+)\s`)
	ab99Line     = regexp.MustCompile(`99%\s+(\d+)\s`)
)

// on puts a command onto the processor of the clients.
func (s settings) on(args []string) []string {
	if s.cpu >= 0 {
		return append([]string{"taskset", "-c", strconv.Itoa(s.cpu)}, args...)
	}
	return args
}

// drive runs the load for some seconds and counts what p's processes use.
func (s settings) drive(ctx context.Context, p *process, l load, length time.Duration) (round, error) {
	before := p.usage().cpu
	one := s.wrk
	if l.handshakes {
		one = s.ab
	}
	r, err := one(ctx, l, strconv.Itoa(max(1, int(length.Seconds()))))
	if err != nil {
		return r, fmt.Errorf("%s: %w", p.name, err)
	}
	r.cpu = (p.usage().cpu - before) / time.Duration(max(r.requests, 1)) // none: a slow server in a short round
	return r, nil
}

// wrk keeps its connections.
func (s settings) wrk(ctx context.Context, l load, seconds string) (round, error) {
	args := []string{"wrk", "-t1", "-c" + strconv.Itoa(l.connections), "-d" + seconds + "s", "--timeout", "10s", "--latency"}
	for _, f := range l.fields {
		args = append(args, "-H", f)
	}
	out, err := s.output(ctx, append(args, l.url))
	if err != nil {
		return round{}, err
	}
	var r round
	r.rate = number(rateLine, out, 1)
	r.requests = int(number(requestsLine, out, 1))
	r.p50, r.p99 = duration(p50Line, out), duration(p99Line, out)
	r.failed = int(number(statusLine, out, 1) + number(socketLine, out, 1) + number(socketLine, out, 2) + number(socketLine, out, 3) + number(socketLine, out, 4))
	if !rateLine.Match(out) {
		return r, fmt.Errorf("wrk says: %s", out)
	}
	return r, nil
}

// ab opens a connection for each request, and resumes no TLS session.
func (s settings) ab(ctx context.Context, l load, seconds string) (round, error) {
	args := []string{"ab", "-q", "-f", "TLS1.3", "-t", seconds, "-n", "200000", "-c", strconv.Itoa(l.connections)}
	for _, f := range l.fields {
		args = append(args, "-H", f)
	}
	out, err := s.output(ctx, append(args, l.url))
	if err != nil {
		return round{}, err
	}
	var r round
	r.rate = number(rateLine, out, 1)
	r.requests = int(number(completeLine, out, 1))
	r.failed = int(number(failedLine, out, 1) + number(statusLine, out, 1))
	r.p50 = time.Duration(number(ab50Line, out, 1)) * time.Millisecond
	r.p99 = time.Duration(number(ab99Line, out, 1)) * time.Millisecond
	if !rateLine.Match(out) {
		return r, fmt.Errorf("ab says: %s", out)
	}
	return r, nil
}

func (s settings) output(ctx context.Context, args []string) ([]byte, error) {
	args = s.on(args)
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%v: %w: %s", args, err, out)
	}
	return out, nil
}

// number gives what group n matched, 0 where nothing did.
func number(re *regexp.Regexp, text []byte, n int) float64 {
	m := re.FindSubmatch(text)
	if m == nil {
		return 0
	}
	f, _ := strconv.ParseFloat(string(m[n]), 64)
	return f
}

func duration(re *regexp.Regexp, text []byte) time.Duration {
	m := re.FindSubmatch(text)
	if m == nil {
		return 0
	}
	d, _ := time.ParseDuration(string(m[1]) + string(m[2]))
	return d
}
