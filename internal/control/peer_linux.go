package control

import (
	"net"
	"os"
	"syscall"
)

// welcome reports whether a connection is this user's or root's.
func welcome(c *net.UnixConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var peer *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		peer, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err != nil || failed != nil {
		return false
	}
	return mayTalk(int(peer.Uid), os.Geteuid())
}

func mayTalk(peer, own int) bool { return peer == own || peer == 0 }
