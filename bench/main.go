// Command bench measures mountd beside its peers: every server gets equal
// settings and the same backend, every answer is checked before it is timed,
// and the rounds of the servers alternate, so that a slow moment of the
// machine hits all of them. What counts are ratios of medians and CPU time per
// request; absolute figures say little.
//
//	go run . -mountd ../bin/mountd            all scenarios
//	go run . -only 'proxy-13B' -rounds 9 -seconds 6
//
// Peers are found in PATH or in the directory of -peers: nginx (needed, it is
// the backend as well), haproxy, caddy, traefik. A missing one is left out,
// and the table says so.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

type settings struct {
	mountd  string
	peers   string
	work    string
	out     string
	only    *regexp.Regexp
	servers map[string]bool
	rounds  int
	length  time.Duration
	cpu     int
}

func main() {
	var s settings
	only := flag.String("only", "", "run the scenarios that match this `pattern`")
	servers := flag.String("servers", "", "comma list of the servers to run; empty: all")
	flag.StringVar(&s.mountd, "mountd", "../bin/mountd", "the mountd `binary`")
	flag.StringVar(&s.peers, "peers", "", "a `directory` with peers' binaries")
	flag.StringVar(&s.out, "out", "out", "`directory` of the results")
	flag.IntVar(&s.rounds, "rounds", 7, "rounds of each server")
	flag.DurationVar(&s.length, "length", 6*time.Second, "of one round")
	flag.IntVar(&s.cpu, "wrk-cpu", 1, "the processor that wrk runs on; -1: any")
	flag.Parse()
	s.only = regexp.MustCompile(*only)
	if *servers != "" {
		s.servers = map[string]bool{}
		for _, name := range strings.Split(*servers, ",") {
			s.servers[name] = true
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	work, err := os.MkdirTemp("", "mountd-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}
	s.work = work
	if s.mountd, err = filepath.Abs(s.mountd); err != nil {
		return err
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	site, err := newSite(work)
	if err != nil {
		return err
	}
	backend, err := start(ctx, s, site.backend())
	if err != nil {
		return fmt.Errorf("start the backend: %w", err)
	}
	defer backend.stop()
	results := &report{command: "go run . " + strings.Join(os.Args[1:], " ")}
	for _, sc := range scenarios() {
		if !s.only.MatchString(sc.name) {
			continue
		}
		if err := measure(ctx, s, site, sc, results); err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
	}
	if err := special(ctx, s, site, results); err != nil {
		return err
	}
	return results.write(s.out)
}
