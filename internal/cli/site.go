package cli

import (
	"log/slog"
	"net/http"

	"github.com/mountd/mountd/internal/assemble"
	"github.com/mountd/mountd/internal/mountfile"
)

// Site is a table that was loaded to be served by another program.
type Site struct {
	ws   *workshop
	site *assemble.Site
}

// Load reads the table in file. Mistakes in included files are mistakes here:
// nobody would hear of them otherwise.
func (p *Program) Load(file string) (*Site, error) {
	ws := p.workshop(source{file: file})
	table, site, err := ws.build(slog.Default(), nil, nil)
	if err != nil {
		return nil, err
	}
	if len(site.Broken) > 0 {
		_ = site.Abort()
		return nil, mountfile.Collect(table.Path, site.Broken)
	}
	site.Commit()
	return &Site{ws, site}, nil
}

// ServeHTTP serves the site.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.site.Handler.ServeHTTP(w, r) }

// Close frees what the site holds.
func (s *Site) Close() error { return s.ws.pool.Close() }
