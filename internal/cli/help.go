package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// start is what the program says when it is called with nothing.
func (p *Program) start() {
	n := p.Name
	fmt.Fprintf(p.Stdout, `%[1]s mounts apps of every kind on one site, behind one stack of middlewares.

Serve a directory and a server, without any file:
  %[1]s run /=./public /api=http://127.0.0.1:9000

Or from a mount table:
  %[1]s init           write a commented mountd.yaml to start from
  %[1]s check          tell every mistake in it
  %[1]s run            serve it
  %[1]s explain URL    tell what would happen to a request

%[1]s help lists all commands.
`, n)
}

func (p *Program) help(_ context.Context, args []string) error {
	if len(args) > 1 {
		return &usageError{"help takes one command", ""}
	}
	if len(args) == 1 {
		return p.helpOn(args[0])
	}
	fmt.Fprintf(p.Stdout, "usage: %s COMMAND [ARGUMENT …]\n\n", p.Name)
	for _, c := range commands() {
		fmt.Fprintf(p.Stdout, "  %-14s %s\n", c.name, c.doc)
	}
	fmt.Fprintf(p.Stdout, "\n%s help COMMAND tells more. Exit status: 0 fine, 1 the table or the address is at fault, 2 the command line is.\n", p.Name)
	return nil
}

func (p *Program) helpOn(name string) error {
	for _, c := range commands() {
		if c.name == name {
			fmt.Fprintf(p.Stdout, "usage: %s\n\n%s\n", strings.TrimSpace(p.Name+" "+c.name+" "+c.args), helpTexts[name])
			return nil
		}
	}
	return &usageError{fmt.Sprintf("unknown command %q", name), p.Name + " help lists the commands"}
}

var helpTexts = map[string]string{
	"run": `Serves the mount table until it is told to stop (SIGINT, SIGTERM; a second one
stops at once). SIGHUP, or a change of the table, loads it anew; a table with
mistakes is reported and the old one stays.

  -c FILE         the table; ./mountd.yaml where there is one and no PREFIX=APP
  --listen ADDR   instead of the table's listen: host:port, :port, unix:/path
  --dev           debug pages for requests from this machine
  PREFIX=APP      a mount: /=./public  /api=http://127.0.0.1:9000
                  with -c it adds to the table, or replaces its mount`,
	"check": `Reads the table as run would, opens no port, and prints every mistake as
file:line:column: what is wrong (what to write instead).

  -c FILE         the table; default ./mountd.yaml`,
	"explain": `Tells which mount a request would reach, through which layers, and what its
application would be sent; nothing is sent.

  -c FILE         the table; default ./mountd.yaml
  -X METHOD       default GET
  -H 'Name: value'   a header of the request; may be repeated
  --client ADDR   the address the request comes from; default 127.0.0.1
  --json          for programs`,
	"status": `Tells about the mountd that runs the table: its process, where it listens,
what became of the last reload.

  -c FILE         the table; default ./mountd.yaml
  --json          for programs`,
	"reload": `Has the mountd that runs the table load it anew, and tells every mistake. A
table with mistakes is not taken; mistakes in included files keep their mounts
as they were. Exit status 1 for either.

  -c FILE         the table; default ./mountd.yaml`,
	"stop": `Stops the mountd that runs the table, as SIGTERM does: requests may end within
the table's grace. Waits until it is gone.

  -c FILE         the table; default ./mountd.yaml`,
	"sessions": `Shows the sessions of logged-in users that the mountd that runs the table keeps,
or ends some. Whoever had one has to log in again.

  list [USER]     of all users, or of one
  end USER        all of a user
  end --id ID     one, by its id in the list
  end --all       all of all users
  -c FILE         the table; default ./mountd.yaml
  --json          list for programs

Sessions in cookies (store: cookie) are known to the browsers alone.`,
	"init": `Writes a commented table, mountd.yaml or FILE, and overwrites nothing.`,
	"schema": `Prints the JSON Schema of the mount table, for editors:

  mountd schema > mountd.schema.json
  # first line of the table:
  # yaml-language-server: $schema=./mountd.schema.json

  --markdown      the reference of all keys instead`,
	"hash-password": `Reads a password, twice from a terminal or once from standard input, and prints
its hash for a users file or an inline user.

  --algorithm     bcrypt (default) or argon2id
  --cost N        of bcrypt, 10 to 16; default 12
  --user NAME     print NAME:HASH, a line of a users file`,
	"version": `Prints the version, the Go release and the platform.`,
	"help":    `Lists the commands, or tells about one.`,
}

func (p *Program) version(_ context.Context, args []string) error {
	if len(args) > 0 {
		return &usageError{"version takes no arguments", ""}
	}
	fmt.Fprintf(p.Stdout, "%s %s %s %s/%s\n", p.Name, p.versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

func (p *Program) versionText() string {
	if p.Version != "" {
		return p.Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	if version == "" || version == "(devel)" {
		version = "devel"
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				version += "-" + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return version
}
