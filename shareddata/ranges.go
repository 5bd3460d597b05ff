package shareddata

import "strings"

// maxRanges is how many ranges one request may ask for.
const maxRanges = 32

// span is a part of a representation.
type span struct{ start, length int64 }

// rangeSet is what a Range field asks for.
type rangeSet struct {
	n     int
	spans [maxRanges]span
}

// Results of parseRange.
type rangeResult int

const (
	rangeIgnored       rangeResult = iota // send everything
	rangeUnsatisfiable                    // 416
	rangeSatisfiable
)

// parseRange reads a Range field for a representation of size bytes by RFC
// 9110 §14.1.2 and §14.2. Other units, malformed sets, too many ranges and
// ranges that add up to more than the whole are ignored, as that section
// allows.
func parseRange(field string, size int64, set *rangeSet) rangeResult {
	unit, list, ok := strings.Cut(field, "=")
	if !ok || !strings.EqualFold(unit, "bytes") || size == 0 {
		return rangeIgnored
	}
	asked := 0
	var sum int64
	for list != "" {
		var spec string
		spec, list, _ = strings.Cut(list, ",")
		if spec = strings.Trim(spec, " \t"); spec == "" {
			continue
		}
		if asked++; asked > maxRanges {
			return rangeIgnored
		}
		part, valid := parseSpan(spec, size)
		if !valid {
			return rangeIgnored
		}
		if part.length == 0 {
			continue
		}
		if sum += part.length; sum > size {
			return rangeIgnored
		}
		set.spans[set.n] = part
		set.n++
	}
	switch {
	case asked == 0:
		return rangeIgnored
	case set.n == 0:
		return rangeUnsatisfiable
	}
	return rangeSatisfiable
}

// parseSpan reads "first-last", "first-" or "-suffix". An unsatisfiable range
// has no length.
func parseSpan(spec string, size int64) (part span, valid bool) {
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return span{}, false
	}
	if first == "" {
		n, valid := digits(last)
		n = min(n, size)
		return span{size - n, n}, valid
	}
	start, valid := digits(first)
	if !valid {
		return span{}, false
	}
	end := size - 1
	if last != "" {
		asked, valid := digits(last)
		if !valid || asked < start {
			return span{}, false
		}
		end = min(end, asked)
	}
	if start >= size {
		return span{}, true
	}
	return span{start, end - start + 1}, true
}

// digits reads a number; one that is too large for any file stays large.
func digits(s string) (int64, bool) {
	const huge = 1 << 59
	if s == "" {
		return 0, false
	}
	var n int64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if n < huge {
			n = n*10 + int64(s[i]-'0')
		}
	}
	return min(n, huge), true
}
