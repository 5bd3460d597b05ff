package mountfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/mountfile"
	"github.com/mountd/mountd/internal/option"
)

// isolated keeps a table from the machine it is read on.
func isolated() mountfile.Options {
	return mountfile.Options{
		Env:      environment,
		ReadFile: func(string) ([]byte, error) { return nil, fs.ErrNotExist },
		Glob:     func(string) ([]string, error) { return nil, nil },
	}
}

func parse(t *testing.T, text string) *mountfile.Table {
	t.Helper()
	table, err := mountfile.Parse("/srv/mountd.yaml", []byte(text), isolated())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// value gives the first mount of a table.
func value(t *testing.T, text string) *mountfile.Node {
	t.Helper()
	return parse(t, "mounts:\n  /x: "+text).Mounts[0].Value
}

func TestSettingsHaveDefaults(t *testing.T) {
	got := parse(t, "mounts: {}").Settings
	if !reflect.DeepEqual(got, mountfile.DefaultSettings()) {
		t.Errorf("%+v", got)
	}
	if got.Listen[0].Address != "127.0.0.1:8080" || got.HTTP.MaxHeader != 65536 || !got.Watch || got.Grace != 10*time.Second {
		t.Errorf("%+v", got)
	}
}

func TestSettingsAreRead(t *testing.T) {
	table, err := mountfile.Load("testdata/good/settings.yaml", mountfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := table.Settings
	dir := filepath.Join(workingDir(t), "testdata/good")
	want := mountfile.Listeners{
		{Address: ":8080"}, {Address: ":8081", Plain: true}, {Unix: dir + "/run/m.sock"}, {FD: "http"},
		{Unix: "/run/m.sock", Mode: 0o660, Owner: "www:www"},
	}
	if !slices.Equal(s.Listen, want) {
		t.Errorf("listen: %v", s.Listen)
	}
	if got := s.TLS.Certificates(); len(got) != 1 || got[0].Cert != mountfile.Path(dir+"/a.pem") {
		t.Errorf("certificates: %v", got)
	}
	if s.TLS.ACME.Storage != mountfile.Path(dir+"/acme") || s.Log.File != mountfile.Path(dir+"/m.log") {
		t.Errorf("storage %s, log %s", s.TLS.ACME.Storage, s.Log.File)
	}
	if s.HTTP.IdleTimeout != 180*24*time.Hour || s.HTTP.HeaderTimeout != 90*time.Minute || s.Grace != 0 || s.Control != "off" || s.Watch {
		t.Errorf("%+v", s)
	}
	if s.Admin.Listen.Unix != "/run/a.sock" || len(s.Admin.Use.List()) != 1 || len(s.Log.Redact) != 0 {
		t.Errorf("%+v %+v", s.Admin, s.Log)
	}
}

func TestTextsAreTakenAsTheyAreWritten(t *testing.T) {
	var got struct {
		A map[string]string `yaml:"a"`
		B []string          `yaml:"b"`
		C string            `yaml:"c"`
		D string            `yaml:"d"`
	}
	got.D = "kept"
	n := value(t, `{a: {yes: no, 08: 1e3, ~: null, x: }, b: [0x10, 1_0, ~, 'q', 2020-01-01], c: on, d: }`)
	if err := n.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.A, map[string]string{"yes": "no", "08": "1e3", "~": "null", "x": ""}) {
		t.Errorf("%q", got.A)
	}
	if !slices.Equal(got.B, []string{"0x10", "1_0", "~", "q", "2020-01-01"}) || got.C != "on" || got.D != "kept" {
		t.Errorf("%q %q %q", got.B, got.C, got.D)
	}
}

func TestVariablesNeverBecomeStructure(t *testing.T) {
	opt := isolated()
	opt.Env = func(string) (string, bool) { return "a: b\n- c # d\n*x {y", true }
	table, err := mountfile.Parse("t.yaml", []byte("mounts: {/x: ${V}, '/${V}': [\"${V}\"]}"), opt)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Mounts) != 2 || table.Mounts[0].Value.Text() != "a: b\n- c # d\n*x {y" || table.Mounts[1].Name() != "/a: b\n- c # d\n*x {y" {
		t.Errorf("%v", table.Mounts)
	}
}

func TestVariables(t *testing.T) {
	opt := isolated()
	opt.ReadFile = func(path string) ([]byte, error) {
		if path == "/srv/secret" {
			return []byte("of the file\r\n\n"), nil
		}
		return nil, fs.ErrNotExist
	}
	for text, want := range map[string]string{
		"${HOST}":                       "example.com",
		"a${HOST}b${PORT}c":             "aexample.comb9000c",
		"${NONE:-x}":                    "x",
		"${NONE:-}":                     "",
		"${EMPTY:-x}":                   "x",
		"${EMPTY}":                      "",
		"'${NONE:-{\"a\": {}}}'":        `{"a": {}}`,
		"$${HOST}":                      "${HOST}",
		"$$${HOST}":                     "$${HOST}",
		"$HOST $ {HOST} $$":             "$HOST $ {HOST} $$",
		"${file:secret}":                "of the file",
		"${file:/srv/secret}!":          "of the file!",
		"[${HOST}]":                     "example.com",
		"{a: ${HOST}, b: ${NONE:-y/z}}": "example.com",
	} {
		table, err := mountfile.Parse("/srv/t.yaml", []byte("mounts:\n  /x: "+text+"\n"), opt)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		n := table.Mounts[0].Value
		for n.Kind() != mountfile.Scalar {
			if n.Kind() == mountfile.Map {
				n = n.Entries()[0].Value
			} else {
				n = n.List()[0]
			}
		}
		if n.Text() != want {
			t.Errorf("%s: %q, not %q", text, n.Text(), want)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "1h30m": 90 * time.Minute, "180d": 4320 * time.Hour, "2w1d": 360 * time.Hour, "1.5d": 36 * time.Hour, "0": 0, "0s": 0, "100ms": 100 * time.Millisecond, ".5s": 500 * time.Millisecond,
	} {
		var got time.Duration
		if err := mountfile.NewScalar("x", text).Decode(&got); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "s", "5", "-5s", "+5s", "5 s", "5x", "d", ".d", "1d-1h", "1e3s", "106752d", "100000000w", "5s5", "0x5s", "NaNd"} {
		got := time.Duration(-1)
		if err := mountfile.NewScalar("x", text).Decode(&got); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

type fallible struct{}

type pathError struct{ path string }

func (e pathError) Error() string      { return "not this" }
func (e pathError) OptionPath() string { return e.path }

func (f *fallible) UnmarshalOption(decode func(v any) error) error {
	var v struct {
		To []string `yaml:"to"`
	}
	if err := decode(&v); err != nil {
		return err
	}
	return errors.Join(pathError{"to[1]"}, fmt.Errorf("wrapped: %w", pathError{"nothing"}))
}

func TestAnErrorIsLaidAtTheOptionItNames(t *testing.T) {
	n := value(t, "\n    to:\n    - a\n    - b\n")
	var f fallible
	errs := mistakes(t, n.Decode(&f))
	if got := errs.Error(); got != "/srv/mountd.yaml:3:5: wrapped: not this\n/srv/mountd.yaml:5:7: not this" {
		t.Error(got)
	}
	if got := n.Locate(errors.Join(pathError{"to[1]"}, errs)).Error(); !strings.HasSuffix(got, ":5:7: not this") || strings.Count(got, "\n") != 1 {
		t.Error(got)
	}
	var cause pathError
	if !errors.As(errs, &cause) {
		t.Error("the cause is lost")
	}
}

func TestAtFindsTheClosestNode(t *testing.T) {
	n := value(t, "{a: {b.c: {d: 1}}, to: [x, {y: 2}]}")
	for path, want := range map[string]string{"a.b.c.d": "1", "to[0]": "x", "to[1].y": "2"} {
		if got := n.At(path).Text(); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
	for _, path := range []string{"to[7]", "to.zz", "to[x]", "to[-1]"} {
		if got := n.At(path); got != n.Get("to") {
			t.Errorf("%s: %v", path, got.Pos())
		}
	}
	if n.At("") != n || n.At("none") != n || (*mountfile.Node)(nil).At("a") != nil {
		t.Error("the closest node is not given")
	}
}

func TestDefaultPathsAreRelativeToTheFile(t *testing.T) {
	var got struct {
		Dir   option.File `yaml:"dir"`
		Inner struct {
			Root option.File `yaml:"root"`
		} `yaml:"inner"`
	}
	got.Dir, got.Inner.Root = ".", "./x"
	if err := value(t, "{inner: {}}").Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Dir != "/srv" || got.Inner.Root != "/srv/x" {
		t.Errorf("%+v", got)
	}
}

func TestSharedOptionTypesAreDecoded(t *testing.T) {
	var got struct {
		Size  option.Size    `yaml:"size"`
		Rate  option.Rate    `yaml:"rate"`
		One   option.Strings `yaml:"one"`
		Many  option.Strings `yaml:"many"`
		File  *option.File   `yaml:"file"`
		App   option.Node    `yaml:"app"`
		Apps  []option.Node  `yaml:"apps"`
		Any   any            `yaml:"any"`
		Empty option.Node    `yaml:"empty"`
	}
	n := value(t, "{size: 10MiB, rate: 5/m, one: a, many: [b, c], file: x, app: {k: v}, apps: [x, {}], any: {a: [1, 1.5, yes, true, '2', ~]}, empty: }")
	if err := n.Decode(&got); err != nil {
		t.Fatal(err)
	}
	var inner map[string]string
	if err := got.App.Decode(&inner); err != nil || inner["k"] != "v" {
		t.Errorf("%v %v", inner, err)
	}
	if got.Size != 10<<20 || got.Rate.Count != 5 || len(got.One) != 1 || len(got.Many) != 2 || *got.File != "/srv/x" || len(got.Apps) != 2 || !got.Empty.Empty() {
		t.Errorf("%+v", got)
	}
	want := map[string]any{"a": []any{int64(1), 1.5, "yes", true, "2", nil}}
	if !reflect.DeepEqual(got.Any, want) {
		t.Errorf("%#v", got.Any)
	}
	if err := value(t, "{many: {a: b}}").Decode(&got); err == nil || !strings.Contains(err.Error(), "many: a mapping is not a list") {
		t.Error(err)
	}
}

type shared struct {
	Env map[string]string `yaml:"env"`
	Dir option.File       `yaml:"dir"`
}

func TestInlinedStructsShareTheirKeys(t *testing.T) {
	var got struct {
		shared `yaml:",inline"`
		More   struct {
			Index string `yaml:"index"`
		} `yaml:",inline"`
		Own int `yaml:"own"`
	}
	err := value(t, "{env: {A: b}, dir: x, index: i, own: 1}").Decode(&got)
	if err != nil || got.Env["A"] != "b" || got.Dir != "/srv/x" || got.More.Index != "i" || got.Own != 1 {
		t.Errorf("%+v %v", got, err)
	}
}

func TestOnlyAndWithoutKeepTheOtherNamesKnown(t *testing.T) {
	n := value(t, "{proxy: a, name: b, nam: c}")
	var app struct {
		Proxy string `yaml:"proxy"`
	}
	err := n.Without("name").Decode(&app)
	if err == nil || !strings.Contains(err.Error(), `unknown key "nam" (did you mean "name"?)`) {
		t.Error(err)
	}
	if err := n.Only("proxy").Decode(&app); err != nil || app.Proxy != "a" {
		t.Error(err)
	}
}

func TestFingerprints(t *testing.T) {
	base := value(t, "{a: 1, b: [x, y]}").Fingerprint()
	for _, same := range []string{"{b: [x, 'y'], a: 1}", "\n\n    a: 1 # so\n    b:\n    - x\n    - ${NONE:-y}\n"} {
		if got := value(t, same).Fingerprint(); got != base {
			t.Errorf("%s differs", same)
		}
	}
	for _, other := range []string{"{a: '1', b: [x, y]}", "{a: 1, b: [y, x]}", "{a: 1, b: [xy]}", "{a: 1}", "{a: 1, b: x}", ""} {
		if got := value(t, other).Fingerprint(); got == base {
			t.Errorf("%q has the same", other)
		}
	}
	moved, err := mountfile.Parse("/etc/mountd.yaml", []byte("mounts: {/x: {a: 1, b: [x, y]}}"), isolated())
	if err != nil || moved.Mounts[0].Value.Fingerprint() == base {
		t.Error("paths of another directory do not count", err)
	}
	if (*mountfile.Node)(nil).Fingerprint() == value(t, "~").Fingerprint() {
		t.Error("nothing and null are the same")
	}
}

func TestNodesCanBeMadeWithoutAFile(t *testing.T) {
	n := mountfile.FromValue("command line", map[string]any{"to": []any{"a", 1, true}, "env": map[string]any{"TOKEN": "hunter2"}, "none": nil})
	var got struct {
		To   []string          `yaml:"to"`
		Env  map[string]string `yaml:"env"`
		None *int              `yaml:"none"`
	}
	if err := n.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.To, []string{"a", "1", "true"}) || got.Env["TOKEN"] != "hunter2" || got.None != nil {
		t.Errorf("%+v", got)
	}
	if err := mountfile.NewScalar("command line", "x").Errorf("%q is wrong", "x"); err.Error() != `command line: "x" is wrong` {
		t.Error(err)
	}
	if n.Get("env").Get("TOKEN").Errorf("bad: hunter2").Error() != "command line: bad: the value" {
		t.Error("a secret is shown")
	}
}

func TestADerivedTextDoesNotShowWhatVariablesStoodFor(t *testing.T) {
	n := value(t, "php:${PASSWORD}")
	if got := n.WithText("hunter2hunter2").Errorf("%q is no directory", "hunter2hunter2").Error(); strings.Contains(got, "hunter2") {
		t.Error(got)
	}
}

func TestABrokenIncludedFileHarmsOnlyItself(t *testing.T) {
	files := map[string]string{
		"/srv/conf.d/a.yaml": "mounts:\n  /a: ./a\n  ${HOST}/b: [\n  \"/c\": x\nstacks: {s: [a], t: }\n",
		"/srv/conf.d/b.yaml": "mounts: {/b: ./b}\nmiddleware: {m: {errors: }}\n",
		"/srv/conf.d/c.yaml": "mounts: {/c: ${NOBODY}}\n",
	}
	opt := isolated()
	opt.ReadFile = func(path string) ([]byte, error) {
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrPermission
	}
	opt.Glob = func(pattern string) ([]string, error) {
		if pattern != "/srv/conf.d/*.yaml" {
			t.Errorf("glob %s", pattern)
		}
		return []string{"/srv/conf.d/c.yaml", "/srv/conf.d/a.yaml", "/srv/conf.d/b.yaml", "/srv/conf.d/d.yaml"}, nil
	}
	table, err := mountfile.Parse("/srv/mountd.yaml", []byte("include: conf.d/*.yaml\nmounts: {/: ./x}\n"), opt)
	if err != nil {
		t.Fatal(err)
	}
	var mounts []string
	for _, m := range table.Mounts {
		mounts = append(mounts, m.Name())
	}
	if !slices.Equal(mounts, []string{"/", "/b"}) || len(table.Middleware) != 1 || len(table.Stacks) != 0 {
		t.Errorf("%q %v", mounts, table.Middleware)
	}
	if len(table.Included) != 4 || len(table.Files) != 4 {
		t.Fatalf("%d files included, %q asked for", len(table.Included), table.Files)
	}
	a, b, c, d := table.Included[0], table.Included[1], table.Included[2], table.Included[3]
	if len(a.Err) != 1 || !slices.Equal(a.Prefixes, []string{"/a", "example.com/b", "/c"}) || !slices.Equal(a.Names, []string{"s", "t"}) {
		t.Errorf("%v %q %q", a.Err, a.Prefixes, a.Names)
	}
	if b.Err != nil || len(c.Err) != 1 || !slices.Equal(c.Prefixes, []string{"/c"}) {
		t.Errorf("%v, %v %q", b.Err, c.Err, c.Prefixes)
	}
	if len(d.Err) != 1 || !errors.Is(d.Err, fs.ErrPermission) {
		t.Errorf("%v", d.Err)
	}
}

func TestAnEmptyTableIsToldFromOneWithoutMounts(t *testing.T) {
	for text, empty := range map[string]bool{"": true, "# c\n": true, "---\n": true, "{}": true, "mounts: {}": false, "mounts:": false} {
		if got := parse(t, text).Empty; got != empty {
			t.Errorf("%q: empty is %v", text, got)
		}
	}
}

func TestAWorldReadableTableWithSecretsIsWarnedAbout(t *testing.T) {
	for _, c := range []struct {
		text string
		mode os.FileMode
		warn bool
	}{
		{"mounts: {/: {secret: abc}}", 0o644, true},
		{"mounts: {/: {keys: [abc]}}", 0o604, true},
		{"mounts: {/: {store: 'redis://:pw@host/0'}}", 0o644, true},
		{"mounts: {/: {env: {SECRET_KEY: abc}}}", 0o644, true},
		{"mounts: {/: {secret: abc}}", 0o640, false},
		{"mounts: {/: {keep_id_token: true}}", 0o644, false},
		{"mounts: {/: {keep_id_token: 'true'}}", 0o644, true},
		{"middleware: {tokens: {auth.bearer: {issuer: a}}}\nmounts: {/: x}", 0o644, false},
		{"mounts: {/: {keys: {ci: " + strings.Repeat("0f", 32) + "}}}", 0o644, false},
		{"mounts: {/: {keys: {ci: abc}}}", 0o644, true},
		{"mounts: {/: {secret: '${HOST}'}}", 0o644, false},
		{"mounts: {/: {key: key.pem, secret_file: x, forward_credentials: [key]}}", 0o644, false},
	} {
		path := filepath.Join(t.TempDir(), "mountd.yaml")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		table, err := mountfile.Load(path, mountfile.Options{Env: environment})
		if err != nil || len(table.Warnings) > 0 != c.warn {
			t.Errorf("%s, %o: %v %v", c.text, c.mode, table.Warnings, err)
		}
		if len(table.Warnings) > 0 && strings.Contains(table.Warnings.Error(), "abc") {
			t.Error(table.Warnings)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none.yaml"), dir} {
		table, err := mountfile.Load(path, mountfile.Options{})
		errs := mistakes(t, err)
		if len(errs) != 1 || errs[0].Pos.File != path || table == nil || len(table.Files) != 1 {
			t.Errorf("%v", err)
		}
	}
	link := filepath.Join(dir, "link.yaml")
	target := filepath.Join(dir, "real.yaml")
	if err := errors.Join(os.WriteFile(target, []byte("mounts: {/: x}"), 0o600), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	if table, err := mountfile.Load(link, mountfile.Options{}); err != nil || len(table.Mounts) != 1 {
		t.Errorf("a symbolic link: %v", err)
	}
}

func TestAHundredThousandMountsLoadQuickly(t *testing.T) {
	const count = 100_000 / scale
	var b strings.Builder
	b.WriteString("mounts:\n")
	for i := range count {
		fmt.Fprintf(&b, "  host%d.example.com/app%d: {proxy: 'http://127.0.0.1:9000', name: m%d}\n", i%10_000, i, i)
	}
	start := time.Now()
	if got := len(parse(t, b.String()).Mounts); got != count {
		t.Errorf("%d mounts", got)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestSuggestions(t *testing.T) {
	known := []string{"auth.basic", "auth.form", "compress", "errors", "session", "listen", "ip"}
	for word, want := range map[string]string{
		"sesion": "session", "basic_auth": "auth.basic", "Errors": "errors", "comperss": "compress", "listne": "listen", "xyzzy": "", "": "", "pi": "ip", "q": "",
	} {
		if got := mountfile.Suggest(word, known); got != want {
			t.Errorf("%q: %q, not %q", word, got, want)
		}
	}
}

func TestErrorsAreSortedRootFirst(t *testing.T) {
	at := func(file string, line int) *mountfile.Error {
		return &mountfile.Error{Pos: mountfile.Pos{File: file, Line: line, Column: 1}, Message: "m"}
	}
	got := mountfile.Collect("root", errors.Join(at("a", 1), at("root", 20)), at("root", 3), at("root", 3), errors.New("no place"), nil)
	if got.Error() != "root: no place\nroot:3:1: m\nroot:20:1: m\na:1:1: m" {
		t.Error(got)
	}
	if mountfile.Collect("root").Err() != nil {
		t.Error("no mistakes are an error")
	}
}

func ExampleNode_Decode() {
	table, _ := mountfile.Parse("mounts.yaml", []byte("mounts:\n  /api: {timeout: soon, retires: 3}\n"), mountfile.Options{})
	options := struct {
		Timeout time.Duration `yaml:"timeout"`
		Retries int           `yaml:"retries"`
	}{Timeout: time.Minute}
	fmt.Println(table.Mounts[0].Value.Decode(&options))
	// Output:
	// mounts.yaml:2:19: timeout: "soon" is not a duration (write it like 30s or 5m)
	// mounts.yaml:2:25: unknown key "retires" (did you mean "retries"?)
}
