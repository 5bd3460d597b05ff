package accesslog_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mountd/mountd/middleware/accesslog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newSink(t *testing.T, cfg accesslog.SinkConfig) *accesslog.Sink {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := accesslog.NewSink(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// slowWriter blocks in Write while its gate is closed.
type slowWriter struct {
	gate   chan struct{}
	mu     sync.Mutex
	b      bytes.Buffer
	writes int
}

func (w *slowWriter) Write(p []byte) (int, error) {
	if w.gate != nil {
		<-w.gate
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	return w.b.Write(p)
}

func (w *slowWriter) state() (string, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String(), w.writes
}

func TestFirstLineGoesAtOnceAndMoreTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &slowWriter{}
		s := newSink(t, accesslog.SinkConfig{Writer: out, Interval: time.Second})
		fmt.Fprintln(s, "first")
		synctest.Wait()
		if got, _ := out.state(); got != "first\n" {
			t.Errorf("%q", got)
		}
		for i := range 100 {
			fmt.Fprintln(s, i)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got, writes := out.state(); writes != 2 || strings.Count(got, "\n") != 101 {
			t.Errorf("%d writes of %d lines", writes, strings.Count(got, "\n"))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestStoppedReaderDoesNotHoldUpRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &slowWriter{gate: make(chan struct{})}
		s := newSink(t, accesslog.SinkConfig{Writer: out, Buffer: 100})
		start := time.Now()
		for range 1000 {
			if n, err := io.WriteString(s, "0123456789\n"); n != 11 || err != nil {
				t.Fatal(n, err)
			}
		}
		if d := time.Since(start); d > 0 {
			t.Errorf("waited %v", d)
		}
		close(out.gate)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		got, _ := out.state()
		if kept := uint64(strings.Count(got, "\n")); kept == 0 || kept+s.Dropped() != 1000 {
			t.Errorf("%d written, %d dropped", kept, s.Dropped())
		}
	})
}

func TestCloseGivesUpOnAStuckWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &slowWriter{gate: make(chan struct{})}
		s := newSink(t, accesslog.SinkConfig{Writer: out})
		fmt.Fprintln(s, "x")
		start := time.Now()
		if err := s.Close(); err == nil || time.Since(start) > 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if _, err := io.WriteString(s, "late\n"); !errors.Is(err, os.ErrClosed) || s.Dropped() != 1 {
			t.Errorf("%v, %d dropped", err, s.Dropped())
		}
		close(out.gate)
	})
}

func TestFullDiskIsToldOnceAMinute(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no /dev/full here")
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	synctest.Test(t, func(t *testing.T) {
		var told bytes.Buffer
		s := newSink(t, accesslog.SinkConfig{Writer: full, Logger: slog.New(slog.NewTextHandler(&told, nil))})
		for range 61 {
			fmt.Fprintln(s, "x")
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if got := strings.Count(told.String(), "\n"); got != 2 || s.Dropped() != 61 {
			t.Errorf("told %d times, %d dropped: %s", got, s.Dropped(), told.String())
		}
		_ = s.Close()
	})
}

// tornWriter fails once in the middle of a line.
type tornWriter struct {
	bytes.Buffer
	failed bool
}

func (w *tornWriter) Write(p []byte) (int, error) {
	if !w.failed {
		w.failed = true
		n, _ := w.Buffer.Write(p[:len(p)/2])
		return n, syscall.ENOSPC
	}
	return w.Buffer.Write(p)
}

func TestTornLineEndsBeforeTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &tornWriter{}
		s := newSink(t, accesslog.SinkConfig{Writer: out})
		fmt.Fprintln(s, "0123456789")
		time.Sleep(time.Second)
		fmt.Fprintln(s, "whole")
		_ = s.Close()
		if got := out.String(); got != "01234\nwhole\n" {
			t.Errorf("%q", got)
		}
	})
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	s := newSink(t, accesslog.SinkConfig{Path: path})
	fmt.Fprintln(s, "old")
	waitFor(t, path, "old\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(s, "new")
	waitFor(t, path, "new\n")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o027 != 0 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(); err == nil {
		t.Error("reopened in a directory that is gone")
	}
	if _, err := io.WriteString(s, "still served\n"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Reopen(); err == nil {
		t.Error("reopened after Close")
	}
}

func waitFor(t *testing.T, path, want string) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if got, err := os.ReadFile(path); err == nil && string(got) == want {
			return
		}
	}
	got, err := os.ReadFile(path)
	t.Fatalf("%s holds %q, %v", path, got, err)
}

func TestSinkFromManyGoroutines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s := newSink(t, accesslog.SinkConfig{Path: path})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 500 {
				_, _ = io.WriteString(s, "0123456789\n")
				if s.Dropped() > 0 {
					t.Error("dropped")
				}
			}
			_ = s.Reopen()
		})
	}
	group.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != strings.Repeat("0123456789\n", 4000) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestSinkConfigMistakes(t *testing.T) {
	for _, cfg := range []accesslog.SinkConfig{{}, {Path: "x", Writer: io.Discard}, {Path: t.TempDir()}} {
		if _, err := accesslog.NewSink(cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}

func BenchmarkSink(b *testing.B) {
	s, err := accesslog.NewSink(accesslog.SinkConfig{Writer: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	line := []byte(strings.Repeat("x", 300) + "\n")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = s.Write(line)
	}
}
