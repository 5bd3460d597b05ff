package cli

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

//go:embed start.yaml
var startTable []byte

func (p *Program) init(_ context.Context, args []string) error {
	rest, err := p.parse(p.flags("init"), args)
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return &usageError{"init takes one file", ""}
	}
	name := defaultTable
	if len(rest) == 1 {
		name = rest[0]
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already, and stays as it is (init NAME writes another)", name)
	}
	if err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	_, err = file.Write(startTable)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	fmt.Fprintf(p.Stdout, "%s: wrote %s (edit it, then: %[1]s run)\n", p.Name, name)
	return nil
}
