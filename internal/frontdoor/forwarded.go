package frontdoor

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/mountd/mountd/internal/canonical"
	"github.com/mountd/mountd/internal/request"
)

// believe takes over what a trusted peer's headers say. Where several of the
// X-Forwarded- kind are there, "Forwarded" does not count and is removed: a
// proxy that writes the one passes the other on as the client sent it. Values
// that are not valid are removed too, so that no app believes them.
func (d *FrontDoor) believe(rec *request.Record) {
	h := rec.Request.Header
	if !hasAny(h, "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host") {
		d.believeForwarded(rec, h["Forwarded"])
	} else {
		delete(h, "Forwarded")
		d.believeFor(rec, h["X-Forwarded-For"])
		if proto := last(h["X-Forwarded-Proto"]); proto != "" && !setScheme(rec, proto) {
			delete(h, "X-Forwarded-Proto")
		}
		if host := last(h["X-Forwarded-Host"]); host != "" && setHost(rec, host) != nil {
			delete(h, "X-Forwarded-Host")
		}
	}
	if port := last(h["X-Forwarded-Port"]); port != "" && !setPort(rec, port) {
		delete(h, "X-Forwarded-Port")
	}
	if prefix := last(h["X-Forwarded-Prefix"]); prefix != "" && !setPrefix(rec, prefix) {
		delete(h, "X-Forwarded-Prefix")
	}
}

func hasAny(h http.Header, names ...string) bool {
	for _, name := range names {
		if len(h[name]) > 0 {
			return true
		}
	}
	return false
}

// last gives the last element of a list: what the nearest proxy has said.
func last(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	line := lines[len(lines)-1]
	if i := strings.LastIndexByte(line, ','); i >= 0 {
		line = line[i+1:]
	}
	return strings.Trim(line, " \t")
}

// believeFor takes the rightmost address that is not trusted itself. All
// trusted: the leftmost. Something that is no address ends the search, and the
// trusted proxy that said so is the client.
func (d *FrontDoor) believeFor(rec *request.Record, lines []string) {
	for i := len(lines) - 1; i >= 0; i-- {
		line := lines[i]
		for line != "" {
			var item string
			if at := strings.LastIndexByte(line, ','); at >= 0 {
				line, item = line[:at], line[at+1:]
			} else {
				line, item = "", line
			}
			if item = strings.Trim(item, " \t"); item == "" {
				continue
			}
			if !d.hop(rec, item) {
				return
			}
		}
	}
}

// hop takes one more address from the right, and reports whether to go on.
func (d *FrontDoor) hop(rec *request.Record, item string) bool {
	addr, ok := parseAddr(item)
	if !ok {
		return false
	}
	rec.Client = addr
	return d.trusts(addr)
}

// parseAddr parses an address with or without a port, in brackets or not.
func parseAddr(s string) (netip.Addr, bool) {
	if s == "" {
		return netip.Addr{}, false
	}
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 || s[end+1:] != "" && s[end+1] != ':' {
			return netip.Addr{}, false
		}
		s = s[1:end]
	} else if i := strings.IndexByte(s, ':'); i >= 0 && strings.IndexByte(s[i+1:], ':') < 0 {
		s = s[:i]
	}
	addr, err := netip.ParseAddr(s)
	return plainAddr(addr), err == nil
}

func setScheme(rec *request.Record, proto string) bool {
	switch {
	case strings.EqualFold(proto, "https"), strings.EqualFold(proto, "wss"):
		rec.Scheme = "https"
	case strings.EqualFold(proto, "http"), strings.EqualFold(proto, "ws"):
		rec.Scheme = "http"
	default:
		return false
	}
	return true
}

// setPort gives the host the port at which the client reached the proxy, if the
// host was forwarded without one.
func setPort(rec *request.Record, port string) bool {
	hostport := rec.Host + ":" + port
	if rec.Host == "" {
		return true
	}
	if _, p, err := canonical.Host(hostport); err != nil || p == "" {
		return false
	}
	forwarded := last(rec.Request.Header["X-Forwarded-Host"])
	switch _, p, _ := canonical.Host(forwarded); {
	case p != "":
	case rec.Scheme == "http" && port == "80", rec.Scheme == "https" && port == "443":
		rec.HostPort = rec.Host
	default:
		rec.HostPort = hostport
	}
	return true
}

// setPrefix takes a prefix that is a clean path.
func setPrefix(rec *request.Record, prefix string) bool {
	trimmed := strings.TrimRight(prefix, "/")
	if trimmed == "" {
		return prefix == "/"
	}
	path, raw, err := canonical.Parse(trimmed)
	if err != nil || canonical.Suspicious(raw) || raw != "" && raw != trimmed || raw == "" && path != trimmed ||
		strings.Contains(trimmed, "//") {
		return false
	}
	rec.Prefix = trimmed
	return true
}

// maxElements bounds how far back a "Forwarded" header is read.
const maxElements = 64

// believeForwarded reads RFC 7239's header: the same rules, with the scheme and
// the host of the element that the nearest proxy wrote.
func (d *FrontDoor) believeForwarded(rec *request.Record, lines []string) {
	searching, nearest, left := true, true, maxElements
	for i := len(lines) - 1; i >= 0; i-- {
		for line := lines[i]; line != "" && searching && left > 0; left-- {
			var element string
			line, element = cutLast(line, ',')
			pairs, ok := parseElement(element)
			if !ok {
				return
			}
			if nearest {
				if pairs.proto != "" {
					setScheme(rec, pairs.proto)
				}
				if pairs.host != "" {
					_ = setHost(rec, pairs.host)
				}
			}
			nearest = false
			searching = d.hop(rec, pairs.from)
		}
	}
}

// cutLast cuts s at its last sep outside of quotes.
func cutLast(s string, sep byte) (before, after string) {
	quoted, at := false, -1
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case quoted && s[i] == '\\':
			i++
		case !quoted && s[i] == sep:
			at = i
		}
	}
	if at < 0 {
		return "", s
	}
	return s[:at], s[at+1:]
}

type element struct{ from, proto, host string }

func parseElement(s string) (e element, ok bool) {
	for s != "" {
		var pair string
		s, pair = cutLast(s, ';')
		if pair = strings.Trim(pair, " \t"); pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return e, false
		}
		if value, ok = unquote(value); !ok {
			return e, false
		}
		switch {
		case strings.EqualFold(name, "for"):
			e.from = value
		case strings.EqualFold(name, "proto"):
			e.proto = value
		case strings.EqualFold(name, "host"):
			e.host = value
		}
	}
	return e, true
}

func unquote(s string) (string, bool) {
	if s == "" || s[0] != '"' {
		return s, !strings.ContainsAny(s, "\" \t")
	}
	if len(s) < 2 || s[len(s)-1] != '"' {
		return "", false
	}
	s = s[1 : len(s)-1]
	return s, !strings.ContainsAny(s, `"\`)
}

// hops counts how often a request has come through this program.
func hops(via []string) int {
	n := 0
	for _, line := range via {
		for line != "" {
			var item string
			item, line, _ = strings.Cut(line, ",")
			_, by, _ := strings.Cut(strings.Trim(item, " \t"), " ")
			by, _, _ = strings.Cut(strings.TrimLeft(by, " \t"), " ")
			if strings.EqualFold(by, Pseudonym) {
				n++
			}
		}
	}
	return n
}
