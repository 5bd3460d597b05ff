package assemble

import (
	"net/http"

	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/internal/mountfile"
)

// replaceBroken puts what runs now, or else a 503 answer, in the place of the
// mounts of included files with mistakes, and of those elsewhere that need
// them.
func (b *builder) replaceBroken(top []placed, broken map[string]bool) []placed {
	var out []placed
	have := map[string]bool{}
	for _, t := range top {
		if t.harmed || broken[t.info.Pos.File] {
			t = b.standIn(t.mount.Pattern, t.info.Pos)
		}
		have[t.mount.Pattern] = true
		out = append(out, t)
	}
	for _, in := range b.Table.Included {
		if !broken[in.Path] {
			continue
		}
		// What could not be read of the file, but runs, stays as well.
		for _, t := range b.running(in.Path) {
			if !have[t.mount.Pattern] {
				have[t.mount.Pattern] = true
				out = append(out, b.keep(t))
			}
		}
		for _, pattern := range in.Prefixes {
			if !have[pattern] && !reservedPattern(pattern) {
				have[pattern] = true
				out = append(out, b.standIn(pattern, mountfile.Pos{File: in.Path}))
			}
		}
	}
	return out
}

// running gives the mounts of the running site that stand in a file.
func (b *builder) running(file string) []placed {
	if b.Previous == nil {
		return nil
	}
	var out []placed
	for _, t := range b.Previous.top {
		if t.info.Pos.File == file {
			out = append(out, t)
		}
	}
	return out
}

// keep takes a mount of the running site over as it is.
func (b *builder) keep(t placed) placed {
	for _, key := range t.keys {
		b.build.Retain(key)
	}
	t.key, t.inside, t.harmed = nil, nil, false
	return t
}

// standIn gives the mount that runs now at the same place, or one that answers
// 503.
func (b *builder) standIn(pattern string, pos mountfile.Pos) placed {
	for _, t := range b.running(pos.File) {
		if t.mount.Pattern == pattern {
			return b.keep(t)
		}
	}
	var keys []string
	b.build.Used = func(key string) { keys = append(keys, key) }
	handler := b.chain(nil, b.global).Then(http.HandlerFunc(unavailable))
	b.build.Used = nil
	return placed{
		mount: dispatcher.Mount{Pattern: pattern, Name: pattern, Handler: handler},
		info:  &Mount{Name: pattern, Pattern: pattern, Kind: "unavailable", Target: "mistakes in " + pos.File, Pos: pos},
		keys:  keys,
	}
}
