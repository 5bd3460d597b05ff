package mountfile_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/mountfile"
)

func TestHostileFilesAreRefusedSoon(t *testing.T) {
	const n = (1 << 20) / scale
	chain := strings.Builder{}
	chain.WriteString("a: &x0 {k: v}\n")
	for i := range 3000 {
		chain.WriteString("b" + strconv.Itoa(i) + ": &x" + strconv.Itoa(i+1) + " {k: *x" + strconv.Itoa(i) + "}\n")
	}
	for name, text := range map[string]string{
		"brackets":         strings.Repeat("[", n),
		"braces":           strings.Repeat("{", n),
		"flow pairs":       "mounts: " + strings.Repeat("{a: ", 20_000),
		"levels":           levels(9_000),
		"dashes":           strings.Repeat("- ", 50_000),
		"question marks":   strings.Repeat("? ", 50_000),
		"one long line":    "mounts: {" + strings.Repeat(",", n),
		"open quote":       "mounts: \"" + strings.Repeat("a\n", n),
		"comments":         strings.Repeat("# c\n", n) + "x: [",
		"alias chain":      chain.String(),
		"open variables":   "mounts: {/a: '" + strings.Repeat("${A:-", n/8) + "'}",
		"many variables":   "mounts: {/a: '" + strings.Repeat("${EMPTY}", n/8) + "', b: [}",
		"anchors":          "mounts: [" + strings.Repeat("&a x, ", n/8) + "]",
		"unset variables":  "mounts: {/a: '" + strings.Repeat("${NOBODY}", 10_000) + "'}",
		"tabs":             "mounts:\n" + strings.Repeat("\t", n),
		"NUL":              strings.Repeat("\x00", n),
		"directive":        "%TAG ! " + strings.Repeat("a", n),
		"nothing but tags": strings.Repeat("!a ", n/4),
	} {
		start := time.Now()
		table, err := mountfile.Parse("t.yaml", []byte(text), isolated())
		for _, e := range mistakes(t, err) {
			if len(e.Message) > 4096 {
				t.Errorf("%s: a message of %d bytes", name, len(e.Message))
			}
			if e.Pos.Line < 1 {
				t.Errorf("%s: %v has no place", name, e)
			}
		}
		if err == nil {
			t.Errorf("%s: no mistake found", name)
		}
		_ = table.Root.Fingerprint()
		took := time.Since(start)
		t.Logf("%s: %v", name, took)
		if took > 20*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func levels(n int) string {
	var b strings.Builder
	b.WriteString("mounts:\n")
	for i := range min(n, 1500) {
		b.WriteString(strings.Repeat(" ", i+1) + "a:\n")
	}
	return b.String()
}
