package assemble

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mountd/mountd/internal/mountfile"
)

// short takes a short form apart into the kind and the value of its key.
func (b *builder) short(n *mountfile.Node) (kind string, value *mountfile.Node) {
	kind, text, ok := b.Parts.Apps.Short(n.Text())
	if !ok {
		b.report(b.unreadable(n))
		return "", nil
	}
	return kind, n.WithText(text)
}

func (b *builder) unreadable(n *mountfile.Node) *mountfile.Error {
	text := n.Text()
	if name, _, found := strings.Cut(text, ":"); found && !strings.ContainsAny(name, "/.") {
		if later(name) {
			return n.Errorf("%q applications are not part of this version", name).WithHint("run the application on a port and mount it as http://127.0.0.1:PORT")
		}
		if near := mountfile.Suggest(name, b.Parts.Apps.Names()); near != "" {
			return n.Errorf("%q is no application", text).WithHint(fmt.Sprintf("did you mean %q?", near+":"))
		}
	}
	e := n.Errorf("%q is no application", text)
	switch {
	case text == "":
		return e.WithHint("write ./dir, http://host:port or another short form")
	case strings.Contains(text, "://"):
		return e.WithHint("proxies begin with http://, https://, h2c:// or unix:/")
	}
	return e.WithHint(fmt.Sprintf("for a directory write ./%s, for a server http://%s", text, text))
}

// later tells the kinds that the grammar knows and this version does not run.
func later(kind string) bool {
	switch kind {
	case "wsgi", "asgi", "fastcgi", "php", "exec", "apps":
		return true
	}
	return false
}

// long reads the long form: one application key, and the mount's own keys.
func (b *builder) long(n *mountfile.Node, opts *MountOptions) (kind string, value *mountfile.Node) {
	var own []mountfile.Entry
	var first *mountfile.Node
	apps := append(b.Parts.Apps.Names(), "mounts")
	for _, e := range n.Entries() {
		key := e.Key.Text()
		_, isApp := b.Parts.Apps[key]
		switch {
		case isApp || key == "mounts":
			if first != nil {
				b.report(e.Key.Errorf("%q beside %q: a mount has exactly one application", key, first.Text()).WithHint("remove one of them, or use cascade"))
				continue
			}
			first, kind, value = e.Key, key, e.Value
		case key == "prepare":
			b.report(e.Key.Errorf("%q is not part of this version", key).WithHint("run the command before mountd"))
		case later(key):
			b.report(e.Key.Errorf("%q is not part of this version", key).WithHint("run the application on a port and mount it as http://127.0.0.1:PORT"))
			first = e.Key
		default:
			own = append(own, e)
		}
	}
	var beside []mountfile.Entry
	switch {
	case first != nil && kind == "": // the options of a later version's
		own, _ = partition(own)
	case first != nil && b.Parts.Apps[kind].Beside:
		own, beside = partition(own)
	}
	if kind != "" {
		own = b.misplaced(kind, own)
	}
	if err := n.WithEntries(own...).Without(apps...).Decode(opts); err != nil {
		b.reportAll(n, err)
	}
	b.checkOptions(n, opts)
	if first == nil {
		if !meant(own, apps) {
			b.report(n.Errorf("no application is named here").WithHint("add one of " + strings.Join(apps, ", ")))
		}
		return "", nil
	}
	if len(beside) > 0 {
		value = n.WithEntries(append([]mountfile.Entry{{Key: first, Value: value}}, beside...)...)
	}
	return kind, value
}

// misplaced reports the options of an application that stand beside its key,
// and gives the entries without them.
func (b *builder) misplaced(kind string, own []mountfile.Entry) (rest []mountfile.Entry) {
	var known []string
	if kind != "mounts" {
		known = mountfile.Keys(b.Parts.Apps[kind].Options())
	}
	for _, e := range own {
		if name := e.Name(); slices.Contains(known, name) && !slices.Contains(mountKeys, name) {
			b.report(e.Key.Errorf("%q is an option of %s, not of the mount", name, kind).WithHint(fmt.Sprintf("write it below the key: {%s: {%s: …, %s: …}}", kind, mainOption(known), name)))
			continue
		}
		rest = append(rest, e)
	}
	return rest
}

// mainOption gives the option that the short form stands for.
func mainOption(known []string) string {
	for _, name := range []string{"to", "root", "body", "apps"} {
		if slices.Contains(known, name) {
			return name
		}
	}
	return "…"
}

// meant reports whether a key that is not known was to be one of the
// applications: that says what is wrong better than that there is none.
func meant(own []mountfile.Entry, apps []string) bool {
	return slices.ContainsFunc(own, func(e mountfile.Entry) bool {
		name := e.Name()
		return !slices.Contains(mountKeys, name) && slices.Contains(apps, mountfile.Suggest(name, append(apps, mountKeys...)))
	})
}

func partition(entries []mountfile.Entry) (own, beside []mountfile.Entry) {
	for _, e := range entries {
		if slices.Contains(mountKeys, e.Name()) {
			own = append(own, e)
		} else {
			beside = append(beside, e)
		}
	}
	return own, beside
}

func (b *builder) checkOptions(n *mountfile.Node, opts *MountOptions) {
	if s := opts.Slash; s != "" && s != "redirect" && s != "pass" {
		b.report(n.At("slash").Errorf("slash: %q is not known", s).WithHint("write redirect or pass"))
	}
	if f := opts.ForwardCredentials.Node; f != nil {
		b.checkCredentials(f)
	}
	if c := opts.Case; c != "" && c != "sensitive" {
		b.report(n.At("case").Errorf("case: %q is not known", c).WithHint("paths are case-sensitive; leave it out"))
	}
}

func (b *builder) checkCredentials(n *mountfile.Node) {
	var all bool
	if n.Kind() != mountfile.List {
		b.reportAll(n, n.Decode(&all))
		return
	}
	for _, item := range n.List() {
		switch item.Text() {
		case "authorization", "session", "key":
		default:
			b.report(item.Errorf("forward_credentials: %q is not known", item.Text()).WithHint("write true, or a list of authorization, session and key"))
		}
	}
}
