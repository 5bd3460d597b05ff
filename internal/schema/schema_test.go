package schema_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mountd/mountd/internal/schema"
)

type size int64

func (size) MarshalText() ([]byte, error) { return []byte("64KiB"), nil }
func (*size) UnmarshalText([]byte) error  { return nil }
func (size) JSONSchema() map[string]any {
	return map[string]any{"type": []string{"string", "integer"}}
}

type level string

func (level) JSONSchema() map[string]any { return map[string]any{"enum": []string{"info", "warn"}} }

type settings struct {
	Listen string        `yaml:"listen" doc:"where | to listen"`
	Watch  bool          `yaml:"watch" doc:"reload on change"`
	Grace  time.Duration `yaml:"grace" doc:"time to stop"`
	HTTP   struct {
		Max size `yaml:"max_header" doc:"largest header"`
	} `yaml:"http" doc:"limits"`
	TLS *struct {
		Cert string `yaml:"cert" doc:"certificate"`
	} `yaml:"tls" doc:"encryption"`
	Level level `yaml:"level" doc:"how much to log"`
}

type mount struct {
	Name string `yaml:"name" doc:"name in logs"`
	Use  any    `yaml:"use" doc:"the stack"`
}

type common struct {
	Env map[string]string `yaml:"env" doc:"environment"`
}

type proxy struct {
	To []struct {
		URL    string `yaml:"url" doc:"where to"`
		Weight int    `yaml:"weight" doc:"share"`
	} `yaml:"to" doc:"targets"`
	Retries int `yaml:"retries" doc:"how often to try"`
	common  `yaml:",inline"`
}

type condition struct {
	Path []string `yaml:"path" doc:"globs"`
}

type limit struct {
	Burst uint `yaml:"burst" doc:"at once"`
}

func table() schema.Table {
	s := settings{Listen: ":8080", Watch: true, Grace: 10 * time.Second, Level: "info"}
	return schema.Table{
		Settings:  &s,
		Mount:     mount{},
		Process:   struct{ common }{},
		Condition: condition{},
		Apps: map[string]schema.App{
			"proxy":  {Doc: "passes requests on", Short: "http://…", Beside: true, Options: proxy{Retries: 1}},
			"static": {Doc: "serves files", Short: "./dir"},
			"mounts": {Doc: "a table below this one", Schema: map[string]any{"$ref": "#/$defs/mounts"}},
		},
		Middlewares: map[string]schema.Middleware{
			"compress":   {Doc: "compresses answers"},
			"limit.rate": {Doc: "limits requests", Options: limit{Burst: 40}},
		},
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	out, err := schema.JSON(table())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mountd.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("mountd.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func TestTheSchemaAcceptsWhatATableMayHold(t *testing.T) {
	s := compile(t)
	for _, text := range []string{
		`{}`,
		`{"listen": ":80", "watch": "${WATCH}", "grace": "1h30m", "http": {"max_header": "1KiB"}, "tls": {"cert": "x"}, "level": "warn"}`,
		`{"grace": 0, "mounts": {"/": "./x", "/a": {"proxy": "http://x", "name": "n", "env": {"A": 1, "B": true}}}}`,
		`{"mounts": {"/a": {"proxy": {"to": [{"url": "x", "weight": 2}]}}, "/b": {"mounts": {"/c": {"static": "."}}}}}`,
		`{"use": ["compress", {"limit.rate": {"burst": 3}}, {"limit.rate": null, "when": {"path": ["/a"]}}, {"team": null, "when": {}, "except": {}}]}`,
		`{"middleware": {"team": {"limit.rate": {"burst": 1}}}, "stacks": {"web": ["compress"]}, "processes": {"q": {"env": {}}}}`,
	} {
		if err := validate(s, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTheSchemaRefusesWhatATableMayNotHold(t *testing.T) {
	s := compile(t)
	for _, text := range []string{
		`[]`,
		`{"lisen": ":80"}`,
		`{"grace": "soon"}`,
		`{"grace": 5}`,
		`{"watch": "yes"}`,
		`{"level": "loud"}`,
		`{"http": {"max": 1}}`,
		`{"mounts": {"/a": {"name": "n"}}}`,
		`{"mounts": {"/a": {"proxy": "x", "static": "y"}}}`,
		`{"mounts": {"/a": {"static": "x", "retries": 1}}}`,
		`{"mounts": {"/a": {"proxy": {"to": [{"url": "x", "weight": "y"}]}}}}`,
		`{"mounts": {"/a": {"mounts": {"/b": {"what": 1}}}}}`,
		`{"use": [{"limit.rate": {"burts": 3}}]}`,
		`{"use": [{"limit.rate": {}, "compress": {}}]}`,
		`{"use": [{"when": {}}]}`,
		`{"use": [{"limit.rate": {}, "when": {"pth": []}}]}`,
		`{"use": [{"team": {"burst": 3}}]}`,
	} {
		if validate(s, text) == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

func validate(s *jsonschema.Schema, text string) error {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

func TestOptionsWithoutADocAreRefused(t *testing.T) {
	for name, change := range map[string]func(*schema.Table){
		`option "name" has no doc`:     func(t *schema.Table) { t.Settings = struct{ Name string }{} },
		`option "proxy.a.b" has no`:    func(t *schema.Table) { t.Apps["proxy"] = schema.App{Doc: "x", Options: nestedWithout{}} },
		`app "static" has no doc`:      func(t *schema.Table) { t.Apps["static"] = schema.App{} },
		`middleware "x" has no doc`:    func(t *schema.Table) { t.Middlewares["x"] = schema.Middleware{} },
		`is a key of every mount`:      func(t *schema.Table) { t.Apps["proxy"] = schema.App{Doc: "x", Beside: true, Options: mount{}} },
		`which no table can hold`:      func(t *schema.Table) { t.Middlewares["x"] = schema.Middleware{Doc: "x", Options: withChan{}} },
		`not a struct`:                 func(t *schema.Table) { t.Mount = 3 },
		`option "processes.self.self.`: func(t *schema.Table) { t.Process = recursive{} },
	} {
		tab := table()
		change(&tab)
		_, jsonErr := schema.JSON(tab)
		_, mdErr := schema.Markdown(tab)
		if jsonErr == nil || mdErr == nil || !strings.Contains(jsonErr.Error(), name) {
			t.Errorf("%s: %v, %v", name, jsonErr, mdErr)
		}
	}
}

type nestedWithout struct {
	A struct {
		B int `yaml:"b"`
	} `yaml:"a" doc:"a"`
}

type withChan struct {
	C chan int `yaml:"c" doc:"c"`
}

type recursive struct {
	Self *recursive `yaml:"self" doc:"again"`
}

func TestTheSameTableGivesTheSameBytes(t *testing.T) {
	first, err := schema.JSON(table())
	if err != nil {
		t.Fatal(err)
	}
	text, err := schema.Markdown(table())
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, _ := schema.JSON(table())
		textAgain, _ := schema.Markdown(table())
		if !bytes.Equal(first, again) || !bytes.Equal(text, textAgain) {
			t.Fatal("the output changes from one time to the next")
		}
	}
}

func TestDefaultsStandInTheReference(t *testing.T) {
	out, err := schema.Markdown(table())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| `listen` | text | `:8080` | where \\| to listen |",
		"| `grace` | duration | `10s` | time to stop |",
		"| `http.max_header` | size | `64KiB` | largest header |",
		"| `tls.cert` | text |  | certificate |",
		"| `level` | `info` or `warn` | `info` | how much to log |",
		"| `to[].weight` | number | `0` | share |",
		"| `env` | mapping to text |  | environment |",
		"### `limit.rate`",
		"Short form: `./dir`",
	} {
		if !strings.Contains(string(out), line+"\n") {
			t.Errorf("no line %s in\n%s", line, out)
		}
	}
}

func ExampleMarkdown() {
	out, err := schema.Markdown(schema.Table{
		Middlewares: map[string]schema.Middleware{"limit.rate": {Doc: "limits requests", Options: limit{Burst: 40}}},
	})
	_, section, _ := strings.Cut(string(out), "### ")
	fmt.Println(section, err)
	// Output:
	// `limit.rate`
	//
	// Limits requests.
	//
	// | key | type | default | meaning |
	// |---|---|---|---|
	// | `burst` | number | `40` | at once |
	//  <nil>
}
