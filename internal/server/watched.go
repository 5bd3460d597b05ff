package server

import (
	"log/slog"
	"os"
)

// watched is a value read from files that may change. It is changed whole or
// not at all.
type watched[T any] struct {
	what  string
	files []string
	load  func() (*T, error)
	keep  func(old, next *T) error // why old should stay; may be nil

	value            *T
	loaded           state // of the files that value came from
	failed, reported state // that could not be loaded, and that was said
}

// first reads the value for the first time.
func (w *watched[T]) first() error {
	w.loaded = stateOf(w.files)
	value, err := w.load()
	w.value = value
	return err
}

// refresh reads the value again if the files have changed. Files are often
// replaced one after the other, so a failure is worth a line only when the
// same files still fail at the next look.
func (w *watched[T]) refresh(log *slog.Logger) bool {
	now := stateOf(w.files)
	if now.equal(w.loaded) || now.equal(w.reported) {
		return false
	}
	next, err := w.load()
	if err == nil && w.keep != nil {
		err = w.keep(w.value, next)
	}
	if err == nil {
		w.value, w.loaded = next, now
		log.Info(w.what+" replaced", "file", w.files[0])
		return true
	}
	if now.equal(w.failed) {
		log.Error(w.what+" not replaced, the old one stays", "file", w.files[0], "error", err)
		w.reported = now
	}
	w.failed = now
	return false
}

// state tells one version of some files from another.
type state []os.FileInfo

func stateOf(files []string) state {
	s := make(state, len(files))
	for i, name := range files {
		s[i], _ = os.Stat(name)
	}
	return s
}

func (s state) equal(t state) bool {
	if len(s) != len(t) {
		return false
	}
	for i, a := range s {
		b := t[i]
		if a == nil || b == nil {
			if a != b {
				return false
			}
			continue
		}
		if !os.SameFile(a, b) || a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()) {
			return false
		}
	}
	return true
}
