package importrule_test

import (
	"errors"
	"fmt"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	modulePath = "github.com/mountd/mountd"
	root       = "../.."
)

// packages gives the directories of the module that hold a package, relative
// to its root.
func packages(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		dir, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if name := d.Name(); dir != "." && (name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
			return fs.SkipDir
		}
		if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && dir != "." {
			return fs.SkipDir // a module of its own
		}
		if len(sources(t, path)) > 0 {
			dirs = append(dirs, filepath.ToSlash(dir))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// sources gives the Go files of a directory, for any platform, without tests.
func sources(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
}

func TestImportsGoDownwards(t *testing.T) {
	dirs := packages(t)
	for _, dir := range dirs {
		r, ok := rules[dir]
		if !ok {
			t.Errorf("%s is not in the table (add it to rules, in its row)", dir)
			continue
		}
		pkg, err := build.ImportDir(filepath.Join(root, filepath.FromSlash(dir)), 0)
		var none *build.NoGoError
		if errors.As(err, &none) {
			continue // another platform's
		}
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		for _, path := range pkg.Imports {
			if err := r.allows(path); err != nil {
				t.Errorf("%s imports %s: %v", dir, path, err)
			}
		}
	}
	for dir := range rules {
		if !slices.Contains(dirs, dir) {
			t.Errorf("%s is in the table, but is no package", dir)
		}
	}
}

// allows tells why an import is against the rule.
func (r rule) allows(path string) error {
	if path == modulePath {
		path += "/."
	}
	dir, own := strings.CutPrefix(path, modulePath+"/")
	switch {
	case !own && standard(path), !own && r.listed(path):
		return nil
	case !own:
		return errors.New("that module is not in the package's list")
	case slices.Contains(r.also, dir):
		return nil
	case r.alone:
		return errors.New("it must import nothing of ours")
	case slices.Contains(r.never, dir):
		return errors.New("it gets what it needs from there as values")
	case rules[dir].row > r.row:
		return fmt.Errorf("that is upwards, from row %d to row %d", r.row, rules[dir].row)
	case rules[dir].row == r.row:
		return fmt.Errorf("that is sideways, in row %d", r.row)
	}
	return nil
}

func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func (r rule) listed(path string) bool {
	return slices.ContainsFunc(r.third, func(module string) bool {
		return path == module || strings.HasPrefix(path, module+"/")
	})
}

// A package of the toolkit pulls in the standard library, and what it lists.
func TestToolkitPullsInNothingElse(t *testing.T) {
	imports := listDeps(t)
	for dir, r := range rules {
		if r.row > stacking || strings.HasPrefix(dir, "internal/") {
			continue
		}
		for path, by := range r.closure(imports, modulePath+"/"+dir) {
			if _, own := strings.CutPrefix(path, modulePath+"/"); !own && !r.listed(path) {
				t.Errorf("%s pulls in %s, by %s", dir, path, by)
			}
		}
	}
}

// listDeps asks the go command for every package that the module needs, and
// what it imports. The standard library's are left out.
func listDeps(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-deps", "-f", `{{if not .Standard}}{{.ImportPath}} {{join .Imports " "}}{{end}}`, "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	imports := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 0 {
			imports[f[0]] = f[1:]
		}
	}
	return imports
}

// closure gives everything outside the standard library that a package needs,
// and what imports it. What a listed module needs comes with it.
func (r rule) closure(imports map[string][]string, path string) map[string]string {
	by := map[string]string{path: ""}
	for queue := []string{path}; len(queue) > 0; queue = queue[1:] {
		for _, p := range imports[queue[0]] {
			if _, seen := by[p]; seen || standard(p) {
				continue
			}
			by[p] = queue[0]
			if !r.listed(p) {
				queue = append(queue, p)
			}
		}
	}
	return by
}

func TestEachPackageHasOneComment(t *testing.T) {
	for _, dir := range packages(t) {
		var with []string
		for _, file := range sources(t, filepath.Join(root, filepath.FromSlash(dir))) {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Errorf("%v", err)
				continue
			}
			if f.Doc == nil {
				continue
			}
			with = append(with, filepath.Base(file))
			want := "Package " + f.Name.Name + " "
			if f.Name.Name == "main" {
				want = "Command " + filepath.Base(dir) + " "
			}
			if !strings.HasPrefix(f.Doc.Text(), want) {
				t.Errorf("%s: the package comment does not begin with %q", file, want)
			}
		}
		if len(with) != 1 {
			t.Errorf("%s has %d package comments %v, want one", dir, len(with), with)
		}
	}
}
