// Package option holds the value types of a mount table's options that
// several middlewares and apps share. They know nothing of YAML: the decoder
// finds their methods (UnmarshalText, UnmarshalOption, CaptureOption, SetDir)
// by shape. All of them are plain values, safe to copy and to share.
package option

import "path/filepath"

// File is the path of a file or directory. The zero value names none.
type File string

// SetDir makes a relative path absolute, or relative to where dir is relative
// to. An empty path stays empty, and an absolute one as it is.
func (f *File) SetDir(dir string) {
	if *f != "" && !filepath.IsAbs(string(*f)) {
		*f = File(filepath.Join(dir, string(*f)))
	}
}

// UnmarshalText takes text as it is.
func (f *File) UnmarshalText(text []byte) error {
	*f = File(text)
	return nil
}

// MarshalText gives the path.
func (f File) MarshalText() ([]byte, error) { return []byte(f), nil }

func (f File) String() string { return string(f) }

// JSONSchema describes a path.
func (File) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "description": "a path, relative to the file it is written in"}
}

// Strings is a list of texts that may be written as a single one.
type Strings []string

// UnmarshalOption reads a list, or one text as a list of one.
func (s *Strings) UnmarshalOption(decode func(v any) error) error {
	var one string
	if decode(&one) == nil {
		*s = Strings{one}
		return nil
	}
	var list []string
	if err := decode(&list); err != nil {
		return err
	}
	*s = list
	return nil
}

// JSONSchema describes a text or a list of texts.
func (Strings) JSONSchema() map[string]any {
	text := map[string]any{"type": []string{"string", "number", "boolean"}}
	return map[string]any{"anyOf": []any{text, map[string]any{"type": "array", "items": text}}}
}

// Node is a value that is kept as it was written, to be decoded later: a
// nested app, or options whose type is known only then.
type Node struct {
	node interface{ Decode(v any) error }
}

// CaptureOption keeps node.
func (n *Node) CaptureOption(node interface{ Decode(v any) error }) { n.node = node }

// Decode fills the value v points to, strictly. A value that was not written
// leaves it as it is.
func (n Node) Decode(v any) error {
	if n.node == nil {
		return nil
	}
	return n.node.Decode(v)
}

// Empty tells whether the option was not written.
func (n Node) Empty() bool { return n.node == nil }

// Raw gives what was captured, nil when the option was not written.
func (n Node) Raw() interface{ Decode(v any) error } { return n.node }

// JSONSchema allows everything.
func (Node) JSONSchema() map[string]any { return map[string]any{} }
