package mountfile

import (
	"slices"
	"strconv"
	"strings"
)

// Suggest gives the known name that word was probably meant to be: one that
// differs in case or in the order of its parts, or is a few typing errors
// away. It is empty when nothing is near.
func Suggest(word string, known []string) string {
	best, bestCost := "", 0
	w := strings.ToLower(word)
	if len(w) > 64 {
		return ""
	}
	for _, name := range known {
		cost := distance(w, strings.ToLower(name))
		if parts(w) == parts(strings.ToLower(name)) {
			cost = 0
		}
		if cost > len(w)/3+btoi(len(w) < 3 && len(w) > 1) && cost > 0 {
			continue
		}
		if best == "" || cost < bestCost || cost == bestCost && name < best {
			best, bestCost = name, cost
		}
	}
	return best
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// parts sorts the parts of a name: basic-auth and auth.basic are the same.
func parts(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '_' || r == '-' || r == ' ' })
	slices.Sort(words)
	return strings.Join(words, " ")
}

// distance counts insertions, deletions, replacements and swaps of neighbours.
func distance(a, b string) int {
	prev2, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+btoi(a[i-1] != b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev, row = prev, row, prev2
	}
	return prev[len(b)]
}

// hintFor says which names there are instead of word.
func hintFor(word string, known []string) string {
	if near := Suggest(word, known); near != "" {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	names := slices.Clone(known)
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 || len(names) > 17 {
		return ""
	}
	return "known here: " + strings.Join(names, ", ")
}
