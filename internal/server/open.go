package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// open starts to listen on one address.
func open(a Address, passed []*inherited) (net.Listener, error) {
	ln, err := openSocket(a, passed)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", a, explained(a, err))
	}
	return ln, nil
}

func openSocket(a Address, passed []*inherited) (net.Listener, error) {
	if a.Network == "fd" {
		file, err := byName(passed, a.Address)
		if err != nil {
			return nil, err
		}
		ln, err := net.FileListener(file)
		if err != nil {
			return nil, fmt.Errorf("not a listening socket: %w", err)
		}
		keepFile(ln)
		return ln, nil
	}
	if ln := byAddress(passed, a); ln != nil {
		keepFile(ln)
		return ln, nil
	}
	if a.Network == "unix" {
		return openUnix(a)
	}
	return net.Listen("tcp", a.Address)
}

// openUnix makes the socket file. A file that a dead process left behind is
// removed first, anything else at its place is not ours to touch.
func openUnix(a Address) (net.Listener, error) {
	uid, gid, err := owner(a.Owner)
	if err != nil {
		return nil, err
	}
	ln, err := listenUnix(a)
	if errors.Is(err, syscall.EADDRINUSE) && removeStale(a.Address) {
		ln, err = listenUnix(a)
	}
	if err != nil {
		return nil, err
	}
	keepFile(ln)
	if strings.HasPrefix(a.Address, "@") {
		return ln, nil
	}
	if err := dress(a, uid, gid); err != nil {
		_ = ln.Close()
		_ = os.Remove(a.Address)
		return nil, err
	}
	return ln, nil
}

// dress gives the socket file its owner, and only then its mode: nobody can
// connect in between who may not do so afterwards.
func dress(a Address, uid, gid int) error {
	if uid >= 0 || gid >= 0 {
		if err := os.Lchown(a.Address, uid, gid); err != nil {
			return err
		}
	}
	if a.Mode != 0 {
		return os.Chmod(a.Address, a.Mode.Perm())
	}
	return nil
}

// listenUnix binds with the wanted mode: where fchmod works on a fresh
// socket, Linux gives its mode to the file, so that there is no moment in
// which the umask alone decides who may connect.
func listenUnix(a Address) (net.Listener, error) {
	var lc net.ListenConfig
	if a.Mode != 0 {
		lc.Control = func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), uint32(a.Mode.Perm())) })
		}
	}
	return lc.Listen(context.Background(), "unix", a.Address)
}

// removeStale removes a socket on which nobody listens any more.
func removeStale(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close()
		return false
	}
	return errors.Is(err, syscall.ECONNREFUSED) && os.Remove(path) == nil
}

// owner reads "user", "user:group" and ":group", names or numbers; -1 leaves
// things as they are.
func owner(s string) (uid, gid int, err error) {
	uid, gid = -1, -1
	name, group, _ := strings.Cut(s, ":")
	if name != "" {
		if uid, err = strconv.Atoi(name); err != nil {
			u, err := user.Lookup(name)
			if err != nil {
				return 0, 0, fmt.Errorf("owner %q: %w", s, err)
			}
			uid, _ = strconv.Atoi(u.Uid)
		}
	}
	if group != "" {
		if gid, err = strconv.Atoi(group); err != nil {
			g, err := user.LookupGroup(group)
			if err != nil {
				return 0, 0, fmt.Errorf("owner %q: %w", s, err)
			}
			gid, _ = strconv.Atoi(g.Gid)
		}
	}
	return uid, gid, nil
}

// explained adds what an operator can do about the common failures.
func explained(a Address, err error) error {
	var hint string
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && a.Network == "unix":
		hint = "something is at that path already: another program that answers there, or a file that is not a socket"
	case errors.Is(err, syscall.EADDRINUSE):
		_, port, _ := net.SplitHostPort(a.Address)
		hint = fmt.Sprintf("another program has that port (ss -ltnp 'sport = :%s' names it), or choose another one", port)
	case errors.Is(err, syscall.EACCES) && a.Network == "tcp":
		hint = "ports below 1024 need root or: setcap cap_net_bind_service=+ep on the mountd binary"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.ENOENT):
		hint = "the socket's directory must exist and be writable"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "no interface of this machine has that address"
	default:
		return err
	}
	return &listenError{err: err, hint: hint}
}

// listenError says the plain reason first and then the advice.
type listenError struct {
	err  error
	hint string
}

func (e *listenError) Error() string {
	text := e.err.Error()
	var errno syscall.Errno
	if errors.As(e.err, &errno) {
		text = errno.Error()
	}
	return text + ": " + e.hint
}

func (e *listenError) Unwrap() error { return e.err }
