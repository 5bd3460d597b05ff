package wire

import (
	"net/http"
	"strconv"
	"strings"
)

// Error says why a message is refused. The connection it came on is of no
// further use: nobody knows where the next message begins.
type Error struct {
	// Status is what a client is to be answered: 400, 414, 431, 501 or 505; or
	// what a client is to be told of an upstream's answer: 502.
	Status int

	// Reason says what is wrong. It quotes nothing of the message.
	Reason string

	// Section is where the rule stands, such as "RFC 9112, section 5.1"; empty
	// for a limit of ours.
	Section string

	excerpt string // the place, at most maxExcerpt bytes of it
}

const maxExcerpt = 40

// Error is for logs: it quotes the beginning of what is wrong.
func (e *Error) Error() string {
	s := e.Reason
	if e.excerpt != "" {
		s += ": " + strconv.Quote(e.excerpt)
	}
	if e.Section != "" {
		s += " (" + e.Section + ")"
	}
	return s
}

// HTTPStatus gives the status.
func (e *Error) HTTPStatus() int { return e.Status }

// ClientMessage gives the reason.
func (e *Error) ClientMessage() string { return "The request is malformed: " + e.Reason + "." }

// A problem is an Error before it is known whose message it is about.
type problem struct {
	status  int
	reason  string
	section string
}

// at makes an Error about s.
func (p *problem) at(s string) *Error {
	return &Error{
		Status: p.status, Reason: p.reason, Section: p.section,
		excerpt: strings.Clone(s[:min(len(s), maxExcerpt)]),
	}
}

func bad(section, reason string) *problem {
	return &problem{http.StatusBadRequest, reason, section}
}

// What can be wrong with a head, a request or an answer alike.
var (
	errLineEnd   = bad("RFC 9112, section 2.2", "a line that does not end in CR LF")
	errEmptyLine = bad("RFC 9112, section 2.2", "an empty line before it")
	errControl   = bad("RFC 9110, section 5.5", "a control byte")
	errCut       = bad("RFC 9112, section 2.1", "a head without an end")
	errBehind    = bad("RFC 9112, section 2.1", "bytes behind its head")
	errFold      = bad("RFC 9112, section 5.2", "a folded field line")
	errNoColon   = bad("RFC 9112, section 5", "a field line without a colon")
	errColon     = bad("RFC 9112, section 5.1", "a blank before the colon of a field line")
	errName      = bad("RFC 9110, section 5.1", "a field name that is no token")
	errLength    = bad("RFC 9110, section 8.6", "a Content-Length that is no number")
	errLengths   = bad("RFC 9112, section 6.3", "more than one Content-Length")
	errFraming   = bad("RFC 9112, section 6.1", "both Content-Length and Transfer-Encoding")
	errCoding    = bad("RFC 9112, section 6.1", "a malformed Transfer-Encoding")
	errNotLast   = bad("RFC 9112, section 6.3", "a transfer coding after chunked")
	errOldCoding = bad("RFC 9112, section 6.1", "a Transfer-Encoding in HTTP/1.0")
	errOption    = bad("RFC 9110, section 7.6.1", "a connection option that is no token")
	errUnknown   = &problem{http.StatusNotImplemented, "an unknown transfer coding", "RFC 9112, section 6.1"}
	errFields    = &problem{http.StatusRequestHeaderFieldsTooLarge, "too many field lines", "RFC 6585, section 5"}
	errHeadSize  = &problem{http.StatusRequestHeaderFieldsTooLarge, "too large a head", "RFC 6585, section 5"}
)
