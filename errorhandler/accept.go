package errorhandler

import (
	"strings"
)

// mediaRange is one element of an Accept field (RFC 9110, section 12.5.1).
type mediaRange struct {
	typ, sub string // lower case; "*" for any
	q        int    // thousandths
}

// maxRanges bounds the work for one request; browsers send less than ten.
const maxRanges = 64

// parseAccept leaves out what is no media range.
func parseAccept(fields []string) []mediaRange {
	var ranges []mediaRange
	for _, field := range fields {
		for field != "" && len(ranges) < maxRanges {
			var element string
			element, field = cutUnquoted(field, ',')
			if m, ok := parseRange(element); ok {
				ranges = append(ranges, m)
			}
		}
	}
	return ranges
}

func parseRange(s string) (m mediaRange, ok bool) {
	name, params := cutUnquoted(s, ';')
	typ, sub, found := strings.Cut(strings.ToLower(strings.TrimSpace(name)), "/")
	if !found || typ == "" || sub == "" || typ == "*" && sub != "*" {
		return m, false
	}
	m = mediaRange{typ, sub, 1000}
	for params != "" {
		var param string
		param, params = cutUnquoted(params, ';')
		key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(strings.TrimSpace(key), "q") {
			m.q, ok = parseQ(strings.TrimSpace(value))
			return m, ok
		}
	}
	return m, true
}

// cutUnquoted cuts s at the first sep outside of a quoted string.
func cutUnquoted(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// parseQ reads a weight: 0 or 1 with up to three decimals.
func parseQ(s string) (thousandths int, ok bool) {
	whole, decimals, _ := strings.Cut(s, ".")
	if whole != "0" && whole != "1" || len(decimals) > 3 {
		return 0, false
	}
	q := int(whole[0] - '0')
	for i := range 3 {
		digit := byte('0')
		if i < len(decimals) {
			digit = decimals[i]
		}
		if digit < '0' || digit > '9' {
			return 0, false
		}
		q = q*10 + int(digit-'0')
	}
	return q, q <= 1000
}

// offer is a kind of answer that could be given.
type offer struct {
	typ, sub string
	kind     string // one of the formats, or custom
}

// rank orders offers: by weight, then how precisely the client named the
// type, then where it did.
type rank struct{ q, precision, place int }

func (a rank) above(b rank) bool {
	switch {
	case a.q != b.q:
		return a.q > b.q
	case a.precision != b.precision:
		return a.precision > b.precision
	}
	return a.place < b.place
}

// choose gives the offer that the client likes best, the earlier of equals.
// Where it likes none, it gets the first: a body it did not ask for is better
// than none (RFC 9110, section 15.5.7).
func choose(ranges []mediaRange, offers []offer) offer {
	best, bestRank := offers[0], rank{}
	for _, o := range offers {
		if r := o.rank(ranges); r.q > 0 && r.above(bestRank) {
			best, bestRank = o, r
		}
	}
	return best
}

// rank uses the most precise range that holds the offer.
func (o offer) rank(ranges []mediaRange) rank {
	best := rank{precision: -1}
	for i, m := range ranges {
		if p := o.precision(m); p > best.precision {
			best = rank{m.q, p, i}
		}
	}
	return best
}

// precision is how closely the range names the offer, -1 for not at all. A
// problem description is JSON.
func (o offer) precision(m mediaRange) int {
	switch {
	case m.typ == o.typ && (m.sub == o.sub || m.sub == "json" && strings.HasSuffix(o.sub, "+json")):
		return 2
	case m.typ == o.typ && m.sub == "*":
		return 1
	case m.typ == "*":
		return 0
	}
	return -1
}
