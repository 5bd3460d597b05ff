//go:build unix

package accesslog_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mountd/mountd/middleware/accesslog"
)

func TestPipeThatNobodyReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := accesslog.NewSink(accesslog.SinkConfig{Path: path}); err == nil {
		t.Fatal("a pipe without a reader was opened")
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	s := newSink(t, accesslog.SinkConfig{Path: path, Buffer: 64 << 10})
	long := strings.Repeat("x", 1023) + "\n"
	for range 4096 {
		_, _ = io.WriteString(s, long)
	}
	start := time.Now()
	_ = s.Close()
	if d := time.Since(start); d > 4*time.Second || s.Dropped() == 0 {
		t.Errorf("closed after %v, %d dropped", d, s.Dropped())
	}
}
