package httpserver_test

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// What a strict reader makes of the bytes of a connection. It is written for
// being obviously right: no state, no buffers, no speed.

// A message is a request that is whole.
type message struct{ method, target, body string }

// An end is why a strict reader reads no further.
type end string

const (
	clean   end = "at the end of a message"
	over    end = "at the last message, as its sender or receiver wants"
	cut     end = "within a head that is not whole"
	cutBody end = "within a body that is not whole"
	bad     end = "at a malformed head"
	badBody end = "at a malformed body"
	unclear end = "at what this reader leaves open"
)

var (
	requestLine = regexp.MustCompile(`^([!#$%&'*+\-.^_` + "`" + `|~0-9A-Za-z]{1,64}) ([^\x00-\x20\x7f#]+) HTTP/1\.([01])$`)
	fieldLine   = regexp.MustCompile(`^([!#$%&'*+\-.^_` + "`" + `|~0-9A-Za-z]+):[ \t]*((?s:.*?))[ \t]*$`)
	tokenOnly   = regexp.MustCompile(`^[!#$%&'*+\-.^_` + "`" + `|~0-9A-Za-z]+$`)
	digits      = regexp.MustCompile(`^[0-9]{1,18}$`)
	plainHost   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}(:[1-9][0-9]{0,3})?$`)
	sizeLine    = regexp.MustCompile(`^([0-9A-Fa-f]{1,15})(;(?s:.*))?$`)
	extension   = regexp.MustCompile(`^(;[!#$%&'*+\-.^_` + "`" + `|~0-9A-Za-z]+(=([!#$%&'*+\-.^_` + "`" + `|~0-9A-Za-z]+|"[^"\\]*"))?)*$`)
	looseSize   = regexp.MustCompile(`^[0-9A-Fa-f]{16,}|^[0-9A-Fa-f]+[ \t]+;`)
)

// readStrictly gives the requests of a connection.
func readStrictly(raw string) (all []message, why end) {
	for raw != "" {
		head, rest, whole := strings.Cut(raw, "\r\n\r\n")
		if !whole {
			return all, cut
		}
		lines := strings.Split(head, "\r\n")
		for _, line := range lines {
			if control(line) {
				return all, bad
			}
		}
		m := requestLine.FindStringSubmatch(lines[0])
		if m == nil {
			return all, bad
		}
		f, why := readFields(lines[1:], m[3] == "0")
		if why != "" {
			return all, why
		}
		if why := judgeTarget(m[1], m[2]); why != "" {
			return all, why
		}
		body := ""
		switch {
		case f.chunked:
			body, rest, why = readChunks(rest)
			if why != "" {
				return all, why
			}
		case len(rest) < f.length:
			return all, cutBody
		default:
			body, rest = rest[:f.length], rest[f.length:]
		}
		all = append(all, message{m[1], m[2], body})
		if f.last {
			return all, over
		}
		raw = rest
	}
	return all, clean
}

func control(line string) bool {
	return strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

func judgeTarget(method, target string) end {
	switch {
	case method == "CONNECT", target[0] != '/':
		return unclear
	case second(url.ParseRequestURI(target)) != nil:
		return bad
	}
	return ""
}

// framing is what the fields say of the message.
type framing struct {
	length  int
	chunked bool
	last    bool // of the connection
}

func readFields(lines []string, old bool) (f framing, why end) {
	all := map[string][]string{}
	for _, line := range lines {
		m := fieldLine.FindStringSubmatch(line)
		if m == nil {
			return f, bad
		}
		name := strings.ToLower(m[1])
		all[name] = append(all[name], m[2])
	}
	length, coding, hosts := all["content-length"], all["transfer-encoding"], all["host"]
	switch {
	case len(lines) > 100:
		return f, unclear
	case len(hosts) > 1, len(hosts) == 0 && !old,
		len(length) > 1, len(length) == 1 && !digits.MatchString(length[0]),
		len(coding) > 1, len(coding) == 1 && (old || len(length) > 0 || !strings.EqualFold(coding[0], "chunked") || len(coding[0]) != len("chunked")),
		len(all["content-type"]) > 1, len(all["authorization"]) > 1:
		return f, bad
	case len(hosts) == 1 && !plainHost.MatchString(hosts[0]), len(all["expect"]) > 0, len(all["trailer"]) > 0:
		return f, unclear
	}
	if len(length) == 1 {
		f.length, _ = strconv.Atoi(length[0])
	}
	f.chunked = len(coding) == 1
	keep := false
	for _, list := range all["connection"] {
		for option := range strings.SplitSeq(list, ",") {
			option = strings.ToLower(strings.Trim(option, " \t"))
			if option != "" && !tokenOnly.MatchString(option) {
				return f, bad
			}
			f.last = f.last || option == "close"
			keep = keep || option == "keep-alive"
		}
	}
	f.last = f.last || old && !keep
	return f, ""
}

// line cuts a line off.
func cutOff(raw string) (line, rest string, why end) {
	line, rest, whole := strings.Cut(raw, "\n")
	switch {
	case !whole:
		return "", "", cutBody
	case !strings.HasSuffix(line, "\r") || control(line[:len(line)-1]):
		return "", "", badBody
	}
	return line[:len(line)-1], rest, ""
}

func readChunks(raw string) (body, rest string, why end) {
	for {
		var line string
		if line, raw, why = cutOff(raw); why != "" {
			return "", "", why
		}
		m := sizeLine.FindStringSubmatch(line)
		switch {
		case looseSize.MatchString(line), m != nil && !extension.MatchString(m[2]):
			return "", "", unclear
		case m == nil:
			return "", "", badBody
		}
		size, err := strconv.ParseInt(m[1], 16, 64)
		switch {
		case err != nil || size > 1<<50:
			return "", "", unclear
		case size == 0:
			return readTrailer(body, raw)
		case int64(len(raw)) < size+2:
			return "", "", cutBody // or malformed already
		case raw[size:size+2] != "\r\n":
			return "", "", badBody
		}
		body += raw[:size]
		raw = raw[size+2:]
	}
}

func readTrailer(body, raw string) (_, rest string, why end) {
	for {
		var line string
		if line, raw, why = cutOff(raw); why != "" {
			return "", "", why
		}
		if line == "" {
			return body, raw, ""
		}
		if !fieldLine.MatchString(line) {
			return "", "", badBody
		}
	}
}
