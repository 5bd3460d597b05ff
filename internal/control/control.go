// Package control lets a person at the same machine talk to the program that
// runs a table, over a private unix socket.
//
// [Places] finds where the socket of a table is. A program that runs one calls
// [Listen]; whoever wants something of it calls [Dial]. What is spoken is HTTP;
// the answers are the caller's.
//
// # Who gets in
//
// The socket has mode 0600. Directories that this package makes have mode
// 0700, and one that belongs to somebody else is not used. On Linux the kernel
// is asked who has connected besides: anybody but the same user and root is
// turned away.
package control

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// maxSocketPath is what fits into sockaddr_un on every system.
const maxSocketPath = 103

// Places says where sockets are when nobody says otherwise. Its fields are
// those of this process in [OwnPlaces].
type Places struct {
	RuntimeDir string // XDG_RUNTIME_DIR; may be empty
	TempDir    string
	UID        int
}

// OwnPlaces gives those of this process.
func OwnPlaces(env func(string) (string, bool)) Places {
	p := Places{TempDir: os.TempDir(), UID: os.Geteuid()}
	if dir, ok := env("XDG_RUNTIME_DIR"); ok && filepath.IsAbs(dir) {
		p.RuntimeDir = dir
	}
	return p
}

// systemDir is root's.
const systemDir = "/run"

// dirs gives the directories for sockets of a user, best first.
func (p Places) dirs() []string {
	var dirs []string
	if p.RuntimeDir != "" {
		dirs = append(dirs, filepath.Join(p.RuntimeDir, "mountd"))
	}
	if p.UID == 0 {
		dirs = append(dirs, filepath.Join(systemDir, "mountd"))
	}
	return append(dirs, filepath.Join(p.TempDir, "mountd-"+strconv.Itoa(p.UID)))
}

// Socket gives the path for the socket of a table, in a directory that exists
// then and is private. Its error says why there is none.
func (p Places) Socket(table string) (string, error) {
	var errs []error
	for _, dir := range p.dirs() {
		path := filepath.Join(dir, nameOf(table))
		err := checkPath(path)
		if err == nil {
			err = p.private(dir)
		}
		if err == nil {
			return path, nil
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// private makes the directory, or checks that nobody else can write to it.
func (p Places) private(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	uid, ok := owner(info)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case ok && uid != p.UID:
		return fmt.Errorf("%s belongs to another user", dir)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s is open to others (chmod 0700 %[1]s)", dir)
	}
	return nil
}

// Find gives the paths where the socket of a table may be, for whoever looks
// for it: those of this user, and for root those of all users.
func (p Places) Find(table string) []string {
	dirs := p.dirs()
	if p.UID == 0 {
		for _, pattern := range []string{filepath.Join(systemDir, "user", "*", "mountd"), filepath.Join(p.TempDir, "mountd-*")} {
			more, _ := filepath.Glob(pattern) // of a pattern that is fine
			dirs = append(dirs, more...)
		}
	} else {
		dirs = append(dirs, filepath.Join(systemDir, "user", strconv.Itoa(p.UID), "mountd"))
	}
	tables := []string{table}
	if real, err := filepath.EvalSymlinks(table); err == nil && real != table {
		tables = append(tables, real)
	}
	var paths []string
	seen := map[string]bool{}
	for _, t := range tables {
		for _, dir := range dirs {
			path := filepath.Join(dir, nameOf(t))
			if !seen[path] && p.trusts(dir) && isSocket(path) {
				paths = append(paths, path)
			}
			seen[path] = true
		}
	}
	return paths
}

// trusts reports whether a directory is this user's or root's: in a directory
// that everybody can write to, somebody could wait for what we say. Root looks
// at all.
func (p Places) trusts(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	uid, ok := owner(info)
	return !ok || uid == p.UID || uid == 0 || p.UID == 0
}

func isSocket(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().Type() == os.ModeSocket
}

// nameOf names the socket of a table by the table's absolute path.
func nameOf(table string) string {
	sum := sha256.Sum256([]byte(table))
	return hex.EncodeToString(sum[:8]) + ".sock"
}

// Check tells why there can be no socket at path: it is too long, its directory
// is not there, or some other file is.
func Check(path string) error {
	if err := checkPath(path); err != nil {
		return err
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err == nil && !dir.IsDir() {
		err = fmt.Errorf("%s is not a directory", filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s is there and is no socket (choose another path)", path)
	}
	return nil
}

func checkPath(path string) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("the path %s is longer than the %d bytes that a socket's may have", path, maxSocketPath)
	}
	return nil
}

// owner gives whose file it is, where the system tells.
func owner(info os.FileInfo) (uid int, ok bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(s.Uid), true
}
