// Package mountd is the daemon as a library: for programs that embed a mount
// table, and for those who build their own mountd with more middlewares or
// kinds of applications.
//
// A mountd of one's own is a [Distribution] with additions:
//
//	func main() {
//		d := mountd.New()
//		d.Middlewares["hello"] = compose.Define("says hello", options{}, newHello)
//		d.Main()
//	}
package mountd

import (
	"context"
	"net/http"
	"os"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/cli"
)

// Distribution is a mountd with what it knows besides the built-in parts.
type Distribution struct {
	// Name is how the program calls itself in messages.
	Name string

	// Version is what `version` prints; empty: what the build knows.
	Version string

	// Middlewares are added to the built-in ones by their names in a table. One
	// that has a built-in name replaces it.
	Middlewares compose.Registry

	// Apps are added to the built-in kinds of applications by their keys.
	Apps compose.Apps
}

// New gives a mountd with nothing added yet.
func New() *Distribution {
	return &Distribution{Name: "mountd", Middlewares: compose.Registry{}, Apps: compose.Apps{}}
}

// Main is the mountd command. It does not return.
func Main() { New().Main() }

// Main runs the program's command line and exits with its status: 0 fine, 1
// the table or the address is at fault, 2 the command line is.
func (d *Distribution) Main() { os.Exit(d.program().Run(context.Background(), os.Args[1:])) }

// Load reads the table in a file and gives its site as a handler, for programs
// that serve it themselves. Its error tells every mistake in the table, one to
// a line, as file:line:column. The site stays as it was loaded; Close frees
// what it holds. What the table says of ports and of the program's own log
// (listen, tls, http's time limits, grace, log) is the serving program's matter
// here, and has no effect.
func (d *Distribution) Load(file string) (*Site, error) {
	s, err := d.program().Load(file)
	if err != nil {
		return nil, err
	}
	return &Site{s}, nil
}

// Load is [Distribution.Load] without additions.
func Load(file string) (*Site, error) { return New().Load(file) }

// Site is a loaded table. It is safe for concurrent use.
type Site struct{ site *cli.Site }

// ServeHTTP serves the site.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.site.ServeHTTP(w, r) }

// Close frees what the site holds: connections, files, memory. Requests must
// have ended.
func (s *Site) Close() error { return s.site.Close() }

func (d *Distribution) program() *cli.Program {
	p := cli.New()
	p.Name, p.Version, p.Middlewares, p.Apps = d.Name, d.Version, d.Middlewares, d.Apps
	return p
}
