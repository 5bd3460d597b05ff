package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/assemble"
	"github.com/mountd/mountd/internal/builtin"
	"github.com/mountd/mountd/internal/mountfile"
	"github.com/mountd/mountd/internal/terminal"
)

// defaultTable is read where the command line names no table.
const defaultTable = "mountd.yaml"

// source says where the table comes from.
type source struct {
	file   string   // empty: no file
	mounts []string // PREFIX=APP
	listen string   // instead of the table's
	dev    bool
}

// source finds out what -c and the arguments stand for.
func (p *Program) source(file string, mounts []string) (source, error) {
	src := source{file: file, mounts: mounts}
	for _, m := range mounts {
		prefix, app, ok := strings.Cut(m, "=")
		if !ok || prefix == "" || app == "" {
			return src, &usageError{fmt.Sprintf("%q is no mount", m), "write PREFIX=APP, as /=./public or /api=http://127.0.0.1:9000"}
		}
		if !strings.Contains(prefix, "/") {
			return src, &usageError{fmt.Sprintf("the prefix %q has no slash", prefix), fmt.Sprintf("write /%s, or %s/ for a host", prefix, prefix)}
		}
	}
	if file != "" || len(mounts) > 0 {
		return src, nil
	}
	if _, err := os.Stat(defaultTable); errors.Is(err, fs.ErrNotExist) {
		return src, &usageError{"there is no " + defaultTable + " here", fmt.Sprintf("write one with %s init, name one with -c, or try %s run /=.", p.Name, p.Name)}
	}
	src.file = defaultTable
	return src, nil
}

// table reads the table of src, as far as it can be read: the error holds its
// mistakes, and the table is nil where there is none.
func (p *Program) table(src source) (*mountfile.Table, error) {
	opt := mountfile.Options{Env: p.Env}
	var table *mountfile.Table
	var err error
	if src.file != "" {
		table, err = mountfile.Load(src.file, opt)
		if errors.Is(err, fs.ErrNotExist) && table.Root == nil {
			return nil, fmt.Errorf("there is no table %s (write one with %s init %[1]s)", src.file, p.Name)
		}
	} else {
		table, err = mountfile.Parse(commandLine, []byte("{}"), opt)
	}
	if table == nil {
		return nil, err
	}
	for _, m := range src.mounts {
		prefix, app, _ := strings.Cut(m, "=")
		table.SetMount(mountfile.NewScalar(commandLine, prefix), mountfile.NewScalar(commandLine, app))
	}
	if src.listen != "" {
		var listen mountfile.Listeners
		if err := mountfile.NewScalar(commandLine, src.listen).Decode(&listen); err != nil {
			return nil, err
		}
		table.Settings.Listen = listen
	}
	return table, err
}

// commandLine stands for a file in messages about arguments.
const commandLine = "command line"

// workshop builds sites and keeps what they share.
type workshop struct {
	p      *Program
	pool   *compose.Pool
	reopen *builtin.Reopener
	logins *builtin.Sessions
	src    source
	silent bool // nothing is logged: the site is looked at, not served
}

func (p *Program) workshop(src source) *workshop {
	return &workshop{p: p, pool: &compose.Pool{}, reopen: &builtin.Reopener{}, logins: &builtin.Sessions{}, src: src}
}

// env gives what the built-in parts need, out of the table's settings.
func (ws *workshop) env(table *mountfile.Table, logger *slog.Logger) builtin.Env {
	tty := terminal.IsTerminal(ws.p.Stderr)
	return builtin.Env{
		Silent:   ws.silent,
		Logger:   logger,
		Stdout:   ws.p.Stdout,
		Stderr:   ws.p.Stderr,
		Terminal: tty && table.Settings.Log.Format != "json",
		Color:    terminal.Colours(ws.p.Stderr).Enabled(),
		Redact:   slices.Concat(table.Settings.Log.Redact, keyParameters(table)),
		Debug:    ws.src.dev,
		Reopen:   ws.reopen,
		Sessions: ws.logins,

		ClientCA:      table.Settings.TLS != nil && table.Settings.TLS.ClientCA != "",
		TrustsProxies: len(table.Settings.TrustedProxies) > 0,
	}
}

// parts gives the built-in parts with the program's additions.
func (p *Program) parts(env builtin.Env) (compose.Registry, compose.Apps) {
	middlewares, apps := builtin.Middlewares(env), builtin.Apps()
	maps.Copy(middlewares, p.Middlewares)
	maps.Copy(apps, p.Apps)
	return middlewares, apps
}

// config gives what assemble needs to build the table. Mistakes in settings
// are in err; the config can be used to find those in the mounts as well.
func (ws *workshop) config(table *mountfile.Table, logger *slog.Logger) (assemble.Config, error) {
	env := ws.env(table, logger)
	middlewares, apps := ws.p.parts(env)
	outgoing := builtin.NewOutgoing()
	front, err := front(table)
	return assemble.Config{
		Table: table,
		Pool:  ws.pool,
		Parts: assemble.Parts{
			Middlewares: middlewares,
			Apps:        apps,
			Condition:   builtin.Condition,
			Rebase:      builtin.Rebase,
			Sendfile:    builtin.Sendfile,
			Identity:    outgoing.Identity,
			Built:       outgoing.Built,
			Front:       front,
			Epoch:       fmt.Sprintf("%v %v %v %v %v", env.Redact, env.Debug, env.Terminal, env.ClientCA, env.TrustsProxies),
		},
		Logger: logger,
	}, err
}

// build assembles the table of src. All mistakes are in one error; a site is
// given only where there are none that matter.
func (ws *workshop) build(logger *slog.Logger, previous *assemble.Site, adapt func(*assemble.Config)) (*mountfile.Table, *assemble.Site, error) {
	table, err := ws.p.table(ws.src)
	if table == nil {
		return nil, nil, err
	}
	cfg, settingsErr := ws.config(table, logger)
	cfg.Previous = previous
	if adapt != nil {
		adapt(&cfg)
	}
	_, serverErr := serverConfig(table)
	site, buildErr := assemble.Build(cfg)
	if all := mountfile.Collect(table.Path, err, settingsErr, serverErr, buildErr); len(all) > 0 {
		if site != nil {
			_ = site.Abort()
		}
		return table, nil, all
	}
	return table, site, nil
}

// printMistakes writes one line for each mistake.
func (p *Program) printMistakes(w io.Writer, all mountfile.Errors) {
	style := terminal.Colours(w)
	for _, e := range all {
		word := style.Red("error")
		if e.Warning {
			word = style.Yellow("warning")
		}
		if !style.Enabled() {
			fmt.Fprintln(w, e.Error())
			continue
		}
		fmt.Fprintf(w, "%s %s\n", word, e.Error())
	}
}
