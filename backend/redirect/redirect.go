// Package redirect answers every request with a redirect.
package redirect

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

// Config says where to. Its values are copied.
type Config struct {
	// To is an http or https URL, or a path from the root of the site: not
	// below the mount, and below what a trusted proxy in front has stripped.
	// It must be set.
	//
	// {name} stands for what the mount's pattern has captured
	// ([http.Request.PathValue]), as one segment of the path, one value in the
	// query, or one label or more of the host.
	To string

	// Status is 301, 302, 303, 307 or 308. Default 307, which keeps method and
	// body.
	Status int

	// DropPath leaves the rest of the request's path out. It is appended to
	// To's path otherwise, except for the mount's own root: that goes to To as
	// it is written. The query is appended to To's in any case.
	DropPath bool

	// ErrorFunc answers with an error: 400 when a captured value cannot stand
	// where To wants it, 500 when nothing was captured by a name. Default: the
	// errors layer around, or plain text.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// Redirect is an app that sends clients elsewhere. Whatever a client asks, it
// is never sent to a host that To does not name. It is safe for concurrent use.
type Redirect struct {
	status   int
	keepPath bool
	rooted   bool // To is a path of this site
	fail     func(http.ResponseWriter, *http.Request, error)

	host, path, query, fragment template // host begins with the scheme
}

// New checks cfg and gives its Redirect.
func New(cfg Config) (*Redirect, error) {
	a := &Redirect{status: cfg.Status, keepPath: !cfg.DropPath, fail: cfg.ErrorFunc}
	if a.status == 0 {
		a.status = http.StatusTemporaryRedirect
	}
	if a.fail == nil {
		a.fail = request.Fail
	}
	var errs []error
	switch a.status {
	case 301, 302, 303, 307, 308:
	default:
		errs = append(errs, &fieldError{"status", fmt.Sprintf("%d is no redirect (write 301, 302, 303, 307 or 308)", a.status)})
	}
	if err := a.parse(cfg.To); err != nil {
		errs = append(errs, &fieldError{"to", err.Error()})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return a, nil
}

// parse takes To apart.
func (a *Redirect) parse(to string) error {
	if err := check(to); err != nil {
		return err
	}
	rest, fragment, hasFragment := strings.Cut(to, "#")
	rest, query, hasQuery := strings.Cut(rest, "?")
	if i := strings.Index(rest, "://"); i >= 0 {
		end := len(rest)
		if j := strings.IndexByte(rest[i+3:], '/'); j >= 0 {
			end = i + 3 + j
		}
		if rest[i+3:end] == "" {
			return fmt.Errorf("%q names no host", to)
		}
		a.host, rest = literal(rest[:i+3], inHost, rest[i+3:end]), rest[end:]
	} else {
		a.rooted = true
	}
	a.path = literal("", inPath, rest)
	if hasQuery {
		a.query = literal("?", inQuery, query)
	}
	if hasFragment {
		a.fragment = literal("#", inQuery, fragment)
	}
	return nil
}

func check(to string) error {
	switch {
	case to == "":
		return errors.New("no target (write a URL, or a path from the root)")
	case strings.ContainsFunc(to, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '\\' || c == '"' || c == '<' || c == '>' }):
		return fmt.Errorf("%q holds a byte that no URL can have", to)
	case strings.HasPrefix(to, "//"):
		return fmt.Errorf("%q has no scheme (write http:%s or https:%s)", to, to, to)
	}
	sample, err := url.Parse(braces.Replace(to))
	switch {
	case err != nil:
		return fmt.Errorf("%q is no URL", to)
	case strings.Count(to, "{") != strings.Count(to, "}"):
		return fmt.Errorf("%q has a brace without its other half", to)
	case sample.Scheme == "" && !strings.HasPrefix(to, "/"):
		return fmt.Errorf("%q is neither a URL nor a path from the root (write https://%s or /%s)", to, to, to)
	case sample.Scheme != "" && sample.Scheme != "http" && sample.Scheme != "https":
		return fmt.Errorf("%q has the scheme %q (write http or https)", to, sample.Scheme)
	case sample.Scheme != "" && sample.Host == "":
		return fmt.Errorf("%q names no host", to)
	case sample.User != nil:
		return fmt.Errorf("%q holds a user", to)
	}
	return nil
}

// braces makes a URL of a template, to be parsed.
var braces = strings.NewReplacer("{", "x", "}", "x")

// ServeHTTP answers with the redirect.
func (a *Redirect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	location, err := a.location(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	h := w.Header()
	h["Location"] = []string{location}
	h["Content-Length"] = []string{"0"}
	w.WriteHeader(a.status)
}

func (a *Redirect) location(r *http.Request) (string, error) {
	b := make([]byte, 0, 128)
	b, err := a.host.expand(b, r)
	if err != nil {
		return "", err
	}
	if rec := request.From(r.Context()); a.rooted && rec != nil {
		b = append(b, strings.TrimRight(rec.Prefix, "/")...)
	}
	start := len(b)
	if b, err = a.path.expand(b, r); err != nil {
		return "", err
	}
	if a.keepPath {
		b = appendPath(b, start, r.URL.EscapedPath())
	}
	mark := len(b)
	if b, err = a.query.expand(b, r); err != nil {
		return "", err
	}
	if r.URL.RawQuery != "" {
		joint := byte('?')
		if len(b) > mark {
			joint = '&'
		}
		b = append(b, joint)
		b = appendQuery(b, r.URL.RawQuery)
	}
	if b, err = a.fragment.expand(b, r); err != nil {
		return "", err
	}
	return string(b), nil
}

// appendPath joins the rest of the request's path to To's, which begins at
// start, with one slash between: a second one could name a host.
func appendPath(b []byte, start int, rest string) []byte {
	rest = strings.TrimLeft(rest, "/")
	if rest == "" {
		return b
	}
	for len(b) > start && b[len(b)-1] == '/' {
		b = b[:len(b)-1]
	}
	b = append(b, '/')
	return append(b, rest...)
}

// appendQuery escapes what a header should not hold; all else stays as the
// client wrote it.
func appendQuery(b []byte, query string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(query); i++ {
		if c := query[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' || c == '#' || c == '\\' {
			b = append(b, '%', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// A fieldError is a mistake in one field of a Config.
type fieldError struct{ path, text string }

func (e *fieldError) Error() string { return e.path + ": " + e.text }

// OptionPath names the field as a mount table does.
func (e *fieldError) OptionPath() string { return e.path }
