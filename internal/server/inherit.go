package server

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstInherited is the first descriptor that a service manager passes on.
const firstInherited = 3

// inherited is a listening socket that whoever started this process opened.
type inherited struct {
	file *os.File
	name string
	used bool
}

// inheritance reads LISTEN_FDS as sd_listen_fds(3) does, and clears it, since
// the programs that we start ourselves must not take it for theirs. A missing
// LISTEN_PID is taken for ours: an upgrade cannot know the number of its child.
func inheritance() []*inherited {
	pid, named := os.LookupEnv("LISTEN_PID")
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	if err != nil || n <= 0 || named && pid != strconv.Itoa(os.Getpid()) {
		return nil
	}
	for _, key := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(key)
	}
	var all []*inherited
	for i := range n {
		fd := firstInherited + i
		syscall.CloseOnExec(fd)
		in := &inherited{name: strconv.Itoa(fd)}
		if i < len(names) && names[i] != "" {
			in.name = names[i]
		}
		in.file = os.NewFile(uintptr(fd), "fd:"+in.name)
		all = append(all, in)
	}
	return all
}

// byName finds the descriptor of "fd:name" or "fd:3".
func byName(all []*inherited, name string) (*os.File, error) {
	for _, in := range all {
		if in.name == name || strconv.Itoa(int(in.file.Fd())) == name {
			in.used = true
			return in.file, nil
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no descriptors were passed on: start mountd from a socket unit that has FileDescriptorName=%s", name)
	}
	names := make([]string, len(all))
	for i, in := range all {
		names[i] = in.name
	}
	return nil, fmt.Errorf("no descriptor has that name; there are: %s", strings.Join(names, ", "))
}

// byAddress finds an inherited socket that already listens where a wants to:
// the one of the mountd that this one follows.
func byAddress(all []*inherited, a Address) net.Listener {
	for _, in := range all {
		if in.used {
			continue
		}
		ln, err := net.FileListener(in.file)
		if err != nil {
			continue
		}
		if listensOn(ln.Addr(), a) {
			in.used = true
			return ln
		}
		keepFile(ln)
		_ = ln.Close()
	}
	return nil
}

func listensOn(have net.Addr, want Address) bool {
	switch have := have.(type) {
	case *net.UnixAddr:
		return want.Network == "unix" && have.Name == want.Address
	case *net.TCPAddr:
		if want.Network != "tcp" || isPortZero(want) {
			return false
		}
		addr, err := net.ResolveTCPAddr("tcp", want.Address)
		return err == nil && addr.Port == have.Port &&
			(addr.IP.Equal(have.IP) || isAny(addr.IP) && isAny(have.IP))
	}
	return false
}

func isAny(ip net.IP) bool { return len(ip) == 0 || ip.IsUnspecified() }

func isPortZero(a Address) bool {
	return a.Network == "tcp" && strings.HasSuffix(a.Address, ":0")
}

// keepFile stops a unix listener from removing its socket when it closes; we
// do that ourselves, and only if it is still ours.
func keepFile(ln net.Listener) {
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
}

// handoverEnv is what inheritance reads in the next process.
func handoverEnv(names []string) []string {
	return []string{
		"LISTEN_FDS=" + strconv.Itoa(len(names)),
		"LISTEN_FDNAMES=" + strings.Join(names, ":"),
	}
}
