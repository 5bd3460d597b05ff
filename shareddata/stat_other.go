//go:build !unix

package shareddata

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const openFlags = os.O_RDONLY

func inode(fs.FileInfo) (dev, ino uint64, changed int64) { return 0, 0, 0 }

// localName refuses device names, and the spellings that Windows takes for
// another name: streams, short names, dots and blanks at the end.
func localName(name string) bool {
	if name == "." {
		return true
	}
	if _, err := filepath.Localize(name); err != nil || strings.ContainsAny(name, ":~") {
		return false
	}
	for segment := range strings.SplitSeq(name, "/") {
		if strings.HasSuffix(segment, ".") || strings.HasSuffix(segment, " ") {
			return false
		}
	}
	return true
}
