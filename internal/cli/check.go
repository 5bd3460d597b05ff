package cli

import (
	"context"
	"fmt"
	"log/slog"
)

func (p *Program) check(_ context.Context, args []string) error {
	f := p.flags("check")
	file := f.String("c", "", "")
	f.StringVar(file, "config", "", "")
	rest, err := p.parse(f, args)
	if err != nil {
		return err
	}
	src, err := p.source(*file, rest)
	if err != nil {
		return err
	}
	ws := p.workshop(src)
	ws.silent = true
	_, site, err := ws.build(slog.New(slog.DiscardHandler), nil, nil)
	if err != nil {
		return err
	}
	defer site.Abort()
	p.printMistakes(p.Stderr, site.Warnings)
	if len(site.Broken) > 0 {
		p.printMistakes(p.Stderr, site.Broken)
		return errSaid
	}
	where := src.file
	if where == "" {
		where = commandLine
	}
	fmt.Fprintf(p.Stdout, "%s: %s is fine: %s\n", p.Name, where, plural(site.Count(), "mount"))
	return nil
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
