package assemble

import "github.com/mountd/mountd/internal/mountfile"

// node keeps a value of the table as it was written, for those who know what
// it means.
type node struct{ *mountfile.Node }

// CaptureOption is called by the decoder.
func (n *node) CaptureOption(d interface{ Decode(v any) error }) { n.Node, _ = d.(*mountfile.Node) }

// The values of a mount's keys, with the schema of each.
type (
	useValue         struct{ node }
	rebaseValue      struct{ node }
	identityValue    struct{ node }
	sendfileValue    struct{ node }
	credentialsValue struct{ node }
)

// slashValue is redirect or pass.
type slashValue string

// JSONSchema lists the values.
func (slashValue) JSONSchema() map[string]any {
	return map[string]any{"enum": []string{"redirect", "pass"}}
}

// JSONSchema describes a stack.
func (useValue) JSONSchema() map[string]any { return map[string]any{"$ref": "#/$defs/stack"} }

// JSONSchema describes the modes and the long form.
func (rebaseValue) JSONSchema() map[string]any {
	modes := map[string]any{"enum": []string{"auto", "off", "headers", "full"}}
	return anyOf(modes, object(map[string]any{
		"mode":    modes,
		"cookies": map[string]any{"enum": []string{"path", "namespace", "off"}},
		"storage": map[string]any{"enum": []string{"apart", "shared"}},
		"rescue":  map[string]any{"type": "boolean"},
		"skip":    anyOf(text(), map[string]any{"type": "array", "items": text()}),
	}))
}

// JSONSchema describes the known sets and one's own.
func (identityValue) JSONSchema() map[string]any {
	return anyOf(map[string]any{"enum": []string{"remote", "forwarded", "none"}},
		object(map[string]any{"user": text(), "groups": text(), "name": text(), "email": text()}))
}

// JSONSchema describes a mapping of prefixes to directories.
func (sendfileValue) JSONSchema() map[string]any {
	return map[string]any{"type": "object", "additionalProperties": text()}
}

// JSONSchema describes a choice of credentials.
func (credentialsValue) JSONSchema() map[string]any {
	return anyOf(map[string]any{"type": "boolean"},
		map[string]any{"type": "array", "items": map[string]any{"enum": []string{"authorization", "session", "key"}}})
}

func anyOf(schemas ...map[string]any) map[string]any { return map[string]any{"anyOf": schemas} }

func object(properties map[string]any) map[string]any {
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
}

func text() map[string]any { return map[string]any{"type": "string"} }
