package proxy

import (
	"errors"
	"fmt"
	"net/textproto"
	"strings"
)

// Limits of an answer's head. Beyond them it is refused.
const (
	maxHead   = 64 << 10
	maxFields = 256
	maxInform = 32 // 1xx answers before the final one
)

// errMalformed is wrapped by everything that is wrong with an answer.
var errMalformed = errors.New("malformed answer")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errMalformed}, args...)...)
}

type field struct{ name, value string }

// A head is a parsed status line with its fields.
type head struct {
	status  int
	minor   int    // of the HTTP version
	length  int64  // -1: none given
	digits  string // length as it was written
	chunked bool
	close   bool // the connection ends with this answer
	upgrade string
	trailer bool // the answer has a Trailer field
	fields  []field
}

// parseHead reads the block up to and including its empty line. Anything that
// two readers could read in two ways is an error. The fields are end-to-end
// ones only; those that frame the message are taken out.
func parseHead(block []byte, h *head) error {
	*h = head{length: -1, fields: h.fields[:0]}
	s := string(block)
	line, s, err := cutLine(s)
	if err != nil {
		return err
	}
	if err := h.statusLine(line); err != nil {
		return err
	}
	var connection []string
	encoded := false
	for {
		if line, s, err = cutLine(s); err != nil {
			return err
		}
		if line == "" {
			break
		}
		name, value, err := cutField(line)
		if err != nil {
			return err
		}
		switch name {
		case "Content-Length":
			if h.length >= 0 {
				return malformed("more than one Content-Length")
			}
			if h.length, err = parseLength(value); err != nil {
				return err
			}
			h.digits = value
			continue
		case "Transfer-Encoding":
			if encoded || !strings.EqualFold(value, "chunked") {
				return malformed("Transfer-Encoding %q", value)
			}
			encoded, h.chunked = true, true
			continue
		case "Connection":
			connection = append(connection, value)
			continue
		case "Upgrade":
			if h.upgrade != "" {
				return malformed("more than one Upgrade")
			}
			h.upgrade = value
			continue
		case "Trailer":
			h.trailer = true
		case "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Te", "Alt-Svc", "Http2-Settings":
			continue
		}
		if len(h.fields) == maxFields {
			return malformed("more than %d header fields", maxFields)
		}
		h.fields = append(h.fields, field{name, value})
	}
	if s != "" {
		return malformed("bytes behind the header")
	}
	return h.finish(connection)
}

func (h *head) finish(connection []string) error {
	if h.chunked && h.length >= 0 {
		return malformed("both Content-Length and Transfer-Encoding")
	}
	if h.chunked && h.minor == 0 {
		return malformed("Transfer-Encoding on HTTP/1.0")
	}
	h.close = h.minor == 0
	upgrading := false
	for _, v := range connection {
		for part := range strings.SplitSeq(v, ",") {
			part = trim(part)
			switch {
			case part == "", strings.EqualFold(part, "keep-alive"):
			case strings.EqualFold(part, "close"):
				h.close = true
			case strings.EqualFold(part, "upgrade"):
				upgrading = true
			case !isToken(part):
				return malformed("Connection %q", v)
			default:
				h.drop(textproto.CanonicalMIMEHeaderKey(part))
			}
		}
	}
	if !upgrading {
		h.upgrade = ""
	}
	return nil
}

func (h *head) drop(name string) {
	kept := h.fields[:0]
	for _, f := range h.fields {
		if f.name != name {
			kept = append(kept, f)
		}
	}
	h.fields = kept
}

func cutLine(s string) (line, rest string, err error) {
	i := strings.IndexByte(s, '\n')
	if i < 1 || s[i-1] != '\r' {
		return "", "", malformed("a line that does not end in CR LF")
	}
	return s[:i-1], s[i+1:], nil
}

// statusLine reads "HTTP/1.1 200 OK". The reason may be missing.
func (h *head) statusLine(s string) error {
	if len(s) < len("HTTP/1.1 200") || s[:7] != "HTTP/1." || s[7] != '0' && s[7] != '1' || s[8] != ' ' {
		return malformed("status line %.40q", s)
	}
	h.minor = int(s[7] - '0')
	for _, c := range []byte(s[9:12]) {
		if c < '0' || c > '9' {
			return malformed("status line %.40q", s)
		}
		h.status = h.status*10 + int(c-'0')
	}
	if h.status < 100 || len(s) > 12 && s[12] != ' ' {
		return malformed("status line %.40q", s)
	}
	return checkValue(s[12:])
}

// cutField cuts "Name: value" and gives the name its usual form.
func cutField(line string) (name, value string, err error) {
	i := strings.IndexByte(line, ':')
	if i < 0 {
		return "", "", malformed("header line %.40q", line)
	}
	name, value = line[:i], trim(line[i+1:])
	isCanonical, valid := canonical(name)
	if !valid {
		return "", "", malformed("header line %.40q", line)
	}
	if !isCanonical {
		name = textproto.CanonicalMIMEHeaderKey(name)
	}
	return name, value, checkValue(value)
}

func checkValue(s string) error {
	for i := range len(s) {
		if classes[s[i]]&classValue == 0 {
			return malformed("control character in %.40q", s)
		}
	}
	return nil
}

// parseLength reads a Content-Length: digits and nothing else.
func parseLength(s string) (int64, error) {
	if s == "" || len(s) > 18 {
		return -1, malformed("Content-Length %q", s)
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1, malformed("Content-Length %q", s)
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, nil
}

// bodyless reports whether an answer has no body, whatever its fields say.
func bodyless(method string, status int) bool {
	return method == "HEAD" || status < 200 || status == 204 || status == 304
}

// trailerAllowed tells the fields that may follow a body: none that frames or
// routes a message, controls it or carries credentials, RFC 9110 section 6.5.1.
func trailerAllowed(name string) bool {
	switch name {
	case "Age", "Alt-Svc", "Authorization", "Cache-Control", "Connection", "Content-Encoding", "Content-Length",
		"Content-Range", "Content-Type", "Cookie", "Date", "Expect", "Expires", "Forwarded", "Host", "Http2-Settings",
		"Keep-Alive", "Location", "Max-Forwards", "Pragma", "Proxy-Authenticate", "Proxy-Authorization",
		"Proxy-Connection", "Range", "Retry-After", "Set-Cookie", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Vary", "Warning", "Www-Authenticate", "X-Real-Ip":
		return false
	}
	return !strings.HasPrefix(name, "X-Forwarded-") && !strings.HasPrefix(name, "Remote-")
}
