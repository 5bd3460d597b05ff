package compress

import "strings"

// Indices of the encodings.
const (
	zstdCoding = iota
	brCoding
	gzipCoding
	codingCount
)

func codingIndex(name string) int {
	switch name {
	case Zstd:
		return zstdCoding
	case Brotli:
		return brCoding
	case Gzip:
		return gzipCoding
	}
	return -1
}

// A preference holds the weights, in thousandths, that an Accept-Encoding
// header gives; unsaid for what it does not name.
type preference struct {
	coding   [codingCount]int
	identity int
	any      int // "*"
}

const unsaid = -1

// negotiate gives the encoding for a client with these Accept-Encoding
// values, nil for none. A client that sends no such header may understand
// anything, and gets none. So does one that would rather have the plain form.
func (m *Middleware) negotiate(accept []string) *coding {
	if len(accept) == 0 {
		return nil
	}
	if len(accept) == 1 {
		if c, ok := m.usual[accept[0]]; ok {
			return c
		}
	}
	return m.choose(parseAccept(accept))
}

// usual lists what most clients send; New decides about these once.
func usual() []string {
	return []string{"gzip, deflate, br, zstd", "gzip, deflate, br", "gzip, deflate", "gzip", "br", "zstd", "*", "identity"}
}

func (m *Middleware) choose(p preference) *coding {
	best, weight := unsaid, 0
	for _, c := range m.order {
		q := p.coding[c]
		if q == unsaid {
			q = p.any
		}
		if q > weight {
			best, weight = c, q
		}
	}
	plain := p.identity
	if plain == unsaid {
		plain = p.any
	}
	if best == unsaid || plain > weight {
		return nil
	}
	return m.codings[best]
}

func parseAccept(accept []string) preference {
	p := preference{identity: unsaid, any: unsaid}
	for i := range p.coding {
		p.coding[i] = unsaid
	}
	for _, list := range accept {
		for list != "" {
			var elem string
			elem, list, _ = strings.Cut(list, ",")
			name, params, _ := strings.Cut(elem, ";")
			if slot := p.slot(trim(name)); slot != nil {
				*slot = max(*slot, weightOf(params))
			}
		}
	}
	return p
}

// slot gives where the weight of a coding is kept, nil for unknown ones.
func (p *preference) slot(name string) *int {
	switch len(name) {
	case 1:
		if name == "*" {
			return &p.any
		}
	case 2:
		if strings.EqualFold(name, Brotli) {
			return &p.coding[brCoding]
		}
	case 4:
		if name == Gzip || strings.EqualFold(name, Gzip) {
			return &p.coding[gzipCoding]
		}
		if strings.EqualFold(name, Zstd) {
			return &p.coding[zstdCoding]
		}
	case 6:
		if strings.EqualFold(name, "x-gzip") { // RFC 9110, section 8.4.1.3
			return &p.coding[gzipCoding]
		}
	case 8:
		if strings.EqualFold(name, "identity") {
			return &p.identity
		}
	}
	return nil
}

// weightOf gives the weight among the parameters, in thousandths. Without one
// it is 1; one that is malformed is 0, so that the plain form is sent.
func weightOf(params string) int {
	for params != "" {
		var p string
		p, params, _ = strings.Cut(params, ";")
		name, value, ok := strings.Cut(p, "=")
		if name = trim(name); ok && (name == "q" || name == "Q") {
			return thousandths(trim(value))
		}
	}
	return 1000
}

// thousandths reads a qvalue: 0 or 1 with up to three decimals.
func thousandths(s string) int {
	if len(s) == 0 || len(s) > 5 || s[0] != '0' && s[0] != '1' || len(s) > 1 && s[1] != '.' {
		return 0
	}
	q, unit := int(s[0]-'0')*1000, 100
	for i := 2; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0
		}
		q += int(s[i]-'0') * unit
		unit /= 10
	}
	if q > 1000 {
		return 0
	}
	return q
}
