package rebase

import (
	"net/netip"
	"strings"
)

// A site knows where one request's mount stands in public URLs. Its methods
// are the one rule by which every URL is mapped: what is under the prefix
// already is left alone, so that mapping twice is mapping once.
type site struct {
	prefix    string // escaped, without a final slash; "" is the root
	scheme    string // public: "http" or "https"
	host      string // public, with its port as the client named it
	upstreams []upstream
	answered  string // the one that answered this request, where known
	base      string // what the root of the app's own paths is, "" for "/"

	moved, under int // URLs of the app's own that were mapped, or needed not be
}

// public maps a URL that the app wrote to what the client must use. It gives
// back u itself where nothing needs a change.
func (s *site) public(u string) string {
	lead := len(u) - len(strings.TrimLeft(u, " \t"))
	scheme, host, rest, ok := split(u[lead:])
	switch {
	case !ok:
		return u
	case host == "":
		if s.prefix == "" {
			return u
		}
		return replaceTail(u, rest, s.place(rest, s.base))
	case sameHost(host, s.host):
		return replaceTail(u, rest, s.place(rest, ""))
	}
	up, ok := s.upstream(host)
	if !ok {
		return u
	}
	p := s.place(rest, up.base)
	if s.host == "" {
		return u[:lead] + "/" + strings.TrimLeft(p, `/\`)
	}
	if p == "" || p[0] != '/' {
		p = "/" + p
	}
	return u[:lead] + s.publicScheme(scheme) + "//" + s.host + p
}

// replaceTail gives u with new for its end old, without a copy when they are
// the same.
func replaceTail(u, old, new string) string {
	if new == old {
		return u
	}
	return u[:len(u)-len(old)] + new
}

// place puts a path, with its query and fragment, below the prefix, unless it
// is there. What is under base, the upstream's own root, loses that first.
func (s *site) place(p, base string) string {
	if s.prefix == "" && base == "" || s.isUnder(p) {
		return p
	}
	p = resolve(p)
	if s.isUnder(p) {
		return p
	}
	if rest, ok := cut(p, base); ok && base != "" {
		p = rest
	}
	if s.prefix == "" {
		return p
	}
	s.moved++
	if !slash(p, 0) {
		p = "/" + p
	}
	return s.prefix + p
}

func (s *site) isUnder(p string) bool {
	if s.prefix == "" {
		return false
	}
	_, ok := cut(p, s.prefix)
	if ok {
		s.under++
	}
	return ok
}

// private is the reverse for what clients send: a public URL under the prefix
// loses it. Others stay.
func (s *site) private(u string) string {
	scheme, host, rest, ok := split(u)
	if s.prefix == "" || !ok || host != "" && !sameHost(host, s.host) {
		return u
	}
	p, ok := cut(rest, s.prefix)
	if !ok {
		return u
	}
	if !slash(p, 0) {
		p = "/" + p
	}
	if scheme == "" && host == "" && s.base == "" {
		p = "/" + strings.TrimLeft(p, `/\`) // two slashes would name a host
	}
	return replaceTail(u, rest, s.base+p)
}

func (s *site) upstream(host string) (upstream, bool) {
	name, port := splitPort(host)
	for _, up := range s.upstreams {
		if up.named(name, port) {
			return up, true
		}
	}
	if s.answered == "" {
		return upstream{}, false
	}
	up := parseUpstream(s.answered)
	return up, up.named(name, port)
}

// publicScheme gives the scheme, with its colon, of the public side. An URL
// without one stays so, and WebSockets stay WebSockets.
func (s *site) publicScheme(scheme string) string {
	secure := s.scheme == "https"
	switch socket := len(scheme) < len("http"); {
	case scheme == "":
		return ""
	case socket && secure:
		return "wss:"
	case socket:
		return "ws:"
	case secure:
		return "https:"
	}
	return "http:"
}

// An upstream is a name by which the app may call itself.
type upstream struct {
	host     string // without port; "" names nothing
	port     string // "" is the default one, of either scheme
	base     string // the path that is the mount's root, without a final slash
	loopback bool
}

// parseUpstream reads "host", "host:port" or a URL, whose path is the base.
func parseUpstream(s string) upstream {
	var u upstream
	if strings.HasPrefix(s, "unix:") {
		return u
	}
	if i := strings.Index(s, "://"); i >= 0 {
		s = s[i+3:]
	}
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		u.base, _, _ = strings.Cut(s[i:], "?")
		u.base, _, _ = strings.Cut(u.base, "#")
		u.base = strings.TrimRight(u.base, "/")
		s = s[:i]
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	u.host, u.port = splitPort(s)
	u.loopback = isLoopback(u.host)
	return u
}

// named reports whether a host and port name u. An app that listens on
// loopback may call itself by any of loopback's names.
func (u upstream) named(host, port string) bool {
	if u.host == "" || u.port != port {
		return false
	}
	return strings.EqualFold(u.host, host) || u.loopback && isLoopback(host)
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && (addr.IsLoopback() || addr.IsUnspecified())
}

func sameHost(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	ah, ap := splitPort(a)
	bh, bp := splitPort(b)
	return ap == bp && strings.EqualFold(ah, bh)
}

// splitPort splits host:port. The default ports count as none: an app often
// does not know whether the public side speaks TLS.
func splitPort(hostport string) (host, port string) {
	i := strings.LastIndexByte(hostport, ':')
	if i < 0 || strings.IndexByte(hostport[i:], ']') >= 0 {
		return hostport, ""
	}
	host, port = hostport[:i], hostport[i+1:]
	if port == "80" || port == "443" {
		port = ""
	}
	return host, port
}

// split takes a reference apart if it is one that may need mapping: a path
// from the root, or an http(s) or ws(s) URL, or one without scheme, that names
// a host. Browsers take a backslash for a slash there, and so does split.
func split(u string) (scheme, host, rest string, ok bool) {
	after := u
	switch {
	case !slash(u, 0):
		colon := strings.IndexByte(u, ':')
		if colon < 0 || !webScheme(u[:colon]) || !slash(u, colon+1) || !slash(u, colon+2) {
			return "", "", "", false
		}
		scheme, after = u[:colon], u[colon+1:]
	case !slash(u, 1):
		return "", "", u, true
	}
	host, rest = after[2:], ""
	if end := strings.IndexAny(host, `/\?#`); end >= 0 {
		host, rest = host[:end], host[end:]
	}
	return scheme, host, rest, host != "" && strings.IndexByte(host, '@') < 0
}

func slash(s string, i int) bool { return i < len(s) && (s[i] == '/' || s[i] == '\\') }

func webScheme(s string) bool {
	return strings.EqualFold(s, "http") || strings.EqualFold(s, "https") ||
		strings.EqualFold(s, "ws") || strings.EqualFold(s, "wss")
}

// cut takes prefix off p where p is the prefix or goes on with a slash, a
// query or a fragment. Escaped and plain bytes are the same, but an escaped
// slash separates nothing.
func cut(p, prefix string) (rest string, ok bool) {
	for prefix != "" {
		if p == "" {
			return "", false
		}
		a, an := unit(p)
		b, bn := unit(prefix)
		if a != b {
			return "", false
		}
		p, prefix = p[an:], prefix[bn:]
	}
	return p, p == "" || slash(p, 0) || p[0] == '?' || p[0] == '#'
}

// escaped marks what was escaped and must not equal its plain form.
const escaped = 0x100

// unit reads one byte of a path, escaped or not.
func unit(s string) (c, n int) {
	if s[0] == '%' && len(s) > 2 && isHex(s[1]) && isHex(s[2]) {
		c = int(unhex(s[1])<<4 | unhex(s[2]))
		if strings.IndexByte(`/\?#%`, byte(c)) >= 0 {
			c |= escaped
		}
		return c, 3
	}
	if s[0] == '\\' {
		return '/', 1
	}
	return int(s[0]), 1
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

// resolve takes the dot segments out of a path from the root, as the client
// would do it: behind a prefix they could lead out of it.
func resolve(p string) string {
	end := len(p)
	if i := strings.IndexAny(p, "?#"); i >= 0 {
		end = i
	}
	if !slash(p, 0) || !hasDots(p[:end]) {
		return p
	}
	segments := strings.Split(strings.ReplaceAll(p[1:end], `\`, "/"), "/")
	kept := segments[:0]
	for _, seg := range segments {
		switch dots(seg) {
		case 0:
			kept = append(kept, seg)
		case 2:
			kept = kept[:max(0, len(kept)-1)]
		}
	}
	tail := ""
	if dots(segments[len(segments)-1]) > 0 && len(kept) > 0 {
		tail = "/"
	}
	return "/" + strings.Join(kept, "/") + tail + p[end:]
}

func hasDots(p string) bool {
	for i := 0; i < len(p); i++ {
		if !slash(p, i) {
			continue
		}
		seg := p[i+1:]
		if end := strings.IndexAny(seg, `/\`); end >= 0 {
			seg = seg[:end]
		}
		if dots(seg) > 0 {
			return true
		}
	}
	return false
}

// dots is 1 for ".", 2 for "..", escaped or not, and 0 for all else.
func dots(seg string) int {
	n := 0
	for seg != "" && n < 3 {
		c, k := unit(seg)
		if c != '.' {
			return 0
		}
		seg = seg[k:]
		n++
	}
	return n % 3
}
