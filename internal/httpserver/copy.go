package httpserver

import (
	"io"
	"io/fs"
	"net"
	"sync"
	"syscall"
)

type copyBuffer [32 << 10]byte

var copyBuffers = sync.Pool{New: func() any { return new(copyBuffer) }}

// fromSystem reports whether the kernel can send src by itself.
func fromSystem(src io.Reader) bool {
	if l, ok := src.(*io.LimitedReader); ok {
		src = l.R
	}
	switch src.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	case interface { // *os.File, and what [io.Copy] makes of it
		fs.File
		io.Seeker
		syscall.Conn
	}:
		return true
	}
	return false
}
