package httpserver

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// seen is what the handler's header says.
type seen struct {
	typed      bool // there is a Content-Type, or there is to be none
	encoded    bool // there is a Content-Encoding
	date       bool
	connection bool
	chunked    bool // the handler asks for chunks
}

// startHead writes the status line and the handler's fields, in the order of
// their names. What depends on the body follows later.
func (r *response) startHead(status int) {
	r.appendStatusLine(status)
	r.appendFields(status, true)
}

func (r *response) appendStatusLine(status int) {
	line := "HTTP/1.1 "
	if r.e.head.Minor == 0 {
		line = "HTTP/1.0 "
	}
	out := append(r.c.pending, line...)
	if status == http.StatusOK {
		r.c.pending = append(out, "200 OK\r\n"...)
		return
	}
	out = append(strconv.AppendInt(out, int64(status), 10), ' ')
	text := http.StatusText(status)
	if text == "" {
		out = append(out, "status code "...)
		out = strconv.AppendInt(out, int64(status), 10)
	}
	r.c.pending = append(append(out, text...), "\r\n"...)
}

// appendFields writes the header. Those fields that are the server's business
// are looked at and left out.
func (r *response) appendFields(status int, final bool) {
	var room [24]string
	names := room[:0]
	for name := range r.header {
		names = append(names, name)
	}
	if len(names) <= 12 {
		for i := 1; i < len(names); i++ {
			for j := i; j > 0 && names[j] < names[j-1]; j-- {
				names[j], names[j-1] = names[j-1], names[j]
			}
		}
	} else {
		slices.Sort(names)
	}
	out := r.c.pending
	for _, name := range names {
		values := r.header[name]
		if r.ours(name, values, status, final) {
			continue
		}
		for _, v := range values {
			out = append(append(out, name...), ": "...)
			out = append(appendValue(out, v), "\r\n"...)
		}
	}
	r.c.pending = out
}

// ours reports whether a field is written elsewhere, or not at all.
func (r *response) ours(name string, values []string, status int, final bool) bool {
	switch name {
	case "Content-Length":
		if final && status != http.StatusNoContent && status >= 200 && len(values) > 0 {
			n, err := strconv.ParseUint(values[0], 10, 63)
			if err == nil && values[0][0] != '+' {
				r.declared = int64(n)
			}
		}
		return true
	case "Transfer-Encoding":
		r.seen.chunked = r.seen.chunked || final && len(values) > 0 && values[0] == "chunked"
		return true
	case "Connection":
		if !final {
			return true
		}
		for _, v := range values {
			if hasToken(v, "close") {
				r.closing = true
			}
		}
		r.closing = r.closing || r.e.closes && status != http.StatusSwitchingProtocols
		r.seen.connection = !r.closing && len(values) > 0
		return r.closing
	case "Content-Type":
		r.seen.typed = true
	case "Content-Encoding":
		r.seen.encoded = len(values) > 0 && values[0] != ""
	case "Date":
		r.seen.date = true
	case "Trailer":
		if final {
			r.announce(values)
		}
	}
	return strings.HasPrefix(name, http.TrailerPrefix) || !validName(name)
}

// hasToken looks for a word in a list.
func hasToken(list, word string) bool {
	for token := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(token, " \t"), word) {
			return true
		}
	}
	return false
}

func (r *response) announce(lists []string) {
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			name = http.CanonicalHeaderKey(strings.Trim(name, " \t"))
			switch name {
			case "", "Transfer-Encoding", "Content-Length", "Trailer":
			default:
				r.trailers = append(r.trailers, name)
			}
		}
	}
}

// commit ends the head. sample is the beginning of the body.
func (r *response) commit(sample []byte) {
	if r.committed {
		return
	}
	r.committed = true
	c, out := r.c, r.c.pending
	if !r.seen.typed && !r.seen.encoded && len(sample) > 0 && r.framing != undecided && (r.framing != noBody || r.e.head.Method == http.MethodHead) {
		out = append(append(append(out, "Content-Type: "...), http.DetectContentType(sample)...), "\r\n"...)
	}
	if !r.seen.date {
		out = append(out, c.srv.clock.date.Load().text...)
	}
	switch {
	case r.framing == byChunks:
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	case r.declared >= 0 && r.framing != byConnClose:
		out = append(strconv.AppendInt(append(out, "Content-Length: "...), r.declared, 10), "\r\n"...)
	}
	r.closing = r.closing || r.e.closes || r.e.head.Method == http.MethodConnect || r.framing == byConnClose || c.srv.stopping.Load() || r.e.body.unwanted(r.duplex)
	switch {
	case r.closing:
		out = append(out, "Connection: close\r\n"...)
	case r.e.head.Minor == 0 && !r.seen.connection:
		out = append(out, "Connection: keep-alive\r\n"...)
	}
	c.pending = append(out, "\r\n"...)
	// What follows such an answer is not HTTP, if the client believes it.
	r.closing = r.closing || r.status == http.StatusSwitchingProtocols
	if r.e.awaited {
		c.writing.Lock()
		c.answered = true
		c.writing.Unlock()
	}
}

// endChunks sends the last chunk and the trailers, RFC 9112 section 7.1.2.
func (r *response) endChunks() {
	out := append(r.c.pending, "0\r\n"...)
	for _, name := range r.trailers {
		out = appendLines(out, name, r.header[name])
	}
	for name, values := range r.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			out = appendLines(out, http.CanonicalHeaderKey(name), values)
		}
	}
	r.c.pending = append(out, "\r\n"...)
}

func appendLines(out []byte, name string, values []string) []byte {
	if !validName(name) {
		return out
	}
	for _, v := range values {
		out = append(append(out, name...), ": "...)
		out = append(appendValue(out, v), "\r\n"...)
	}
	return out
}

// appendInformational writes a 1xx answer.
func (r *response) appendInformational(status int) {
	saved := r.seen
	r.appendStatusLine(status)
	r.appendFields(status, false)
	r.seen = saved
	r.c.pending = append(r.c.pending, "\r\n"...)
}

// appendValue writes a field's value. Bytes that would end it become blanks.
func appendValue(out []byte, v string) []byte {
	for i := range len(v) {
		if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
			return appendCleaned(out, v)
		}
	}
	if v != "" && (v[0] <= ' ' || v[len(v)-1] <= ' ') {
		v = strings.Trim(v, " \t")
	}
	return append(out, v...)
}

func appendCleaned(out []byte, v string) []byte {
	v = strings.Map(func(c rune) rune {
		if c < ' ' && c != '\t' || c == 0x7f {
			return ' '
		}
		return c
	}, v)
	return append(out, strings.TrimSpace(v)...)
}

// token are the bytes of a field's name, RFC 9110 section 5.6.2.
var token = func() (table [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~" {
		table[c] = true
	}
	return table
}()

func validName(name string) bool {
	for i := range len(name) {
		if !token[name[i]] {
			return false
		}
	}
	return name != ""
}
