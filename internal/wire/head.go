package wire

// Limits of a head. Zero means no limit.
type Limits struct {
	MaxHead   int // bytes of the whole head, its empty line included
	MaxTarget int // bytes of the request target
	MaxFields int // field lines
}

// A Field is one field line.
type Field struct {
	Name  string // in the form that Go's header maps use
	Value string // without blanks at its ends
}

// HeadEnd looks for the empty line that ends the head which b begins with. It
// gives the length of the head, that line included, or 0 while it is not
// complete. from is how much of b an earlier call has looked at.
//
// What cannot become a head is refused as soon as it shows (a control byte, a
// line that does not end in CR LF, an empty line at the beginning), so that
// nobody waits for its end. The error is an [*Error]; how b was divided between
// calls makes no difference to what comes of it.
func HeadEnd(b []byte, from int) (n int, err error) {
	i := min(max(from, 0), len(b))
	if i > 0 && b[i-1] == '\r' {
		i-- // its LF had not come
	}
	for {
		if i = nextControl(b, i); i == len(b) {
			return 0, nil
		}
		switch c := b[i]; {
		case c == '\t':
			i++
			continue
		case c == '\n':
			return 0, errLineEnd.at(lineAround(b, i))
		case c != '\r':
			return 0, errControl.at(lineAround(b, i))
		case i+1 == len(b):
			return 0, nil
		case b[i+1] != '\n':
			return 0, errLineEnd.at(lineAround(b, i))
		case i == 0:
			return 0, errEmptyLine.at("")
		case b[i-1] == '\n':
			return i + 2, nil
		}
		i += 2
	}
}

// lineAround gives a bit of b before i, and b[i] at its end.
func lineAround(b []byte, i int) string {
	return string(b[max(0, i+1-maxExcerpt) : i+1])
}

// cutLine gives the length of the line at the start of s, without its CR LF. The
// line holds no other control bytes than HTAB.
func cutLine(s string, from int) (int, *Error) {
	for i := from; ; i++ {
		i = nextControl(s, i)
		switch {
		case i == len(s):
			return 0, errCut.at(s)
		case s[i] == '\t':
			continue
		case s[i] == '\n', s[i] == '\r' && i+1 < len(s) && s[i+1] != '\n':
			return 0, errLineEnd.at(s)
		case s[i] != '\r':
			return 0, errControl.at(s)
		case i+1 == len(s):
			return 0, errCut.at(s)
		}
		return i, nil
	}
}

// cutField reads the field line at the start of s, which is not empty, and
// gives its length with its CR LF.
//
//	field-line = field-name ":" OWS field-value OWS   RFC 9112, section 5
func cutField(s string) (k knownName, value string, n int, err *Error) {
	colon := 0
	for colon < len(s) && classes[s[colon]]&classToken != 0 {
		colon++
	}
	if colon == 0 || colon == len(s) || s[colon] != ':' {
		return k, "", 0, badName(s, colon)
	}
	k, _ = canonical(s[:colon])
	start := colon + 1
	for start < len(s) && (s[start] == ' ' || s[start] == '\t') {
		start++
	}
	end, err := cutLine(s, start)
	if err != nil {
		return k, "", 0, err
	}
	n = end + 2
	for end > start && (s[end-1] == ' ' || s[end-1] == '\t') {
		end--
	}
	return k, s[start:end], n, nil
}

// badName says what is wrong with the line at the start of s, whose name ends
// at i without a colon.
func badName(s string, i int) *Error {
	end, err := cutLine(s, 0)
	if err != nil {
		return err
	}
	switch line := s[:end]; {
	case i == 0 && (s[0] == ' ' || s[0] == '\t'): // RFC 9112, section 5.2
		return errFold.at(line)
	case i == end:
		return errNoColon.at(line)
	case s[i] == ' ' || s[i] == '\t': // RFC 9112, section 5.1: 400
		return errColon.at(line)
	default: // no name at all, or one with what is no token
		return errName.at(line)
	}
}

// ParseLength reads a Content-Length, RFC 9110 section 8.6: digits and nothing
// else. A list of equal numbers, which the RFC lets a recipient take, is
// refused, and so is what has more than 18 digits.
func ParseLength(s string) (n int64, ok bool) {
	if s == "" || len(s) > 18 || !all(s, classDigit) {
		return 0, false
	}
	for i := range len(s) {
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// options goes through the values of a Connection field, RFC 9110 section
// 7.6.1. Empty elements are allowed, section 5.6.1.
type options struct {
	close, keepAlive, upgrade bool
	others                    bool // names of fields
}

func (o *options) add(value string) *Error {
	switch value {
	case "keep-alive":
		o.keepAlive = true
		return nil
	case "close":
		o.close = true
		return nil
	}
	for rest := value; rest != ""; {
		var part string
		part, rest = cutElement(rest)
		switch {
		case part == "":
		case equalFold(part, "close"):
			o.close = true
		case equalFold(part, "keep-alive"):
			o.keepAlive = true
		case equalFold(part, "upgrade"):
			o.upgrade = true
		case !IsToken(part):
			return errOption.at(value)
		default:
			o.others = true
		}
	}
	return nil
}

// cutElement cuts the first element off a list.
func cutElement(s string) (first, rest string) {
	for i := range len(s) {
		if s[i] == ',' {
			return Trim(s[:i]), s[i+1:]
		}
	}
	return Trim(s), ""
}

// codings goes through the values of Transfer-Encoding fields, which make one
// list, RFC 9112 section 6.1. Of all lists only that which says "chunked" and
// nothing else is taken.
type codings struct {
	chunked bool
	others  bool
}

func (c *codings) add(value string) *Error {
	if !c.chunked && !c.others && equalFold(value, "chunked") {
		c.chunked = true
		return nil
	}
	if value == "" {
		return errCoding.at(value)
	}
	for i := 0; i <= len(value); i++ {
		start := i
		for i < len(value) && value[i] != ',' {
			i++
		}
		// transfer-coding = token *( OWS ";" OWS transfer-parameter )
		name := Trim(value[start:i])
		for j := range len(name) {
			if name[j] == ';' {
				name = Trim(name[:j])
				if equalFold(name, "chunked") {
					return errCoding.at(value) // it has no parameters
				}
				break
			}
		}
		switch {
		case !IsToken(name):
			return errCoding.at(value)
		case c.chunked: // twice, or not last
			return errNotLast.at(value)
		case equalFold(name, "chunked"):
			c.chunked = true
		default:
			c.others = true
		}
	}
	return nil
}
