package accesslog

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/mountd/mountd/internal/logtext"
)

// textLine is time, status, method, path, duration, bytes, mount and what
// went wrong.
func textLine(color bool) formatter {
	return func(m *Middleware, b []byte, e *entry) []byte {
		b = e.start.AppendFormat(b, "15:04:05.000 ")
		b = paint(b, color, statusColor(e))
		b = appendStatus(b, e.status)
		b = paint(b, color, reset)
		b = append(b, ' ')
		from := len(b)
		b = logtext.Append(b, e.method, logtext.ASCII)
		b = append(pad(b, from, 7), ' ')
		from = len(b)
		b = m.appendTarget(b, e, logtext.ASCII)
		b = append(pad(b, from, 40), ' ')
		b = append(right(b, 9, appendDuration, e.duration.Nanoseconds()), ' ')
		b = right(b, 7, appendSize, e.w.Bytes())
		if e.mount() != "" {
			b = paint(append(b, "  "...), color, dim)
			b = logtext.Append(b, e.mount(), logtext.ASCII)
			b = paint(b, color, reset)
		}
		if e.aborted {
			b = append(b, "  aborted"...)
		}
		if cause := e.cause(); cause != "" {
			b = paint(append(b, "  "...), color, red)
			b = m.redact.AppendText(b, cause, logtext.Plain)
			b = paint(b, color, reset)
		}
		return b
	}
}

const (
	reset  = "\x1b[0m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
)

func statusColor(e *entry) string {
	switch {
	case e.aborted || e.status >= 500:
		return red
	case e.status >= 400:
		return yellow
	case e.status >= 300:
		return cyan
	}
	return green
}

func paint(b []byte, color bool, code string) []byte {
	if !color {
		return b
	}
	return append(b, code...)
}

func pad(b []byte, from, width int) []byte {
	for len(b)-from < width {
		b = append(b, ' ')
	}
	return b
}

func right(b []byte, width int, appendTo func([]byte, int64) []byte, n int64) []byte {
	var text [32]byte
	s := appendTo(text[:0], n)
	for range width - utf8.RuneCount(s) {
		b = append(b, ' ')
	}
	return append(b, s...)
}

func appendDuration(b []byte, ns int64) []byte {
	d := time.Duration(max(ns, 0))
	switch {
	case d < time.Millisecond:
		return append(strconv.AppendInt(b, d.Microseconds(), 10), "µs"...)
	case d < time.Second:
		return append(strconv.AppendFloat(b, float64(d)/1e6, 'f', 1, 64), "ms"...)
	}
	return append(strconv.AppendFloat(b, d.Seconds(), 'f', 2, 64), 's')
}

func appendSize(b []byte, n int64) []byte {
	if n < 1024 {
		return append(strconv.AppendInt(b, n, 10), 'B')
	}
	size, unit := float64(n), 0
	for size >= 1024 && unit < 4 {
		size /= 1024
		unit++
	}
	return append(strconv.AppendFloat(b, size, 'f', 1, 64), "BKMGT"[unit])
}
