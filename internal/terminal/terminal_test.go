package terminal_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/slogtest"
	"time"
	"unicode"

	"github.com/mountd/mountd/internal/terminal"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

func TestColours(t *testing.T) {
	for _, test := range []struct {
		name string
		env  map[string]string
		want bool
	}{
		{"a buffer is no terminal", nil, false},
		{"forced", map[string]string{"CLICOLOR_FORCE": "1"}, true},
		{"forced on a dumb terminal", map[string]string{"CLICOLOR_FORCE": "1", "TERM": "dumb"}, true},
		{"not really forced", map[string]string{"CLICOLOR_FORCE": "0"}, false},
		{"NO_COLOR wins", map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, false},
		{"an empty NO_COLOR is none", map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": ""}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, name := range []string{"NO_COLOR", "CLICOLOR_FORCE", "TERM"} {
				t.Setenv(name, test.env[name])
			}
			if got := terminal.Colours(new(bytes.Buffer)).Enabled(); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

func TestWidth(t *testing.T) {
	t.Setenv("COLUMNS", "")
	if got := terminal.Width(new(bytes.Buffer)); got != 80 {
		t.Error(got)
	}
	t.Setenv("COLUMNS", "120")
	if got := terminal.Width(new(bytes.Buffer)); got != 120 {
		t.Error(got)
	}
}

func TestCells(t *testing.T) {
	t.Setenv("CLICOLOR_FORCE", "1")
	t.Setenv("NO_COLOR", "")
	p := terminal.Colours(nil)
	for s, want := range map[string]int{
		"": 0, "abc": 3, "café": 4, "cafe\u0301": 4, "日本語": 6, "한글": 4, "✅": 2, "🙂": 2,
		"\xff\xfe": 2, p.Red("abc"): 3, p.Bold("日本"): 4, "\x1b": 0, "ｆｕｌｌ": 8,
	} {
		if got := terminal.Cells(s); got != want {
			t.Errorf("Cells(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Setenv("CLICOLOR_FORCE", "1")
	t.Setenv("NO_COLOR", "")
	p := terminal.Colours(nil)
	var table terminal.Table
	table.Row(p.Bold("mount"), p.Bold("app"), p.Bold("state"))
	table.Row("/", "static ./www", p.Green("up"))
	table.Row("/日本", "", p.Red("down"))
	table.Row("/long/prefix/here", "proxy http://127.0.0.1:9000")
	table.Row()
	table.Row("/x", "", "")
	var b bytes.Buffer
	if _, err := table.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "table.golden", b.Bytes())
}

func TestFit(t *testing.T) {
	var table terminal.Table
	table.Row("mount", "target", "through")
	table.Row("/a", "http://127.0.0.1:9000/a/long/path", "errors")
	table.Row("/b", "./b")
	table.Fit(1, 35, 8)
	var b bytes.Buffer
	_, _ = table.WriteTo(&b)
	want := "mount  target               through\n/a     http://127.0.0.1:9…  errors\n/b     ./b\n"
	if b.String() != want {
		t.Errorf("\n%s\nwant\n%s", b.String(), want)
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text    string
		columns int
		want    string
	}{
		{"", 0, ""}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"日本語", 6, "日本語"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"}, {"abc", 1, "…"},
	} {
		if got := terminal.Cut(test.text, test.columns); got != test.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", test.text, test.columns, got, test.want)
		}
	}
}

var noon = time.Date(2026, 1, 2, 12, 0, 5, 0, time.UTC)

func handled(h *terminal.Handler, records ...slog.Record) {
	for _, r := range records {
		_ = h.Handle(context.Background(), r)
	}
}

func record(level slog.Level, message string, args ...any) slog.Record {
	r := slog.NewRecord(noon, level, message, 0)
	r.Add(args...)
	return r
}

func TestHandler(t *testing.T) {
	t.Setenv("CLICOLOR_FORCE", "1")
	for name, p := range map[string]terminal.Palette{"plain": {}, "colour": terminal.Colours(nil)} {
		var b bytes.Buffer
		h := terminal.NewHandler(&b, terminal.HandlerOptions{Level: slog.LevelDebug, Palette: p, Replace: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == "password" {
				a.Value = slog.StringValue("***")
			}
			return a
		}})
		handled(h,
			record(slog.LevelInfo, "listening", "on", "http://127.0.0.1:8080", "mounts", 3),
			record(slog.LevelDebug, "looked up", "took", 1500*time.Microsecond, "found", true),
			record(slog.LevelWarn, "a message that is much longer than its column", "key", "two words"),
			record(slog.LevelError, "handler panicked", "error", errors.New("boom"), "stack", "goroutine 1:\n\tmain.go:1\n\x1b[31mred\n"),
			record(slog.LevelInfo+1, "evil \x1b[2J\r\n message", "k\x07", "v\x1b[31m", "empty", "", "bidi", "a\u202eb", "quote", `"`, "at", noon),
			record(slog.LevelInfo, "", "password", "secret", slog.Group("g", "a", 1, slog.Group("h", "b", 2))),
		)
		handled(h.WithAttrs([]slog.Attr{slog.Int("a", 1)}).WithGroup("x").WithAttrs([]slog.Attr{slog.Int("b", 2)}).(*terminal.Handler),
			record(slog.LevelInfo, "derived", "c", 3), slog.NewRecord(time.Time{}, slog.LevelInfo, "no time", 0))
		golden(t, "log-"+name+".golden", b.Bytes())
	}
}

func TestHandlerIsWhatSlogExpects(t *testing.T) {
	var b bytes.Buffer
	h := terminal.NewHandler(&b, terminal.HandlerOptions{})
	err := slogtest.TestHandler(h, func() []map[string]any {
		var all []map[string]any
		for line := range strings.Lines(b.String()) {
			all = append(all, parsed(line))
		}
		return all
	})
	if err != nil {
		t.Error(err)
	}
}

// parsed reads a line back into what slogtest compares.
func parsed(line string) map[string]any {
	m := map[string]any{}
	fields := strings.Fields(line)
	if strings.Count(fields[0], ":") == 2 {
		m[slog.TimeKey] = fields[0]
		fields = fields[1:]
	}
	m[slog.LevelKey] = fields[0]
	var message []string
	for _, f := range fields[1:] {
		key, value, ok := strings.Cut(f, "=")
		if !ok {
			message = append(message, f)
			continue
		}
		at, path := m, strings.Split(key, ".")
		for _, group := range path[:len(path)-1] {
			if at[group] == nil {
				at[group] = map[string]any{}
			}
			at = at[group].(map[string]any)
		}
		at[path[len(path)-1]] = value
	}
	m[slog.MessageKey] = strings.Join(message, " ")
	return m
}

func FuzzNothingEscapes(f *testing.F) {
	f.Add("a\x1b[31m", "b\nc\u202e")
	f.Fuzz(func(t *testing.T, key, value string) {
		var b bytes.Buffer
		handled(terminal.NewHandler(&b, terminal.HandlerOptions{}), record(slog.LevelInfo, value, key, value))
		for _, r := range b.String() {
			if unicode.IsControl(r) && r != '\n' || r == 0x202e {
				t.Fatalf("%q", b.String())
			}
		}
	})
}

func ExampleTable() {
	var t terminal.Table
	t.Row("mount", "app")
	t.Row("/", "static ./www")
	t.Row("/api", "proxy http://127.0.0.1:9000")
	_, _ = t.WriteTo(os.Stdout)
	fmt.Println(terminal.Safe("\x1b[2J"))
	// Output:
	// mount  app
	// /      static ./www
	// /api   proxy http://127.0.0.1:9000
	// \x1b[2J
}
