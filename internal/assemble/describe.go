package assemble

import (
	"strings"

	"github.com/mountd/mountd/internal/mountfile"
)

// short says what the table says of an application, in a few words.
func short(value *mountfile.Node) string {
	switch value.Kind() {
	case mountfile.Scalar:
		return value.Text()
	case mountfile.List:
		return strings.Join(texts(value.List()), ", ")
	case mountfile.Map:
		for _, key := range []string{"to", "root", "body", "apps", "command"} {
			if v := value.Get(key); v != nil {
				return short(v)
			}
		}
		if entries := value.Without("when").Entries(); len(entries) == 1 {
			return short(entries[0].Value)
		}
	}
	return ""
}

func texts(nodes []*mountfile.Node) []string {
	var out []string
	for _, n := range nodes {
		text := short(n)
		if n.Kind() == mountfile.Map && n.Get("url") != nil {
			text = n.Get("url").Text()
		}
		if text != "" {
			out = append(out, text)
		}
	}
	return out
}
