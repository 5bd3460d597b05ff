package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// scenario is one comparison.
type scenario struct {
	name        string
	path        string
	size        string
	connections int
	servers     []string
}

func scenarios() []scenario {
	proxies := []string{"nginx", "haproxy", "caddy", "traefik", "mountd", "mountd-bare"}
	files := []string{"nginx", "caddy", "mountd", "mountd-bare"}
	var all []scenario
	for _, connections := range []int{32, 256} {
		for _, size := range []string{"13B", "10KiB", "1MiB"} {
			all = append(all, scenario{fmt.Sprintf("proxy-%s-%d", size, connections), "/app/" + size + ".txt", size, connections, proxies})
		}
	}
	for _, size := range []string{"1KiB", "100KiB", "1MiB"} {
		all = append(all, scenario{"static-" + size + "-32", "/static/" + size + ".txt", size, 32, files})
	}
	all = append(all, scenario{"layers-13B-32", "/app/13B.txt", "13B", 32, []string{"mountd-bare", "mountd-ten", "mountd"}})
	return all
}

func (s *site) server(name string) server {
	switch name {
	case "nginx":
		return s.nginx()
	case "haproxy":
		return s.haproxy()
	case "caddy":
		return s.caddy()
	case "traefik":
		return s.traefik()
	case "mountd-bare":
		return s.mountd(name, bareStack)
	case "mountd-ten":
		return s.mountd(name, tenLayers)
	default:
		return s.mountd(name, defaultStack)
	}
}

// round is one run of wrk against one server.
type round struct {
	rate     float64 // requests a second
	cpu      time.Duration
	requests int
	p50, p99 time.Duration
}

// result is what a server did in a scenario.
type result struct {
	server  string
	rounds  []round
	ready   time.Duration
	memory  int64
	missing bool
}

func measure(ctx context.Context, s settings, site *site, sc scenario, rep *report) error {
	var running []*process
	var results []*result
	defer func() {
		for _, p := range running {
			p.stop()
		}
	}()
	want, err := os.ReadFile(filepath.Join(site.files, sc.size+".txt"))
	if err != nil {
		return err
	}
	if sc.size == "13B" && sc.path[:5] == "/app/" {
		want = []byte("Hello, World!")
	}
	for _, name := range sc.servers {
		if s.servers != nil && !s.servers[name] {
			continue
		}
		r := &result{server: name}
		results = append(results, r)
		p, err := start(ctx, s, site.server(name))
		if errors.Is(err, errMissing) {
			r.missing = true
			running = append(running, nil)
			continue
		}
		if err != nil {
			return err
		}
		running = append(running, p)
		r.ready = p.ready
		if err := p.settle(ctx, sc.path, want); err != nil {
			return err
		}
	}
	for i := range s.rounds + 1 {
		for j, p := range running {
			if p == nil {
				continue
			}
			length := s.length
			if i == 0 {
				length = time.Second // warms up
			}
			before := p.usage()
			one, err := s.wrk(ctx, p, sc, length)
			if err != nil {
				return err
			}
			after := p.usage()
			if i == 0 {
				continue
			}
			one.cpu = (after.cpu - before.cpu) / time.Duration(max(one.requests, 1))
			results[j].rounds = append(results[j].rounds, one)
			results[j].memory = max(results[j].memory, after.rss)
		}
		fmt.Fprintf(os.Stderr, "\r%s: round %d of %d ", sc.name, i, s.rounds)
	}
	fmt.Fprintln(os.Stderr)
	running = slices.DeleteFunc(running, func(p *process) bool { return p == nil })
	rep.add(sc, results)
	return nil
}

var (
	rateLine     = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	requestsLine = regexp.MustCompile(`(\d+) requests in`)
	p50Line      = regexp.MustCompile(`50%\s+([0-9.]+)(us|ms|s)`)
	p99Line      = regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s)`)
	failLine     = regexp.MustCompile(`(Non-2xx or 3xx responses: \d+|Socket errors: .*)`)
)

func (s settings) wrk(ctx context.Context, p *process, sc scenario, length time.Duration) (round, error) {
	args := []string{"wrk", "-t1", "-c" + strconv.Itoa(sc.connections), "-d" + strconv.Itoa(max(1, int(length.Seconds()))) + "s", "--latency", "http://" + p.address() + sc.path}
	if s.cpu >= 0 {
		args = append([]string{"taskset", "-c", strconv.Itoa(s.cpu)}, args...)
	}
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return round{}, fmt.Errorf("%v: %w: %s", args, err, out)
	}
	if m := failLine.Find(out); m != nil {
		return round{}, fmt.Errorf("%s: %s", p.name, m)
	}
	var r round
	r.rate, _ = strconv.ParseFloat(group(rateLine, out), 64)
	r.requests, _ = strconv.Atoi(group(requestsLine, out))
	r.p50, r.p99 = duration(p50Line, out), duration(p99Line, out)
	if r.requests == 0 {
		return r, fmt.Errorf("%s answered nothing: %s", p.name, out)
	}
	return r, nil
}

func group(re *regexp.Regexp, text []byte) string {
	if m := re.FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return ""
}

func duration(re *regexp.Regexp, text []byte) time.Duration {
	m := re.FindSubmatch(text)
	if m == nil {
		return 0
	}
	d, _ := time.ParseDuration(string(m[1]) + string(m[2]))
	return d
}
