package wire

import "net/http"

// Lengths of a body that no number tells.
const (
	LengthChunked    = -1 // chunked coding
	LengthUntilClose = -2 // an answer's body that ends with its connection
)

// A Response is a parsed head. All of its strings are parts of the block that
// was parsed, or the program's own.
type Response struct {
	Status int    // 100 to 999
	Reason string // may be empty
	Minor  int    // of the version HTTP/1.x: 0 or 1

	// Fields are all field lines in order, those included that frame the
	// message. The next Parse uses the slice again.
	Fields []Field

	// Length is the length of the body that follows: 0 without one,
	// [LengthChunked], or [LengthUntilClose].
	Length int64

	// Declared is what Content-Length says, Digits how it says it; -1 and
	// empty without one. An answer without a body may have one.
	Declared int64
	Digits   string

	// Chunked tells a Transfer-Encoding, whether a body follows or not.
	Chunked bool

	// Close tells that the connection ends with this answer, RFC 9112 section
	// 9.3: it says so, or is of HTTP/1.0.
	Close bool

	// Listed tells that Connection names other fields.
	Listed bool

	// Upgrade is what an Upgrade field says that Connection names.
	Upgrade string

	// Trailer tells a Trailer field that is not empty.
	Trailer bool
}

// What can be wrong with an answer.
var (
	errStatusLine = bad("RFC 9112, section 4", "a malformed status line")
	errUpgrades   = bad("RFC 9110, section 7.8", "more than one Upgrade")
)

// Parse reads block, the whole head of an answer to a request with the given
// method, up to and including its empty line. Apart from unusual field names
// and from making room in Fields, it costs no allocation. The error is an
// [*Error] with the status 502.
//
// The reason phrase may be missing, with the blank before it.
func (r *Response) Parse(block string, l Limits, requestMethod string) error {
	if err := r.parse(block, l); err != nil {
		err.Status = http.StatusBadGateway
		return err
	}
	switch {
	case Bodyless(requestMethod, r.Status):
		r.Length = 0
	case r.Chunked:
		r.Length = LengthChunked
	case r.Declared >= 0:
		r.Length = r.Declared
	default:
		r.Length = LengthUntilClose
	}
	return nil
}

// Reset forgets what was parsed, and keeps the room of Fields.
func (r *Response) Reset() {
	clear(r.Fields)
	*r = Response{Fields: r.Fields[:0], Declared: -1}
}

// Bodyless reports whether an answer has no body, whatever its fields say: RFC
// 9112, section 6.3. What follows a 2xx answer to CONNECT is no body either.
func Bodyless(requestMethod string, status int) bool {
	return requestMethod == http.MethodHead || status < 200 || status == http.StatusNoContent ||
		status == http.StatusNotModified || requestMethod == http.MethodConnect && status < 300
}

func (r *Response) parse(block string, l Limits) *Error {
	r.Reset()
	if l.MaxHead > 0 && len(block) > l.MaxHead {
		return errHeadSize.at("")
	}
	s, err := r.statusLine(block)
	if err != nil {
		return err
	}
	var conn options
	var coding codings
	upgrades := 0
	for !emptyLine(s) {
		if s == "" {
			return errCut.at("")
		}
		if l.MaxFields > 0 && len(r.Fields) == l.MaxFields {
			return errFields.at("")
		}
		k, value, n, err := cutField(s)
		if err != nil {
			return err
		}
		switch s = s[n:]; k.kind {
		case kindLength:
			err = takeLength(&r.Declared, value)
			r.Digits = value
		case kindEncoding:
			err = coding.add(value)
		case kindConnection:
			err = conn.add(value)
		case kindUpgrade:
			if upgrades++; upgrades > 1 {
				return errUpgrades.at(value)
			}
			r.Upgrade = value
		case kindTrailer:
			r.Trailer = r.Trailer || value != ""
		}
		if err != nil {
			return err
		}
		r.Fields = append(r.Fields, Field{k.name, value})
	}
	if len(s) != 2 {
		return errBehind.at(s[2:])
	}
	r.Chunked = coding.chunked
	r.Close, r.Listed = conn.close || r.Minor == 0, conn.others
	if !conn.upgrade {
		r.Upgrade = ""
	}
	return coding.check(r.Declared, r.Minor)
}

// statusLine reads the first line, and gives what is behind it.
//
//	status-line = HTTP-version SP status-code SP [ reason-phrase ]   RFC 9112, section 4
func (r *Response) statusLine(s string) (rest string, err *Error) {
	if emptyLine(s) {
		return "", errEmptyLine.at("")
	}
	end, err := cutLine(s, 0)
	if err != nil {
		return "", err
	}
	line := s[:end]
	if end < len("HTTP/1.1 200") || line[:7] != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' ||
		!all(line[9:12], classDigit) || line[9] == '0' || end > 12 && line[12] != ' ' {
		return "", errStatusLine.at(line)
	}
	r.Minor = int(line[7] - '0')
	r.Status = int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
	if end > 12 {
		r.Reason = line[13:]
	}
	return s[end+2:], nil
}
