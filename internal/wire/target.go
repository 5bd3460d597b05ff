package wire

import (
	"net/http"
	"net/netip"
	"strings"
)

// What can be wrong with a target.
var (
	errTargetSize = &problem{http.StatusRequestURITooLong, "too long a target", "RFC 9110, section 15.5.15"}
	errTarget     = bad("RFC 9112, section 3.2", "a target of no known form")
	errAsterisk   = bad("RFC 9112, section 3.2.4", "a target for OPTIONS with another method")
	errAuthority  = bad("RFC 9112, section 3.2.3", "a target for CONNECT that is no host and port")
	errUserinfo   = bad("RFC 9110, section 4.2.4", "a target with user information")
	errAbsolute   = bad("RFC 9112, section 3.2.2", "a target without a valid host")
	errMismatch   = bad("RFC 9112, section 3.2", "a Host that is not the target's")
)

// checkTarget refuses targets that have none of the four forms of RFC 9112,
// section 3.2, or one that is not for the method.
func (r *Request) checkTarget() *Error {
	t := r.Target
	if t[0] == '/' && r.Method != http.MethodConnect {
		return nil
	}
	switch {
	case r.Method == http.MethodConnect:
		if host, port, ok := cutPort(t); !ok || host == "" || port == "" || !validHost(t) {
			return errAuthority.at(t)
		}
	case t == "*":
		if r.Method != http.MethodOptions {
			return errAsterisk.at(r.Method)
		}
	default:
		a, ok := absolute(t)
		if !ok {
			return errTarget.at(t)
		}
		if strings.IndexByte(a, '@') >= 0 {
			return errUserinfo.at(a)
		}
		if !validHost(a) {
			return errAbsolute.at(a)
		}
	}
	return nil
}

// absolute gives the authority of a target in absolute form. Of other schemes
// than these, nobody here knows what an authority is.
func absolute(t string) (authority string, ok bool) {
	const plain, tls = "http://", "https://"
	switch {
	case len(t) > len(plain) && equalFold(t[:len(plain)], plain):
		t = t[len(plain):]
	case len(t) > len(tls) && equalFold(t[:len(tls)], tls):
		t = t[len(tls):]
	default:
		return "", false
	}
	if i := strings.IndexAny(t, "/?"); i >= 0 {
		t = t[:i]
	}
	return t, true
}

// checkHost holds Host and target to RFC 9112, section 3.2. The RFC has the
// target win over another Host; those who do not know that would serve
// another site.
func (r *Request) checkHost() *Error {
	if r.HasHost {
		if !validHost(r.Host) {
			return errHost.at(r.Host)
		}
	} else if r.Minor > 0 {
		return errNoHost.at("")
	}
	if r.Target[0] == '/' || r.Target == "*" {
		return nil
	}
	authority, same := r.Target, false
	if r.Method == http.MethodConnect { // Host may leave the port out
		host, _, _ := cutPort(authority)
		same = strings.EqualFold(r.Host, host)
	} else {
		authority, _ = absolute(authority)
	}
	if r.HasHost && !same && !strings.EqualFold(r.Host, authority) { // all are ASCII
		return errMismatch.at(r.Host)
	}
	r.Host = authority
	return nil
}

// validHost reports whether s is a host with or without a port that package
// canonical takes: an IPv6 address in brackets, or a name or IPv4 address of
// letters, digits, '-', '_' and dots. RFC 3986 allows more in a name; no DNS
// has it.
func validHost(s string) bool {
	host, port, ok := cutPort(s)
	if !ok || !validPort(port) {
		return false
	}
	if s[0] == '[' {
		addr, err := netip.ParseAddr(host[1 : len(host)-1])
		return err == nil && addr.Is6() && addr.Zone() == ""
	}
	host = strings.TrimSuffix(host, ".")
	if len(host) > 253 {
		return false
	}
	label := 0
	for i := range len(host) {
		switch c := host[i]; {
		case classes[c]&className != 0:
			if label++; label > 63 {
				return false
			}
		case c == '.' && label > 0:
			label = 0
		default:
			return false
		}
	}
	return label > 0
}

// cutPort cuts a host, with its brackets if it has them, from a port, which may
// be empty.
func cutPort(s string) (host, port string, ok bool) {
	end := strings.IndexByte(s, ':')
	if s != "" && s[0] == '[' {
		end = strings.IndexByte(s, ']') + 1
		if end == 0 {
			return "", "", false
		}
	}
	switch {
	case end < 0 || end == len(s):
		return s, "", s != ""
	case s[end] != ':':
		return "", "", false
	}
	return s[:end], s[end+1:], true
}

// validPort accepts 1 to 65535 and, as RFC 3986 does, an empty port.
func validPort(s string) bool {
	if s == "" {
		return true
	}
	if len(s) > 5 || s[0] == '0' || !all(s, classDigit) {
		return false
	}
	n, _ := ParseLength(s)
	return n <= 65535
}
