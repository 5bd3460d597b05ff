package server

import (
	"net"

	"golang.org/x/sys/unix"
)

// progress asks the kernel how much the client has acknowledged so far, and
// whether something waits to be acknowledged. It is ok for TCP only; other
// connections are paced.
func progress(k *conn) (taken uint64, pending, ok bool) {
	info := tcpInfo(k)
	if info == nil {
		return 0, false, false
	}
	return info.Bytes_acked, info.Unacked > 0 || info.Notsent_bytes > 0, true
}

// unused reports that the client never sent a byte.
func unused(k *conn) bool {
	info := tcpInfo(k)
	return info != nil && info.Bytes_received == 0
}

func tcpInfo(k *conn) (info *unix.TCPInfo) {
	if _, ok := k.low.(*net.TCPConn); !ok {
		return nil
	}
	raw := k.rawConn()
	if raw == nil {
		return nil
	}
	_ = raw.Control(func(fd uintptr) {
		info, _ = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	return info
}

// paced leaves TCP as it is: the watch sees its progress.
func (l *loop) paced(c net.Conn) net.Conn {
	if _, ok := c.(*net.TCPConn); ok {
		return c
	}
	return pace(c, l.write)
}
