package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Address is one place to listen on. [ParseAddress] makes one of its written
// form.
type Address struct {
	// Network is "tcp", "unix" or "fd".
	Network string

	// Address is "host:port" for tcp, with an empty host for all interfaces
	// and port 0 for one the system chooses; a path for unix, where a leading
	// @ names an abstract socket; the name or the number of an inherited
	// descriptor for fd.
	Address string

	// Mode and Owner ("user", "user:group", ":group") are given to a unix
	// socket. A zero Mode leaves what the umask allows.
	Mode  fs.FileMode
	Owner string

	// Plain listens without TLS even if the server has certificates.
	Plain bool
}

// ParseAddress reads "host:port", ":port", "http://host:port" (never TLS),
// "unix:/path" and "fd:name". Its errors say what to write instead.
func ParseAddress(s string) (Address, error) {
	switch {
	case s == "":
		return Address{}, errors.New(`empty address, write "127.0.0.1:8080"`)
	case strings.HasPrefix(s, "unix:"):
		return parseUnix(s)
	case strings.HasPrefix(s, "fd:"):
		return parseFD(s)
	case strings.HasPrefix(s, "http://"):
		return parsePlain(s)
	case strings.HasPrefix(s, "https://"):
		host := strings.TrimSuffix(strings.TrimPrefix(s, "https://"), "/")
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), "443")
		}
		return Address{}, fmt.Errorf("address %q: write %q and a tls section", s, host)
	case strings.Contains(s, "/"):
		return Address{}, fmt.Errorf("address %q is neither host and port nor a socket, write %q for a socket", s, "unix:"+s)
	}
	return parseTCP(s)
}

func parseUnix(s string) (Address, error) {
	path := strings.TrimPrefix(s, "unix:")
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		return Address{}, fmt.Errorf("address %q: write %q", s, "unix:/"+strings.TrimLeft(rest, "/"))
	}
	a := Address{Network: "unix", Address: path}
	return a, a.check()
}

func parseFD(s string) (Address, error) {
	a := Address{Network: "fd", Address: strings.TrimPrefix(s, "fd:")}
	return a, a.check()
}

func parsePlain(s string) (Address, error) {
	host := strings.TrimSuffix(strings.TrimPrefix(s, "http://"), "/")
	if strings.ContainsAny(host, "/?#@") {
		return Address{}, fmt.Errorf("address %q: only a host and a port can follow http://", s)
	}
	if host != "" && !strings.Contains(host[strings.LastIndexByte(host, ']')+1:], ":") {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "80")
	}
	a, err := parseTCP(host)
	if err != nil {
		return Address{}, fmt.Errorf("address %q: %w", s, err)
	}
	a.Plain = true
	return a, nil
}

func parseTCP(s string) (Address, error) {
	if _, err := strconv.ParseUint(s, 10, 16); err == nil {
		return Address{}, fmt.Errorf("address %q is only a port, write %q or %q", s, "127.0.0.1:"+s, ":"+s)
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		return Address{}, fmt.Errorf("address %q has no port, write %q", s, net.JoinHostPort(ip.String(), "8080"))
	}
	a := Address{Network: "tcp", Address: s}
	return a, a.check()
}

// check says what is wrong with an address however it was made.
func (a Address) check() error {
	switch a.Network {
	case "tcp":
		return checkTCP(a.Address)
	case "unix":
		if a.Address == "" || a.Address == "@" {
			return errors.New(`a unix socket needs a path, write "unix:/run/mountd.sock"`)
		}
		if strings.IndexByte(a.Address, 0) >= 0 || len(a.Address) > maxSocketPath {
			return fmt.Errorf("socket path %q: at most %d bytes and no NUL", a.Address, maxSocketPath)
		}
	case "fd":
		if a.Address == "" || strings.ContainsAny(a.Address, ":/") {
			return fmt.Errorf(`descriptor %q: write "fd:" and the FileDescriptorName of the socket unit, or a number from 3`, a.Address)
		}
	default:
		return fmt.Errorf("network %q, want tcp, unix or fd", a.Network)
	}
	return nil
}

// maxSocketPath is what fits into sockaddr_un on every system.
const maxSocketPath = 103

func checkTCP(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		if strings.Count(s, ":") > 1 {
			return fmt.Errorf(`address %q: write IPv6 addresses in brackets, "[::1]:8080"`, s)
		}
		return fmt.Errorf("address %q has no port, write %q", s, s+":8080")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("address %q: port %q is not a number from 0 to 65535", s, port)
	}
	if strings.ContainsAny(host, " \t/?#@*\\") {
		return fmt.Errorf("address %q: %q is not a host, write an address of this machine or leave it empty for all of them", s, host)
	}
	return nil
}

// String is the written form.
func (a Address) String() string {
	switch {
	case a.Network != "tcp":
		return a.Network + ":" + a.Address
	case a.Plain:
		return "http://" + a.Address
	}
	return a.Address
}

// same reports whether both are the same port, however it is spoken.
func (a Address) same(b Address) bool {
	return a.Network == b.Network && a.Address == b.Address
}
