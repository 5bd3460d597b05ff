package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Markdown gives the reference of all keys of t: a table of key, type, default
// and meaning for the settings, the keys of a mount, and every app and
// middleware. The same t gives the same bytes, and the errors are those of
// [JSON].
func Markdown(t Table) ([]byte, error) {
	if _, err := JSON(t); err != nil {
		return nil, err
	}
	w := writer{}
	w.WriteString(intro)
	w.without = t.Without
	w.section("## Settings", "The keys at the top of a table.", "", t.Settings)
	w.without = nil
	w.WriteString(definitions)
	w.section("## Mounts", "A mount is an app in its short form (`/app: ./public`), or a mapping: one app key, and these beside it.", "", t.Mount)
	for _, name := range slices.Sorted(maps.Keys(t.Long)) {
		w.section("### "+code(name), "The long form of a mount's "+code(name)+".", "", t.Long[name])
	}
	w.section("## Conditions", "The keys of `when` and `except`. All that are written must hold; lists are alternatives.", "", t.Condition)
	if t.Process != nil {
		w.section("## Processes", "The keys of an entry of `processes`.", "", t.Process)
	}
	w.heading("## Apps", "Exactly one of these keys makes a mapping a mount.")
	for _, name := range slices.Sorted(maps.Keys(t.Apps)) {
		app := t.Apps[name]
		w.section("### "+code(name), sentence(app.Doc), app.Short, app.Options)
	}
	w.heading("## Middlewares", "What a stack may hold, outermost first: `name`, or `{name: {option: value}}`, with `when` and `except` beside the name.")
	for _, name := range slices.Sorted(maps.Keys(t.Middlewares)) {
		m := t.Middlewares[name]
		w.section("### "+code(name), sentence(m.Doc), "", m.Options)
	}
	return w.Bytes(), errors.Join(w.errs...)
}

const intro = `# The mount table, key by key

This page is written by ` + "`mountd schema --markdown`" + `, and ` + "`mountd schema`" + ` writes the same for editors. Paths are relative to the
file they stand in. A duration is 30s, 5m, 12h or 7d, a size 512, 64KiB or 10MiB, a rate 20/s, 5/m or 100/h.
` + "`${NAME}`, `${NAME:-default}` and `${file:path}`" + ` are replaced in every value and key; ` + "`$${`" + ` is a plain ` + "`${`" + `.
`

const definitions = `
And four keys that say what is served, and through what:

| key | type | meaning |
|---|---|---|
| ` + "`mounts`" + ` | mapping | pattern (` + "`/app`, `example.com/`, `*.example.com/`, `/t/{tenant}`" + `) to what is served there |
| ` + "`use`" + ` | list | the chain of every mount that has none of its own, outermost first; default: ` + "`[request_id, access_log, errors]`" + ` |
| ` + "`middleware`" + ` | mapping | name to a middleware with its options, configured once and used by name |
| ` + "`stacks`" + ` | mapping | name to a list, to be named in other lists |
`

type writer struct {
	bytes.Buffer
	reflector
}

func (w *writer) heading(title, text string) {
	if w.Len() > 0 {
		w.WriteByte('\n')
	}
	fmt.Fprintf(w, "%s\n\n%s\n", title, text)
}

func (w *writer) section(title, text, short string, prototype any) {
	w.heading(title, text)
	if short != "" {
		fmt.Fprintf(w, "\nShort form: %s\n", code(short))
	}
	if prototype == nil {
		return
	}
	v := settle(reflect.ValueOf(prototype))
	if v.Kind() != reflect.Struct || v.NumField() == 0 {
		return
	}
	w.WriteString("\n| key | type | default | meaning |\n|---|---|---|---|\n")
	w.rows("", v)
}

// rows writes a line for every key, and those of a struct below it.
func (w *writer) rows(path string, v reflect.Value) {
	for _, f := range w.fields(path, v) {
		name := join(path, f.name)
		value := ""
		// A zero that stands for something else is explained by the text.
		if d, ok := defaultOf(f.value); ok && !(f.value.IsZero() && strings.Contains(f.doc, "default: ")) {
			value = code(written(d))
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", code(name), cell(typeName(f.value)), value, cell(f.doc))
		if inner, suffix, ok := nested(f.value); ok {
			w.rows(name+suffix, inner)
		}
	}
}

// nested gives the struct below an option whose keys are its own.
func nested(v reflect.Value) (inner reflect.Value, suffix string, ok bool) {
	if v.Kind() == reflect.Pointer {
		v = settle(v)
	}
	if _, opaque := own(v); opaque || isText(v) {
		return v, "", false
	}
	switch v.Kind() {
	case reflect.Struct:
		return v, "", true
	case reflect.Slice:
		inner, suffix, ok = nested(reflect.New(v.Type().Elem()).Elem())
		return inner, "[]" + suffix, ok
	case reflect.Map:
		inner, suffix, ok = nested(reflect.New(v.Type().Elem()).Elem())
		return inner, ".*" + suffix, ok
	}
	return v, "", false
}

// typeName says what an option takes in words.
func typeName(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		v = settle(v)
	}
	if schema, ok := own(v); ok {
		return ownName(v, schema)
	}
	switch {
	case v.Type() == durationType:
		return "duration"
	case isText(v):
		return "text"
	}
	switch v.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "list of " + typeName(reflect.New(v.Type().Elem()).Elem())
	case reflect.Map:
		return "mapping to " + typeName(reflect.New(v.Type().Elem()).Elem())
	case reflect.Struct:
		return "mapping"
	case reflect.Interface:
		return "any value"
	}
	return "number"
}

func ownName(v reflect.Value, schema object) string {
	switch name := strings.ToLower(v.Type().Name()); name {
	case "strings":
		return "text or list of texts"
	case "file", "path":
		return "path"
	case "size", "bytes":
		return "size"
	case "rate":
		return "rate"
	}
	names := schemaNames(schema)
	if len(names) == 0 {
		return "any value"
	}
	return strings.Join(names, " or ")
}

// schemaNames says in words what a schema allows, each once.
func schemaNames(schema object) (names []string) {
	add := func(more ...string) {
		for _, name := range more {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if values := reflect.ValueOf(schema["enum"]); values.Kind() == reflect.Slice {
		for i := range values.Len() {
			add(code(fmt.Sprint(values.Index(i).Interface())))
		}
	}
	if alternatives := reflect.ValueOf(schema["anyOf"]); alternatives.Kind() == reflect.Slice {
		for i := range alternatives.Len() {
			if s, ok := alternatives.Index(i).Interface().(object); ok {
				add(schemaNames(s)...)
			}
		}
	}
	if types := reflect.ValueOf(schema["type"]); types.Kind() == reflect.Slice {
		for i := range types.Len() {
			add(typeWords[types.Index(i).String()])
		}
	} else if t, ok := schema["type"].(string); ok {
		add(typeWords[t])
	}
	if schema["$ref"] == "#/$defs/stack" {
		add("list")
	}
	return names
}

var typeWords = map[string]string{
	"string": "text", "integer": "number", "number": "number", "boolean": "true or false", "array": "list", "object": "mapping", "null": "nothing",
}

// written gives a default the way it stands in a table.
func written(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(b.String()), ",", ", "), `"`, "")
}

func code(s string) string { return "`" + cell(s) + "`" }

func cell(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "|", `\|`), "\n", " ")
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}
