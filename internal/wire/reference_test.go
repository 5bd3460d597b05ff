package wire_test

import (
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The reference reads a request by regular expressions made of the RFC's
// grammar. It is slow, and shares nothing with the package. Bytes become runes
// of the same number first, so that expressions see bytes.

func runes(b string) string {
	out := make([]rune, len(b))
	for i := range len(b) {
		out[i] = rune(b[i])
	}
	return string(out)
}

func unrunes(s string) string {
	var out []byte
	for _, r := range s {
		out = append(out, byte(r))
	}
	return string(out)
}

const (
	reToken = `[!#$%&'*+\-.^_\x60|~0-9A-Za-z]+`
	reVchar = `[\x21-\x7e\x{80}-\x{ff}]`
	reText  = `[\t\x20-\x7e\x{80}-\x{ff}]`
	reLabel = `[0-9A-Za-z_\-]{1,63}`
	reHost  = `(?:\[([0-9A-Fa-f:.]+)\]|(` + reLabel + `(?:\.` + reLabel + `)*)\.?)(?::([1-9][0-9]{0,4})?)?`
)

var (
	requestLine = regexp.MustCompile(`^(` + reToken + `) ([\x21\x22\x24-\x7e\x{80}-\x{ff}]+) HTTP/1\.([01])$`)
	fieldLine   = regexp.MustCompile(`^(` + reToken + `):[ \t]*((?:` + reVchar + `(?:` + reText + `*` + reVchar + `)?)?)[ \t]*$`)
	hostAlone   = regexp.MustCompile(`^` + reHost + `$`)
	absoluteURL = regexp.MustCompile(`^(?i:https?)://([^/?]+)(?:[/?].*)?$`)
	lengthValue = regexp.MustCompile(`^[0-9]{1,18}$`)
	optionList  = regexp.MustCompile(`^[ \t]*(?:` + reToken + `)?(?:[ \t]*,[ \t]*(?:` + reToken + `)?)*[ \t]*$`)
	sizeLine    = regexp.MustCompile(`^([0-9A-Fa-f]{1,16})((?:;` + reText + `*)?)$`)
)

// A reading is what the reference has made of a request.
type reading struct {
	method, target, minor, host string
	fields                      [][2]string
	length                      int64
	options                     []string // of Connection, in lower case
}

// referenceRequest reads a head; ok is false for what is to be refused.
func referenceRequest(block string) (r reading, ok bool) {
	lines, complete := strings.CutSuffix(runes(block), "\r\n\r\n")
	if !complete {
		return r, false
	}
	first, rest, more := strings.Cut(lines, "\r\n")
	m := requestLine.FindStringSubmatch(first)
	if m == nil || len(m[1]) > 64 {
		return r, false
	}
	r.method, r.target, r.minor = m[1], unrunes(m[2]), m[3]
	values := map[string][]string{}
	for more {
		var line string
		line, rest, more = strings.Cut(rest, "\r\n")
		f := fieldLine.FindStringSubmatch(line)
		if f == nil {
			return r, false
		}
		name := strings.ToLower(f[1])
		values[name] = append(values[name], f[2])
		r.fields = append(r.fields, [2]string{name, unrunes(f[2])})
	}
	return r, r.hosts(values["host"]) && r.framed(values["content-length"], values["transfer-encoding"]) &&
		r.connected(values["connection"]) && len(values["content-type"]) < 2 && len(values["authorization"]) < 2
}

func (r *reading) hosts(hosts []string) bool {
	if len(hosts) > 1 || len(hosts) == 0 && r.minor == "1" || len(hosts) == 1 && !referenceHost(hosts[0]) {
		return false
	}
	authority, same := "", false
	a := absoluteURL.FindStringSubmatch(runes(r.target))
	switch {
	case r.method == "CONNECT":
		i := strings.LastIndexByte(r.target, ':')
		if !referenceHost(r.target) || strings.HasSuffix(r.target, "]") || i < 0 || i == len(r.target)-1 {
			return false
		}
		authority = r.target
		same = len(hosts) == 1 && strings.EqualFold(hosts[0], r.target[:i])
	case strings.HasPrefix(r.target, "/"), r.target == "*" && r.method == "OPTIONS":
	case a == nil || !referenceHost(a[1]):
		return false
	default:
		authority = a[1]
	}
	if len(hosts) == 0 {
		r.host = authority
		return true
	}
	r.host = hosts[0]
	if authority != "" {
		r.host = authority
		return same || strings.EqualFold(authority, hosts[0])
	}
	return true
}

func referenceHost(s string) bool {
	m := hostAlone.FindStringSubmatch(s)
	if m == nil || len(m[2]) > 253 {
		return false
	}
	if m[1] != "" && (net.ParseIP(m[1]) == nil || !strings.Contains(m[1], ":")) {
		return false
	}
	port, _ := strconv.Atoi("0" + m[3])
	return port <= 65535
}

func (r *reading) framed(lengths, codings []string) bool {
	switch {
	case len(codings) == 1 && len(lengths) == 0:
		r.length = -1
		return r.minor == "1" && strings.Trim(codings[0], "CHUNKEDchunked") == "" && strings.ToLower(codings[0]) == "chunked"
	case len(codings) > 0 || len(lengths) > 1:
		return false
	case len(lengths) == 1:
		if !lengthValue.MatchString(lengths[0]) {
			return false
		}
		r.length, _ = strconv.ParseInt(lengths[0], 10, 64)
	}
	return true
}

func (r *reading) connected(lists []string) bool {
	for _, list := range lists {
		if !optionList.MatchString(list) {
			return false
		}
		for option := range strings.SplitSeq(list, ",") {
			r.options = append(r.options, strings.ToLower(strings.Trim(option, " \t")))
		}
	}
	return true
}

func (r *reading) has(option string) bool { return slices.Contains(r.options, option) }

// referenceChunked takes chunked coding off; ok is false for what is refused or
// not complete. It knows no limits.
func referenceChunked(in string) (body string, trailer [][2]string, taken int, ok bool) {
	rest := in
	for {
		line, behind, found := strings.Cut(rest, "\r\n")
		m := sizeLine.FindStringSubmatch(runes(line))
		if !found || m == nil {
			return "", nil, 0, false
		}
		size, err := strconv.ParseInt(m[1], 16, 64)
		rest = behind
		if err != nil {
			return "", nil, 0, false
		}
		if size == 0 {
			break
		}
		if int64(len(rest))-2 < size || rest[size:size+2] != "\r\n" {
			return "", nil, 0, false
		}
		body, rest = body+rest[:size], rest[size+2:]
	}
	for {
		line, behind, found := strings.Cut(rest, "\r\n")
		if !found {
			return "", nil, 0, false
		}
		rest = behind
		if line == "" {
			return body, trailer, len(in) - len(rest), true
		}
		f := fieldLine.FindStringSubmatch(runes(line))
		if f == nil {
			return "", nil, 0, false
		}
		trailer = append(trailer, [2]string{strings.ToLower(f[1]), unrunes(f[2])})
	}
}
