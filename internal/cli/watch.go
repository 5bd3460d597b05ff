package cli

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// Files are looked at this often, and must stay the same this many times
// before a change counts: an editor that truncates and then writes is not read
// half way. Looking works on every file system, and through the symbolic links
// that a ConfigMap swaps.
const (
	watchEvery  = 300 * time.Millisecond
	watchSettle = 2
)

// stamp is what tells one version of a file from another.
type stamp struct {
	size    int64
	changed time.Time
	target  string
}

func stamps(files []string) map[string]stamp {
	all := make(map[string]stamp, len(files))
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			all[name] = stamp{size: -1}
			continue
		}
		target, _ := filepath.EvalSymlinks(name)
		all[name] = stamp{info.Size(), info.ModTime(), target}
	}
	return all
}

func equalStamps(a, b map[string]stamp) bool {
	if len(a) != len(b) {
		return false
	}
	for name, s := range a {
		if o, ok := b[name]; !ok || o.size != s.size || o.target != s.target || !o.changed.Equal(s.changed) {
			return false
		}
	}
	return true
}

// watch calls changed whenever the files that list names have come to another
// state and stayed so for a moment.
func watch(ctx context.Context, list func() []string, changed func()) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	known := stamps(list())
	last, same := known, 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := stamps(list())
		if !equalStamps(now, last) {
			last, same = now, 0
			continue
		}
		same++
		if same == watchSettle && !equalStamps(now, known) {
			known = now
			changed()
			known = stamps(list())
			last, same = known, 0
		}
	}
}
