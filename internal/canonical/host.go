package canonical

import (
	"net/http"
	"net/netip"
	"strings"
)

// HostError says why a host is refused. It is answered with status 400.
type HostError struct {
	Reason string
}

func (e *HostError) Error() string { return "bad host: " + e.Reason }

// HTTPStatus gives 400.
func (e *HostError) HTTPStatus() int { return http.StatusBadRequest }

// ClientMessage gives the reason.
func (e *HostError) ClientMessage() string { return "The host of the request " + e.Reason + "." }

// The reasons to refuse a host.
var (
	ErrHostEmpty = &HostError{"is missing"}
	ErrHostByte  = &HostError{"holds a byte that no host name has"}
	ErrHostLabel = &HostError{"has an empty or too long label"}
	ErrHostIP    = &HostError{"is no IPv6 address"}
	ErrHostPort  = &HostError{"has no valid port"}
)

// Host splits what a Host header holds into a host and a port (empty: none).
// The host is in lower case, without a trailing dot; an IPv6 address keeps its
// brackets. A host in lower case costs no allocation.
func Host(hostport string) (host, port string, err error) {
	if strings.HasPrefix(hostport, "[") {
		return hostIPv6(hostport)
	}
	host = hostport
	if i := strings.IndexByte(hostport, ':'); i >= 0 {
		host, port = hostport[:i], hostport[i+1:]
		if !validPort(port) {
			return "", "", ErrHostPort
		}
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" {
		return "", "", ErrHostEmpty
	}
	upper, err := checkName(host)
	if err != nil {
		return "", "", err
	}
	if upper {
		host = strings.ToLower(host)
	}
	return host, port, nil
}

// hostClass tells the bytes of host names: 0 none, 1 any, 2 upper case, 3 dot.
var hostClass = func() (t [256]uint8) {
	for c := range t {
		switch b := byte(c); {
		case 'a' <= b && b <= 'z', '0' <= b && b <= '9', b == '-', b == '_':
			t[c] = 1
		case 'A' <= b && b <= 'Z':
			t[c] = 2
		case b == '.':
			t[c] = 3
		}
	}
	return t
}()

func checkName(host string) (upper bool, err error) {
	if len(host) > 253 {
		return false, ErrHostLabel
	}
	start := 0 // of the label
	for i := 0; i < len(host); i++ {
		switch hostClass[host[i]] {
		case 0:
			return false, ErrHostByte
		case 2:
			upper = true
		case 3:
			if i == start || i-start > 63 {
				return false, ErrHostLabel
			}
			start = i + 1
		}
	}
	if n := len(host) - start; n == 0 || n > 63 {
		return false, ErrHostLabel
	}
	return upper, nil
}

func hostIPv6(hostport string) (host, port string, err error) {
	end := strings.IndexByte(hostport, ']')
	if end < 0 {
		return "", "", ErrHostIP
	}
	addr, err := netip.ParseAddr(hostport[1:end])
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", "", ErrHostIP
	}
	if rest := hostport[end+1:]; rest != "" {
		if rest[0] != ':' || !validPort(rest[1:]) {
			return "", "", ErrHostPort
		}
		port = rest[1:]
	}
	return strings.ToLower(hostport[:end+1]), port, nil
}

// validPort accepts 1 to 65535 and, as RFC 3986 does, an empty port.
func validPort(s string) bool {
	if s == "" {
		return true
	}
	if len(s) > 5 || s[0] == '0' {
		return false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n <= 65535
}
