package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/internal/wire"
)

// A framing says how a request's body is sent.
type framing struct {
	length  int64 // -1: chunked; 0: none
	expect  bool  // 100-continue
	declare bool  // send Content-Length: 0
}

// viaName is how mountd calls itself in Via, maxHops how many mountds in a row
// are taken for a loop.
const (
	viaName = "1.1 mountd"
	maxHops = 8
)

var (
	errLoop    = errors.New("the request has been through mountd too often: a mount points back at itself")
	errFolded  = errors.New("a request header field holds a line break or NUL")
	errBadName = errors.New("a request header field has an invalid name")
	errMethod  = errors.New("the request method is no token")
)

// appendHead writes the head of r for upstream o to dst.
func (p *Proxy) appendHead(dst []byte, r *http.Request, rec *request.Record, o *origin, f framing, upgrade string) ([]byte, error) {
	if !wire.IsToken(r.Method) {
		return dst, errMethod
	}
	start := len(dst)
	dst = append(dst, r.Method...)
	dst = append(dst, ' ')
	dst = p.appendTarget(dst, r, rec, o)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	host, foreign := o.hostFor(r, rec)
	dst = append(dst, host...)
	dst = append(dst, '\r', '\n')
	lines := 2

	dropped := listed(r.Header["Connection"])
	for name, values := range r.Header {
		class, name := requestField(name)
		switch class {
		case fieldInvalid:
			return dst, fmt.Errorf("%w: %q", errBadName, name)
		case fieldOurs:
			continue
		case fieldOrigin:
			if foreign {
				for _, v := range values {
					dst = appendField(dst, name, rename(v, r, rec, o, host))
				}
				lines += len(values)
				continue
			}
		}
		if dropped != nil && dropped.has(name) {
			continue
		}
		for _, v := range values {
			dst = appendField(dst, name, v)
		}
		lines += len(values)
	}
	dst, n := appendFraming(dst, r, f, upgrade)
	lines += n
	dst, n, err := p.appendForwarded(dst, r, rec, foreign)
	if err != nil {
		return dst, err
	}
	lines += n
	dst = append(dst, '\r', '\n')
	// Every line has ended with our own CR LF and with no other.
	head := dst[start:]
	if bytes.Count(head, lf) != lines+1 || bytes.Count(head, cr) != lines+1 || bytes.IndexByte(head, 0) >= 0 {
		return dst, errFolded
	}
	return dst, nil
}

var (
	lf = []byte{'\n'}
	cr = []byte{'\r'}
)

func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ':', ' ')
	dst = append(dst, value...)
	return append(dst, '\r', '\n')
}

func appendFraming(dst []byte, r *http.Request, f framing, upgrade string) ([]byte, int) {
	n := 0
	switch {
	case f.length > 0 || f.declare:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, f.length, 10)
		dst = append(dst, '\r', '\n')
		n++
	case f.length < 0:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
		n++
	}
	if f.expect {
		dst = append(dst, "Expect: 100-continue\r\n"...)
		n++
	}
	if upgrade != "" {
		dst = append(dst, "Connection: Upgrade\r\n"...)
		return appendField(dst, "Upgrade", upgrade), n + 2
	}
	if te := r.Header["Te"]; te != nil && hasToken(te, "trailers") {
		dst = append(dst, "Connection: TE\r\nTe: trailers\r\n"...)
		n += 2
	}
	return dst, n
}

// appendTarget writes the request target: what came below the mount, byte for
// byte, behind the upstream's own path.
func (p *Proxy) appendTarget(dst []byte, r *http.Request, rec *request.Record, o *origin) []byte {
	if r.URL.Path == "*" && r.Method == http.MethodOptions {
		return append(dst, '*')
	}
	bare := p.cfg.Bare != nil && p.cfg.Bare(r)
	start := len(dst)
	dst = append(dst, o.path...)
	if p.cfg.KeepPrefix {
		dst = p.appendScriptName(dst, r)
	}
	switch {
	case !bare:
		if r.URL.Path == "" || r.URL.Path[0] != '/' {
			dst = append(dst, '/')
		}
		dst = appendPath(dst, r.URL)
	case o.slash && !p.cfg.KeepPrefix || len(dst) == start:
		dst = append(dst, '/')
	}
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		dst = append(dst, '?')
		dst = appendQuery(dst, r.URL.RawQuery)
	}
	return dst
}

// appendScriptName writes the mount's prefix, escaped, without a final slash.
func (p *Proxy) appendScriptName(dst []byte, r *http.Request) []byte {
	start := len(dst)
	switch {
	case p.cfg.RawScriptName != nil:
		dst = appendEscaped(dst, p.cfg.RawScriptName(r), true)
	case p.cfg.ScriptName != nil:
		dst = appendEscaped(dst, p.cfg.ScriptName(r), false)
	}
	for len(dst) > start && dst[len(dst)-1] == '/' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

func appendPath(dst []byte, u *url.URL) []byte {
	if u.RawPath != "" && decodesTo(u.RawPath, u.Path) {
		return appendEscaped(dst, u.RawPath, true)
	}
	return appendEscaped(dst, u.Path, false)
}

// appendEscaped writes a path. What may not stand in one is escaped; "%" too,
// unless the path is escaped already.
func appendEscaped(dst []byte, s string, escaped bool) []byte {
	from := 0
	for i := range len(s) {
		c := s[i]
		if inPath[c] || c == '%' && escaped {
			continue
		}
		dst = append(dst, s[from:i]...)
		dst = appendByteEscaped(dst, c)
		from = i + 1
	}
	return append(dst, s[from:]...)
}

// appendQuery writes a query as it came, but for bytes that would end it.
func appendQuery(dst []byte, s string) []byte {
	from := 0
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '#' {
			dst = append(dst, s[from:i]...)
			dst = appendByteEscaped(dst, c)
			from = i + 1
		}
	}
	return append(dst, s[from:]...)
}

func appendByteEscaped(dst []byte, c byte) []byte {
	const hex = "0123456789ABCDEF"
	return append(dst, '%', hex[c>>4], hex[c&15])
}

// decodesTo reports whether raw is an escaped form of path.
func decodesTo(raw, path string) bool {
	j := 0
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' {
			if i+2 >= len(raw) {
				return false
			}
			hi, lo := unhex(raw[i+1]), unhex(raw[i+2])
			if hi > 15 || lo > 15 {
				return false
			}
			c = hi<<4 | lo
			i += 2
		}
		if j >= len(path) || path[j] != c {
			return false
		}
		j++
	}
	return j == len(path)
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// upgradeOf gives the protocol that the client wants to change to, "" for
// none. HTTP/2 is not to be reached that way: it would hide further requests
// from everything in front of the upstream.
func upgradeOf(r *http.Request) string {
	up := r.Header["Upgrade"]
	if len(up) != 1 || r.ProtoMajor != 1 || r.ProtoMinor < 1 || !hasToken(r.Header["Connection"], "upgrade") {
		return ""
	}
	name, version, ok := strings.Cut(strings.ToLower(up[0]), "/")
	if !wire.IsToken(name) || ok && !wire.IsToken(version) {
		return ""
	}
	switch name {
	case "", "h2", "h2c", "http", "tls":
		return ""
	}
	return up[0]
}
