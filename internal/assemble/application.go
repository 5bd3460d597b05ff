package assemble

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/mountfile"
)

// rebased puts the layer around an application that does not know where it is
// mounted. Inside another application, only those that need it get one.
func (b *builder) rebased(ctx compose.AppContext, info *Mount, n *mountfile.Node, app compose.App, handler http.Handler) http.Handler {
	wanted := app.Foreign && strings.TrimRight(pathOf(ctx.Pattern), "/") != ""
	if n == nil && !wanted {
		return handler
	}
	in, mode, err := b.Parts.Rebase(decoder(n), app)
	if err != nil {
		b.reportAll(n, err)
		return handler
	}
	if in.Wrap == nil || !wanted {
		return handler
	}
	info.Rebase = mode
	return in.Wrap(handler)
}

// decoder avoids a nil *Node in a non-nil interface.
func decoder(n *mountfile.Node) compose.Decoder {
	if n == nil {
		return nil
	}
	return n
}

// app makes an application, or takes over the one that ran with the very same
// definition at the same place.
func (b *builder) app(ctx compose.AppContext, info *Mount, rebase *mountfile.Node, kind string, value *mountfile.Node) (compose.App, bool) {
	k := b.Parts.Apps[kind]
	ctx.Nested = func(d compose.Decoder) (compose.App, error) {
		n, ok := d.(*mountfile.Node)
		if !ok {
			return compose.App{}, fmt.Errorf("a nested application of type %T", d)
		}
		return b.nested(ctx, info, rebase, n)
	}
	options := k.Options()
	before := len(b.errs)
	if err := value.Decode(options); err != nil {
		b.reportAll(value, err)
		b.reportFurther(value, err, func() (compose.App, error) { return k.New(ctx, options) })
		return compose.App{}, false
	}
	key := strings.Join([]string{"app", b.Parts.Epoch, ctx.Name, ctx.Pattern, kind, value.Fingerprint(), rebase.Fingerprint()}, "\x00")
	v, err := b.build.Keep(key, func() (any, func() error, error) {
		app, err := k.New(ctx, options)
		return app, app.Close, err
	})
	if err != nil {
		b.reportAll(value, err)
		return compose.App{}, false
	}
	app := v.(compose.App)
	if !k.Transient && app.Handler != nil {
		app.Handler = keeping(app.Handler)
	}
	return app, len(b.errs) == before
}

// reportFurther finds what else is wrong with an application whose options
// could be read in part, so that all is told in one go. What may follow from
// the options that are missing is not reported.
func (b *builder) reportFurther(value *mountfile.Node, known error, build func() (compose.App, error)) {
	app, err := build()
	if err == nil && app.Close != nil {
		err = app.Close()
	}
	failed := map[mountfile.Pos]bool{}
	for _, e := range value.Locate(known) {
		failed[e.Pos] = true
	}
	blamed := map[mountfile.Pos]bool{}
	holders(value, failed, blamed)
	for _, e := range value.Locate(err) {
		if !blamed[e.Pos] {
			b.report(e)
		}
	}
}

// holders collects the places of all values that hold one of those that
// failed, and reports whether n is one.
func holders(n *mountfile.Node, failed, found map[mountfile.Pos]bool) bool {
	holds := failed[n.Pos()]
	for _, item := range n.List() {
		holds = holders(item, failed, found) || holds
	}
	for _, e := range n.Entries() {
		holds = holders(e.Value, failed, found) || failed[e.Key.Pos()] || holds
	}
	if holds {
		found[n.Pos()] = true
	}
	return holds
}

// nested makes an application inside another one.
func (b *builder) nested(ctx compose.AppContext, info *Mount, rebase, n *mountfile.Node) (compose.App, error) {
	var kind string
	var value *mountfile.Node
	var none MountOptions
	before := len(b.errs)
	switch n.Kind() {
	case mountfile.Scalar:
		kind, value = b.short(n)
	case mountfile.Map:
		kind, value = b.long(n, &none)
		for _, e := range n.Entries() {
			if e.Key.Text() != kind && len(b.errs) == before {
				b.report(e.Key.Errorf("%q belongs to the mount, not to an application inside it", e.Name()).WithHint("write it beside the mount's own application key"))
			}
		}
	default:
		b.report(n.Errorf("an application is a short form, or a mapping of one key").WithHint("write ./dir, http://host:port, or {static: ./dir}"))
	}
	var app compose.App
	ok := kind != ""
	if kind == "mounts" {
		b.report(n.Errorf("a table of mounts can't stand inside another application"))
		ok = false
	}
	if ok {
		app, ok = b.app(ctx, info, rebase, kind, value)
	}
	if !ok {
		errs := b.errs[before:]
		b.errs = b.errs[:before:before]
		if len(errs) == 0 {
			errs = mountfile.Errors{n.Errorf("not an application")}
		}
		return app, append(mountfile.Errors(nil), errs...)
	}
	handler := app.Handler
	if b.App != nil {
		handler = b.App(ctx, kind, app)
	}
	app.Handler = b.rebased(ctx, info, rebase, app, handler)
	return app, nil
}
