package cli

import (
	"slices"

	"github.com/mountd/mountd/internal/mountfile"
)

// keyParameters gives the query parameters that carry keys by the table's
// auth.key layers, wherever they stand: logs must not hold them.
func keyParameters(table *mountfile.Table) []string {
	var names []string
	var walk func(n *mountfile.Node)
	walk = func(n *mountfile.Node) {
		for _, item := range n.List() {
			walk(item)
		}
		for _, e := range n.Entries() {
			if e.Name() == "auth.key" {
				if name := e.Value.Get("query").Text(); name != "" && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
			walk(e.Value)
		}
	}
	walk(table.Use)
	for _, d := range slices.Concat(table.Middleware, table.Stacks) {
		walk(d.Value)
	}
	for _, e := range table.Mounts {
		walk(e.Value)
	}
	slices.Sort(names)
	return names
}
