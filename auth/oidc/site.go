package oidc

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

// site is this site as the browser sees it.
type site struct {
	scheme, host string
	prefix       string // that a trusted proxy in front has taken off
}

func (s site) origin() string { return s.scheme + "://" + s.host }

func (s site) secure() bool { return s.scheme == "https" }

func siteOf(r *http.Request) site {
	s := site{scheme: "http", host: r.Host}
	if r.TLS != nil {
		s.scheme = "https"
	}
	if rec := request.From(r.Context()); rec != nil {
		if rec.Scheme != "" {
			s.scheme = rec.Scheme
		}
		if rec.HostPort != "" {
			s.host = rec.HostPort
		}
		s.prefix = strings.TrimSuffix(rec.Prefix, "/")
	}
	return s
}

// maxWay bounds the path that a login comes back to, in bytes: it is kept in a
// cookie.
const maxWay = 1500

// wayBack gives the path and query of r as the browser asked for them.
func (m *Method) wayBack(at site, r *http.Request) string {
	asked := r.RequestURI
	if !strings.HasPrefix(asked, "/") {
		asked = r.URL.RequestURI()
	}
	if len(at.prefix)+len(asked) > maxWay {
		asked, _, _ = strings.Cut(asked, "?")
	}
	return m.safe(at, at.prefix+asked)
}

// safe gives the path of this site that a login may come back to: to, or the
// front page.
func (m *Method) safe(at site, to string) string {
	home := at.prefix + "/"
	if !isLocal(to) {
		return home
	}
	path, _, _ := strings.Cut(to, "?")
	switch strings.TrimPrefix(path, at.prefix) {
	case m.cfg.Start, m.cfg.Callback, m.cfg.Logout, m.cfg.BackChannel:
		return home
	}
	return to
}

// isLocal reports whether a browser takes to for a path of the same origin.
// Browsers drop tabs and line ends, and take a backslash for a slash.
func isLocal(to string) bool {
	if len(to) == 0 || len(to) > maxWay || to[0] != '/' || strings.HasPrefix(to, "//") {
		return false
	}
	for i := range len(to) {
		if c := to[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return false
		}
	}
	u, err := url.Parse(to)
	return err == nil && u.Scheme == "" && u.Host == ""
}
