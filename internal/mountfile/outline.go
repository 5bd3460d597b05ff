package mountfile

import (
	"regexp"
	"strings"
)

var keyLine = regexp.MustCompile(`^( *)("[^"]*"|'[^']*'|[^\s#"'\[][^#]*?) *:(?:\s|$)(.*)`)

// outline reads the sections of a text that is not YAML and the keys in them,
// by their indentation alone. It finds the keys after the mistake, too.
func (d *document) outline(data []byte) *Node {
	root := &Node{kind: Map, pos: Pos{File: d.file}}
	var section *Node
	indent := 0
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\t", "  ").Replace(string(data))
	for line := range strings.Lines(strings.ToValidUTF8(text, "")) {
		m := keyLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		key := d.outlineKey(m[2])
		switch {
		case m[1] == "":
			section, indent = &Node{kind: Map}, 0
			section.entries = d.flowKeys(m[3])
			root.entries = append(root.entries, Entry{key, section})
		case section != nil && (indent == 0 || len(m[1]) <= indent):
			indent = len(m[1])
			section.entries = append(section.entries, Entry{key, &Node{}})
		}
	}
	return root
}

func (d *document) outlineKey(raw string) *Node {
	if len(raw) > 1 && (raw[0] == '"' || raw[0] == '\'') {
		raw = raw[1 : len(raw)-1]
	}
	n := &Node{kind: Scalar, raw: raw}
	n.text, _ = d.expand(n)
	return n
}

var flowKey = regexp.MustCompile(`^\s*("[^"]*"|'[^']*'|[^\s"':]+)\s*:(\s|$)`)

// flowKeys gives the keys of {a: …, b: …} that stand on its first level.
func (d *document) flowKeys(text string) (entries []Entry) {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
		default:
			continue
		}
		if m := flowKey.FindStringSubmatch(text[i+1 : min(i+512, len(text))]); m != nil && depth == 1 {
			entries = append(entries, Entry{d.outlineKey(m[1]), &Node{}})
		}
	}
	return entries
}
