package cli_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/cli"
)

var update = flag.Bool("update", false, "write the .err files anew")

// result is what a command line came to.
type result struct {
	status         int
	stdout, stderr string
}

func environment(name string) (string, bool) {
	value, ok := map[string]string{
		"HOST": "example.com", "EMPTY": "", "PORT": "9000", "COLON": "a: b", "PASSWORD": "hunter2hunter2", "WORD": "soonish", "INHERIT": "bazbar",
	}[name]
	return value, ok
}

func command(ctx context.Context, args ...string) result {
	var out, err bytes.Buffer
	p := &cli.Program{Name: "mountd", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err, Env: environment}
	status := p.Run(ctx, args)
	return result{status, out.String(), err.String()}
}

// ended is a context that is over: run opens its port, and stops.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// badTables gives the broken tables: directory to file names.
func badTables(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, dir := range []string{"../assemble/testdata/bad", "../mountfile/testdata/bad"} {
		found, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
		if err != nil || len(found) == 0 {
			t.Fatal("no tables in ", dir, err)
		}
		for _, path := range found {
			all[dir] = append(all[dir], filepath.Base(path))
		}
	}
	return all
}

// located is a line that says where and what.
var located = regexp.MustCompile(`^[^:]+(:\d+:\d+)?: .+`)

func TestEveryBrokenTableSaysWhatIsWrongAndWhere(t *testing.T) {
	golden, err := filepath.Abs("testdata/bad")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for dir, names := range badTables(t) {
		for _, name := range names {
			count++
			t.Run(filepath.Base(filepath.Dir(filepath.Dir(dir)))+"/"+name, func(t *testing.T) {
				// What assemble finds stands beside its table; what the whole
				// program says of mountfile's tables stands here.
				expected := strings.TrimSuffix(name, ".yaml") + ".err"
				if strings.Contains(dir, "mountfile") {
					expected = filepath.Join(golden, expected)
				}
				t.Chdir(dir)
				got := command(t.Context(), "check", "-c", name)
				if got.status != 1 || got.stdout != "" {
					t.Errorf("status %d, on stdout %q", got.status, got.stdout)
				}
				text := withoutDir(t, got.stderr)
				for line := range strings.Lines(text) {
					if !located.MatchString(line) {
						t.Errorf("a line without place: %s", line)
					}
				}
				if strings.Contains(text, "hunter2") {
					t.Error("a secret is shown")
				}
				compare(t, expected, text)
			})
		}
	}
	t.Logf("%d broken tables", count)
	if count < 60 {
		t.Errorf("only %d broken tables", count)
	}
}

func TestRunSaysOfBrokenTablesWhatCheckSays(t *testing.T) {
	for dir, names := range badTables(t) {
		for _, name := range names {
			t.Run(filepath.Base(filepath.Dir(filepath.Dir(dir)))+"/"+name, func(t *testing.T) {
				t.Chdir(dir)
				check := command(t.Context(), "check", "-c", name)
				if includedOnly(check.stderr) {
					// The rest is served.
					run := command(ended(), "run", "-c", name, "--listen", "127.0.0.1:0")
					if run.status != 0 || !strings.HasPrefix(run.stderr, check.stderr) {
						t.Errorf("run: status %d\n%scheck:\n%s", run.status, run.stderr, check.stderr)
					}
					return
				}
				run := command(ended(), "run", "-c", name)
				if run.status != check.status || run.stderr != check.stderr {
					t.Errorf("run: status %d\n%scheck: status %d\n%s", run.status, run.stderr, check.status, check.stderr)
				}
			})
		}
	}
}

// includedOnly reports whether all mistakes are in included files.
func includedOnly(text string) bool {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "parts") {
			return false
		}
	}
	return text != ""
}

func TestWarningsDoNotKeepATableFromBeingServed(t *testing.T) {
	found, err := filepath.Glob("testdata/warn/*.yaml")
	if err != nil || len(found) == 0 {
		t.Fatal("no tables", err)
	}
	t.Chdir("testdata/warn")
	for _, path := range found {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			check := command(t.Context(), "check", "-c", name)
			if check.status != 0 || !strings.Contains(check.stdout, "is fine") {
				t.Errorf("status %d: %s", check.status, check.stdout)
			}
			compare(t, strings.TrimSuffix(name, ".yaml")+".err", check.stderr)
			run := command(ended(), "run", "-c", name, "--listen", "127.0.0.1:0")
			if run.status != 0 || !strings.HasPrefix(run.stderr, check.stderr) {
				t.Errorf("run: status %d: %s", run.status, run.stderr)
			}
		})
	}
}

func withoutDir(t *testing.T, text string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(text, dir, "$PWD")
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
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
}
