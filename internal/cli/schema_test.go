package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	out := command(t.Context(), "schema")
	if out.status != 0 {
		t.Fatal(out.stderr)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(out.stdout))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mountd.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mountd.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// plain reads YAML as an editor does.
func plain(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(texts(v))
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// texts makes texts of the keys that YAML takes for numbers.
func texts(v any) any {
	switch v := v.(type) {
	case map[any]any:
		m := map[string]any{}
		for key, value := range v {
			m[fmt.Sprint(key)] = texts(value)
		}
		return m
	case map[string]any:
		for key, value := range v {
			v[key] = texts(value)
		}
	case []any:
		for i, item := range v {
			v[i] = texts(item)
		}
	}
	return v
}

func TestTheSchemaTakesWhatCheckTakes(t *testing.T) {
	s := compiled(t)
	count := 0
	for _, glob := range []string{"../../configs/*.yaml", "../../configs/conf.d/*.yaml", "testdata/good/*.yaml", "testdata/good/conf.d/*.yaml", "testdata/warn/*.yaml", "start.yaml"} {
		found, err := filepath.Glob(glob)
		if err != nil || len(found) == 0 {
			t.Fatalf("no tables %s: %v", glob, err)
		}
		for _, path := range found {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			count++
			if err := s.Validate(plain(t, text)); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	t.Logf("%d tables", count)
}

func TestTheSchemaRefusesWhatCheckRefuses(t *testing.T) {
	s := compiled(t)
	for i, table := range []string{
		"lisen: :80\n",
		"mounts: {/: {respond: hi, use: [{errors: {debgu: true}}]}}\n",
		"mounts: {/: {respond: hi, static: .}}\n",
		"mounts: {/: {name: x}}\n",
		"mounts: {/: {respond: hi, slsh: pass}}\n",
		"mounts: {/: {proxy: {to: http://x, retrys: 1}}}\n",
		"mounts: {/: {proxy: {to: http://x, retries: many}}}\n",
		"mounts: {/: {proxy: {to: http://x, balance: fastest}}}\n",
		"mounts: {/: {proxy: {to: [{url: http://x, wait: 2}]}}}\n",
		"mounts: {/: [respond:hi]}\n",
		"mounts: {/: {respond: hi, use: [{errors: {}, compress: {}}]}}\n",
		"mounts: {/: {respond: hi, use: [{compress: {}, when: {pth: /x}}]}}\n",
		"mounts: {/: {respond: hi, use: [{limit.rate: {by: nobody}}]}}\n",
		"mounts: {/: {respond: hi, rebase: fully}}\n",
		"mounts: {/: {respond: hi, slash: maybe}}\n",
		"mounts: {/: {cascade: []}}\n",
		"mounts: {/: {static: {root: ., max_age: 5}}}\n",
		"http: {max_header: lots}\n",
		"log: {level: loud}\n",
		"admin: :9180\nmounts: {/: respond:hi}\n",
		"tls: {acme: {email: a@b}}\nmounts: {/: respond:hi}\n",
		"processes: {w: {command: [a]}}\nmounts: {/: respond:hi}\n",
	} {
		if s.Validate(plain(t, []byte(table))) == nil {
			t.Errorf("the schema takes %s", table)
		}
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.yaml", i))
		write(t, path, table)
		if got := command(t.Context(), "check", "-c", path); got.status != 1 {
			t.Errorf("check takes %s", table)
		}
	}
}

// The files in docs are what `make schema` writes.
func TestTheGeneratedFilesAreUpToDate(t *testing.T) {
	for file, args := range map[string][]string{
		"../../docs/mountd.schema.json": {"schema"},
		"../../docs/mountfile.md":       {"schema", "--markdown"},
	} {
		out := command(t.Context(), args...)
		if *update {
			write(t, file, out.stdout)
		}
		have, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(have) != out.stdout {
			t.Errorf("%s is old: run make schema", file)
		}
	}
}

// The reference tells the defaults that the option structs hold.
func TestTheReferenceTellsDefaults(t *testing.T) {
	out := command(t.Context(), "schema", "--markdown").stdout
	for _, row := range []string{
		"| `listen` | text or mapping or list | `127.0.0.1:8080` |",
		"| `http.header_timeout` | duration | `10s` |",
		"| `http.idle_timeout` | duration | `2m` |",
		"| `http.body_timeout` | duration | `30s` |",
		"| `http.write_timeout` | duration | `1m` |",
		"| `http.max_header` | size | `64KiB` |",
		"| `watch` | true or false | `true` |",
		"| `grace` | duration | `10s` |",
		"| `log.redact` | text or list of texts | `[token, key, password]` |",
		"| `index` | text or list of texts | `[index.html]` |",
		"| `disallow` | text or list of texts | `[.*]` |",
		"| `precompressed` | true or false | `true` |",
		"| `symlinks` | text | `inside` |",
		"| `health.interval` | duration | `10s` |",
		"| `health.timeout` | duration | `2s` |",
		"| `health.status` | text | `2xx` |",
		"| `health.fails` | number | `3` |",
		"| `health.passes` | number | `2` |",
		"| `fail_timeout` | duration | `10s` |",
		"| `max_fails` | number | `3` |",
		"| `retries` | number | `1` |",
		"| `connect_timeout` | duration | `5s` |",
		"| `response_timeout` | duration | `1m` |",
		"| `flush` | text | `auto` |",
		"| `on` | list of number | `[404, 405]` |",
		"| `buffer` | size | `1MiB` |",
		"| `keep_path` | true or false | `true` |",
		"| `type` | text | `text/plain; charset=utf-8` |",
		"| `hsts` | duration | `180d` |",
		"| `frame` | text | `SAMEORIGIN` |",
		"| `referrer` | text | `strict-origin-when-cross-origin` |",
		"| `encodings` | text or list of texts | `[zstd, br, gzip]` |",
		"| `min_size` | size | `1KiB` |",
		"| `rate` | rate | `20/s` |",
		"| `queue` | number | `200` |",
		"| `wait` | duration | `5s` |",
		"| `after` | duration | `30s` |",
		"| `header` | text | `X-Request-Id` |",
		"| `sample` | number | `1` |",
	} {
		if !strings.Contains(out, row) {
			t.Errorf("no row %s", row)
		}
	}
	for _, line := range strings.Split(out, "\n") {
		if cells := strings.Split(line, " | "); len(cells) == 4 && (cells[1] == "" || strings.TrimSpace(strings.TrimSuffix(cells[3], "|")) == "") {
			t.Errorf("a row without type or meaning: %s", line)
		}
	}
}
