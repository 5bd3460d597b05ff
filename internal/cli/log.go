package cli

import (
	"io"
	"log/slog"

	"github.com/mountd/mountd/internal/mountfile"
	"github.com/mountd/mountd/internal/terminal"
	"github.com/mountd/mountd/middleware/accesslog"
)

// programLog is mountd's own log. Its level follows the table; its file and
// format are those it began with.
type programLog struct {
	*slog.Logger
	level    slog.LevelVar
	settings mountfile.Log
	sink     *accesslog.Sink // nil: standard error
}

// openLog opens the log that the table asks for.
func (p *Program) openLog(table *mountfile.Table) (*programLog, error) {
	s := table.Settings.Log
	l := &programLog{settings: s}
	l.setLevel(s.Level)
	if s.File == "" {
		l.Logger = slog.New(handler(p.Stderr, s.Format, &l.level, terminal.IsTerminal(p.Stderr)))
		return l, nil
	}
	sink, err := accesslog.NewSink(accesslog.SinkConfig{Path: string(s.File)})
	if err != nil {
		return nil, mountfile.Errors{setting(table, "log.file").Errorf("%v", err)}
	}
	l.sink = sink
	l.Logger = slog.New(handler(sink, s.Format, &l.level, false))
	return l, nil
}

// discardedLog is a log that nobody reads.
func discardedLog() *programLog { return &programLog{Logger: slog.New(slog.DiscardHandler)} }

func (l *programLog) setLevel(level mountfile.Level) {
	var v slog.Level
	if v.UnmarshalText([]byte(level)) == nil {
		l.level.Set(v)
	}
}

// follow takes over what a reloaded table says of the log.
func (l *programLog) follow(s mountfile.Log) {
	l.setLevel(s.Level)
	if s.File != l.settings.File || s.Format != l.settings.Format {
		l.Warn("log: another file or format counts from the next start on")
	}
}

// reopen opens the log file anew, after it was moved away.
func (l *programLog) reopen() error {
	if l.sink == nil {
		return nil
	}
	return l.sink.Reopen()
}

// close writes what is waiting.
func (l *programLog) close() error {
	if l.sink == nil {
		return nil
	}
	return l.sink.Close()
}

func handler(w io.Writer, format mountfile.Format, level slog.Leveler, tty bool) slog.Handler {
	if format == "text" || format == "auto" && tty {
		return terminal.NewHandler(w, terminal.HandlerOptions{Level: level, Palette: terminal.Colours(w)})
	}
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: milliseconds})
}

// milliseconds writes times as the access log does.
func milliseconds(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.StringValue(a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	return a
}
