// Package schema writes the JSON Schema of a mount table and the reference of
// its keys from the very structs that a table is decoded into: their yaml and
// doc tags, their types, and the defaults that prototypes hold. It knows no
// middleware and no app itself.
package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Table describes what a mount table may hold. Prototypes are structs, or
// pointers to structs, that hold the defaults.
type Table struct {
	Settings  any // top-level keys
	Mount     any // keys that every mount may have, beside its app
	Process   any // options of an entry of processes; nil: there are none
	Condition any // keys of when and except

	// Long holds the long forms of keys of a mount, for the reference.
	Long map[string]any

	// Without lists paths of settings ("tls.acme") that are left out.
	Without []string

	Apps        map[string]App
	Middlewares map[string]Middleware
}

// App is a kind of app: a key of a mount.
type App struct {
	Doc     string
	Short   string // the short form, like "php:./dir"; empty: there is none
	Options any    // prototype of the options below or beside the key; may be nil

	// Beside says that the options stand beside the key, not below it.
	Beside bool

	// Schema is that of the key's value besides the options; nil: a text. It may
	// refer to #/$defs/mounts, app, stack, entry and condition.
	Schema map[string]any
}

// Middleware is a name that a stack may hold.
type Middleware struct {
	Doc     string
	Options any // prototype of the options; nil: it takes none
}

type object = map[string]any

func ref(name string) object { return object{"$ref": "#/$defs/" + name} }

// JSON gives the JSON Schema (draft 2020-12) of t. The same t gives the same
// bytes. An option without a doc tag is an error, and so is an app's option
// that has the name of a mount's key.
func JSON(t Table) ([]byte, error) {
	r := reflector{without: t.Without}
	top := r.object("", t.Settings)
	r.without = nil
	mount := r.object("mount", t.Mount)
	defs := object{
		"variable":  object{"type": "string", "pattern": `\$\{`, "description": "${NAME}, ${NAME:-default} or ${file:path}"},
		"mounts":    object{"type": []string{"object", "null"}, "additionalProperties": ref("app")},
		"mount":     mount,
		"app":       r.app(t, mount),
		"entry":     r.entry(t),
		"condition": r.object("when", t.Condition),
		"stack":     object{"anyOf": []any{object{"type": "string"}, object{"type": []string{"array", "null"}, "items": ref("entry")}}},
	}
	properties := top["properties"].(object)
	maps.Copy(properties, object{
		"use":        described(ref("stack"), "the stack of every mount that has none of its own"),
		"middleware": described(object{"type": []string{"object", "null"}, "additionalProperties": ref("entry")}, "middlewares configured once, to be used by name"),
		"stacks":     described(object{"type": []string{"object", "null"}, "additionalProperties": ref("stack")}, "named stacks, outermost first"),
		"mounts":     described(ref("mounts"), "what is served where"),
	})
	if t.Process != nil {
		properties["processes"] = described(object{"type": []string{"object", "null"}, "additionalProperties": r.object("processes", t.Process)}, "programs that do not listen")
	}
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["title"] = "mountd mount table"
	top["$defs"] = defs
	if err := errors.Join(r.errs...); err != nil {
		return nil, err
	}
	out, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	return append(out, '\n'), nil
}

func described(schema object, doc string) object {
	schema["description"] = doc
	return schema
}

// app allows the short form, or a mapping with exactly one app key: every
// alternative refuses the keys of all others.
func (r *reflector) app(t Table, mount object) object {
	keys := mount["properties"].(object)
	var kinds []any
	for _, name := range slices.Sorted(maps.Keys(t.Apps)) {
		app := t.Apps[name]
		if app.Doc == "" {
			r.fail("app %q has no doc", name)
		}
		properties := object{}
		for key := range keys {
			properties[key] = ref("mount/properties/" + key)
		}
		options := r.object(name, app.Options)
		for key, option := range options["properties"].(object) {
			if !app.Beside {
				break
			}
			if _, clash := keys[key]; clash && key != name {
				r.fail("option %q of app %q is a key of every mount as well", key, name)
			}
			properties[key] = option
		}
		properties[name] = described(app.value(name, options), app.Doc)
		kinds = append(kinds, object{
			"type": "object", "title": name, "additionalProperties": false,
			"required": []string{name}, "properties": properties,
		})
	}
	short := object{"type": "string", "description": "short form: a directory, an address, or kind:value"}
	return object{"oneOf": append([]any{short}, kinds...)}
}

// value gives the schema of the app key itself.
func (a App) value(name string, options object) object {
	var own any = object{"type": "string"}
	if a.Schema != nil {
		own = maps.Clone(a.Schema)
	} else if option, has := options["properties"].(object)[name]; has {
		own = option
	}
	if a.Options == nil {
		return object{"anyOf": []any{own}}
	}
	return object{"anyOf": []any{own, options}}
}

// entry allows a name, or a mapping of one name to its options with when and
// except beside it. Names that the table defines itself take no options.
func (r *reflector) entry(t Table) object {
	properties := object{"when": ref("condition"), "except": ref("condition")}
	for name, m := range t.Middlewares {
		if m.Doc == "" {
			r.fail("middleware %q has no doc", name)
		}
		options := r.object(name, m.Options)
		properties[name] = described(object{"anyOf": []any{object{"type": "null"}, options}}, m.Doc)
	}
	slices.SortFunc(r.errs, func(a, b error) int { return cmpStrings(a.Error(), b.Error()) })
	when, except := object{"required": []string{"when"}}, object{"required": []string{"except"}}
	return object{"anyOf": []any{object{"type": "string"}, object{
		"type": "object", "properties": properties,
		"additionalProperties": object{"type": []string{"null", "object"}, "maxProperties": 0},
		"oneOf": []any{
			object{"minProperties": 1, "maxProperties": 1, "not": object{"anyOf": []any{when, except}}},
			object{"minProperties": 2, "maxProperties": 2, "oneOf": []any{when, except}},
			object{"minProperties": 3, "maxProperties": 3, "required": []string{"when", "except"}},
		},
	}}}
}

func cmpStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
