package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/mountd/mountd/internal/assemble"
	"github.com/mountd/mountd/internal/terminal"
)

// printMounts draws the table of mounts, for people at a terminal. Layers that
// all mounts begin with are told once, below it.
func (p *Program) printMounts(w io.Writer, mounts []*assemble.Mount) {
	if !terminal.IsTerminal(w) || len(mounts) == 0 {
		return
	}
	drawMounts(w, terminal.Colours(w), terminal.Width(w), mounts)
}

func drawMounts(w io.Writer, style terminal.Palette, width int, mounts []*assemble.Mount) {
	shared := layerNames(mounts[0])
	for _, m := range mounts[1:] {
		shared = commonStart(shared, layerNames(m))
	}
	var table terminal.Table
	table.Row(style.Dim("mount"), style.Dim("app"), style.Dim("target"), style.Dim("through"))
	addMounts(&table, style, mounts, 0, len(shared))
	table.Fit(2, width, 16)
	_, _ = table.WriteTo(w)
	if len(shared) > 0 {
		fmt.Fprintf(w, "\n%s %s\n", style.Dim("all through"), strings.Join(shared, " → "))
	}
	fmt.Fprintln(w)
}

// addMounts adds a row for each mount, and those of the tables inside them. Of
// the layers, skip are told elsewhere.
func addMounts(table *terminal.Table, style terminal.Palette, mounts []*assemble.Mount, depth, skip int) {
	for _, m := range mounts {
		layers := layerNames(m)
		through := strings.Join(layers[min(skip, len(layers)):], " → ")
		if through != "" && skip > 0 {
			through = "… → " + through
		}
		name := strings.Repeat("  ", depth) + terminal.Safe(m.Pattern)
		target := terminal.Safe(strings.TrimRight(m.Target, "\n"))
		table.Row(style.Bold(name), m.Kind, target, style.Dim(through))
		addMounts(table, style, m.Mounts, depth+1, 0)
	}
}

func layerNames(m *assemble.Mount) []string {
	var names []string
	for _, l := range m.Layers {
		if !l.LeftOut {
			names = append(names, l.Name)
		}
	}
	return names
}

func commonStart(a, b []string) []string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}
