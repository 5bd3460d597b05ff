package mountfile_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/mountd/mountd/internal/mountfile"
)

func FuzzParse(f *testing.F) {
	for _, dir := range []string{"testdata/good/", "testdata/bad/"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			if data, err := os.ReadFile(dir + e.Name()); err == nil {
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		table, err := mountfile.Parse("t.yaml", data, isolated())
		for _, e := range mistakes(t, err) {
			inside(t, data, e)
		}
		for _, m := range table.Mounts {
			for _, e := range mistakes(t, m.Value.Decode(new(app))) {
				inside(t, data, e)
			}
			var v any
			_ = m.Value.Decode(&v)
			_ = m.Value.Fingerprint()
		}
		if err == nil && duplicated(data) {
			t.Errorf("another reader finds a duplicate key in %q", data)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// inside checks that a mistake's place exists, as YAML counts lines.
func inside(t *testing.T, data []byte, e *mountfile.Error) {
	t.Helper()
	if e.Message == "" {
		t.Errorf("a mistake says nothing in %q", data)
	}
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(strings.TrimPrefix(string(data), "\ufeff"))
	lines := strings.Split(text, "\n")
	if e.Pos.File != "t.yaml" || e.Pos.Line < 1 || e.Pos.Line > len(lines) {
		t.Fatalf("%v is outside of %q", e, data)
	}
	if width := len([]rune(lines[e.Pos.Line-1])); e.Pos.Column < 1 || e.Pos.Column > width+1 {
		t.Fatalf("%v is outside of its line %q", e, lines[e.Pos.Line-1])
	}
}

// duplicated tells whether yaml.v3's own decoder refuses a key written twice.
func duplicated(data []byte) bool {
	var v any
	err := yaml.Unmarshal(data, &v)
	return err != nil && strings.Contains(err.Error(), "already defined at")
}
