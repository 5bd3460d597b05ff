// Package shareddata serves files in front of an application: below certain
// prefixes it answers with what a directory, a single file or an [fs.FS]
// holds, and everything else goes on to the application.
//
// Only GET and HEAD of something that exists are answered. A missing file, a
// name that is disallowed, another method and a path outside every export are
// the wrapped handler's. [Handler] is the same without a handler behind it: it
// answers 404 and 405 itself.
//
// # What is never served
//
// Files on disk are read through an [os.Root], so no link and no ".." leads
// out of an export. Anything but regular files (devices, sockets, FIFOs) is as
// good as missing and is not opened. A path with an encoded slash, a
// backslash, a NUL or a dot segment names no file. Names that begin with a dot
// are disallowed unless [Config] says otherwise.
//
// # Validators
//
// A small file's entity tag is a digest of its content, a large one's is made
// of its modification time, size and inode; both are strong. A file whose
// modification time is unknown (up to one second after the epoch) or lies in
// the future has no validators, so that no client keeps it for good.
//
// # Changes
//
// Small files are kept in memory, within [Config.CacheBytes], and looked at
// again when they are asked for and [Config.Recheck] has passed. A root that is
// replaced, as in "current -> releases/7", is noticed in the same time;
// answers under way are finished from the old one.
package shareddata

import (
	"errors"
	"io/fs"
	"net/http"
	"time"

	"github.com/mountd/mountd/internal/request"
)

// Config says what is exported and how. Its zero value exports nothing. New
// copies what it needs: later changes have no effect.
type Config struct {
	// Exports are tried by the length of their prefixes, longest first. One
	// that lacks the file does not end the search.
	Exports []Export

	// Index names the files that answer for a directory, the first that
	// exists. Nil: index.html; empty: none.
	Index []string

	// Browse lists directories without an index file: as a page, or as JSON
	// for clients that ask for it.
	Browse bool

	// SPA answers with the index file of the export's root where nothing else
	// exists, for the views of a single-page application. It is meant for
	// navigation: the client must accept text/html; when it accepts anything,
	// as curl and fetch do, the path must have no file extension. A missing
	// /app.js stays missing, and so does a disallowed name.
	SPA bool

	// MaxAge is how long clients may use an answer without asking again. Zero:
	// no Cache-Control. Whole seconds count.
	MaxAge time.Duration

	// Immutable holds globs of files that never change under their name, such
	// as "assets/**" or "*.min.js". They may be kept for a year.
	Immutable []string

	// Disallow holds globs of names that are never served, listed or told from
	// missing ones, compared without regard to case. Nil: ".*", all names that
	// begin with a dot; empty: nothing is disallowed. The glob ".*" leaves
	// ".well-known" alone.
	//
	// A glob without a slash is compared with every component of the path
	// below the export, one with a slash with the whole and with every
	// directory on the way. "*" stays within a component, "**" does not.
	Disallow []string

	// NoPrecompressed ignores siblings that hold a file's compressed form:
	// app.js.br, app.js.zst and app.js.gz beside app.js. A sibling that is
	// older than its file is ignored anyway.
	NoPrecompressed bool

	// Types maps file extensions, with their dot, to media types. It comes
	// before the built-in table. What neither knows is
	// application/octet-stream.
	Types map[string]string

	// Symlinks says which symbolic links are followed.
	Symlinks Symlinks

	// CacheBytes bounds the memory of small files. Zero: 64 MiB; negative:
	// nothing is kept.
	CacheBytes int64

	// CacheFile is the size up to which a file is small. Zero: 256 KiB; at
	// most an eighth of CacheBytes counts.
	CacheFile int64

	// Recheck is how long a file, or its absence, is taken for unchanged.
	// Zero: 250 ms.
	Recheck time.Duration

	// ScriptName gives the prefix that was taken off the request's path: the
	// mount's. Redirects and the listing's heading begin with it. Nil: the
	// prefix is unknown, and redirects are relative.
	ScriptName func(*http.Request) string

	// ErrorFunc answers with an error: 403 for a file that may not be read, 412,
	// 416, 500, and 400, 404 and 405 of a Handler. The error has the methods
	// HTTPStatus, ClientMessage and HTTPHeader. Nil: plain text.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// Export is something to serve below a prefix: a Path on disk or an FS.
type Export struct {
	// Prefix is compared by whole segments: /static has /static/x below it and
	// not /statics. "/" or nothing stands for every path.
	Prefix string

	// Path is a directory or a single file. A single file is served at Prefix
	// itself. A segment of a directory's path may hold {name}: it stands for
	// the request's [http.Request.PathValue], which must be one clean segment
	// that is not disallowed; each value has a root of its own.
	Path string

	// FS is served instead of Path. Its files are taken for immutable when
	// they have no modification times, as those of an embed.FS.
	FS fs.FS
}

// Symlinks says which symbolic links below a directory are followed.
type Symlinks string

const (
	// SymlinksInside follows relative links that stay inside the directory.
	// The zero value does, too.
	SymlinksInside Symlinks = "inside"
	// SymlinksNone follows none.
	SymlinksNone Symlinks = "none"
)

// Middleware serves exports in front of another handler. It is safe for
// concurrent use.
type Middleware struct{ site *site }

// New makes a Middleware. It reports all mistakes of cfg at once; those that
// concern one field have a method OptionPath that names it.
func New(cfg Config) (*Middleware, error) {
	s, err := newSite(cfg)
	if err != nil {
		return nil, err
	}
	return &Middleware{s}, nil
}

// Wrap gives a handler that passes to next what is not exported.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !m.site.serve(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

// Close frees the directories that m holds open. Requests must have ended, or
// they may fail.
func (m *Middleware) Close() error { return m.site.close() }

// Handler serves exports and nothing else: what is missing is 404, methods
// other than GET and HEAD are 405, paths with dot segments are 400. It is safe
// for concurrent use.
type Handler struct{ site *site }

// NewHandler makes a Handler. It reports mistakes as [New] does.
func NewHandler(cfg Config) (*Handler, error) {
	s, err := newSite(cfg)
	if err != nil {
		return nil, err
	}
	return &Handler{s}, nil
}

// ServeHTTP answers r.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case hostile(r.URL.Path):
		h.site.fail(w, r, &request.Error{Status: http.StatusBadRequest})
	case h.site.serve(w, r):
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.site.fail(w, r, &request.Error{
			Status: http.StatusMethodNotAllowed,
			Header: http.Header{"Allow": {"GET, HEAD"}},
		})
	default:
		h.site.fail(w, r, &request.Error{Status: http.StatusNotFound})
	}
}

// Close frees the directories that h holds open. Requests must have ended, or
// they may fail.
func (h *Handler) Close() error { return h.site.close() }

// fieldError is a mistake in one field of the configuration.
type fieldError struct {
	path string
	err  error
}

func (e *fieldError) Error() string      { return e.err.Error() }
func (e *fieldError) Unwrap() error      { return e.err }
func (e *fieldError) OptionPath() string { return e.path }

var errClosed = errors.New("the export was closed")
