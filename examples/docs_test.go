package examples

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mountd/mountd"
)

// fence is a block of code in a page.
type fence struct {
	place string // file:line
	info  string // what stands behind the backquotes
	text  string
}

// pages gives the documentation that people write, by file name. The reference
// of the table is generated.
func pages(t *testing.T) map[string]string {
	names, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range append(names, "../README.md", "README.md") {
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) || filepath.Base(name) == "mountfile.md" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	return all
}

// fences gives the blocks of a language.
func fences(t *testing.T, language string) []fence {
	var all []fence
	for name, text := range pages(t) {
		var open *fence
		for i, line := range strings.Split(text, "\n") {
			info, isFence := strings.CutPrefix(line, "```")
			switch {
			case isFence && open == nil:
				open = &fence{place: fmt.Sprintf("%s:%d", name, i+1), info: info}
			case isFence:
				if first, _, _ := strings.Cut(open.info, " "); first == language {
					all = append(all, *open)
				}
				open = nil
			case open != nil:
				open.text += line + "\n"
			}
		}
	}
	return all
}

// Every Go block of the documentation is a program that go vet accepts, or
// statements that make an m and an err; one that says what it prints prints
// that. "go partial" is for excerpts.
func TestGoInDocs(t *testing.T) {
	dir := t.TempDir()
	copyModule(t, dir)
	programs := map[string]fence{}
	for i, f := range fences(t, "go") {
		if f.info == "go partial" {
			continue
		}
		name := fmt.Sprintf("program%d", i)
		programs[name] = f
		write(t, filepath.Join(dir, name, "main.go"), program(f.text))
	}
	if out, err := command(dir, "go", "vet", "./...").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, placed(string(out), programs))
	}
	for name, f := range programs {
		_, want, found := strings.Cut(f.text, "// Output:\n")
		if !found {
			continue
		}
		want, _, _ = strings.Cut(want, "\n}")
		want = strings.ReplaceAll(strings.TrimPrefix(want, "\t// "), "\n\t// ", "\n")
		out, err := command(dir, "go", "run", "./"+name).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != strings.TrimSpace(want) {
			t.Errorf("%s: %v, prints\n%s\nwant\n%s", f.place, err, got, want)
		}
	}
}

// imports are the packages that statements may use.
var imports = map[string]string{
	"http": "net/http", "os": "os", "time": "time",
	"accesslog": "middleware/accesslog", "compress": "middleware/compress", "cors": "middleware/cors",
	"csrf": "middleware/csrf", "headers": "middleware/headers", "ipfilter": "middleware/ipfilter",
	"limit": "middleware/limit", "requestid": "middleware/requestid", "rewrite": "middleware/rewrite",
	"secureheaders": "middleware/secureheaders", "timeout": "middleware/timeout",
	"cascade": "backend/cascade", "redirect": "backend/redirect", "respond": "backend/respond",
	"sendfile": "backend/sendfile", "switcher": "backend/switcher",
	"dispatcher": "dispatcher", "shareddata": "shareddata",
}

var qualifier = regexp.MustCompile(`\b([a-z]+)\.[A-Z]`)

// program gives text itself if it is a program, or one around its statements.
func program(text string) string {
	if strings.HasPrefix(text, "package ") {
		return text
	}
	var b strings.Builder
	b.WriteString("package main\n")
	known := map[string]bool{}
	for _, found := range qualifier.FindAllStringSubmatch(text, -1) {
		path, ok := imports[found[1]]
		if !ok || known[found[1]] {
			continue
		}
		known[found[1]] = true
		if _, err := os.Stat(filepath.Join("..", path)); err == nil {
			path = "github.com/mountd/mountd/" + path
		}
		fmt.Fprintf(&b, "import %q\n", path)
	}
	b.WriteString("func main() {\n" + text + "_, _ = m, err\n}\n")
	return b.String()
}

// copyModule makes a module of the requirements of this one.
func copyModule(t *testing.T, dir string) {
	mod, err1 := os.ReadFile("go.mod")
	sum, err2 := os.ReadFile("go.sum")
	root, err3 := filepath.Abs("..")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.mod"), strings.Replace(string(mod), "=> ../", "=> "+root, 1))
	write(t, filepath.Join(dir, "go.sum"), string(sum))
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func command(dir, name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	return c
}

// placed tells the pages that the programs in the output come from.
func placed(out string, programs map[string]fence) string {
	for name, f := range programs {
		out = strings.ReplaceAll(out, name+"/main.go", f.place+" main.go")
	}
	return out
}

var mentioned = regexp.MustCompile(`\./[\w./-]+`)

// Every YAML block of the documentation is a table that loads, once the files
// that it names exist. "yaml wrong" is for tables that do not, "yaml partial"
// for excerpts.
func TestTablesInDocs(t *testing.T) {
	for _, f := range fences(t, "yaml") {
		if f.info == "yaml partial" {
			continue
		}
		t.Run(f.place, func(t *testing.T) {
			dir := t.TempDir()
			table := filepath.Join(dir, "mountd.yaml")
			write(t, table, f.text)
			for _, name := range mentioned.FindAllString(f.text, -1) {
				text := "a file\n"
				switch {
				case name == "./htpasswd":
					text = "joe:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/\n"
				case filepath.Ext(name) == "":
					name += "/index.html"
				case filepath.Ext(name) == ".db":
					continue // mountd makes it
				}
				write(t, filepath.Join(dir, name), text)
			}
			site, err := mountd.Load(table)
			if err == nil {
				err = site.Close()
			}
			if wrong := f.info == "yaml wrong"; (err != nil) != wrong {
				t.Errorf("%v", err)
			}
		})
	}
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)`)

func TestLinksInDocs(t *testing.T) {
	for name, text := range pages(t) {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), found[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
