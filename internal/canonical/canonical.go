// Package canonical is the one place that says what a request's path and host
// are. What it gives back is what mounts are matched against, what conditions
// and authentication look at, what is logged, and what is forwarded.
//
// # Paths
//
// [Parse] takes the path as it stood in the request target. It resolves dot
// segments, written plainly or as escapes, then makes a run of leading slashes
// one slash, and gives the path in two forms as [net/url.URL] keeps them:
// decoded, and escaped as the client sent it. An escaped slash stays inside
// its segment: the escaped form tells it apart.
//
// Parse refuses, as a bad request, what has no safe meaning: invalid escapes,
// control bytes (raw or escaped), a raw '#', '?' or space, a path that climbs
// above the root, and every path with a segment that some reader behind the
// gateway could take for a dot segment ("..;x", "..%2f", "..%5c", "%252e").
// Bytes that are no UTF-8 are opaque: passed on, never anything else.
//
// # Readings
//
// Even without dot segments, a backend may see other segments than the
// gateway did. [Readings] lists the paths it could see. Whoever decides
// something by path (which mount, does a condition hold) asks whether a
// reading would decide differently, and refuses the request if so.
// For the ordinary paths that most requests have there are none, and Parse
// says so by giving no escaped form.
package canonical

import (
	"net/http"
	"net/url"
	"strings"
)

// PathError says why a path is refused. It is answered with status 400.
type PathError struct {
	Reason string // what is wrong, readable by the client: it quotes nothing
}

func (e *PathError) Error() string { return "bad path: " + e.Reason }

// HTTPStatus gives 400.
func (e *PathError) HTTPStatus() int { return http.StatusBadRequest }

// ClientMessage gives the reason.
func (e *PathError) ClientMessage() string { return "The path of the request " + e.Reason + "." }

// The reasons to refuse a path.
var (
	ErrRelative  = &PathError{"does not start with a slash"}
	ErrEscape    = &PathError{"holds an invalid escape"}
	ErrControl   = &PathError{"holds a control byte"}
	ErrRaw       = &PathError{"holds a byte that must be escaped"}
	ErrRoot      = &PathError{"climbs above the root"}
	ErrDots      = &PathError{"holds a segment that could be read as a dot segment"}
	ErrAmbiguous = &PathError{"could be read in more than one way"}
)

// Classes of bytes in an escaped path.
const (
	ordinary = iota // means itself everywhere, and url.URL never escapes it
	dot             // '.'
	slash           // '/'
	keep            // may stand raw, but url.URL would escape it
	encode          // must not stand raw, but clients send it
	semi            // ';'
	percent         // '%'
	control         // never
	illegal         // never raw
)

var class = classes()

func classes() (t [256]uint8) {
	for c := range t {
		switch b := byte(c); {
		case b < ' ' || b == 0x7f:
			t[c] = control
		case 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9':
			t[c] = ordinary
		default:
			t[c] = encode
		}
	}
	for set, k := range map[string]uint8{
		"-_~$&+,:=@": ordinary, ".": dot, "/": slash, "!'()*[]": keep, ";": semi, "%": percent, " #?": illegal,
	} {
		for i := range len(set) {
			t[set[i]] = k
		}
	}
	return t
}

// Parse gives the canonical form of an escaped path, or a [*PathError]. The
// empty path is "/".
//
// The decoded path is always given. raw is empty when the path is ordinary:
// without escapes, without anything that has another reading, and such that
// escaping path gives back what the client sent. Otherwise it is the escaped
// form, which [url.URL.EscapedPath] accepts as the encoding of path; bytes that
// must not stand raw in a URL have been escaped. Parsing raw again changes
// nothing. Ordinary paths cost no allocation.
func Parse(escaped string) (path, raw string, err error) {
	if escaped == "" {
		return "/", "", nil
	}
	if plain(escaped) {
		return escaped, "", nil
	}
	return parse(escaped)
}

// Of gives the canonical form of the path of u, as [Parse] does.
func Of(u *url.URL) (path, raw string, err error) {
	switch {
	case u.RawPath == "" && plain(u.Path):
		return u.Path, "", nil
	case u.RawPath != "":
		if p, err := url.PathUnescape(u.RawPath); err == nil && p == u.Path {
			return Parse(u.RawPath)
		}
	}
	return Parse((&url.URL{Path: u.Path}).EscapedPath())
}

// Set makes the path of u the one that [Parse] gave.
func Set(u *url.URL, path, raw string) {
	u.Path, u.RawPath = path, raw
	if raw == path && !escapes(path) {
		u.RawPath = ""
	}
}

// escapes reports whether url.URL would escape something in path.
func escapes(path string) bool {
	for i := range len(path) {
		if k := class[path[i]]; k > slash && k != semi {
			return true
		}
	}
	return false
}

// plain reports whether s is its own canonical form and has no other reading.
func plain(s string) bool {
	if s == "" || s[0] != '/' || len(s) > 1 && s[1] == '/' {
		return false
	}
	for i := 0; i < len(s); i++ {
		k := class[s[i]]
		if k == ordinary || k == slash {
			continue
		}
		if k != dot || s[i-1] == '/' && dotsAt(s[i:]) > 0 {
			return false
		}
	}
	return true
}

// dotsAt gives the number of dots of the dot segment that s begins with, 0 if
// it begins with another one. Escaped dots are dots.
func dotsAt(s string) int {
	for n := 0; ; n++ {
		switch {
		case s == "" || s[0] == '/':
			return n
		case n == 2:
			return 0
		case s[0] == '.':
			s = s[1:]
		case len(s) >= 3 && s[0] == '%' && s[1] == '2' && s[2]|0x20 == 'e':
			s = s[3:]
		default:
			return 0
		}
	}
}

// traits are what a first look at a path finds.
type traits struct {
	encode  bool // bytes that have to be escaped
	escaped bool // escapes
	suspect bool // bytes that make another reading possible
}

func parse(s string) (path, raw string, err error) {
	if s[0] != '/' {
		return "", "", ErrRelative
	}
	t, err := look(s)
	if err != nil {
		return "", "", err
	}
	if t.suspect && readsAsDots(s) {
		return "", "", ErrDots
	}
	if t.encode {
		s = encodeRaw(s)
	}
	if s, err = resolve(s); err != nil {
		return "", "", err
	}
	if plain(s) {
		return s, "", nil
	}
	if t.escaped || t.encode {
		return decode(s), s, nil
	}
	return s, s, nil
}

func look(s string) (t traits, err error) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch class[c] {
		case control:
			return t, ErrControl
		case illegal:
			return t, ErrRaw
		case encode:
			t.encode = true
			t.suspect = t.suspect || c == '\\'
		case semi:
			t.suspect = true
		case percent:
			b, ok := unescape(s[i:])
			if !ok {
				return t, ErrEscape
			}
			if class[b] == control {
				return t, ErrControl
			}
			t.escaped = true
			t.suspect = t.suspect || special(b)
			i += 2
		}
	}
	return t, nil
}

// special reports whether a decoded byte can make two readings differ.
func special(b byte) bool { return b == '/' || b == '\\' || b == ';' || b == '%' }

// resolve resolves dot segments, and leaves one of several leading slashes.
func resolve(s string) (string, error) {
	if at := firstDots(s); at >= 0 {
		out := append(make([]byte, 0, len(s)), s[:at]...)
		for i := at; i < len(s); {
			end := segmentEnd(s, i+1)
			switch n := dotsAt(s[i+1:]); n {
			case 2:
				if len(out) == 0 {
					return "", ErrRoot
				}
				out = out[:lastSlash(out)]
				fallthrough
			case 1:
				if end == len(s) {
					out = append(out, '/')
				}
			default:
				out = append(out, s[i:end]...)
			}
			i = end
		}
		s = string(out)
	}
	for len(s) > 1 && s[1] == '/' {
		s = s[1:]
	}
	return s, nil
}

// firstDots gives the index of the slash before the first dot segment, or -1.
func firstDots(s string) int {
	for i := range len(s) {
		if s[i] == '/' && dotsAt(s[i+1:]) > 0 {
			return i
		}
	}
	return -1
}

func segmentEnd(s string, from int) int {
	if i := strings.IndexByte(s[from:], '/'); i >= 0 {
		return from + i
	}
	return len(s)
}

func lastSlash(b []byte) int {
	i := len(b) - 1
	for b[i] != '/' {
		i--
	}
	return i
}

// readsAsDots reports whether some reader could find a dot segment that is not
// plainly one: the escapes decoded twice, all kinds of slashes taken for
// slashes, parameters cut. Whatever fewer of these steps show, in whatever
// order, all of them together show too: no step hides what another has shown.
func readsAsDots(s string) bool {
	buf := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		end := segmentEnd(s, i+1)
		if dotsAt(s[i+1:end]) == 0 {
			buf = decodeAgain(appendDecoded(buf[:0], s[i+1:end]))
			if holdsDots(buf) {
				return true
			}
		}
		i = end
	}
	return false
}

func holdsDots(seg []byte) bool {
	start, cut := 0, -1
	for i := 0; i <= len(seg); i++ {
		if i < len(seg) && seg[i] != '/' && seg[i] != '\\' {
			if seg[i] == ';' && cut < 0 {
				cut = i
			}
			continue
		}
		if cut < 0 {
			cut = i
		}
		if p := string(seg[start:cut]); p == "." || p == ".." {
			return true
		}
		start, cut = i+1, -1
	}
	return false
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// unescape gives the byte that the escape at the start of s stands for.
func unescape[T string | []byte](s T) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	hi, ok1 := unhex(s[1])
	lo, ok2 := unhex(s[2])
	return hi<<4 | lo, ok1 && ok2
}

func appendDecoded(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			c, _ = unescape(s[i:])
			i += 2
		}
		dst = append(dst, c)
	}
	return dst
}

// decode decodes valid escapes.
func decode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	return string(appendDecoded(make([]byte, 0, len(s)), s))
}

// decodeAgain decodes in place, as a lenient reader does: what is no escape
// stays as it is.
func decodeAgain(b []byte) []byte {
	out := b[:0]
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '%' {
			if d, ok := unescape(b[i:]); ok {
				c = d
				i += 2
			}
		}
		out = append(out, c)
	}
	return out
}

func encodeRaw(s string) string {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, len(s)+16)
	for i := range len(s) {
		if c := s[i]; class[c] == encode {
			out = append(out, '%', digits[c>>4], digits[c&15])
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}

// Merge makes every run of slashes one slash. It allocates only if there is a
// run.
func Merge(path string) string {
	at := strings.Index(path, "//")
	if at < 0 {
		return path
	}
	out := append(make([]byte, 0, len(path)), path[:at]...)
	for i := at; i < len(path); i++ {
		if path[i] != '/' || len(out) == 0 || out[len(out)-1] != '/' {
			out = append(out, path[i])
		}
	}
	return string(out)
}
