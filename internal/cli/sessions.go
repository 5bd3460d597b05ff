package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/mountd/mountd/internal/terminal"
)

func (p *Program) listSessions(ctx context.Context, file, user string, asJSON bool) error {
	c, err := p.reach(ctx, file)
	if err != nil {
		return err
	}
	path := "/sessions"
	if user != "" {
		path += "?" + url.Values{"user": {user}}.Encode()
	}
	var list sessionList
	if err := c.Ask(ctx, http.MethodGet, path, nil, &list); err != nil {
		return err
	}
	if asJSON {
		if err := p.printJSON(list); err != nil {
			return err
		}
		return p.failed(nil, list.Failures)
	}
	var t terminal.Table
	style := terminal.Colours(p.Stdout)
	if len(list.Sessions) > 0 {
		t.Row(style.Dim("user"), style.Dim("since"), style.Dim("last seen"), style.Dim("until"), style.Dim("store"), style.Dim("id"))
	}
	for _, s := range list.Sessions {
		t.Row(terminal.Safe(s.User), moment(s.Created), moment(s.Seen), moment(s.Expires), terminal.Safe(s.Store), terminal.Safe(s.ID))
	}
	_, err = t.WriteTo(p.Stdout)
	switch more := list.Total - len(list.Sessions); {
	case more > 0:
		fmt.Fprintf(p.Stdout, "… and %d more\n", more)
	case list.Total == 0 && len(list.Failures) == 0:
		fmt.Fprintln(p.Stdout, "no sessions")
	}
	return p.failed(err, list.Failures)
}

func moment(t time.Time) string { return t.Local().Format(time.DateTime) }

// failed tells of stores that failed.
func (p *Program) failed(err error, failures []string) error {
	for _, line := range failures {
		fmt.Fprintf(p.Stderr, "%s: %s\n", p.Name, terminal.Safe(line))
	}
	if err == nil && len(failures) > 0 {
		return errSaid
	}
	return err
}

func (p *Program) endSessions(ctx context.Context, file string, what sessionEnd) error {
	c, err := p.reach(ctx, file)
	if err != nil {
		return err
	}
	var done sessionsEnded
	if err := c.Ask(ctx, http.MethodPost, "/sessions/end", what, &done); err != nil {
		return err
	}
	if what.ID != "" && done.Ended == 0 && len(done.Failures) == 0 {
		return fmt.Errorf("there is no session %s (%s sessions list shows them)", terminal.Safe(what.ID), p.Name)
	}
	fmt.Fprintf(p.Stdout, "%s: ended %s\n", p.Name, plural(done.Ended, "session"))
	return p.failed(nil, done.Failures)
}
