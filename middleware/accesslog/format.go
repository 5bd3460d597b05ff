package accesslog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mountd/mountd/internal/logtext"
)

func newFormat(s string, color bool) (formatter, error) {
	switch s {
	case "", JSON:
		return jsonLine, nil
	case Combined:
		return combinedLine, nil
	case Text:
		return textLine(color), nil
	}
	if !strings.Contains(s, "{") {
		return nil, optionError{"format", fmt.Errorf("%q is no format (write json, combined, text or a template such as \"{method} {path} {status}\")", s)}
	}
	pieces, err := parseTemplate(s)
	if err != nil {
		return nil, optionError{"format", err}
	}
	return func(m *Middleware, b []byte, e *entry) []byte {
		for i := range pieces {
			b = pieces[i].append(m, b, e)
		}
		return b
	}, nil
}

func jsonLine(m *Middleware, b []byte, e *entry) []byte {
	b = append(b, `{"time":"`...)
	b = m.clock.append(b, e.start)
	b = append(b, `","level":"INFO","msg":"request"`...)
	b = member(b, `,"id":"`, e.id())
	b = append(b, `,"client":"`...)
	b = e.appendClient(b)
	b = append(b, '"')
	b = member(b, `,"user":"`, e.user())
	b = member(b, `,"method":"`, e.method)
	b = member(b, `,"host":"`, e.host)
	b = append(b, `,"path":"`...)
	b = m.appendTarget(b, e, logtext.JSON)
	b = append(b, '"')
	b = member(b, `,"proto":"`, e.proto)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(e.status), 10)
	if e.aborted {
		b = append(b, `,"aborted":true`...)
	}
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, e.w.Bytes(), 10)
	b = append(b, `,"duration_ms":`...)
	b = appendMillis(b, e.duration)
	b = member(b, `,"mount":"`, e.mount())
	b = member(b, `,"upstream":"`, e.upstream())
	b = m.textMember(b, `,"referer":"`, e.referer)
	b = member(b, `,"agent":"`, e.agent)
	b = m.textMember(b, `,"error":"`, e.cause())
	return append(b, '}')
}

// member appends a string behind its name, unless it is empty.
func member(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return append(appendJSON(append(b, name...), value), '"')
}

func (m *Middleware) textMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return append(m.redact.AppendText(append(b, name...), value, logtext.JSON), '"')
}

// appendJSON is logtext's, quick for what has nothing to be escaped.
func appendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if !harmless[s[i]] {
			return logtext.Append(b, s, logtext.JSON)
		}
	}
	return append(b, s...)
}

// harmless are the bytes that mean themselves in every style.
var harmless = func() (t [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func (m *Middleware) appendTarget(b []byte, e *entry, style logtext.Style) []byte {
	if style == logtext.JSON {
		b = appendJSON(b, e.path)
	} else {
		b = logtext.Append(b, e.path, style)
	}
	if e.query != "" {
		b = m.redact.AppendTarget(b, e.path, e.query, style)
	}
	return b
}

// appendMillis appends milliseconds with three digits behind the point.
func appendMillis(b []byte, d time.Duration) []byte {
	µs := max(d.Microseconds(), 0)
	b = append(strconv.AppendInt(b, µs/1000, 10), '.')
	µs %= 1000
	return append(b, byte('0'+µs/100), byte('0'+µs/10%10), byte('0'+µs%10))
}

// combinedLine is client - user [time] "request" status bytes "referer"
// "agent".
func combinedLine(m *Middleware, b []byte, e *entry) []byte {
	b = orDash(b, len(b), e.appendClient(b))
	b = append(b, " - "...)
	b = orDash(b, len(b), appendWord(b, e.user()))
	b = append(b, " ["...)
	b = e.start.AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	b = logtext.Append(b, e.method, logtext.ASCII)
	b = append(b, ' ')
	b = m.appendTarget(b, e, logtext.ASCII)
	b = append(b, ' ')
	b = logtext.Append(b, e.proto, logtext.ASCII)
	b = append(b, `" `...)
	b = appendStatus(b, e.status)
	b = append(b, ' ')
	b = strconv.AppendInt(b, e.w.Bytes(), 10)
	b = append(b, ` "`...)
	b = orDash(b, len(b), m.redact.AppendText(b, e.referer, logtext.ASCII))
	b = append(b, `" "`...)
	b = orDash(b, len(b), logtext.Append(b, e.agent, logtext.ASCII))
	return append(b, '"')
}

// orDash gives full, or b with a dash where nothing was appended to its n
// bytes.
func orDash(b []byte, n int, full []byte) []byte {
	if len(full) == n {
		return append(b, '-')
	}
	return full
}

// appendWord escapes spaces too: a user's name must not shift the columns.
func appendWord(b []byte, s string) []byte {
	for {
		before, after, found := strings.Cut(s, " ")
		b = logtext.Append(b, before, logtext.ASCII)
		if !found {
			return b
		}
		b = append(b, `\x20`...)
		s = after
	}
}

func appendStatus(b []byte, status int) []byte {
	return append(b, byte('0'+status/100), byte('0'+status/10%10), byte('0'+status%10))
}

// piece is a part of a template: a literal, then a field's value.
type piece struct {
	literal string
	field   func(m *Middleware, b []byte, e *entry) []byte
}

func (p *piece) append(m *Middleware, b []byte, e *entry) []byte {
	b = append(b, p.literal...)
	if p.field == nil {
		return b
	}
	return orDash(b, len(b), p.field(m, b, e))
}

func parseTemplate(s string) ([]piece, error) {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return nil, fmt.Errorf("the template %q holds a line break", s)
	}
	var pieces []piece
	var literal strings.Builder
	for {
		before, rest, found := strings.Cut(s, "{")
		literal.WriteString(before)
		if !found {
			return append(pieces, piece{literal: literal.String()}), nil
		}
		if strings.HasPrefix(rest, "{") {
			literal.WriteByte('{')
			s = rest[1:]
			continue
		}
		name, rest, found := strings.Cut(rest, "}")
		if !found {
			return nil, fmt.Errorf("a brace is not closed after %q (write {{ for a brace)", before)
		}
		field, err := fieldOf(name)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, piece{literal.String(), field})
		literal.Reset()
		s = rest
	}
}

type appender = func(m *Middleware, b []byte, e *entry) []byte

func fieldOf(name string) (appender, error) {
	if side, header, ok := strings.Cut(name, "."); ok && (side == "request" || side == "response") {
		return headerField(side, header)
	}
	if f := fields[name]; f != nil {
		return f, nil
	}
	var names []string
	for n := range fields {
		names = append(names, n)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("there is no field {%s} (there are %s, request.NAME and response.NAME)", name, strings.Join(names, ", "))
}

var fields = map[string]appender{
	"time":     func(m *Middleware, b []byte, e *entry) []byte { return m.clock.append(b, e.start) },
	"id":       ascii((*entry).id),
	"client":   func(_ *Middleware, b []byte, e *entry) []byte { return e.appendClient(b) },
	"user":     func(_ *Middleware, b []byte, e *entry) []byte { return appendWord(b, e.user()) },
	"method":   ascii(func(e *entry) string { return e.method }),
	"host":     ascii(func(e *entry) string { return e.host }),
	"path":     func(m *Middleware, b []byte, e *entry) []byte { return m.appendTarget(b, e, logtext.ASCII) },
	"proto":    ascii(func(e *entry) string { return e.proto }),
	"status":   func(_ *Middleware, b []byte, e *entry) []byte { return appendStatus(b, e.status) },
	"bytes":    func(_ *Middleware, b []byte, e *entry) []byte { return strconv.AppendInt(b, e.w.Bytes(), 10) },
	"duration": func(_ *Middleware, b []byte, e *entry) []byte { return appendMillis(b, e.duration) },
	"mount":    ascii((*entry).mount),
	"upstream": ascii((*entry).upstream),
	"referer": func(m *Middleware, b []byte, e *entry) []byte {
		return m.redact.AppendText(b, e.referer, logtext.ASCII)
	},
	"agent": ascii(func(e *entry) string { return e.agent }),
	"error": func(m *Middleware, b []byte, e *entry) []byte {
		return m.redact.AppendText(b, e.cause(), logtext.ASCII)
	},
	"aborted": func(_ *Middleware, b []byte, e *entry) []byte { return strconv.AppendBool(b, e.aborted) },
}

func ascii(get func(e *entry) string) appender {
	return func(_ *Middleware, b []byte, e *entry) []byte { return logtext.Append(b, get(e), logtext.ASCII) }
}
