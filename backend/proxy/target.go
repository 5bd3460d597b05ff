package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A target is an upstream's parsed URL.
type target struct {
	url     string // as configured, for people
	scheme  string // http, https, h2c
	network string // tcp, unix
	addr    template
	host    template // as Host says it: without a default port
	path    template // escaped, without a final slash unless bareSlash
	slash   bool     // the configured path ended in a slash, or was empty
}

// A template is text with holes for path values: text[0] hole[0] text[1] ….
type template struct {
	text  []string
	holes []string
}

var errNoSegment = errors.New("a captured path value cannot stand in the upstream's address")

func (t *template) fixed() bool { return len(t.holes) == 0 }

// expand fills the holes from r, each passed through clean.
func (t *template) expand(r *http.Request, clean func(string) (string, bool)) (string, error) {
	if t.fixed() {
		return t.text[0], nil
	}
	var b strings.Builder
	for i, hole := range t.holes {
		v, ok := clean(r.PathValue(hole))
		if !ok {
			return "", fmt.Errorf("%w: %s is %q", errNoSegment, hole, r.PathValue(hole))
		}
		b.WriteString(t.text[i])
		b.WriteString(v)
	}
	b.WriteString(t.text[len(t.holes)])
	return b.String(), nil
}

// cleanLabel lets one DNS label pass.
func cleanLabel(s string) (string, bool) {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return "", false
	}
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '-' && c != '_' {
			return "", false
		}
	}
	return strings.ToLower(s), true
}

// cleanSegment escapes one path segment, refusing what some upstream could
// take for more or less than one.
func cleanSegment(s string) (string, bool) {
	if s == "" || s == "." || s == ".." || strings.HasPrefix(s, ".;") || strings.HasPrefix(s, "..;") {
		return "", false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f || c == '/' || c == '\\' || c == '%' {
			return "", false
		}
	}
	return url.PathEscape(s), true
}

// mark stands for hole n while the URL is parsed. No host or path has it.
func mark(n int) string { return "mountd0hole" + strconv.Itoa(n) + "0" }

func parseTarget(raw string) (*target, error) {
	text, holes, err := punch(raw)
	if err != nil {
		return nil, err
	}
	t := &target{url: raw, network: "tcp"}
	var path string
	if sock, ok := strings.CutPrefix(text, "unix:"); ok {
		if path, err = t.parseUnix(sock); err != nil {
			return nil, err
		}
	} else if path, err = t.parseURL(raw, text, holes); err != nil {
		return nil, err
	}
	t.slash = strings.HasSuffix(path, "/") || path == ""
	t.path = split(strings.TrimSuffix(path, "/"), holes)
	return t, nil
}

func (t *target) parseUnix(sock string) (path string, err error) {
	sock = "/" + strings.TrimLeft(sock, "/")
	if i := strings.Index(sock, ":/"); i > 0 {
		sock, path = sock[:i], sock[i+1:]
	}
	if sock == "/" || strings.Contains(sock, "mountd0hole") {
		return "", fmt.Errorf("%q names no socket (write unix:/path/to/socket)", t.url)
	}
	u, err := url.Parse(path)
	if err != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q: %q is no path", t.url, path)
	}
	t.scheme, t.network = "http", "unix"
	t.addr = template{text: []string{sock}}
	t.host = template{text: []string{"localhost"}}
	return u.EscapedPath(), nil
}

func (t *target) parseURL(raw, text string, holes []string) (path string, err error) {
	const forms = "write http://host:port, https://host, h2c://host:port or unix:/path/to/socket"
	u, err := url.Parse(text)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return "", fmt.Errorf("%q is no URL: %w (%s)", raw, err, forms)
	}
	port, usual := "80", "80"
	switch u.Scheme {
	case "http", "h2c":
	case "https":
		port, usual = "443", "443"
	default:
		return "", fmt.Errorf("%q has the scheme %q, which is none of http, https, h2c, unix (%s)", raw, u.Scheme, forms)
	}
	switch {
	case u.Hostname() == "":
		return "", fmt.Errorf("%q names no host (%s)", raw, forms)
	case u.User != nil:
		return "", errors.New("an upstream's URL holds a password (set an Authorization header with the headers layer instead)")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", fmt.Errorf("%q has a query or fragment (only a path can be put in front of the request's)", raw)
	}
	host := u.Hostname()
	if p := u.Port(); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 65535 {
			return "", fmt.Errorf("%q: %s is no port", raw, p)
		}
		port = p
	}
	t.scheme = u.Scheme
	t.addr = split(net.JoinHostPort(host, port), holes)
	name := host
	if strings.Contains(host, ":") {
		name = "[" + host + "]"
	}
	if port != usual {
		name += ":" + port
	}
	t.host = split(name, holes)
	return u.EscapedPath(), nil
}

// punch replaces every {name} of raw by a mark.
func punch(raw string) (text string, holes []string, err error) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(raw, "{")
		b.WriteString(before)
		if !ok {
			return b.String(), holes, nil
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok || name == "" {
			return "", nil, fmt.Errorf("%q has a { without its name and }", raw)
		}
		b.WriteString(mark(len(holes)))
		holes = append(holes, name)
		raw = after
	}
}

// split undoes punch on a part of the text.
func split(s string, holes []string) template {
	var t template
	for n, name := range holes {
		if before, after, ok := strings.Cut(s, mark(n)); ok {
			t.text = append(t.text, before)
			t.holes = append(t.holes, name)
			s = after
		}
	}
	t.text = append(t.text, s)
	return t
}
