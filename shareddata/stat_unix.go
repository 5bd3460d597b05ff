//go:build unix && !linux

package shareddata

import (
	"io/fs"
	"syscall"
)

const openFlags = syscall.O_RDONLY | syscall.O_NONBLOCK

func inode(info fs.FileInfo) (dev, ino uint64, changed int64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), uint64(st.Ino), 0
	}
	return 0, 0, 0
}

func localName(string) bool { return true }
