package terminal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// HandlerOptions say what a [Handler] shows. The zero value shows what is at
// least of level Info, without colours.
type HandlerOptions struct {
	Level   slog.Leveler
	Palette Palette

	// Replace changes attributes before they are shown, as in
	// [slog.HandlerOptions].
	Replace func(groups []string, a slog.Attr) slog.Attr
}

// Handler writes log records for people:
//
//	15:04:05.000 INFO   message                 key=value other="two words"
//
// A value of several lines, a stack, follows below, indented. Nothing in a
// record can reach the terminal as a control sequence. It is safe for
// concurrent use; each record is one Write.
type Handler struct {
	out    io.Writer
	mu     *sync.Mutex
	opts   HandlerOptions
	prefix string   // of keys, with its dot
	groups []string // the same, for Replace
	fixed  line     // of WithAttrs
}

// line is the part of a record behind its message.
type line struct {
	pairs  string // " key=value …"
	blocks string // values of several lines
}

// messageWidth is where attributes begin, if the message leaves room.
const messageWidth = 32

// NewHandler writes to w.
func NewHandler(w io.Writer, opts HandlerOptions) *Handler {
	if opts.Level == nil {
		opts.Level = slog.LevelInfo
	}
	return &Handler{out: w, mu: new(sync.Mutex), opts: opts}
}

// Enabled compares with the least level.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.opts.Level.Level()
}

// Handle writes one record.
func (h *Handler) Handle(_ context.Context, r slog.Record) error {
	p := h.opts.Palette
	var b strings.Builder
	if !r.Time.IsZero() {
		b.WriteString(p.Dim(r.Time.Format("15:04:05.000")) + " ")
	}
	b.WriteString(h.level(r.Level) + " ")
	message := Safe(r.Message)
	b.WriteString(message)
	rest := h.fixed
	r.Attrs(func(a slog.Attr) bool {
		h.add(&rest, h.prefix, h.groups, a)
		return true
	})
	if rest.pairs != "" {
		b.WriteString(strings.Repeat(" ", max(messageWidth-Cells(message), 0)))
		b.WriteString(rest.pairs)
	}
	b.WriteByte('\n')
	b.WriteString(rest.blocks)
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.out, b.String())
	return err
}

// WithAttrs writes attrs before those of each record.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	for _, a := range attrs {
		h.add(&next.fixed, h.prefix, h.groups, a)
	}
	return &next
}

// WithGroup puts name before the keys of all that follows.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.prefix += name + "."
	next.groups = append(h.groups[:len(h.groups):len(h.groups)], name)
	return &next
}

func (h *Handler) level(l slog.Level) string {
	name := fmt.Sprintf("%-6s", l)
	switch p := h.opts.Palette; {
	case l >= slog.LevelError:
		return p.Red(name)
	case l >= slog.LevelWarn:
		return p.Yellow(name)
	case l >= slog.LevelInfo:
		return p.Green(name)
	default:
		return p.Cyan(name)
	}
}

func (h *Handler) add(to *line, prefix string, groups []string, a slog.Attr) {
	a.Value = a.Value.Resolve()
	if h.opts.Replace != nil && a.Value.Kind() != slog.KindGroup {
		a = h.opts.Replace(groups, a)
		a.Value = a.Value.Resolve()
	}
	switch {
	case a.Equal(slog.Attr{}):
	case a.Value.Kind() == slog.KindGroup:
		if a.Key != "" {
			prefix += a.Key + "."
			groups = append(groups[:len(groups):len(groups)], a.Key)
		}
		for _, b := range a.Value.Group() {
			h.add(to, prefix, groups, b)
		}
	default:
		h.pair(to, prefix+a.Key, text(a.Value))
	}
}

func (h *Handler) pair(to *line, key, value string) {
	key = h.opts.Palette.Cyan(Safe(key))
	value = strings.TrimRight(value, "\n")
	if strings.Contains(value, "\n") {
		to.blocks += "    " + key + ":\n"
		for one := range strings.SplitSeq(value, "\n") {
			to.blocks += "      " + Safe(strings.ReplaceAll(one, "\t", "    ")) + "\n"
		}
		return
	}
	to.pairs += " " + key + "=" + quoted(value)
}

func text(v slog.Value) string {
	switch v.Kind() {
	case slog.KindTime:
		return v.Time().Format(time.RFC3339)
	case slog.KindAny:
		return fmt.Sprintf("%+v", v.Any())
	}
	return v.String()
}

// quoted puts quotes around what would not read as one value.
func quoted(s string) string {
	if s == "" || !isSafe(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == '=' }) {
		return strconv.Quote(s)
	}
	return s
}
