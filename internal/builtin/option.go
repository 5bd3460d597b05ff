package builtin

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mountd/mountd/internal/option"
)

// isScalar and isList tell how the value of an option with several forms was
// written.
func isScalar(decode func(any) error) bool {
	var s string
	return decode(&s) == nil
}

func isList(decode func(any) error) bool {
	var l []option.Node
	return decode(&l) == nil
}

// alternatives writes words, which blanks separate, as "a, b or c".
func alternatives(words string) string {
	list := strings.Fields(words)
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " or " + list[last]
}

// oneOf reports whether word is among words, which blanks separate.
func oneOf(word, words string) bool { return slices.Contains(strings.Fields(words), word) }

// stamp tells one state of files from another.
func stamp(files ...string) string {
	slices.Sort(files)
	var b strings.Builder
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			fmt.Fprintf(&b, "%s missing;", name)
			continue
		}
		fmt.Fprintf(&b, "%s %d %d;", name, info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}
