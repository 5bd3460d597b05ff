package builtin_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/builtin"
	"github.com/mountd/mountd/internal/frontdoor"
	"github.com/mountd/mountd/internal/mountfile"
)

func value(t *testing.T, text string) *mountfile.Node {
	t.Helper()
	table, err := mountfile.Parse("t.yaml", []byte("mounts: {x: "+text+"}\n"), mountfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return table.Mounts[0].Value
}

// layers reads "errors {ip: {}}".
func layers(t *testing.T, stack string) []compose.Layer {
	t.Helper()
	var all []compose.Layer
	for _, n := range value(t, stack).List() {
		l := compose.Layer{Name: n.Text(), Definition: n.Fingerprint()}
		if n.Kind() == mountfile.Map {
			first := n.Entries()[0]
			l.Name, l.Options = first.Name(), first.Value
			l.PathBound = n.Get("when") != nil
		}
		all = append(all, l)
	}
	return all
}

func TestTheOrderRulesOfBuiltInLayers(t *testing.T) {
	registry := builtin.Middlewares(builtin.Env{})
	for _, c := range []struct {
		stack    string
		mistakes int
		warnings int
	}{
		{"[request_id, access_log, errors, compress, secure_headers]", 0, 0},
		{"[request_id, access_log, {ip: {allow: [private]}}, {limit.rate: {}}, {limit.concurrent: {}}, errors, {limit.body: {}}, timeout]", 0, 0},
		{"[access_log, request_id, errors]", 0, 1},
		{"[errors, access_log]", 0, 1},
		{"[errors, request_id]", 0, 1},
		{"[compress, errors]", 0, 1},
		{"[{headers: {}}, errors]", 0, 1},
		{"[timeout, errors]", 0, 1},
		{"[{limit.body: {}}, errors]", 0, 1},
		{"[errors, {share: {exports: {/a: .}}}, compress]", 0, 1},
		{"[errors, {errors: {debug: true}}]", 1, 0},
		{"[errors, errors]", 0, 0},
		{"[compress, {compress: {min_size: 1}}]", 1, 0},
		{"[{limit.rate: {by: user}}]", 1, 0},
		{"[{limit.rate: {by: {header: X-Key}}}]", 0, 0},
		{"[{ip: {allow: [private]}, when: {path: /a}}, {rewrite: {path: {from: /b, to: /a}}}]", 1, 0},
		{"[{ip: {allow: [private]}}, {rewrite: {path: {from: /b, to: /a}}}]", 0, 0},
		{"[{csrf: {}, when: {path: /a}}, {rewrite: {path: {from: /b, to: /a}}}]", 1, 0},
		{"[{limit.rate: {}, when: {path: /a}}, {rewrite: {path: {from: /b, to: /a}}}]", 1, 0},
	} {
		mistakes, warnings := 0, 0
		var lines []string
		for _, e := range registry.Check(nil, layers(t, c.stack)...) {
			lines = append(lines, e.Error())
			if e.Warning {
				warnings++
			} else {
				mistakes++
			}
		}
		if mistakes != c.mistakes || warnings != c.warnings {
			t.Errorf("%s: %d mistakes and %d warnings, not %d and %d:\n%s", c.stack, mistakes, warnings, c.mistakes, c.warnings, strings.Join(lines, "\n"))
		}
	}
}

func TestEveryPartSaysWhatItIsFor(t *testing.T) {
	for name, f := range builtin.Middlewares(builtin.Env{}) {
		if f.Doc == "" || f.Options == nil || f.New == nil {
			t.Errorf("middleware %s lacks a doc, options or New", name)
		}
	}
	for name, k := range builtin.Apps() {
		if k.Doc == "" || k.Example == "" || k.Options == nil || k.New == nil {
			t.Errorf("app %s lacks a doc, an example, options or New", name)
		}
	}
}

func TestDefaultsAreNotShared(t *testing.T) {
	f := builtin.Middlewares(builtin.Env{})["compress"]
	want := fmt.Sprint(f.Options())
	changed := f.Options()
	if err := value(t, "{types: [text/plain], encodings: [gzip], min_size: 1}").Decode(changed); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.Options()); got != want || fmt.Sprint(changed) == want {
		t.Errorf("the defaults %s became %s", want, got)
	}
}

func TestAccessLogsAreReopened(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	reopener := &builtin.Reopener{}
	f := builtin.Middlewares(builtin.Env{Stderr: io.Discard, Reopen: reopener})["access_log"]
	o := f.Options()
	if err := value(t, "{to: "+path+", format: '{method} {path} {status}'}").Decode(o); err != nil {
		t.Fatal(err)
	}
	in, err := f.New(o)
	if err != nil {
		t.Fatal(err)
	}
	front, err := frontdoor.New(frontdoor.Config{Next: in.Wrap(http.NotFoundHandler())})
	if err != nil {
		t.Fatal(err)
	}
	front.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/one", nil))
	if err := reopener.Reopen(); err != nil { // what was written so far is in the file
		t.Fatal(err)
	}
	moved := path + ".1"
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if err := reopener.Reopen(); err != nil {
		t.Fatal(err)
	}
	front.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/two", nil))
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{moved: "GET /one 404\n", path: "GET /two 404\n"} {
		if text, err := os.ReadFile(file); err != nil || string(text) != want {
			t.Errorf("%s holds %q (%v), not %q", filepath.Base(file), text, err, want)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := reopener.Reopen(); err != nil { // it is closed, and forgotten
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a closed log is opened again")
	}
}

func TestALookAtALogMakesNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	f := builtin.Middlewares(builtin.Env{Stderr: io.Discard, Silent: true})["access_log"]
	for file, fine := range map[string]bool{path: true, filepath.Join(path, "x"): false, filepath.Dir(path): false} {
		o := f.Options()
		if err := value(t, "{to: "+file+"}").Decode(o); err != nil {
			t.Fatal(err)
		}
		in, err := f.New(o)
		if fine != (err == nil) {
			t.Errorf("%s: %v", file, err)
		}
		if err == nil {
			_ = in.Close()
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was made")
	}
}

func TestIdentityNamesHeaders(t *testing.T) {
	for text, want := range map[string]string{
		"remote":                     "Remote-User Remote-Groups Remote-Name Remote-Email",
		"forwarded":                  "X-Forwarded-User X-Forwarded-Groups X-Forwarded-Preferred-Username X-Forwarded-Email",
		"none":                       "",
		"{user: X-User, email: X-M}": "X-User X-M",
	} {
		_, names, err := builtin.NewOutgoing().Identity(value(t, text), nil)
		if err != nil || !slices.Equal(names, strings.Fields(want)) {
			t.Errorf("%s: %q, %v", text, names, err)
		}
	}
}
