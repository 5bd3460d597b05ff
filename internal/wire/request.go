package wire

import "net/http"

const maxMethod = 64 // bytes

// A Request is a parsed head. All of its strings are parts of the block that
// was parsed, or the program's own.
type Request struct {
	Method string
	Target string // as it was sent; see the package's documentation
	Minor  int    // of the version HTTP/1.x: 0 or 1

	// Fields are all field lines in order, those included that frame the
	// message. The next Parse uses the slice again.
	Fields []Field

	// Host is the host with its port, if any: the target's, if it names one,
	// otherwise what the Host field says. HTTP/1.0 may have neither. HasHost:
	// there is a Host field.
	Host    string
	HasHost bool

	// Length is the length of the body: 0 without one, or [LengthChunked].
	Length int64

	// Close and KeepAlive are options of the Connection field. A request may
	// have both; then close counts (RFC 9112, section 9.3).
	Close, KeepAlive bool

	// Expect is empty without an expectation, "100-continue", or whatever else
	// was expected, as it was sent; such may be answered 417 (RFC 9110, section
	// 10.1.1). A 100-continue of HTTP/1.0 is ignored, as it must be.
	Expect string

	// Upgrade tells an Upgrade field that Connection names. That of a request
	// of HTTP/1.0 is ignored (RFC 9110, section 7.8).
	Upgrade bool

	// Trailer tells a Trailer field that is not empty.
	Trailer bool
}

// What can be wrong with a request.
var (
	errRequestLine = bad("RFC 9112, section 3", "a malformed request line")
	errMethod      = bad("RFC 9110, section 9.1", "a method that is no token")
	errLongMethod  = &problem{http.StatusNotImplemented, "too long a method", "RFC 9112, section 3"}
	errVersion     = bad("RFC 9112, section 2.3", "a malformed version")
	errOldVersion  = bad("RFC 9112, section 2.3", "a version before 1.0")
	errNewVersion  = &problem{http.StatusHTTPVersionNotSupported, "a version that is not spoken here", "RFC 9110, section 15.6.6"}
	errNoHost      = bad("RFC 9112, section 3.2", "no Host")
	errHosts       = bad("RFC 9112, section 3.2", "more than one Host")
	errHost        = bad("RFC 9110, section 7.2", "an invalid Host")
	errTwice       = bad("RFC 9110, section 5.3", "more than one of a field that has one value")
)

// Parse reads block, a whole head up to and including its empty line. Apart
// from unusual field names, which are brought into their usual form, and from
// making room in Fields, it costs no allocation. The error is an [*Error]; then r
// holds nothing of use.
func (r *Request) Parse(block string, l Limits) error {
	if err := r.parse(block, l); err != nil {
		return err
	}
	return nil
}

// Reset forgets what was parsed, and keeps the room of Fields.
func (r *Request) Reset() {
	clear(r.Fields)
	*r = Request{Fields: r.Fields[:0]}
}

func (r *Request) parse(block string, l Limits) *Error {
	r.Reset()
	if l.MaxHead > 0 && len(block) > l.MaxHead {
		return errHeadSize.at("")
	}
	s, err := r.requestLine(block, l.MaxTarget)
	if err != nil {
		return err
	}
	return r.fields(s, l)
}

// fields reads the field lines and what they mean together.
func (r *Request) fields(s string, l Limits) *Error {
	var (
		conn    options
		coding  codings
		length  = int64(-1)
		upgrade bool
	)
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
		case kindHost:
			if r.HasHost {
				return errHosts.at(value)
			}
			r.Host, r.HasHost = value, true
		case kindLength:
			err = takeLength(&length, value)
		case kindEncoding:
			err = coding.add(value)
		case kindConnection:
			err = conn.add(value)
		case kindExpect:
			r.expect(value)
		case kindUpgrade:
			upgrade = upgrade || value != ""
		case kindTrailer:
			r.Trailer = r.Trailer || value != ""
		case kindSingle:
			err = r.once(k.name)
		}
		if err != nil {
			return err
		}
		r.Fields = append(r.Fields, Field{k.name, value})
	}
	if len(s) != 2 {
		return errBehind.at(s[2:])
	}
	r.Close, r.KeepAlive = conn.close, conn.keepAlive
	r.Upgrade = upgrade && conn.upgrade && r.Minor > 0
	if err := r.checkHost(); err != nil {
		return err
	}
	return r.frame(length, coding)
}

func emptyLine(s string) bool { return len(s) >= 2 && s[0] == '\r' && s[1] == '\n' }

// takeLength reads a Content-Length field. A second one is refused even if it
// says the same: others may join them to a list.
func takeLength(length *int64, value string) *Error {
	if *length >= 0 {
		return errLengths.at(value)
	}
	n, ok := ParseLength(value)
	if !ok {
		return errLength.at(value)
	}
	*length = n
	return nil
}

// check looks at codings and a length (-1: none) together. Whoever sends both
// has been, or wants to be, misunderstood.
func (c codings) check(length int64, minor int) *Error {
	switch {
	case !c.chunked && !c.others:
		return nil
	case length >= 0:
		return errFraming.at("")
	case minor == 0:
		return errOldCoding.at("")
	case c.others:
		return errUnknown.at("")
	}
	return nil
}

// frame says how long the body is, RFC 9112 section 6.3.
func (r *Request) frame(length int64, coding codings) *Error {
	if err := coding.check(length, r.Minor); err != nil {
		return err
	}
	switch {
	case coding.chunked:
		r.Length = LengthChunked
	case length > 0:
		r.Length = length
	}
	return nil
}

func (r *Request) expect(value string) {
	switch {
	case value == "":
	case equalFold(value, "100-continue"):
		if r.Expect == "" && r.Minor > 0 {
			r.Expect = "100-continue"
		}
	default:
		r.Expect = value
	}
}

// once refuses the second field of a name that has one value.
func (r *Request) once(name string) *Error {
	for i := range r.Fields {
		if r.Fields[i].Name == name {
			return errTwice.at(name)
		}
	}
	return nil
}

// requestLine reads the first line, and gives what is behind it.
//
//	request-line = method SP request-target SP HTTP-version   RFC 9112, section 3
func (r *Request) requestLine(s string, maxTarget int) (rest string, err *Error) {
	if emptyLine(s) {
		return "", errEmptyLine.at("")
	}
	i := 0
	for i < len(s) && classes[s[i]]&classToken != 0 {
		i++
	}
	switch {
	case i > maxMethod:
		return "", errLongMethod.at(s)
	case i == 0, i == len(s), s[i] != ' ':
		return "", badLine(s, errMethod)
	}
	r.Method = method(s[:i])
	s = s[i+1:]
	i = 0
	for i < len(s) && classes[s[i]]&classTarget != 0 {
		i++
	}
	switch {
	case maxTarget > 0 && i > maxTarget:
		return "", errTargetSize.at(s)
	case i == 0, i == len(s), s[i] != ' ':
		return "", badLine(s, errRequestLine)
	}
	r.Target = s[:i]
	if rest, err = r.version(s[i+1:]); err != nil {
		return "", err
	}
	return rest, r.checkTarget()
}

// badLine says what is wrong with the line at the start of s, which is no line
// at all or has the problem p.
func badLine(s string, p *problem) *Error {
	end, err := cutLine(s, 0)
	if err != nil {
		return err
	}
	return p.at(s[:end])
}

// version reads what ends a request line.
//
//	HTTP-version = "HTTP" "/" DIGIT "." DIGIT   RFC 9112, section 2.3
func (r *Request) version(s string) (rest string, err *Error) {
	const line = "HTTP/1.1\r\n"
	if len(s) >= len(line) && s[:len(line)] == line {
		r.Minor = 1
		return s[len(line):], nil
	}
	end, err := cutLine(s, 0)
	if err != nil {
		return "", err
	}
	switch v := s[:end]; {
	case end != len("HTTP/1.1") || v[:5] != "HTTP/" || v[6] != '.' || !all(v[5:6], classDigit) || !all(v[7:], classDigit):
		return "", errVersion.at(v)
	case v[5] == '0':
		return "", errOldVersion.at(v)
	case v != "HTTP/1.0":
		return "", errNewVersion.at(v)
	}
	return s[len(line):], nil
}
