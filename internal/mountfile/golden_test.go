package mountfile_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/mountfile"
)

var update = flag.Bool("update", false, "write the .err files anew")

// app stands for the options of some app, with every kind of value.
type app struct {
	Static  string            `yaml:"static"`
	Name    string            `yaml:"name"`
	To      []target          `yaml:"to"`
	Timeout time.Duration     `yaml:"timeout"`
	Retries int               `yaml:"retries"`
	Share   float64           `yaml:"share"`
	Max     uint16            `yaml:"max"`
	Exact   bool              `yaml:"exact"`
	Env     map[string]string `yaml:"env"`
	Codes   map[string]int    `yaml:"codes"`
	Secret  string            `yaml:"secret"`
	Tokens  map[string]int    `yaml:"tokens"`
	Port    int               `yaml:"port"`
	Tags    []string          `yaml:"tags"`
	Level   mountfile.Level   `yaml:"level"`
	TLS     *mountfile.TLS    `yaml:"tls"`
}

type target struct {
	URL    string `yaml:"url"`
	Weight int    `yaml:"weight"`
}

func environment(name string) (string, bool) {
	values := map[string]string{
		"HOST": "example.com", "EMPTY": "", "PORT": "9000", "COLON": "a: b", "PASSWORD": "hunter2hunter2", "WORD": "soonish",
	}
	value, ok := values[name]
	return value, ok
}

// read loads a table and decodes every mount, as someone above would.
func read(path string) (*mountfile.Table, error) {
	table, err := mountfile.Load(path, mountfile.Options{Env: environment})
	errs := []error{err}
	for _, m := range table.Mounts {
		if m.Value.Kind() != mountfile.Scalar {
			errs = append(errs, m.Value.Decode(new(app)))
		}
	}
	for _, in := range table.Included {
		errs = append(errs, in.Err)
	}
	return table, mountfile.Collect(path, errs...).Err()
}

func TestBadTablesSayWhatIsWrongAndWhere(t *testing.T) {
	for _, path := range tables(t, "testdata/bad") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := read(path)
			if err == nil {
				t.Fatal("no mistake found")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is shown: %v", err)
			}
			got := strings.ReplaceAll(err.Error(), workingDir(t), "$PWD") + "\n"
			golden := strings.TrimSuffix(path, ".yaml") + ".err"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func TestGoodTablesAreRead(t *testing.T) {
	for _, path := range tables(t, "testdata/good") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			table, err := read(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(table.Mounts) == 0 && !table.Empty && table.Root.Get("mounts") == nil {
				t.Error("no mounts")
			}
		})
	}
}

func tables(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no tables in ", dir, err)
	}
	return paths
}

func workingDir(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func mistakes(t *testing.T, err error) mountfile.Errors {
	t.Helper()
	var errs mountfile.Errors
	if err != nil && !errors.As(err, &errs) {
		t.Fatalf("not Errors: %v", err)
	}
	return errs
}
