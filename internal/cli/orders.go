package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/mountd/mountd/internal/control"
	"github.com/mountd/mountd/internal/mountfile"
	"github.com/mountd/mountd/internal/terminal"
)

// reach finds the program that runs a table.
func (p *Program) reach(ctx context.Context, file string) (*control.Client, error) {
	src, err := p.source(file, nil)
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(src.file)
	if err != nil {
		return nil, err
	}
	setting := mountfile.Control("auto")
	table, tableErr := p.table(src)
	if table != nil { // whatever mistakes it has by now
		setting = table.Settings.Control
	}
	var places []string
	if setting != "auto" && setting != "off" && setting != "" {
		places = append(places, string(setting))
	}
	var failed error
	for _, place := range append(places, control.OwnPlaces(p.Env).Find(path)...) {
		c, err := control.Dial(ctx, place)
		if err == nil {
			return c, nil
		}
		if failed == nil && !errors.Is(err, control.ErrNobody) {
			failed = err
		}
	}
	switch {
	case failed != nil:
		return nil, failed
	case table == nil:
		return nil, tableErr
	case setting == "off":
		return nil, fmt.Errorf("%s has control: off, so nobody can be asked (signals work: SIGHUP reloads, SIGTERM stops)", src.file)
	}
	return nil, fmt.Errorf("no mountd runs %s (start one with %s run -c %[1]s)", src.file, p.Name)
}

// tableFlag gives the flag set of a command about the mountd that runs a table.
func (p *Program) tableFlag(name string) (*flag.FlagSet, *string) {
	f := p.flags(name)
	file := f.String("c", "", "")
	f.StringVar(file, "config", "", "")
	return f, file
}

// order finds the program that runs the table which args name, and asks it; the
// command takes no arguments.
func (p *Program) order(ctx context.Context, f *flag.FlagSet, file *string, args []string, method, path string, answer any) (*control.Client, error) {
	rest, err := p.parse(f, args)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, &usageError{fmt.Sprintf("%s takes no arguments, and got %q", f.Name(), rest[0]), "name the table with -c"}
	}
	c, err := p.reach(ctx, *file)
	if err != nil {
		return nil, err
	}
	return c, c.Ask(ctx, method, path, nil, answer)
}

func (p *Program) status(ctx context.Context, args []string) error {
	f, file := p.tableFlag("status")
	asJSON := f.Bool("json", false, "")
	var s status
	if _, err := p.order(ctx, f, file, args, http.MethodGet, "/status", &s); err != nil {
		return err
	}
	if *asJSON {
		return p.printJSON(s)
	}
	var t terminal.Table
	style := terminal.Colours(p.Stdout)
	row := func(name, text string) { t.Row(style.Dim(name), text) }
	row("process", fmt.Sprintf("%d, for %v", s.PID, time.Since(s.Started).Round(time.Second)))
	row("version", s.Version)
	row("table", terminal.Safe(s.Table))
	row("mounts", fmt.Sprint(s.Mounts))
	for _, l := range s.Listeners {
		row("listens", terminal.Safe(l))
	}
	row("reloads", fmt.Sprint(s.Reloads))
	if s.Last != nil {
		text := "the table was taken over"
		switch {
		case s.Last.Refused:
			text = "the table has " + plural(len(s.Last.Mistakes), "mistake") + ", the old one stays"
		case len(s.Last.Mistakes) > 0:
			text = "but for included files with " + plural(len(s.Last.Mistakes), "mistake")
		}
		row("last reload", s.Last.At.Local().Format(time.DateTime)+", "+text)
	}
	_, err := t.WriteTo(p.Stdout)
	return err
}

func (p *Program) printJSON(v any) error {
	e := json.NewEncoder(p.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (p *Program) reload(ctx context.Context, args []string) error {
	f, file := p.tableFlag("reload")
	var done reloaded
	if _, err := p.order(ctx, f, file, args, http.MethodPost, "/reload", &done); err != nil {
		return err
	}
	for _, line := range append(done.Warnings, done.Mistakes...) {
		fmt.Fprintln(p.Stderr, line)
	}
	switch {
	case done.Refused:
		fmt.Fprintf(p.Stderr, "%s: the table has %s, the old one stays\n", p.Name, plural(len(done.Mistakes), "mistake"))
		return errSaid
	case len(done.Mistakes) > 0:
		fmt.Fprintf(p.Stderr, "%s: reloaded %s, but for included files with %s\n", p.Name, plural(done.Mounts, "mount"), plural(len(done.Mistakes), "mistake"))
		return errSaid
	}
	fmt.Fprintf(p.Stdout, "%s: reloaded %s\n", p.Name, plural(done.Mounts, "mount"))
	return nil
}

func (p *Program) stop(ctx context.Context, args []string) error {
	f, file := p.tableFlag("stop")
	var s status
	c, err := p.order(ctx, f, file, args, http.MethodPost, "/stop", &s)
	if err != nil {
		return err
	}
	// It answers until it has stopped; what answers then is another one.
	for {
		var now status
		if err := c.Ask(ctx, http.MethodGet, "/status", nil, &now); err != nil || now.PID != s.PID || !now.Started.Equal(s.Started) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fmt.Fprintf(p.Stdout, "%s: process %d has stopped\n", p.Name, s.PID)
	return nil
}

func (p *Program) sessions(ctx context.Context, args []string) error {
	f, file := p.tableFlag("sessions")
	asJSON := f.Bool("json", false, "")
	all := f.Bool("all", false, "")
	id := f.String("id", "", "")
	rest, err := p.parse(f, args)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return &usageError{"list or end sessions?", p.Name + " help sessions"}
	}
	verb, rest := rest[0], rest[1:]
	if len(rest) > 1 {
		return &usageError{"one user at a time", p.Name + " help sessions"}
	}
	user := strings.Join(rest, "")
	switch verb {
	case "list":
		if *all || *id != "" {
			return &usageError{"--all and --id are for sessions end", p.Name + " sessions list"}
		}
		return p.listSessions(ctx, *file, user, *asJSON)
	case "end":
		what := sessionEnd{ID: *id, User: user, All: *all}
		if n := count(*id != "", user != "", *all, *asJSON); n != 1 || *asJSON {
			return &usageError{"sessions end takes one of USER, --id ID and --all", p.Name + " help sessions"}
		}
		return p.endSessions(ctx, *file, what)
	}
	return &usageError{fmt.Sprintf("unknown command %q of sessions", verb), "write list or end"}
}

func count(all ...bool) (n int) {
	for _, b := range all {
		if b {
			n++
		}
	}
	return n
}
