// Package assemble turns a mount table into the handler of a site.
//
// It knows the grammar of the table (mounts, stacks, conditions, nested
// tables) but no middleware and no kind of application: those come as values.
package assemble

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"

	"github.com/justinas/alice"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/internal/mountfile"
)

// Parts are what tables are assembled from.
type Parts struct {
	Middlewares compose.Registry
	Apps        compose.Apps

	// Condition makes what stands behind `when:` and `except:`; pathBound says
	// that it looks at the path.
	Condition func(options compose.Decoder, except bool) (c compose.Condition, pathBound bool, err error)

	// Rebase makes the mount's innermost layer out of its `rebase:` value. An
	// instance without Wrap stands for none. It is transient, as conditions are:
	// see [compose.Factory].
	Rebase func(options compose.Decoder, app compose.App) (in compose.Instance, mode string, err error)

	// Sendfile makes the layer that serves files an application names. It is
	// transient, see [compose.Factory].
	Sendfile func(options compose.Decoder, ctx compose.AppContext) (compose.Instance, error)

	// Identity makes what stands right before an application, out of the
	// `identity:` and `forward_credentials:` values; nil stands for one that is
	// not written. No client may send the headers. It is transient, see
	// [compose.Factory].
	Identity func(identity, forward compose.Decoder) (wrap alice.Constructor, headers []string, err error)

	// Built is called with the instances of all chains; nil: not.
	Built func(compose.Layer, compose.Instance)

	// Front makes the handler that stands around the whole site; refused
	// answers the requests that it does not let in.
	Front func(identityHeaders []string, refused func(w http.ResponseWriter, r *http.Request, err error), next http.Handler) (http.Handler, error)

	// Epoch tells one set of parts from another: what it built is kept only by
	// parts of the same epoch.
	Epoch string
}

// Config is what a site is built from.
type Config struct {
	Table *mountfile.Table
	Parts Parts
	Pool  *compose.Pool // keeps instances over reloads

	// Previous is the site that runs now; nil at the start. Mounts of an
	// included file that has mistakes stay as they are in it.
	Previous *Site

	Logger *slog.Logger

	// Observe stands around each layer, App around each application; nil: they
	// stay as they are.
	Observe func(compose.Layer, alice.Constructor) alice.Constructor
	App     func(ctx compose.AppContext, kind string, app compose.App) http.Handler
}

// Site is a table that was assembled.
type Site struct {
	Handler http.Handler

	// Mounts describes the mounts in the order of the table.
	Mounts []*Mount

	// Global describes the chain of what no mount matches.
	Global []compose.Info

	// Warnings are remarks about the table, Broken the mistakes of included
	// files, whose mounts answer 503 or stay as they were.
	Warnings, Broken mountfile.Errors

	dispatcher *dispatcher.Dispatcher
	top        []placed
	build      *compose.Build
}

// Commit makes the site the one that runs; closeOld closes what only the one
// before had, and is to be called when its requests have ended.
func (s *Site) Commit() (closeOld func() error) { return s.build.Commit() }

// Abort gives up a site that is not to run.
func (s *Site) Abort() error { return s.build.Abort() }

// Match tells which mount of the table would serve a URL.
func (s *Site) Match(host, path string) (dispatcher.Match, bool) {
	return s.dispatcher.Match(host, path)
}

// Count gives the number of mounts, those of nested tables included.
func (s *Site) Count() int { return count(s.Mounts) }

func count(mounts []*Mount) int {
	n := 0
	for _, m := range mounts {
		if len(m.Mounts) > 0 {
			n += count(m.Mounts)
			continue
		}
		n++
	}
	return n
}

// builder collects what one call of Build finds.
type builder struct {
	Config
	build    *compose.Build
	stacks   *stacks
	global   []layer
	errs     mountfile.Errors
	identity []string
	offered  map[string]any // by layers, see [compose.Instance]
	pages    map[string]page
}

// Build assembles the table. Its error is a [mountfile.Errors] that holds all
// mistakes; mistakes in included files are no error but [Site.Broken].
func Build(cfg Config) (*Site, error) {
	b := &builder{Config: cfg, build: cfg.Pool.Begin(cfg.Parts.Middlewares)}
	b.build.Observe, b.build.Lasting = cfg.Observe, keeping
	b.build.Refuse = refuse
	b.build.Built = b.built
	site := &Site{build: b.build}
	b.stacks = b.readStacks()
	b.global = b.stacks.list(cfg.Table.Use, nil)
	chain := b.chain(nil, b.global)
	b.findPages(nil, nil, b.global)
	b.someMounts()
	site.Global = cfg.Parts.Middlewares.Explain(nil, plain(b.global)...)
	b.mounts(site)
	site.dispatcher, site.top = b.dispatch(site.top)
	b.split(site)
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs, b.build.Abort())
	}
	refused := failing(b.reporting())
	handler, err := cfg.Parts.Front(b.identity, refused, reserved(b.openPages(), chain, cfg.Observe != nil || cfg.App != nil, site.dispatcher.Wrap(chain.Then(notFound))))
	if err != nil {
		return nil, errors.Join(err, b.build.Abort())
	}
	site.Handler = handler
	for _, t := range site.top {
		site.Mounts = append(site.Mounts, t.info)
	}
	return site, nil
}

// reporting builds the part of the global chain that tells of a request
// without serving it.
func (b *builder) reporting() alice.Chain {
	var layers []layer
	for _, l := range b.global {
		if slices.Contains(defaultUse, l.Name) {
			layers = append(layers, l)
		}
	}
	return b.chain(nil, layers)
}

// someMounts reports a table that serves nothing, as a file has that is being
// written; `mounts: {}` says that nothing is meant.
func (b *builder) someMounts() {
	t := b.Table
	if len(t.Mounts) > 0 || len(t.Included) > 0 || t.Root.Kind() != mountfile.Map && !t.Empty {
		return
	}
	if n := t.Root.Get("mounts"); n != nil && n.Kind() != mountfile.Null {
		return
	}
	e := &mountfile.Error{Pos: mountfile.Pos{File: t.Path}, Message: `the table has no mounts`}
	b.report(e.WithHint("write mounts: {/: ./public}"))
}

func (b *builder) report(e *mountfile.Error) {
	if !b.Table.Unresolved(e.Pos) {
		b.errs = append(b.errs, e)
	}
}

// reportAll takes err apart into mistakes with places; an error about an
// option is put at that option below node, the rest at node itself.
func (b *builder) reportAll(node *mountfile.Node, err error) {
	for _, e := range node.Locate(err) {
		b.report(e)
	}
}

// split takes warnings and the mistakes of included files out of what was
// found, and replaces the mounts of those files.
func (b *builder) split(site *Site) {
	broken := map[string]bool{}
	for _, in := range b.Table.Included {
		if len(in.Err) > 0 {
			broken[in.Path] = true
			site.Broken = append(site.Broken, in.Err...)
		}
	}
	var fatal mountfile.Errors
	for _, e := range b.errs {
		switch {
		case e.Warning:
			site.Warnings = append(site.Warnings, e)
		case b.included(e.Pos.File):
			broken[e.Pos.File] = true
			site.Broken = append(site.Broken, e)
		default:
			fatal = append(fatal, e)
		}
	}
	root := b.Table.Path
	site.Warnings = mountfile.Collect(root, site.Warnings, b.Table.Warnings)
	site.Broken = mountfile.Collect(root, site.Broken)
	b.errs = mountfile.Collect(root, fatal)
	if len(broken) == 0 || len(fatal) > 0 {
		return
	}
	site.dispatcher, site.top = b.dispatch(b.replaceBroken(site.top, broken))
	b.errs = nil // found before
}

func (b *builder) included(file string) bool {
	return slices.ContainsFunc(b.Table.Included, func(in *mountfile.Included) bool { return in.Path == file })
}
