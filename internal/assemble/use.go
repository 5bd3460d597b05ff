package assemble

import (
	"github.com/mountd/mountd/internal/mountfile"
)

// use gives the layers of a mount's chain. A table inside a mount stands in
// that mount's chain: its mounts get no second copy of the global one.
func (b *builder) use(in around, list *mountfile.Node) []layer {
	if list == nil || list.Kind() == mountfile.Null {
		if in.nested {
			return nil
		}
		return b.global
	}
	if list.Kind() != mountfile.List {
		return b.stacks.list(list, nil)
	}
	var layers []layer
	for _, entry := range list.List() {
		if entry.Text() != "default" && entry.Get("default") == nil {
			layers = append(layers, b.stacks.resolve(entry, nil)...)
			continue
		}
		if name, options, ok := b.stacks.entryParts(entry); !ok || options.Kind() != mountfile.Null {
			if ok {
				b.report(options.Errorf("%q stands for the global use and takes no options", name).WithHint("its layers do"))
			}
			continue
		}
		var global []layer
		for _, l := range b.global {
			if !in.has(l) {
				global = append(global, l)
			}
		}
		layers = append(layers, b.stacks.conditioned(entry, global)...)
	}
	return layers
}

func (in around) has(l layer) bool {
	for _, o := range in.outer {
		if o.Name == l.Name && o.Definition == l.Definition && o.When == l.When && o.Except == l.Except {
			return true
		}
	}
	return false
}
