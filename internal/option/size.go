package option

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written like "512", "64KiB" or "1MB". It is never
// negative when it was read from text.
type Size int64

// Binary units first: String prefers them.
var units = []struct {
	name string
	size int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

// UnmarshalText reads a whole number with an optional unit; KiB, MiB, GiB and
// TiB are powers of 1024, kB, MB, GB and TB of 1000.
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimSpace(string(text))
	factor := int64(1)
	for _, u := range units {
		if n, ok := cutUnit(digits, u.name); ok {
			digits, factor = n, u.size
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/factor {
		return fmt.Errorf("%q is not a size (write it like 512, 64KiB or 10MiB)", text)
	}
	*s = Size(int64(n) * factor)
	return nil
}

func cutUnit(s, unit string) (string, bool) {
	if len(s) <= len(unit) || !strings.EqualFold(s[len(s)-len(unit):], unit) {
		return s, false
	}
	return strings.TrimRight(s[:len(s)-len(unit)], " "), true
}

// MarshalText gives the form UnmarshalText reads.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String writes s with the largest unit that divides it.
func (s Size) String() string {
	for _, u := range units {
		if u.size > 1 && s != 0 && int64(s)%u.size == 0 {
			return strconv.FormatInt(int64(s)/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// JSONSchema describes a size.
func (Size) JSONSchema() map[string]any {
	return map[string]any{
		"type":    []string{"string", "integer"},
		"pattern": `^[0-9]+ ?([kKmMgGtT][iI]?)?[bB]?$|\$\{`,
		"minimum": 0,
	}
}
