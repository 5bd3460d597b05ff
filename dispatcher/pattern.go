package dispatcher

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mountd/mountd/internal/canonical"
)

func quote(s string) string { return strconv.Quote(s) }

// mount is a compiled [Mount].
type mount struct {
	pattern, name string
	index         int
	handler       http.Handler
	exact         bool

	host     string // normalised pattern of the host: lower case, no trailing dot
	kind     hostKind
	label    string // name of the capture in the host
	suffix   string // of the host, after the first label; with the port
	segments []segment
	prefix   string // decoded, without captures: the script name
	captures []string
}

// segment is one segment of a pattern: literal text, or the name of a capture.
type segment struct {
	text    string
	capture bool
}

type hostKind uint8

const (
	noHost hostKind = iota
	exactHost
	labelHost
	wildHost
)

func (k hostKind) String() string {
	return [...]string{"no host", "an exact host", "a captured host", "a wildcard host"}[k]
}

// path gives the path of the pattern, empty for the root.
func (m *mount) path() string {
	var b strings.Builder
	for _, s := range m.segments {
		if b.WriteByte('/'); s.capture {
			b.WriteString("{" + s.text + "}")
		} else {
			b.WriteString(s.text)
		}
	}
	return b.String()
}

// shape is the same for patterns that match the same requests.
func (m *mount) shape() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(int(m.kind)) + m.hostKey())
	for _, s := range m.segments {
		if b.WriteByte('/'); s.capture {
			b.WriteString(canonical.Slash)
		} else {
			b.WriteString(s.text)
		}
	}
	return b.String()
}

// hostKey is what the host is found by.
func (m *mount) hostKey() string {
	if m.kind == exactHost {
		return m.host
	}
	return m.suffix
}

func compile(index int, cfg Mount) (mount, error) {
	m := mount{pattern: cfg.Pattern, name: cfg.Name, index: index, handler: cfg.Handler, exact: cfg.Exact}
	if m.name == "" {
		m.name = cfg.Pattern
	}
	host, path, ok := strings.Cut(cfg.Pattern, "/")
	switch {
	case cfg.Pattern == "":
		return m, errors.New(`the pattern is empty (write "/" for everything)`)
	case !ok:
		return m, fmt.Errorf("the pattern has no path (write %q for a host, or %q for a path)", cfg.Pattern+"/", "/"+cfg.Pattern)
	case strings.HasSuffix(host, ":") && (host == "http:" || host == "https:"):
		return m, fmt.Errorf("has a scheme (write %q)", strings.TrimPrefix(path, "/"))
	}
	if err := m.compileHost(host); err != nil {
		return m, err
	}
	if err := m.compilePath(path); err != nil {
		return m, err
	}
	return m, m.checkNames()
}

func (m *mount) compileHost(host string) error {
	if host == "" {
		return nil
	}
	if strings.HasPrefix(host, ":") {
		return fmt.Errorf("has a port without a host (write \"example.com%s/\")", host)
	}
	rest := host
	m.kind = exactHost
	switch {
	case strings.HasPrefix(host, "*."):
		m.kind, rest = wildHost, host[2:]
	case strings.HasPrefix(host, "{"):
		name, after, ok := strings.Cut(host[1:], "}.")
		if !ok {
			return fmt.Errorf("host %q captures no whole label (write \"{name}.example.com\")", host)
		}
		if !validName(name) {
			return fmt.Errorf("%q is no name for a capture (use letters, digits and _)", name)
		}
		m.kind, m.label, rest = labelHost, name, after
	}
	if strings.ContainsAny(rest, "*{}") {
		return fmt.Errorf("host %q: only the first label may be \"*\" or \"{name}\"", host)
	}
	name, port, err := canonical.Host(rest)
	if err != nil {
		var he *canonical.HostError
		errors.As(err, &he)
		hint := ""
		if he == canonical.ErrHostByte && !ascii(rest) {
			hint = " (write an international name in its xn-- form)"
		}
		return fmt.Errorf("host %q %s%s", host, he.Reason, hint)
	}
	if port != "" {
		name += ":" + port
	}
	m.host = name
	switch m.kind {
	case wildHost:
		m.host, m.suffix = "*."+name, name
	case labelHost:
		m.host, m.suffix = "{"+m.label+"}."+name, name
	}
	return nil
}

func (m *mount) compilePath(path string) error {
	for _, s := range strings.Split(strings.TrimSuffix(path, "/"), "/") {
		if s == "" {
			if path == "" || path == "/" {
				continue
			}
			return fmt.Errorf("has an empty segment (write single slashes)")
		}
		seg, err := compileSegment(s)
		if err != nil {
			return err
		}
		m.segments = append(m.segments, seg)
		if seg.capture {
			m.captures = append(m.captures, seg.text)
		}
		m.prefix += "/" + seg.text
	}
	if m.label != "" {
		m.captures = append(m.captures, m.label)
	}
	return nil
}

func compileSegment(s string) (segment, error) {
	if strings.ContainsAny(s, "{}") {
		if name := strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}"); len(name) == len(s)-2 && validName(name) {
			return segment{name, true}, nil
		}
		return segment{}, fmt.Errorf("segment %q captures no whole segment (write \"{name}\" with letters, digits and _, or %%7B and %%7D for braces)", s)
	}
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		return segment{}, fmt.Errorf("segment %q holds %q, which ends a path (write %%%02X)", s, s[i:i+1], s[i])
	}
	text, err := url.PathUnescape(s)
	if err != nil {
		return segment{}, fmt.Errorf("segment %q has an invalid escape (write %%25 for a percent sign)", s)
	}
	return segment{text: text}, checkText(s, text)
}

// checkText refuses segments that no accepted request has.
func checkText(s, text string) error {
	if strings.ContainsAny(text, `/\;`) {
		return fmt.Errorf(`segment %q holds a slash, "\" or ";", so no request can reach it`, s)
	}
	if text == "." || text == ".." {
		return fmt.Errorf("segment %q is a dot segment, so no request can reach it", s)
	}
	esc := (&url.URL{Path: "/" + text}).EscapedPath()
	path, raw, err := canonical.Parse(esc)
	if err != nil {
		var pe *canonical.PathError
		errors.As(err, &pe)
		return fmt.Errorf("segment %q %s, so no request can reach it", s, pe.Reason)
	}
	if !canonical.Suspicious(raw) {
		return nil
	}
	readings, err := canonical.Readings(raw)
	if err != nil {
		return err
	}
	for p := range readings {
		if p != path {
			return fmt.Errorf("segment %q can be decoded twice, so no request can reach it", s)
		}
	}
	return nil
}

func (m *mount) checkNames() error {
	seen := map[string]bool{}
	for _, name := range m.captures {
		if seen[name] {
			return fmt.Errorf("captures %q twice (give each a name of its own)", name)
		}
		seen[name] = true
	}
	return nil
}

func validName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_':
		case '0' <= c && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
