package assemble

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/mountfile"
)

// page is what a layer serves below [Reserved]: a login page and its like.
type page struct {
	handler  http.Handler
	by       layer
	use      *mountfile.Node // the mount whose chain it was found in, or the layer
	sessions []layer         // that stand around the layer, and are not global
}

func offerKey(l compose.Layer) string { return l.Name + "\x00" + l.Definition }

// built notes what an instance offers.
func (b *builder) built(l compose.Layer, in compose.Instance) {
	if b.offered == nil {
		b.offered = map[string]any{}
	}
	b.offered[offerKey(l)] = in.Offers
	if b.Parts.Built != nil {
		b.Parts.Built(l, in)
	}
}

// findPages collects the pages that layers offer, and reports those that have
// the address of others. The chain of the mount, nil for the global one, has been
// built.
func (b *builder) findPages(mount *mountfile.Node, outer, layers []layer) {
	for i, l := range layers {
		use := cmp.Or(mount, l.node)
		offer, ok := b.offered[offerKey(l.Layer)].(interface {
			Handlers() map[string]http.Handler
		})
		if !ok {
			continue
		}
		sessions := b.sessions(slices.Concat(outer, layers[:i]))
		handlers := offer.Handlers()
		for _, path := range slices.Sorted(maps.Keys(handlers)) {
			other, taken := b.pages[path]
			switch {
			case !taken:
				if b.pages == nil {
					b.pages = map[string]page{}
				}
				b.pages[path] = page{handlers[path], l, use, sessions}
			case offerKey(other.by.Layer) != offerKey(l.Layer):
				b.report(l.at().Errorf("%s is the address of a page of %q at %s already", path, other.by.Layer, other.by.at().Pos()).
					WithHint("choose another one, or define the layer once, under middleware, and use it by name"))
			case !slices.EqualFunc(other.sessions, sessions, sameLayer):
				b.report(use.Errorf("%q has another session here than at %s, and one page, %s", l.Layer, other.use.Pos(), path).
					WithHint("define the session once, under middleware, and use it by name"))
			}
		}
	}
}

func sameLayer(a, b layer) bool { return offerKey(a.Layer) == offerKey(b.Layer) }

// sessions gives the layers that provide sessions, without the global ones.
func (b *builder) sessions(layers []layer) (found []layer) {
	for _, l := range layers {
		global := slices.ContainsFunc(b.global, func(g layer) bool { return sameLayer(g, l) })
		if !global && slices.Contains(b.Parts.Middlewares.Rules(l.Layer).Provides, "session") {
			found = append(found, l)
		}
	}
	return found
}

// openPages makes the handlers of pages. They stand behind the global chain but
// for its authentication, which they serve, and behind their own session.
func (b *builder) openPages() map[string]http.Handler {
	pages := map[string]http.Handler{}
	for path, p := range b.pages {
		var open []layer
		for _, l := range b.global {
			rules := b.Parts.Middlewares.Rules(l.Layer)
			isAuth := slices.Contains(rules.Provides, "auth") || slices.Contains(rules.Needs, "auth")
			if !isAuth && (p.sessions == nil || !slices.Contains(rules.Provides, "session")) {
				open = append(open, l)
			}
		}
		pages[path] = b.chain(nil, slices.Concat(open, p.sessions)).Then(keeping(errorhandler.Own(p.handler)))
	}
	return pages
}
