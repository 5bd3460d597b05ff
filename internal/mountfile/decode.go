package mountfile

import (
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The shapes that types of options may have, beside [encoding.TextUnmarshaler].
type (
	optionUnmarshaler interface {
		UnmarshalOption(decode func(v any) error) error
	}
	optionCapturer interface {
		CaptureOption(node interface{ Decode(v any) error })
	}
	dirSetter interface{ SetDir(dir string) }
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	nodeType     = reflect.TypeFor[*Node]()
)

// Decode fills the value v points to and reports every mistake in n as
// [Errors]: unknown keys, and values of the wrong type. What is not written,
// or written as an empty value, leaves v as it is, so that v can hold
// defaults before; lists and mappings replace those of v, structs and
// pointers to structs are filled in place.
//
// It knows bool, integers, floats, string, [time.Duration], slices, maps with
// text keys, structs with yaml tags (",inline" too), pointers, *Node, any,
// [encoding.TextUnmarshaler] for scalars, and types with one of the methods
//
//	UnmarshalOption(decode func(v any) error) error             // several forms
//	CaptureOption(node interface{ Decode(v any) error })        // keeps the *Node
//	SetDir(dir string)                                          // after decoding a scalar
//
// A path relative to the file is resolved by SetDir even when it is a default.
// An error from UnmarshalOption that has a method OptionPath() string is laid
// at the value it names. Texts are taken as they are written: no, 08 and 1e3
// are texts where a text is wanted.
func (n *Node) Decode(v any) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("decode into %T, which is no pointer", v)
	}
	var d decoder
	d.value(n, target.Elem(), "")
	return Collect(n.Pos().File, d.errs).Err()
}

type decoder struct{ errs Errors }

// fail reports a mistake; path is the way from the decoded node to n.
func (d *decoder) fail(n *Node, path, format string, args ...any) *Error {
	e := n.Errorf(format, args...)
	if path != "" {
		e.Message = path + ": " + e.Message
	}
	d.errs = append(d.errs, e)
	return e
}

// wrongKind reports that n is not what is wanted.
func (d *decoder) wrongKind(n *Node, path, want, example string) {
	d.fail(n, path, "%s is not %s", n.shown(), want).Hint = "write it like " + example
}

func (d *decoder) value(n *Node, v reflect.Value, path string) {
	if n == nil {
		return
	}
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(n))
		return
	}
	if c, ok := v.Addr().Interface().(optionCapturer); ok {
		c.CaptureOption(n)
		return
	}
	if n.kind == Null {
		setDirs(v, n.dir)
		return
	}
	if d.special(n, v, path) {
		return
	}
	d.plain(n, v, path)
	if s, ok := v.Addr().Interface().(dirSetter); ok && n.kind == Scalar {
		s.SetDir(n.dir)
	}
}

// special decodes values of types that know how themselves.
func (d *decoder) special(n *Node, v reflect.Value, path string) bool {
	if v.Kind() == reflect.Pointer {
		return false
	}
	if v.Type() == durationType {
		d.duration(n, v, path)
		return true
	}
	switch u := v.Addr().Interface().(type) {
	case optionUnmarshaler:
		d.foreign(n, u.UnmarshalOption(n.within(path)), path)
	case encoding.TextUnmarshaler:
		if n.kind != Scalar {
			d.wantsOne(n, path, "a single value")
			return true
		}
		if err := u.UnmarshalText([]byte(n.text)); err != nil {
			d.fail(n, path, "%w", err)
			return true
		}
	default:
		return false
	}
	if s, ok := v.Addr().Interface().(dirSetter); ok && n.kind == Scalar {
		s.SetDir(n.dir)
	}
	return true
}

// within decodes n for an UnmarshalOption; the paths in its mistakes go on
// from the one to n.
func (n *Node) within(path string) func(v any) error {
	return func(v any) error {
		target := reflect.ValueOf(v)
		if target.Kind() != reflect.Pointer || target.IsNil() {
			return fmt.Errorf("decode into %T, which is no pointer", v)
		}
		var d decoder
		d.value(n, target.Elem(), path)
		return d.errs.Err()
	}
}

// foreign takes the mistakes of an UnmarshalOption: our own as they are,
// others at the value they name.
func (d *decoder) foreign(n *Node, err error, path string) {
	own, others := flatten(err)
	d.errs = append(d.errs, own...)
	for _, err := range others {
		d.fail(n.blamed(err), path, "%s", n.scrub(err.Error())).Err = err
	}
}

// Locate lays the errors of who was given n as options at the values they
// name with a method OptionPath() string, or at n; mistakes that have their
// place already keep it.
func (n *Node) Locate(err error) Errors {
	all, others := flatten(err)
	for _, err := range others {
		e := n.blamed(err).Errorf("%s", n.scrub(withoutCall(err)))
		e.Err = err
		if errors.Is(err, fs.ErrNotExist) {
			e.Hint = "relative paths start at the file they are written in"
			if n.Pos().Line == 0 {
				e.Hint = "relative paths start at the working directory"
			}
		}
		all = append(all, e)
	}
	return Collect(n.Pos().File, all)
}

// withoutCall gives the message of err; which call on a file went wrong is
// nothing to whoever wrote its name.
func withoutCall(err error) string {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return err.Error()
	}
	return strings.Replace(err.Error(), path.Error(), path.Path+": "+path.Err.Error(), 1)
}

func (n *Node) blamed(err error) *Node {
	var option interface{ OptionPath() string }
	if errors.As(err, &option) {
		return n.At(option.OptionPath())
	}
	return n
}

func (d *decoder) plain(n *Node, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer:
		d.pointer(n, v, path)
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		d.slice(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Interface:
		d.anything(n, v, path)
	case reflect.String:
		d.text(n, v, path)
	case reflect.Bool:
		d.boolean(n, v, path)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		d.integer(n, v, path)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.unsigned(n, v, path)
	case reflect.Float32, reflect.Float64:
		d.float(n, v, path)
	default:
		d.fail(n, path, "a value of type %s cannot be written in a table", v.Type())
	}
}

func (d *decoder) pointer(n *Node, v reflect.Value, path string) {
	p := reflect.New(v.Type().Elem())
	if !v.IsNil() {
		p.Elem().Set(v.Elem())
	}
	d.value(n, p.Elem(), path)
	v.Set(p)
}

func (d *decoder) text(n *Node, v reflect.Value, path string) {
	if n.kind != Scalar {
		d.wantsOne(n, path, "a text")
		return
	}
	v.SetString(n.text)
}

func (d *decoder) wantsOne(n *Node, path, want string) {
	d.fail(n, path, "%s stands where %s is expected", n.kind, want)
}

func (d *decoder) boolean(n *Node, v reflect.Value, path string) {
	switch n.number() {
	case "true", "True", "TRUE":
		v.SetBool(true)
	case "false", "False", "FALSE":
		v.SetBool(false)
	default:
		d.fail(n, path, "%s is not true or false", n.shown()).Hint = "write true or false, without quotes"
	}
}

// number gives the text of a scalar that may be a number or a truth value: one
// that is not quoted, unless variables stand in the quotes.
func (n *Node) number() string {
	if n.kind != Scalar || n.quoted && !n.varied {
		return ""
	}
	return n.text
}

func (d *decoder) integer(n *Node, v reflect.Value, path string) {
	i, err := strconv.ParseInt(n.number(), 10, v.Type().Bits())
	if err != nil || octal(n.text) {
		d.notWhole(n, path, err)
		return
	}
	v.SetInt(i)
}

func (d *decoder) unsigned(n *Node, v reflect.Value, path string) {
	i, err := strconv.ParseUint(n.number(), 10, v.Type().Bits())
	if err != nil || octal(n.text) {
		d.notWhole(n, path, err)
		return
	}
	v.SetUint(i)
}

// octal refuses 08 and +8, which YAML's versions read differently.
func octal(s string) bool {
	s, _ = strings.CutPrefix(s, "-")
	return s != "" && s[0] == '+' || len(s) > 1 && s[0] == '0'
}

func (d *decoder) notWhole(n *Node, path string, err error) {
	if errors.Is(err, strconv.ErrRange) {
		d.fail(n, path, "%s is too large or too small a number", n.shown())
		return
	}
	d.wrongKind(n, path, "a whole number", "5")
	if n.kind == Scalar && n.quoted && !n.varied {
		d.errs[len(d.errs)-1].Hint = "write it like 5, without quotes"
	}
}

func (d *decoder) float(n *Node, v reflect.Value, path string) {
	f, err := strconv.ParseFloat(n.number(), v.Type().Bits())
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || strings.ContainsAny(n.text, "xX_pP") {
		d.wrongKind(n, path, "a number", "0.5, without quotes")
		return
	}
	v.SetFloat(f)
}

func (d *decoder) duration(n *Node, v reflect.Value, path string) {
	if n.kind != Scalar {
		d.wantsOne(n, path, "a duration like 30s")
		return
	}
	t, err := parseDuration(n.text)
	switch {
	case err == nil:
		v.SetInt(int64(t))
	case isDigits(n.text):
		d.fail(n, path, "%s is not a duration", n.shown()).Hint = "write it with its unit, like 30s or 5m"
	case errors.Is(err, strconv.ErrRange):
		d.fail(n, path, "%s is too long a duration", n.shown())
	default:
		d.wrongKind(n, path, "a duration", "30s or 5m")
	}
}

func (d *decoder) slice(n *Node, v reflect.Value, path string) {
	if n.kind != List {
		d.fail(n, path, "%s is not a list", n.shown()).Hint = "write it like [a, b]"
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.list), len(n.list))
	for i, item := range n.list {
		d.element(item, list.Index(i), path+"["+strconv.Itoa(i)+"]")
	}
	v.Set(list)
}

// element decodes an item of a list or a value of a mapping, where an empty
// value cannot stand for a default: a text takes it as it is written.
func (d *decoder) element(n *Node, v reflect.Value, path string) {
	if n.kind == Null && v.Kind() == reflect.String && (n.raw != "" || !strings.HasSuffix(path, "]")) {
		n = n.asText()
	}
	if n.kind == Null && needsValue(v) {
		d.fail(n, path, "the value is missing")
		return
	}
	d.value(n, v, path)
}

func (n *Node) asText() *Node {
	scalar := *n
	scalar.kind, scalar.text = Scalar, n.raw
	return &scalar
}

// needsValue tells whether an empty value means nothing for v.
func needsValue(v reflect.Value) bool {
	if v.Type() == nodeType {
		return false
	}
	if _, ok := v.Addr().Interface().(optionCapturer); ok {
		return false
	}
	return v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface
}

func (d *decoder) mapping(n *Node, v reflect.Value, path string) {
	if n.kind != Map {
		d.fail(n, path, "%s is not a mapping", n.shown()).Hint = "write it like {key: value}"
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.entries))
	for _, e := range n.entries {
		key := reflect.New(v.Type().Key()).Elem()
		value := reflect.New(v.Type().Elem()).Elem()
		d.value(e.Key, key, join(path, e.Name()))
		d.element(e.Value, value, join(path, e.Name()))
		m.SetMapIndex(key, value)
	}
	v.Set(m)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// anything decodes what YAML makes of a value on its own.
func (d *decoder) anything(n *Node, v reflect.Value, path string) {
	if v.NumMethod() != 0 {
		d.fail(n, path, "a value of type %s cannot be written in a table", v.Type())
		return
	}
	if value := n.plainValue(); value != nil {
		v.Set(reflect.ValueOf(value))
	} else {
		v.SetZero()
	}
}

func (n *Node) plainValue() any {
	switch n.kind {
	case Scalar:
		return n.plainScalar()
	case List:
		list := make([]any, len(n.list))
		for i, item := range n.list {
			list[i] = item.plainValue()
		}
		return list
	case Map:
		m := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			m[e.Name()] = e.Value.plainValue()
		}
		return m
	}
	return nil
}

func (n *Node) plainScalar() any {
	text := n.number()
	switch text {
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
		return false
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil && !octal(text) {
		return i
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && !octal(text) && isFinite(f) && strings.ContainsAny(text, ".eE") {
		return f
	}
	return n.text
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

func (d *decoder) structure(n *Node, v reflect.Value, path string) {
	if n.kind != Map {
		d.fail(n, path, "%s is not a mapping", n.shown()).Hint = d.structHint(v)
		return
	}
	targets := fields(v)
	written := make(map[string]bool, len(n.entries))
	for _, e := range n.entries {
		field, ok := targets[e.Name()]
		if !ok {
			d.unknown(e, targets, n.others, path)
			continue
		}
		written[e.Name()] = true
		if _, captures := field.Addr().Interface().(optionCapturer); captures && e.Value.kind == Null {
			continue
		}
		d.value(e.Value, field, join(path, e.Name()))
	}
	for name, field := range targets {
		if !written[name] {
			setDirs(field, n.dir)
		}
	}
}

func (d *decoder) structHint(v reflect.Value) string {
	if name := firstKey(v.Type()); name != "" {
		return "write it like {" + name + ": …}"
	}
	return ""
}

// firstKey gives the key of the first field that has one by its tag.
func firstKey(t reflect.Type) string {
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			return name
		}
	}
	return ""
}

func (d *decoder) unknown(e Entry, targets map[string]reflect.Value, others []string, path string) {
	known := append(slices.Collect(maps.Keys(targets)), others...)
	d.fail(e.Key, path, "unknown key %s", e.Key.shown()).Hint = hintFor(e.Name(), known)
}

// setDirs resolves the default paths of what is not written.
func setDirs(v reflect.Value, dir string) {
	if !v.CanAddr() || !v.CanInterface() {
		return
	}
	if s, ok := v.Addr().Interface().(dirSetter); ok {
		s.SetDir(dir)
		return
	}
	if v.Kind() == reflect.Struct {
		for _, field := range fields(v) {
			setDirs(field, dir)
		}
	}
}

// fields gives the settable fields of a struct by their keys. A field without
// a yaml tag has its name in lower case for a key.
func fields(v reflect.Value) map[string]reflect.Value {
	found := map[string]reflect.Value{}
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
		case f.Type.Kind() == reflect.Struct && (options == "inline" || f.Anonymous && name == ""):
			maps.Copy(found, fields(v.Field(i)))
		case !f.IsExported():
		case name != "":
			found[name] = v.Field(i)
		default:
			found[strings.ToLower(f.Name)] = v.Field(i)
		}
	}
	return found
}

// Keys gives the keys that [Node.Decode] knows for the struct v or the struct
// it points to, sorted.
func Keys(v any) []string {
	value := reflect.ValueOf(v)
	if value.Kind() == reflect.Pointer {
		value = value.Elem()
	}
	if value.Kind() != reflect.Struct {
		return nil
	}
	return slices.Sorted(maps.Keys(fields(value)))
}
