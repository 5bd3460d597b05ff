package cli

import (
	"context"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/assemble"
	"github.com/mountd/mountd/internal/builtin"
	"github.com/mountd/mountd/internal/mountfile"
	"github.com/mountd/mountd/internal/schema"
)

func (p *Program) schema(_ context.Context, args []string) error {
	f := p.flags("schema")
	markdown := f.Bool("markdown", false, "")
	rest, err := p.parse(f, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return &usageError{"schema takes no arguments", ""}
	}
	table := p.describe()
	write := schema.JSON
	if *markdown {
		write = schema.Markdown
	}
	text, err := write(table)
	if err != nil {
		return err
	}
	_, err = p.Stdout.Write(text)
	return err
}

// describe tells all that a table may hold.
func (p *Program) describe() schema.Table {
	middlewares, apps := p.parts(builtin.Env{})
	t := schema.Table{
		Settings:    mountfile.DefaultSettings(),
		Mount:       assemble.MountOptions{},
		Condition:   builtin.ConditionOptions{},
		Long:        map[string]any{"rebase": builtin.DefaultRebase(), "identity": builtin.IdentityOptions{}},
		Without:     laterSettings,
		Apps:        map[string]schema.App{},
		Middlewares: map[string]schema.Middleware{},
	}
	for name, k := range apps {
		t.Apps[name] = describeApp(name, k)
	}
	t.Apps["mounts"] = schema.App{Doc: "a table of mounts, below this one", Schema: map[string]any{"$ref": "#/$defs/mounts"}}
	for name, f := range middlewares {
		t.Middlewares[name] = schema.Middleware{Doc: f.Doc, Options: f.Options()}
	}
	return t
}

func describeApp(name string, k compose.AppKind) schema.App {
	app := schema.App{Doc: k.Doc, Short: k.Example, Beside: k.Beside, Options: k.Options()}
	text := map[string]any{"type": "string"}
	list := func(items ...any) map[string]any {
		return map[string]any{"type": "array", "minItems": 1, "items": map[string]any{"anyOf": items}}
	}
	object := map[string]any{"type": "object"}
	switch name {
	case "cascade":
		app.Schema = list(map[string]any{"$ref": "#/$defs/app"})
	case "switch":
		app.Schema, app.Options = list(text, object), nil
	case "proxy":
		app.Schema = map[string]any{"anyOf": []any{text, list(text, object)}}
	}
	return app
}
