package assemble

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/internal/mountfile"
)

// placed is a mount of a table with its place, the mounts of the table inside
// it, and, in the outermost table, what it keeps alive.
type placed struct {
	mount  dispatcher.Mount
	info   *Mount
	key    *mountfile.Node // nil: it stands for a mount that has mistakes
	inside []placed
	keys   []string

	// harmed says that the mount needs what an included file with mistakes
	// defines.
	harmed bool
}

// mounts assembles every mount of the table.
func (b *builder) mounts(site *Site) {
	for _, e := range b.Table.Mounts {
		var keys []string
		b.build.Used = func(key string) { keys = append(keys, key) }
		before := len(b.errs)
		t, ok := b.mount(around{}, e)
		b.build.Used = nil
		if !ok {
			continue
		}
		t.keys, t.harmed = keys, b.harm(before, e.Key.Pos().File)
		site.top = append(site.top, t)
	}
}

// harm reports whether mistakes of other files, which are included, keep the
// mount from being what it was meant to be. Left out, a layer could be the one
// that guards it.
func (b *builder) harm(before int, file string) bool {
	return slices.ContainsFunc(b.errs[before:], func(e *mountfile.Error) bool {
		return !e.Warning && e.Pos.File != file && b.included(e.Pos.File)
	})
}

// table assembles a table of mounts inside a mount.
func (b *builder) table(in around, value *mountfile.Node, info *Mount) (http.Handler, []placed) {
	if value.Kind() != mountfile.Map {
		b.report(value.Errorf("mounts is a mapping from patterns to applications").WithHint("write {/: ./public, /api: http://127.0.0.1:9000}"))
		return http.HandlerFunc(unavailable), nil
	}
	var all []placed
	for _, e := range value.Entries() {
		if t, ok := b.mount(in, e); ok {
			all = append(all, t)
			info.Mounts = append(info.Mounts, t.info)
		}
	}
	info.Target = mountCount(len(info.Mounts))
	d, all := b.dispatch(all)
	return d.Wrap(notFound), all
}

func mountCount(mounts int) string {
	if mounts == 1 {
		return "1 mount"
	}
	return fmt.Sprintf("%d mounts", mounts)
}

// dispatch makes the dispatcher of a table, and reports patterns that are
// wrong, taken, or out of reach. It gives the mounts without those.
func (b *builder) dispatch(all []placed) (*dispatcher.Dispatcher, []placed) {
	mounts := make([]dispatcher.Mount, len(all))
	for i, t := range all {
		mounts[i] = t.mount
	}
	d, err := dispatcher.New(dispatcher.Config{Mounts: mounts})
	if err == nil {
		for i := range all {
			b.reachable(d, all, i, all[i].inside, "")
		}
		return d, all
	}
	bad := map[int]bool{}
	for _, e := range dispatcher.PatternErrors(err) {
		bad[e.Index] = true
		b.reportPattern(all[e.Index].key, e, all)
	}
	var kept []placed
	for i, t := range all {
		if !bad[i] {
			kept = append(kept, t)
		}
	}
	return b.dispatch(kept)
}

// reachable reports the mounts inside mount i that no request gets to. Those
// in tables further in are below pattern.
func (b *builder) reachable(d *dispatcher.Dispatcher, all []placed, i int, inside []placed, pattern string) {
	for _, t := range inside {
		m := t.mount
		m.Pattern = joinPatterns(pattern, m.Pattern)
		errs := dispatcher.PatternErrors(d.Below(i, m))
		for _, e := range errs {
			b.reportPattern(t.key, e, all)
		}
		if len(errs) == 0 {
			b.reachable(d, all, i, t.inside, m.Pattern)
		}
	}
}

// reportPattern reports what is wrong with the pattern at key, and where the
// mount is that is in its way.
func (b *builder) reportPattern(key *mountfile.Node, e *dispatcher.PatternError, all []placed) {
	switch {
	case key == nil: // it stands for one whose file has been reported
	case e.Other >= 0 && all[e.Other].key != nil:
		message, hint := splitHint(e.Message)
		b.report(key.Errorf("%s, at %s", message, all[e.Other].key.Pos()).WithHint(hint))
	default:
		message, hint := splitHint(e.Message)
		b.report(key.Errorf("%s", message).WithHint(hint))
	}
}

// splitHint takes the parenthesis at the end of a message for its hint.
func splitHint(message string) (text, hint string) {
	if i := strings.LastIndex(message, " ("); i > 0 && strings.HasSuffix(message, ")") {
		return message[:i], message[i+2 : len(message)-1]
	}
	return message, ""
}
