package server

import (
	"net"

	"golang.org/x/sys/unix"
)

// maxUnsent is how much of an answer the kernel takes from us before it can
// send it. What waits beyond that is only memory that has left the caches by
// the time it is sent; how much is under way is not limited by it.
const maxUnsent = 128 << 10

// limitUnsent sets the limit for a TCP connection.
func limitUnsent(c net.Conn) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
	})
}
