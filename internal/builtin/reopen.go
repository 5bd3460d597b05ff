package builtin

import (
	"errors"
	"path/filepath"
	"sync"
)

// Reopener knows the log files that are open, so that a signal can have them
// opened anew after they were moved away.
type Reopener struct {
	mu    sync.Mutex
	files map[int]func() error
	next  int
}

// Reopen opens every log file anew.
func (r *Reopener) Reopen() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, reopen := range r.files {
		errs = append(errs, reopen())
	}
	return errors.Join(errs...)
}

func (r *Reopener) add(reopen func() error) (forget func()) {
	if r == nil {
		return func() {}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		r.files = map[int]func() error{}
	}
	id := r.next
	r.next++
	r.files[id] = reopen
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.files, id)
	}
}

func inDir(dir, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
