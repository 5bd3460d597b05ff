package e2e_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A strict reader of HTTP/1 requests. It shares nothing with mountd: it says
// what the bytes that a client sends mean, and what those mean that the
// application gets.

// message is a whole request.
type message struct {
	method, target, body string
	header, trailer      []string // "name: value", names in lower case
	last                 bool     // of its connection
}

func (m message) field(name string) string {
	for _, f := range m.header {
		if v, ok := strings.CutPrefix(f, name+": "); ok {
			return v
		}
	}
	return ""
}

// same compares what a message is about.
func same(a, b message) bool {
	return a.method == b.method && a.target == b.target && a.body == b.body
}

// A verdict is what a strict reader says of the beginning of some bytes.
type verdict string

const (
	whole       verdict = "a whole request"
	partOfHead  verdict = "a part of a head"
	partOfBody  verdict = "a head and a part of a body"
	badHead     verdict = "a malformed head"
	badBody     verdict = "a malformed body"
	notSettled  verdict = "what one may take or refuse"
	nothingMore verdict = "nothing"
)

const tokenClass = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]"

var (
	strictLine   = regexp.MustCompile(`^(` + tokenClass + `+) ((?:[!-"$-~]|[^\x00-\x7f])+) HTTP/1\.([01])$`)
	strictField  = regexp.MustCompile(`^(` + tokenClass + `+):[\t ]*((?s).*?)[\t ]*$`)
	strictSize   = regexp.MustCompile(`^([0-9A-Fa-f]{1,12})(;[^;]*)*$`)
	strictExt    = regexp.MustCompile(`^(;` + tokenClass + `+(=(` + tokenClass + `+|"[^"\\]*"))?)*$`)
	strictLength = regexp.MustCompile(`^[0-9]{1,12}$`)
	plainTarget  = regexp.MustCompile(`^(/[0-9A-Za-z]+)+(\?[0-9A-Za-z=&/]*)?$`)
	plainName    = regexp.MustCompile(`^[0-9a-z]+(:[1-9][0-9]{0,3})?$`)
	plainMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
)

// readOne reads the request at the beginning of raw. any: those too whose head
// may be refused for what it means.
func readOne(raw string, any bool) (m message, rest string, v verdict) {
	if raw == "" {
		return m, "", nothingMore
	}
	head, rest, ended := strings.Cut(raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	if !ended { // its last line may go on
		for _, line := range lines[:len(lines)-1] {
			if brokenLine(line) {
				return m, "", badHead
			}
		}
		if brokenLine(strings.TrimSuffix(lines[len(lines)-1], "\r")) {
			return m, "", badHead
		}
		return m, "", partOfHead
	}
	if slices.ContainsFunc(lines, brokenLine) {
		return m, "", badHead
	}
	line := strictLine.FindStringSubmatch(lines[0])
	if line == nil {
		return m, "", badHead
	}
	m.method, m.target = line[1], line[2]
	length, chunked, v := m.framing(lines[1:], line[3] == "0")
	switch {
	case v == badHead, v == notSettled && !any:
		return m, "", v
	case !any && !slices.Contains(plainMethods, m.method), !any && !plainTarget.MatchString(m.target):
		return m, "", notSettled
	case chunked:
		rest, v = m.chunks(rest)
		return m, rest, v
	case len(rest) < length:
		return m, "", partOfBody
	}
	m.body = rest[:length]
	return m, rest[length:], whole
}

// brokenLine reports bytes that no line of a head has.
func brokenLine(line string) bool {
	return strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

// framing reads fields and what they say of the message's length.
func (m *message) framing(lines []string, old bool) (length int, chunked bool, v verdict) {
	all := map[string][]string{}
	for _, line := range lines {
		f := strictField.FindStringSubmatch(line)
		if f == nil {
			return 0, false, badHead
		}
		name := strings.ToLower(f[1])
		all[name] = append(all[name], f[2])
		m.header = append(m.header, name+": "+f[2])
	}
	lengths, codings, hosts := all["content-length"], all["transfer-encoding"], all["host"]
	switch {
	case len(hosts) > 1, len(hosts) == 0 && !old, len(lengths) > 1, len(codings) > 1,
		len(lengths) == 1 && !strictLength.MatchString(lengths[0]),
		len(codings) == 1 && (old || len(lengths) > 0 || !strings.EqualFold(codings[0], "chunked")):
		return 0, false, badHead
	}
	settled := len(hosts) == 0 || plainName.MatchString(hosts[0])
	for name, values := range all {
		settled = settled && (len(values) == 1 || name == "x" || name == "connection")
	}
	keep := false
	for _, list := range all["connection"] {
		for option := range strings.SplitSeq(list, ",") {
			option = strings.ToLower(strings.Trim(option, " \t"))
			settled = settled && plainName.MatchString(strings.ReplaceAll(option, "-", ""))
			m.last = m.last || option == "close"
			keep = keep || option == "keep-alive"
		}
	}
	m.last = m.last || old && !keep
	for _, name := range []string{"expect", "trailer", "upgrade"} {
		settled = settled && len(all[name]) == 0
	}
	if len(lengths) == 1 {
		length, _ = strconv.Atoi(lengths[0])
	}
	if !settled {
		return length, len(codings) == 1, notSettled
	}
	return length, len(codings) == 1, whole
}

// nextLine cuts a line of a chunked body off.
func nextLine(raw string) (line, rest string, v verdict) {
	line, rest, ended := strings.Cut(raw, "\n")
	body, closed := strings.CutSuffix(line, "\r")
	switch {
	case brokenLine(body), ended && !closed:
		return "", "", badBody
	case !ended:
		return "", "", partOfBody
	}
	return body, rest, whole
}

// chunks reads a chunked body with its trailers.
func (m *message) chunks(raw string) (rest string, v verdict) {
	for {
		var line string
		if line, raw, v = nextLine(raw); v != whole {
			return "", v
		}
		size := strictSize.FindStringSubmatch(line)
		if size == nil {
			return "", badBody
		}
		if !strictExt.MatchString(line[len(size[1]):]) {
			return "", notSettled
		}
		n, _ := strconv.ParseInt(size[1], 16, 64)
		if n == 0 {
			return m.trailers(raw)
		}
		if int64(len(raw)) < n+2 {
			if behind := raw[min(n, int64(len(raw))):]; behind != "" && behind != "\r" {
				return "", badBody
			}
			return "", partOfBody
		}
		if raw[n:n+2] != "\r\n" {
			return "", badBody
		}
		m.body += raw[:n]
		raw = raw[n+2:]
	}
}

func (m *message) trailers(raw string) (rest string, v verdict) {
	for {
		var line string
		if line, raw, v = nextLine(raw); v != whole {
			return "", v
		}
		if line == "" {
			return raw, whole
		}
		f := strictField.FindStringSubmatch(line)
		if f == nil {
			return "", badBody
		}
		m.trailer = append(m.trailer, strings.ToLower(f[1])+": "+f[2])
	}
}

// readAll reads the requests of a connection, and says what is behind them.
func readAll(raw string) (all []message, end verdict) {
	for {
		m, rest, v := readOne(raw, false)
		if v != whole {
			return all, v
		}
		all = append(all, m)
		if m.last {
			return all, nothingMore
		}
		raw = rest
	}
}
