package assemble_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/assemble"
	"github.com/mountd/mountd/internal/builtin"
	"github.com/mountd/mountd/internal/frontdoor"
	"github.com/mountd/mountd/internal/mountfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counted is a layer or application that counts its instances.
type counted struct {
	made, closed map[string]int
}

type countedOptions struct {
	Name string `yaml:"name"`
}

func (c *counted) layer() compose.Factory {
	return compose.Define("counts", countedOptions{}, func(o countedOptions) (compose.Instance, error) {
		c.made[o.Name]++
		wrap := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Add("X-Layer", o.Name)
				next.ServeHTTP(w, r)
			})
		}
		return compose.Instance{Wrap: wrap, Close: func() error { c.closed[o.Name]++; return nil }}, nil
	})
}

func (c *counted) app() compose.AppKind {
	return compose.DefineApp("counts", countedOptions{}, func(_ compose.AppContext, o countedOptions) (compose.App, error) {
		c.made[o.Name]++
		answer := func(w http.ResponseWriter, _ *http.Request) {
			if c.closed[o.Name] > 0 {
				w.WriteHeader(http.StatusInternalServerError)
			}
			_, _ = io.WriteString(w, o.Name)
		}
		return compose.App{Handler: http.HandlerFunc(answer), Close: func() error { c.closed[o.Name]++; return nil }}, nil
	})
}

// bench is a table on disk with what is built from it.
type bench struct {
	t       *testing.T
	dir     string
	pool    compose.Pool
	parts   assemble.Parts
	site    *assemble.Site
	counted counted
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: t.TempDir(), counted: counted{map[string]int{}, map[string]int{}}}
	t.Cleanup(func() {
		if err := b.pool.Close(); err != nil {
			t.Error(err)
		}
	})
	middlewares, apps := builtin.Middlewares(builtin.Env{Stderr: io.Discard, Silent: true}), builtin.Apps()
	middlewares["counted"], apps["count"] = b.counted.layer(), b.counted.app()
	b.parts = assemble.Parts{
		Middlewares: middlewares, Apps: apps,
		Condition: builtin.Condition, Rebase: builtin.Rebase, Sendfile: builtin.Sendfile, Identity: builtin.NewOutgoing().Identity,
		Front: func(identity []string, refused func(http.ResponseWriter, *http.Request, error), next http.Handler) (http.Handler, error) {
			return frontdoor.New(frontdoor.Config{IdentityHeaders: identity, ErrorFunc: refused, Next: next})
		},
	}
	return b
}

func (b *bench) write(name, text string) {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// build assembles the table; it is not committed yet.
func (b *bench) build() (*assemble.Site, error) {
	table, err := mountfile.Load(filepath.Join(b.dir, "mountd.yaml"), mountfile.Options{})
	if err != nil {
		return nil, err
	}
	return assemble.Build(assemble.Config{Table: table, Parts: b.parts, Pool: &b.pool, Previous: b.site})
}

// reload swaps the table in, and closes what only the old one had.
func (b *bench) reload(text string) {
	b.t.Helper()
	b.write("mountd.yaml", text)
	site, err := b.build()
	if err != nil {
		b.t.Fatal(err)
	}
	closeOld := site.Commit()
	b.site = site
	if err := closeOld(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) get(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.site.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func (b *bench) expect(path string, status int, body string) {
	b.t.Helper()
	if w := b.get(path); w.Code != status || !strings.Contains(w.Body.String(), body) {
		b.t.Errorf("%s: %d %q, not %d %q", path, w.Code, w.Body, status, body)
	}
}

func (b *bench) counts(name string, made, closed int) {
	b.t.Helper()
	if b.counted.made[name] != made || b.counted.closed[name] != closed {
		b.t.Errorf("%s: made %d times and closed %d, not %d and %d", name, b.counted.made[name], b.counted.closed[name], made, closed)
	}
}

func TestWhatIsDefinedAsBeforeLivesOn(t *testing.T) {
	b := newBench(t)
	const before = `
middleware:
  kept: {counted: {name: kept}}
  gone: {counted: {name: gone}}
use: []
mounts:
  /kept: {count: {name: app}, use: [kept]}
  /gone: {count: {name: other}, use: [gone, kept]}
  /limited: {respond: hi, use: [{limit.rate: {rate: 1/h, burst: 2}}]}
`
	b.reload(before)
	b.expect("/limited", 200, "hi")
	b.counts("kept", 1, 0)
	b.reload(`
middleware: {renamed: {counted: {name: kept}}}
use: []
mounts:
  /limited: {respond: bye, use: [{limit.rate: {burst: 2, rate: 1/h}}]} # other order, other place
  /kept: {use: [renamed], count: {name: app}}
`)
	b.counts("kept", 1, 0)
	b.counts("app", 1, 0)
	b.counts("gone", 1, 1)
	b.counts("other", 1, 1)
	b.expect("/limited", 200, "bye")
	b.expect("/limited", 429, "")
	b.expect("/kept", 200, "app")
	if err := b.pool.Close(); err != nil {
		t.Error(err)
	}
	b.counts("kept", 1, 1)
	b.counts("app", 1, 1)
	b.counts("gone", 1, 1)
}

func TestATableWithMistakesLeavesWhatRunsAlone(t *testing.T) {
	b := newBench(t)
	b.reload("use: [{counted: {name: a}}]\nmounts: {/: {count: {name: app}}}\n")
	b.write("mountd.yaml", "use: [{counted: {name: a}}, {counted: {name: b}}]\nmounts: {/: {count: {name: app}}, /new: {count: {name: new}}, /bad: nothing}\n")
	if _, err := b.build(); err == nil || !strings.Contains(err.Error(), `"nothing" is no application`) {
		t.Errorf("error %v", err)
	}
	b.counts("a", 1, 0)
	b.counts("app", 1, 0)
	b.counts("b", 1, 1)
	b.counts("new", 1, 1)
	b.expect("/", 200, "app")
	if err := b.pool.Close(); err != nil {
		t.Error(err)
	}
}

func TestPartsOfAnApplicationLiveAsLongAsItDoes(t *testing.T) {
	b := newBench(t)
	const cascade = "use: []\nmounts:\n  /c: {cascade: [{count: {name: first}}, {switch: [{count: {name: second}}]}]}\n"
	b.reload(cascade)
	for range 3 { // kept as a whole, so that its parts are not even named
		b.reload(cascade + "  /other: respond:hi\n")
		b.reload(cascade)
	}
	b.counts("first", 1, 0)
	b.counts("second", 1, 0)
	b.expect("/c", 200, "first")
	b.reload("mounts: {}\n")
	b.counts("first", 1, 1)
	b.counts("second", 1, 1)
}

func TestMountsOfABrokenIncludeAreNotServedByOthers(t *testing.T) {
	const main = "include: [conf.d/*.yaml]\nuse: [{counted: {name: guard}}]\nmounts: {/: {count: {name: main}}, /main: respond:main}\n"
	for _, c := range []struct{ name, include string }{
		{"not YAML", "mounts:\n  /team: [respond:hi\n  /team/deep: respond:hi\n"},
		{"a mistake in a mount", "mounts:\n  /team: ./nosuch\n  /team/deep: respond:hi\n"},
		{"a mount that the main table has", "mounts:\n  /main: respond:mine\n  /team: respond:hi\n"},
		{"an unknown layer", "mounts: {/team: {respond: hi, use: [nosuch]}}\n"},
		{"a pattern that is none", "mounts: {/team: respond:hi, nothing: respond:hi}\n"},
		{"a definition", "middleware: {x: {counted: {nme: x}}}\nmounts: {/team: respond:hi}\n"},
		{"a key that only the main table has", "listen: :80\nmounts: {/team: respond:hi}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.write("conf.d/team.yaml", c.include)
			b.reload(main)
			if len(b.site.Broken) == 0 {
				t.Error("nothing is reported")
			}
			b.expect("/", 200, "main")
			b.expect("/main", 200, "main")
			b.expect("/team/x", 503, "")
			b.expect("/team/deep/x", 503, "")
			if w := b.get("/team"); w.Header().Get("X-Layer") != "guard" {
				t.Error("the 503 does not come through the global chain")
			}

			b.write("conf.d/team.yaml", "mounts: {/team: {count: {name: team}}}\n")
			b.reload(main)
			b.expect("/team", 200, "team")
			b.write("conf.d/team.yaml", c.include)
			b.reload(strings.Replace(main, "respond:main", "respond:main2", 1))
			b.expect("/main", 200, "main2")
			b.expect("/team", 200, "team")
			b.counts("team", 1, 0)
			b.write("conf.d/team.yaml", c.include+"# still broken\n")
			b.reload(main)
			b.expect("/team", 200, "team")
			b.counts("team", 1, 0)
			b.write("conf.d/team.yaml", "mounts: {}\n")
			b.reload(main)
			b.expect("/team", 200, "main")
			b.counts("team", 1, 1)
			if err := b.pool.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestALayerOfABrokenIncludeIsNeverLeftOut(t *testing.T) {
	const main = "include: conf.d/guard.yaml\nuse: []\nmounts:\n  /open: respond:open\n  /guarded: {respond: secret, use: [guard]}\n  /deep: {mounts: {/guarded: {respond: secret, use: [stack]}}}\n"
	const fine = "middleware: {guard: {ip: {allow: [192.0.2.0/24]}}}\nstacks: {stack: [guard]}\n"
	for name, include := range map[string]string{
		"options":  "middleware: {guard: {ip: {allow: [192.0.2.0/99]}}}\nstacks: {stack: [guard]}\n",
		"unknown":  "middleware: {guard: {ipp: {}}}\nstacks: {stack: [guard]}\n",
		"not YAML": "middleware: {guard: {ip: {allow: [192.0.2.0/24}}}\nstacks: {stack: [guard]}\n",
		"stack":    "middleware: {guard: {ip: {allow: [192.0.2.0/24]}, x: y}}\nstacks: {stack: [guard]}\n",
		"key":      "middleware: {guard: {ip: {}}}\nstacks: {stack: [guard]}\nlisten: :80\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.write("conf.d/guard.yaml", include)
			b.reload(main)
			b.expect("/open", 200, "open")
			b.expect("/guarded", 503, "")
			b.expect("/deep/guarded", 503, "")
			b.write("conf.d/guard.yaml", fine)
			b.reload(main)
			b.expect("/guarded", 200, "secret")
			b.expect("/deep/guarded", 200, "secret")
			b.write("conf.d/guard.yaml", include)
			b.reload(main)
			b.expect("/guarded", 200, "secret") // as it ran, with its guard
			r := httptest.NewRequest(http.MethodGet, "/guarded", nil)
			r.RemoteAddr = "198.51.100.1:1"
			w := httptest.NewRecorder()
			b.site.Handler.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden {
				t.Errorf("a client that the guard refuses: %d", w.Code)
			}
		})
	}
}

// I07: reloads leak nothing.
func TestReloadsLeakNothing(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up") }))
	defer upstream.Close()
	b := newBench(t)
	b.write("public/index.html", "home")
	table := func(i int) string {
		return fmt.Sprintf(`
middleware:
  limited: {limit.rate: {rate: 1/h, burst: %d}}
  files: {share: {exports: {/s: ./public}, max_age: %ds}}
use: [request_id, access_log, errors, limited]
mounts:
  /: {static: {root: ./public, max_age: %[1]ds}}
  /same: ./public
  /proxy: {proxy: {to: %[3]s, retries: %[2]d, health: {path: /, interval: 1h}}, use: [files]}
  /kept: %[3]s
  /cascade: {cascade: [{static: {root: ./public, max_age: %[1]ds}}, %[3]s]}
  /send: {proxy: %[3]s, sendfile: {/p: ./public}}
  /tables: {mounts: {/a: ./public, /b: {static: ./public, use: [files]}}}
`, i%5+9000, i%3, upstream.URL)
	}
	round := func(i int) {
		b.reload(table(i))
		b.expect("/", 200, "home")
		b.expect("/proxy/", 200, "up")
		b.expect("/kept/", 200, "up")
		b.expect("/cascade/nothing", 200, "up")
	}
	for i := range 20 {
		round(i)
	}
	goroutines, files := settled(t, 1<<30, 1<<30)
	for i := range 200 {
		round(i)
		if i%10 == 0 {
			b.write("mountd.yaml", table(i+1)+"  /bad: nothing\n")
			if _, err := b.build(); err == nil {
				t.Fatal("no mistake found")
			}
		}
	}
	round(19)
	nowGoroutines, nowFiles := settled(t, goroutines, files)
	if nowGoroutines > goroutines+2 || nowFiles > files+2 {
		t.Errorf("%d goroutines and %d files became %d and %d", goroutines, files, nowGoroutines, nowFiles)
	}
	if err := b.pool.Close(); err != nil {
		t.Error(err)
	}
}

// settled gives the number of goroutines and open files, once they are down to
// what is expected, or after a while.
func settled(t *testing.T, goroutines, files int) (int, int) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			open = nil // not Linux: goroutines tell
		}
		n := runtime.NumGoroutine()
		if n <= goroutines+2 && len(open) <= files+2 || time.Now().After(deadline) {
			return n, len(open)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
