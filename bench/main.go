// Command bench measures mountd beside its peers: every server gets equal
// settings and the same backend, every answer is checked before it is timed,
// and the rounds of the servers alternate, so that a slow moment of the
// machine hits all of them. What counts are ratios of medians and CPU time per
// request; absolute figures say little. Goals stand beside what was measured.
//
//	go run . -mountd ../bin/mountd                    everything
//	go run . -only 'proxy-13B' -rounds 9 -length 6s   some, for longer
//	go run . -list                                    what there is
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
	update  string
	self    string // this program, which is the hostile client, too
	only    *regexp.Regexp
	servers map[string]bool
	rounds  int
	length  time.Duration
	cpu     int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "client" {
		return hostileClient(args[1:])
	}
	var s settings
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	only := flags.String("only", "", "run the cases that match this `pattern`")
	servers := flags.String("servers", "", "comma list of the servers to run; empty: all")
	list := flags.Bool("list", false, "print the cases and how long they take, and run none")
	flags.StringVar(&s.mountd, "mountd", "../bin/mountd", "the mountd `binary`")
	flags.StringVar(&s.peers, "peers", "", "a `directory` with peers' binaries")
	flags.StringVar(&s.out, "out", "out", "`directory` of the results; those of other cases that it holds are kept")
	flags.StringVar(&s.update, "update", "", "write the tables into this Markdown `file`, and the plot beside it")
	flags.IntVar(&s.rounds, "rounds", 3, "rounds of each server")
	flags.DurationVar(&s.length, "length", 2*time.Second, "of one round, in whole seconds")
	flags.IntVar(&s.cpu, "load-cpu", 1, "the processor that the clients run on; -1: any")
	_ = flags.Parse(args)
	var err error
	if s.only, err = regexp.Compile(*only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if s.rounds < 1 || s.length < time.Second {
		return fmt.Errorf("there must be a round, of a second at least")
	}
	s.length = s.length.Truncate(time.Second)
	if *servers != "" {
		s.servers = map[string]bool{}
		for _, name := range strings.Split(*servers, ",") {
			s.servers[name] = true
		}
	}
	if *list {
		return s.list()
	}
	return run(ctx, s, "go run . "+strings.Join(args, " "))
}

// measurement is one case: what is compared, and how long it takes about.
type measurement interface {
	id() string
	takes(s settings) time.Duration
	run(ctx context.Context, s settings, site *site) (*outcome, error)
}

func measurements() []measurement {
	var all []measurement
	for _, c := range ratedCases() {
		all = append(all, c)
	}
	for _, c := range attackCases() {
		all = append(all, c)
	}
	return append(all, startCase{}, webSocketCase{})
}

// wants tells whether a server is to be measured.
func (s settings) wants(server string) bool { return s.servers == nil || s.servers[server] }

func (s settings) list() error {
	var total time.Duration
	for _, m := range measurements() {
		if s.only.MatchString(m.id()) {
			fmt.Printf("%-28s %5s\n", m.id(), m.takes(s).Round(time.Second))
			total += m.takes(s)
		}
	}
	fmt.Printf("%-28s %5s\n", "about", total.Round(time.Second))
	return nil
}

func run(ctx context.Context, s settings, command string) error {
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
	if s.self, err = os.Executable(); err != nil {
		return err
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	results, err := readReport(s.out)
	if err != nil {
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
	results.Machine = s.machine(ctx)
	for _, m := range measurements() {
		if !s.only.MatchString(m.id()) {
			continue
		}
		out, err := m.run(ctx, s, site)
		if err != nil {
			return fmt.Errorf("%s: %w", m.id(), err)
		}
		out.Case, out.Command, out.When = m.id(), strings.TrimSpace(command), time.Now().UTC().Format("2006-01-02 15:04")
		results.add(out)
		fmt.Println(out.table())
		// After each case, so that a later failure loses nothing.
		if err := results.write(s); err != nil {
			return err
		}
	}
	return results.write(s)
}
