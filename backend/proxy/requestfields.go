package proxy

import (
	"net/http"
	"net/textproto"
	"strings"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/internal/wire"
)

type fieldClass uint8

const (
	fieldPass    fieldClass = iota
	fieldOurs               // written by us, or not for the next hop
	fieldOrigin             // names the host
	fieldInvalid            // no field name
)

// requestField says what becomes of a request's field, and its proper name.
func requestField(name string) (fieldClass, string) {
	switch name {
	case "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Content-Type",
		"Cookie", "If-Modified-Since", "If-None-Match", "Range", "Sec-Fetch-Dest", "Sec-Fetch-Mode",
		"Sec-Fetch-Site", "User-Agent", "X-Request-Id", "X-Requested-With":
		return fieldPass, name
	case "Origin", "Referer":
		return fieldOrigin, name
	case "Host", "Content-Length", "Transfer-Encoding", "Expect",
		"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy",
		"Te", "Trailer", "Upgrade", "Http2-Settings", "Via",
		"Forwarded", "X-Real-Ip", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix",
		"X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-By",
		"X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Protocol":
		return fieldOurs, name
	}
	proper, valid := wire.CanonicalName(name)
	switch {
	case !valid:
		return fieldInvalid, name
	case proper != name:
		return requestField(proper)
	case lookalike(name):
		return fieldOurs, name
	}
	return fieldPass, name
}

// lookalike reports whether name differs from a field of ours only for those
// who can tell "-" from other marks: CGI-style environments cannot.
func lookalike(name string) bool {
	odd := false
	for i := range len(name) {
		if c := name[i]; c != '-' && !isAlnum(c) {
			odd = true
			break
		}
	}
	if !odd {
		return false
	}
	plain := strings.Map(func(c rune) rune {
		if c < 0x80 && isAlnum(byte(c)) {
			return c
		}
		return '-'
	}, name)
	class, _ := requestField(textproto.CanonicalMIMEHeaderKey(plain))
	return class == fieldOurs
}

// A nameList is what a Connection field lists besides the usual options.
type nameList []string

// listed gives the names that belong to the previous hop only. What the
// gateway itself may have set (identity, credentials) is not up to the client.
func listed(connection []string) nameList {
	var names nameList
	for _, v := range connection {
		switch v {
		case "keep-alive", "Keep-Alive", "close", "Upgrade", "upgrade":
			continue
		}
		for part := range strings.SplitSeq(v, ",") {
			part = textproto.CanonicalMIMEHeaderKey(wire.Trim(part))
			switch part {
			case "", "Close", "Keep-Alive", "Upgrade", "Te", "Authorization", "Cookie", "Content-Type":
				continue
			}
			if strings.HasPrefix(part, "Remote-") || strings.HasPrefix(part, "X-Forwarded-") {
				continue
			}
			names = append(names, part)
		}
	}
	return names
}

func (l nameList) has(name string) bool {
	for _, n := range l {
		if n == name {
			return true
		}
	}
	return false
}

// rename puts the upstream's name where value, an Origin or Referer, has the
// host that the client asked for.
func rename(value string, r *http.Request, rec *request.Record, o *origin, name string) string {
	_, _, host, _, _ := whence(r, rec)
	scheme, rest, ok := strings.Cut(value, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return value
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if !sameHost(authority, host) && !sameHost(authority, r.Host) {
		return value
	}
	return o.scheme() + "://" + name + path
}

// sameHost compares hosts, a scheme's usual port being as good as none.
func sameHost(a, b string) bool {
	cut := func(s string) string {
		s = strings.TrimSuffix(s, ":80")
		return strings.TrimSuffix(s, ":443")
	}
	return strings.EqualFold(cut(a), cut(b))
}
