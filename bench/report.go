package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// report collects the results and writes them as text and as plots.
type report struct {
	command string
	parts   []part
	notes   []string
}

func (rep *report) note(text string) {
	rep.notes = append(rep.notes, text)
	fmt.Println(text)
}

type part struct {
	scenario scenario
	results  []*result
}

func (rep *report) add(sc scenario, results []*result) {
	rep.parts = append(rep.parts, part{sc, results})
	fmt.Println(rep.parts[len(rep.parts)-1].table())
}

func median[T cmp.Ordered](values []T) T {
	if len(values) == 0 {
		var zero T
		return zero
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func collect[T cmp.Ordered](rounds []round, get func(round) T) T {
	var values []T
	for _, r := range rounds {
		values = append(values, get(r))
	}
	return median(values)
}

func (r *result) rate() float64 { return collect(r.rounds, func(x round) float64 { return x.rate }) }
func (r *result) cpu() time.Duration {
	return collect(r.rounds, func(x round) time.Duration { return x.cpu })
}
func (r *result) p50() time.Duration {
	return collect(r.rounds, func(x round) time.Duration { return x.p50 })
}
func (r *result) p99() time.Duration {
	return collect(r.rounds, func(x round) time.Duration { return x.p99 })
}

// base gives the server that the others are compared with: nginx where it is
// there, or the first.
func (p part) base() *result {
	for _, r := range p.results {
		if r.server == "nginx" && !r.missing {
			return r
		}
	}
	return p.results[0]
}

func (p part) table() string {
	var b strings.Builder
	base := p.base()
	fmt.Fprintf(&b, "%s: %s, %d connections\n", p.scenario.name, p.scenario.path, p.scenario.connections)
	fmt.Fprintf(&b, "  %-12s %10s %10s %9s %10s %10s %9s\n", "server", "× "+base.server, "requests/s", "CPU µs", "p50", "p99", "MiB")
	for _, r := range p.results {
		if r.missing {
			fmt.Fprintf(&b, "  %-12s not installed\n", r.server)
			continue
		}
		fmt.Fprintf(&b, "  %-12s %10.2f %10.0f %9.1f %10s %10s %9.1f\n", r.server, r.rate()/base.rate(), r.rate(),
			float64(r.cpu().Nanoseconds())/1000, r.p50().Round(10*time.Microsecond), r.p99().Round(10*time.Microsecond), float64(r.memory)/(1<<20))
	}
	return b.String()
}

func (rep *report) write(dir string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", rep.command)
	for _, p := range rep.parts {
		b.WriteString(p.table() + "\n")
	}
	for _, n := range rep.notes {
		b.WriteString(n + "\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "results.txt"), []byte(b.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "results.svg"), rep.plot(), 0o644)
}

// plot draws the rates beside each other, one group of bars to a scenario.
func (rep *report) plot() []byte {
	const bar, gap, label, width = 16, 26, 190, 760
	colors := map[string]string{"nginx": "#4b8f5b", "haproxy": "#6b7fb3", "caddy": "#7aa9c9", "traefik": "#b08bb5", "mountd": "#d9662c", "mountd-bare": "#e8a27c", "mountd-ten": "#f0c3a8"}
	height := gap
	for _, p := range rep.parts {
		height += gap + bar*len(p.results)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="12" role="img"><title>Requests per second, as a multiple of the base server</title><rect width="100%%" height="100%%" fill="#fff"/>`, width, height)
	y := gap
	for _, p := range rep.parts {
		base, most := p.base().rate(), 0.0
		for _, r := range p.results {
			most = max(most, r.rate()/base)
		}
		fmt.Fprintf(&b, `<text x="8" y="%d" font-weight="600">%s</text>`, y, p.scenario.name)
		y += 6
		for _, r := range p.results {
			ratio := r.rate() / base
			w := int(ratio / max(most, 0.01) * (width - label - 60))
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#444">%s</text><rect x="%d" y="%d" width="%d" height="%d" fill="%s"/><text x="%d" y="%d" fill="#222">%.2f</text>`,
				label-8, y+bar-5, r.server, label, y+1, max(w, 1), bar-3, cmp.Or(colors[r.server], "#999"), label+w+5, y+bar-5, ratio)
			y += bar
		}
		y += gap - 6
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}
