//go:build unix

package shareddata_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mountd/mountd/shareddata"
)

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	root := tree(t, map[string]string{"f": "x"})
	if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "f.gz"), 0o644); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(root, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	// Root may make a node of /dev/zero, other users have none to serve.
	syscall.Mknod(filepath.Join(root, "zero"), syscall.S_IFCHR|0o644, 1<<8|5)

	for _, mode := range []shareddata.Symlinks{shareddata.SymlinksInside, shareddata.SymlinksNone} {
		h := handler(t, shareddata.Config{Exports: dir(root), Browse: true, Symlinks: mode})
		start := time.Now()
		for _, name := range []string{"/fifo", "/socket", "/zero"} {
			if w := get(h, name); w.Code != 404 {
				t.Errorf("%s: %d", name, w.Code)
			}
		}
		if w := get(h, "/f", "Accept-Encoding: gzip"); w.Body.String() != "x" {
			t.Errorf("a FIFO beside a file: %d %q", w.Code, w.Body)
		}
		if list := get(h, "/").Body.String(); strings.Contains(list, "fifo") || strings.Contains(list, "socket") {
			t.Error("special files are listed")
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
	}
}

func TestARootThatBecomesAFIFODoesNotBlock(t *testing.T) {
	root := tree(t, map[string]string{"d/f": "x"})
	d := filepath.Join(root, "d")
	h := handler(t, shareddata.Config{Exports: dir(d), Recheck: always})
	if err := os.Rename(d, d+".old"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(d, 0o644); err != nil {
		t.Fatal(err)
	}
	if w := get(h, "/f"); w.Body.String() != "x" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestUnreadableFilesAreForbidden(t *testing.T) {
	if os.Getuid() == 0 {
		// Permissions do not hold root back; static-134 has the same through a
		// file system that refuses.
		return
	}
	root := tree(t, map[string]string{"f": "x", "d/f": "x"})
	os.Chmod(filepath.Join(root, "f"), 0)
	os.Chmod(filepath.Join(root, "d"), 0)
	t.Cleanup(func() { os.Chmod(filepath.Join(root, "d"), 0o755) })
	h := handler(t, shareddata.Config{Exports: dir(root)})
	for _, name := range []string{"/f", "/d/f"} {
		if w := get(h, name); w.Code != 403 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}
