package server

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"sync"
	"time"
)

// linesPerSecond bounds what strangers can make the log grow by.
const linesPerSecond = 10

// errorLog turns the lines that net/http writes into records. What clients
// cause is noise and rate limited; a panic is not, nor is a full table of
// files.
func errorLog(to *slog.Logger) *log.Logger {
	return log.New(&lines{to: to, now: time.Now}, "", 0)
}

type lines struct {
	to  *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	second  int64
	written int
	dropped int
}

func (l *lines) Write(p []byte) (int, error) {
	line := bytes.TrimPrefix(bytes.TrimSpace(p), []byte("http: "))
	if said, stack, ok := bytes.Cut(line, []byte("\n")); ok && bytes.HasPrefix(line, []byte("panic")) {
		l.to.Error(string(said), "stack", string(stack))
		return len(p), nil
	}
	level := slog.LevelDebug
	if bytes.HasPrefix(line, []byte("Accept error")) {
		level = slog.LevelWarn
	}
	if !l.to.Enabled(context.Background(), level) {
		return len(p), nil
	}
	if dropped, ok := l.admit(); ok {
		var more []any
		if dropped > 0 {
			more = []any{"dropped_lines", dropped}
		}
		l.to.Log(context.Background(), level, string(line), more...)
	}
	return len(p), nil
}

// admit reports whether one more line may be written now, and how many could
// not be since the last one.
func (l *lines) admit() (dropped int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now().Unix(); now != l.second {
		l.second, l.written = now, 0
	}
	if l.written == linesPerSecond {
		l.dropped++
		return 0, false
	}
	l.written++
	dropped, l.dropped = l.dropped, 0
	return dropped, true
}
