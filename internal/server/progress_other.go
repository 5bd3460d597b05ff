//go:build !linux

package server

import "net"

func progress(*conn) (taken uint64, pending, ok bool) { return 0, false, false }

func unused(*conn) bool { return false }

func (l *loop) paced(c net.Conn) net.Conn { return pace(c, l.write) }
