package shareddata

import (
	"io/fs"
	"syscall"
)

// openFlags keep an open from waiting, whatever has taken the file's place
// since it was looked at.
const openFlags = syscall.O_RDONLY | syscall.O_NONBLOCK

// inode gives what tells a file from another of the same name, size and time.
// The time of the last change of the inode can not be set back.
func inode(info fs.FileInfo) (dev, ino uint64, changed int64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), uint64(st.Ino), st.Ctim.Nano()
	}
	return 0, 0, 0
}

// localName reports whether name may be used on this system.
func localName(string) bool { return true }
