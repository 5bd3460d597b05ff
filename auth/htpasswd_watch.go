package auth

import (
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookEvery is how often a file is looked at. A change counts once it has been
// seen twice, so that a file which is being written is not read in part.
const lookEvery = 300 * time.Millisecond

// watch reads a file again when it changes.
type watch struct {
	file   string
	reload func() error
	logger *slog.Logger

	loaded fileState // that was read last
	failed fileState // that could not be read, and that was said
	end    chan struct{}
	done   sync.WaitGroup
	once   sync.Once
}

func (w *watch) start() {
	w.end = make(chan struct{})
	w.done.Go(func() {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		last := w.loaded
		for {
			select {
			case <-w.end:
				return
			case <-ticker.C:
				last = w.look(last)
			}
		}
	})
}

func (w *watch) stop() {
	w.once.Do(func() { close(w.end) })
	w.done.Wait()
}

// look reads the file if it has changed since it was read, and not since last.
func (w *watch) look(last fileState) (now fileState) {
	now = stateOf(w.file)
	if !now.same(last) || now.same(w.loaded) || now.same(w.failed) {
		return now
	}
	if err := w.reload(); err != nil {
		w.failed = now
		w.logger.Error("users not replaced, the old ones stay", "file", w.file, "error", err)
		return now
	}
	w.loaded, w.failed = now, fileState{}
	w.logger.Info("users replaced", "file", w.file)
	return now
}

// fileState tells one version of a file from another.
type fileState struct {
	known bool
	info  os.FileInfo // nil: there is none
}

func stateOf(file string) fileState {
	info, err := os.Stat(file)
	if err != nil {
		return fileState{known: true}
	}
	return fileState{true, info}
}

func (s fileState) same(t fileState) bool {
	if s.known != t.known || (s.info == nil) != (t.info == nil) {
		return false
	}
	return s.info == nil || os.SameFile(s.info, t.info) && s.info.Size() == t.info.Size() && s.info.ModTime().Equal(t.info.ModTime())
}
