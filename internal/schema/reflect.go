package schema

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// reflector turns Go types into schemas and collects what is wrong with them.
type reflector struct {
	errs    []error
	depth   int
	without []string // paths to leave out
}

func (r *reflector) fail(format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf(format, args...))
}

// A field is one key of a struct of options.
type field struct {
	name  string
	doc   string
	value reflect.Value
}

var durationType = reflect.TypeFor[time.Duration]()

const durationPattern = `^(0|([0-9.]+(ns|us|µs|ms|s|m|h|d|w))+)$|\$\{`

type schemer interface{ JSONSchema() map[string]any }

// fields gives the keys of a struct in the order they are declared, those of
// inlined structs in their place.
func (r *reflector) fields(path string, v reflect.Value) (all []field) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
			continue
		case f.Type.Kind() == reflect.Struct && (options == "inline" || f.Anonymous && name == ""):
			all = append(all, r.fields(path, v.Field(i))...)
			continue
		case !f.IsExported():
			continue
		case name == "":
			name = strings.ToLower(f.Name)
		}
		if slices.Contains(r.without, join(path, name)) {
			continue
		}
		doc := f.Tag.Get("doc")
		if doc == "" {
			r.fail("option %q has no doc tag (%s.%s)", join(path, name), t, f.Name)
		}
		all = append(all, field{name, doc, v.Field(i)})
	}
	return all
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// settle follows pointers, making what they lack, and interfaces.
func settle(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface && !v.IsNil() {
		if v.Kind() == reflect.Pointer && v.IsNil() {
			v = reflect.New(v.Type().Elem())
		}
		v = v.Elem()
	}
	return v
}

// object gives the schema of a prototype; that of nil allows no keys at all.
func (r *reflector) object(path string, prototype any) object {
	none := object{"type": "object", "additionalProperties": false, "properties": object{}}
	if prototype == nil {
		return none
	}
	v := settle(reflect.ValueOf(prototype))
	if v.Kind() != reflect.Struct {
		r.fail("the prototype of %q is %s, not a struct", path, v.Type())
		return none
	}
	return r.structure(path, v)
}

func (r *reflector) structure(path string, v reflect.Value) object {
	properties := object{}
	for _, f := range r.fields(path, v) {
		schema := r.schema(join(path, f.name), f.value)
		if value, ok := defaultOf(f.value); ok {
			schema["default"] = value
		}
		if f.doc != "" {
			schema["description"] = f.doc
		}
		properties[f.name] = schema
	}
	return object{"type": "object", "additionalProperties": false, "properties": properties}
}

// own gives the schema that a type has itself.
func own(v reflect.Value) (object, bool) {
	s, ok := reflect.New(v.Type()).Interface().(schemer)
	if !ok {
		return nil, false
	}
	schema := object{}
	for key, value := range s.JSONSchema() {
		schema[key] = value
	}
	return schema, true
}

func isText(v reflect.Value) bool {
	_, ok := reflect.New(v.Type()).Interface().(encoding.TextUnmarshaler)
	return ok
}

func (r *reflector) schema(path string, v reflect.Value) object {
	if r.depth++; r.depth > 32 {
		r.fail("option %q holds itself", path)
		return object{}
	}
	defer func() { r.depth-- }()
	if schema, ok := own(v); ok {
		return schema
	}
	if v.Kind() == reflect.Pointer {
		return r.schema(path, settle(v))
	}
	switch {
	case v.Type() == durationType:
		return object{"type": []string{"string", "integer"}, "pattern": durationPattern, "minimum": 0, "maximum": 0}
	case isText(v):
		return object{"type": []string{"string", "number", "boolean"}}
	}
	return r.plain(path, v)
}

func (r *reflector) plain(path string, v reflect.Value) object {
	switch v.Kind() {
	case reflect.Struct:
		return r.structure(path, v)
	case reflect.Slice:
		return object{"type": "array", "items": r.schema(path+"[]", reflect.New(v.Type().Elem()).Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": r.schema(path+".*", reflect.New(v.Type().Elem()).Elem())}
	case reflect.String:
		return object{"type": []string{"string", "number", "boolean"}}
	case reflect.Bool:
		return object{"anyOf": []any{object{"type": "boolean"}, ref("variable")}}
	case reflect.Interface:
		return object{}
	case reflect.Float32, reflect.Float64:
		return object{"anyOf": []any{object{"type": "number"}, ref("variable")}}
	}
	switch {
	case v.CanUint():
		return object{"anyOf": []any{object{"type": "integer", "minimum": 0}, ref("variable")}}
	case v.CanInt():
		return object{"anyOf": []any{object{"type": "integer"}, ref("variable")}}
	}
	r.fail("option %q is of type %s, which no table can hold", path, v.Type())
	return object{}
}

// defaultOf gives the default that a prototype's field holds, in the form one
// would write. Structs show theirs key by key.
func defaultOf(v reflect.Value) (any, bool) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil, false
		}
		v = v.Elem()
	}
	if v.Type() == durationType {
		return duration(time.Duration(v.Int())), true
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		return string(text), err == nil && len(text) > 0
	}
	switch v.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return v.Interface(), true
	case reflect.String:
		return v.String(), v.Len() > 0
	}
	if s, ok := v.Interface().(fmt.Stringer); ok && !v.IsZero() {
		return s.String(), true
	}
	return collection(v)
}

func collection(v reflect.Value) (any, bool) {
	switch {
	case v.Kind() == reflect.Slice && v.Len() > 0:
		list := make([]any, 0, v.Len())
		for i := range v.Len() {
			item, ok := defaultOf(v.Index(i))
			if !ok {
				return nil, false
			}
			list = append(list, item)
		}
		return list, true
	case v.Kind() == reflect.Map && v.Len() > 0:
		m := object{}
		for _, key := range v.MapKeys() {
			item, ok := defaultOf(v.MapIndex(key))
			if !ok {
				return nil, false
			}
			m[fmt.Sprint(key.Interface())] = item
		}
		return m, true
	}
	return nil, false
}

// duration writes d as a person would.
func duration(d time.Duration) string {
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if d >= u.size && d%u.size == 0 && (u.name != "d" || d > 48*time.Hour) {
			return fmt.Sprintf("%d%s", d/u.size, u.name)
		}
	}
	if d == 0 {
		return "0"
	}
	return d.String()
}
