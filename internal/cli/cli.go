// Package cli is the mountd command: its subcommands, their flags and what
// they print.
//
// The voice: messages begin with the program's name, in lower case and without
// a full stop; a hint follows in parentheses or on a line of its own; what
// went well is said in one line. Exit status 0 is fine, 1 says that the table
// or the address is at fault, 2 the command line.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/mountfile"
)

// Program is one run of the command.
type Program struct {
	Name           string // how the program calls itself: mountd
	Version        string // empty: what the build knows
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Env            func(string) (string, bool)

	// Middlewares and Apps are added to those that mountd has, and win.
	Middlewares compose.Registry
	Apps        compose.Apps
}

// New gives a program over the process's own streams and environment.
func New() *Program {
	return &Program{Name: "mountd", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.LookupEnv}
}

// Exit statuses.
const (
	statusFine    = 0
	statusTable   = 1
	statusCommand = 2
)

// usageError is a mistake on the command line.
type usageError struct{ message, hint string }

func (e *usageError) Error() string {
	if e.hint == "" {
		return e.message
	}
	return e.message + " (" + e.hint + ")"
}

// errSaid ends a command whose findings have been printed.
var errSaid = errors.New("said")

// command is one subcommand.
type command struct {
	name, args, doc string
	run             func(p *Program, ctx context.Context, args []string) error
}

func commands() []command {
	return []command{
		{"run", "[-c FILE] [--dev] [--listen ADDR] [PREFIX=APP …]", "serve the mount table", (*Program).run},
		{"check", "[-c FILE]", "tell every mistake in the table", (*Program).check},
		{"explain", "[-c FILE] [-X METHOD] [-H 'Name: value'] [--json] URL", "tell what would happen to a request", (*Program).explain},
		{"status", "[-c FILE] [--json]", "tell about the mountd that runs the table", (*Program).status},
		{"reload", "[-c FILE]", "have it load the table anew", (*Program).reload},
		{"stop", "[-c FILE]", "stop it, and wait until it has", (*Program).stop},
		{"sessions", "[-c FILE] list [--json] [USER] | end USER|--id ID|--all", "show or end the sessions of its users", (*Program).sessions},
		{"init", "[FILE]", "write a commented table to start from", (*Program).init},
		{"schema", "[--markdown]", "print the table's JSON Schema", (*Program).schema},
		{"hash-password", "[--algorithm bcrypt|argon2id] [--cost N]", "hash a password for a users file", (*Program).hashPassword},
		{"version", "", "print the version", (*Program).version},
		{"help", "[COMMAND]", "tell about a command", (*Program).help},
	}
}

// Run runs the command line args, without the program's name, and gives the
// exit status.
func (p *Program) Run(ctx context.Context, args []string) int {
	err := p.dispatch(ctx, args)
	var usage *usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return statusFine
	case errors.Is(err, errSaid):
		return statusTable
	case errors.As(err, &usage):
		fmt.Fprintf(p.Stderr, "%s: %v\n", p.Name, err)
		return statusCommand
	}
	var mistakes mountfile.Errors
	if errors.As(err, &mistakes) {
		p.printMistakes(p.Stderr, mistakes)
		return statusTable
	}
	fmt.Fprintf(p.Stderr, "%s: %v\n", p.Name, err)
	return statusTable
}

func (p *Program) dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		p.start()
		return nil
	}
	name := args[0]
	switch name {
	case "-h", "--help", "-help":
		return p.help(ctx, nil)
	case "-v", "--version", "-version":
		return p.version(ctx, nil)
	}
	var names []string
	for _, c := range commands() {
		if c.name == name {
			return c.run(p, ctx, args[1:])
		}
		names = append(names, c.name)
	}
	hint := p.Name + " help lists the commands"
	if near := mountfile.Suggest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	} else if strings.Contains(name, "=") {
		hint = fmt.Sprintf("write %s run %s", p.Name, name)
	}
	return &usageError{fmt.Sprintf("unknown command %q", name), hint}
}

// flags makes the flag set of a command.
func (p *Program) flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	return f
}

// parse reads flags and arguments in any order.
func (p *Program) parse(f *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, errors.Join(p.help(context.Background(), []string{f.Name()}), flag.ErrHelp)
			}
			message := strings.Replace(err.Error(), "flag provided but not defined: -", "unknown flag --", 1)
			return nil, &usageError{message, p.Name + " help " + f.Name()}
		}
		args = f.Args()
		if len(args) == 0 {
			return rest, nil
		}
		rest, args = append(rest, args[0]), args[1:]
	}
}
