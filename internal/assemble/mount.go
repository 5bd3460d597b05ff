package assemble

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/internal/mountfile"
	"github.com/mountd/mountd/internal/option"
)

// Mount describes a mount of an assembled table.
type Mount struct {
	Name    string         `json:"name"`
	Pattern string         `json:"pattern"` // with those of the tables around it
	Exact   bool           `json:"exact,omitempty"`
	Kind    string         `json:"kind"`   // of its application
	Target  string         `json:"target"` // what the table says of it, short
	Rebase  string         `json:"rebase,omitempty"`
	Slash   bool           `json:"slash,omitempty"` // the bare prefix is redirected
	Layers  []compose.Info `json:"layers"`          // outermost first
	Pos     mountfile.Pos  `json:"-"`
	Mounts  []*Mount       `json:"mounts,omitempty"` // of the table inside it
}

// MountOptions are the keys of a mount beside its application.
type MountOptions struct {
	Name               string           `yaml:"name" doc:"in logs and metrics; default: the pattern"`
	Exact              bool             `yaml:"exact" doc:"match the prefix alone, nothing below it"`
	Use                useValue         `yaml:"use" doc:"the mount's own chain in place of the global use; [default, …] starts from that one"`
	Slash              slashValue       `yaml:"slash" doc:"redirect or pass: what becomes of GET and HEAD of the bare prefix; default: redirect for static and proxy, pass for others"`
	Rebase             rebaseValue      `yaml:"rebase" doc:"whether the application's URLs are moved below its prefix: a mode, or the long form below; default: auto"`
	Identity           identityValue    `yaml:"identity" doc:"how the application is told of the user: remote (Remote-User), forwarded (X-Forwarded-User), none, or the long form below; default: remote"`
	Sendfile           sendfileValue    `yaml:"sendfile" doc:"{/protected: ./files}: the roots of X-Accel-Redirect and X-Sendfile answers"`
	ForwardCredentials credentialsValue `yaml:"forward_credentials" doc:"pass on what our authentication consumed: true, or a list of authorization, session, key"`
	Case               string           `yaml:"case" doc:"sensitive, which paths are; default: sensitive"`
}

// mountKeys are the keys of [MountOptions], and those of later versions.
var mountKeys = []string{"name", "exact", "use", "slash", "rebase", "identity", "sendfile", "forward_credentials", "case"}

// place of a mount in the tables around it.
type around struct {
	pattern string   // of the mounts around, joined
	params  []string // that they capture
	outer   []layer  // the chain around the table
	nested  bool
}

// mount assembles one entry of a table of mounts. Mistakes are reported; ok
// says that the pattern could be read.
func (b *builder) mount(in around, e mountfile.Entry) (t placed, ok bool) {
	pattern := e.Key.Text()
	if reservedPattern(joinPatterns(in.pattern, pattern)) {
		b.report(e.Key.Errorf("%q is below %s, which is mountd's own on every host", pattern, Reserved).WithHint("choose another prefix"))
		return t, false
	}
	info := &Mount{Pattern: joinPatterns(in.pattern, pattern), Pos: e.Key.Pos()}
	info.Name = info.Pattern
	t = placed{key: e.Key, info: info, mount: dispatcher.Mount{Pattern: pattern, Name: info.Name, Handler: http.HandlerFunc(unavailable)}}

	var opts MountOptions
	var kind string
	var value *mountfile.Node
	switch e.Value.Kind() {
	case mountfile.Scalar:
		kind, value = b.short(e.Value)
	case mountfile.Map:
		kind, value = b.long(e.Value, &opts)
	default:
		b.report(e.Value.Errorf("a mount is an application in its short form, or a mapping").WithHint("write ./dir, http://host:port, or {static: ./dir}"))
	}
	info.Name = cmp.Or(opts.Name, info.Name)
	info.Exact, info.Kind = opts.Exact, kind
	t.mount.Name, t.mount.Exact = info.Name, opts.Exact

	layers := b.use(in, opts.Use.Node)
	info.Layers = b.Parts.Middlewares.Explain(plain(in.outer), plain(layers)...)
	chain := b.chain(in.outer, layers)
	b.findPages(e.Key, in.outer, layers)
	if kind == "" {
		return t, true
	}
	info.Target = short(value)
	here := around{pattern: info.Pattern, params: slices.Concat(in.params, option.Captures(pattern)), outer: slices.Concat(in.outer, layers), nested: true}
	b.checkCaptures(info.Pattern, here.params, layers)
	if kind == "mounts" {
		b.onlyForApps(e.Value)
		var handler http.Handler
		handler, t.inside = b.table(here, value, info)
		t.mount.Handler = chain.Then(handler)
		return t, true
	}
	ctx := compose.AppContext{Name: info.Name, Pattern: info.Pattern, Params: here.params, Exact: opts.Exact, Logger: b.Logger}
	if app, built := b.app(ctx, info, opts.Rebase.Node, kind, value); built {
		t.mount.Handler = chain.Then(b.around(ctx, info, opts, kind, app))
	}
	return t, true
}

// onlyForApps reports the keys that say something of an application, where
// there is a table.
func (b *builder) onlyForApps(mount *mountfile.Node) {
	for _, e := range mount.Entries() {
		switch e.Name() {
		case "slash", "rebase", "identity", "sendfile", "forward_credentials":
			b.report(e.Key.Errorf("%q is for a mount with an application, and this one has a table", e.Name()).WithHint("write it at the mounts inside"))
		}
	}
}

// checkCaptures reports {names} in the options of layers that the pattern does
// not capture.
func (b *builder) checkCaptures(pattern string, params []string, layers []layer) {
	for _, l := range layers {
		for _, name := range b.Parts.Middlewares.Captures(l.Layer) {
			if slices.Contains(params, name) {
				continue
			}
			hint := "it captures nothing"
			if len(params) > 0 {
				hint = "it captures {" + strings.Join(params, "}, {") + "}"
			}
			b.report(l.at().Errorf("{%s} is not captured by the pattern %q", name, pattern).WithHint(hint))
		}
	}
}

// around puts the mount's own layers around its application.
func (b *builder) around(ctx compose.AppContext, info *Mount, opts MountOptions, kind string, app compose.App) http.Handler {
	handler := app.Handler
	if b.App != nil {
		handler = b.App(ctx, kind, app)
	}
	if wrap, names, err := b.Parts.Identity(decoder(opts.Identity.Node), decoder(opts.ForwardCredentials.Node)); err != nil {
		b.reportAll(opts.Identity.Node, err)
	} else {
		b.identity = append(b.identity, names...)
		handler = wrap(handler)
	}
	handler = b.rebased(ctx, info, opts.Rebase.Node, app, handler)
	if n := opts.Sendfile.Node; n != nil {
		key := strings.Join([]string{"sendfile", b.Parts.Epoch, ctx.Name, n.Fingerprint()}, "\x00")
		v, err := b.build.Keep(key, func() (any, func() error, error) {
			in, err := b.Parts.Sendfile(n, ctx)
			return in, in.Close, err
		})
		if err != nil {
			b.reportAll(n, err)
		} else if in := v.(compose.Instance); in.Wrap != nil {
			handler = in.Wrap(handler)
		}
	}
	if app.Slash && !opts.Exact && opts.Slash != "pass" || opts.Slash == "redirect" {
		info.Slash = true
		handler = slash(handler)
	}
	return handler
}
