package mountfile

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// slowly hands out one byte at a time and counts them, so that what a parser
// has taken when it gives up tells where it was.
type slowly struct {
	data  []byte
	taken int
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.taken == len(s.data) {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	p[0] = s.data[s.taken]
	s.taken++
	return 1, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// syntaxError reads data, which cannot be read, once more to say why in plain
// words and where. The parser's own lines are those of the construct it was
// in, and count differently for its scanner and its grammar; an empty line
// put before the text makes sure that they are there at all.
func syntaxError(file string, data []byte) *Error {
	in := &slowly{data: append([]byte("\n"), data...)}
	dec := yaml.NewDecoder(in)
	var err error
	for err == nil {
		_, err = next(dec)
	}
	taken := min(max(in.taken-1, 0), len(data))
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil || errors.Is(err, io.EOF) {
		return errorAt(place(file, data, taken), "the file cannot be read as YAML")
	}
	began, _ := strconv.Atoi(m[1])
	problem := m[2]
	if fault, ok := faults[problem]; !ok || fault.scanner {
		began-- // the scanner counts from one, the grammar from zero
	}
	return describe(file, data, problem, taken, began)
}

type fault struct {
	scanner bool
	message string
	hint    string
	start   bool // the place is where the construct began
}

const quoteHint = "put quotes around a text that begins with * & ! | > % @ ` { [ or holds a colon followed by a space"

var faults = map[string]fault{
	"mapping values are not allowed in this context":               {true, "a colon makes no sense here", "quote a text that holds a colon and a space; indent the keys of one mapping alike, each with a colon and a space after it", false},
	"did not find expected key":                                    {false, "no key where one is expected", "indent keys of one mapping alike, and write each as key: value", false},
	"did not find expected '-' indicator":                          {false, "no - where one is expected", "indent the items of a list alike", false},
	"did not find expected ',' or ']'":                             {false, "a list in [ ] is not closed, or misses a comma", "write [a, b]; quote texts that hold brackets, braces or commas", false},
	"did not find expected ',' or '}'":                             {false, "a mapping in { } is not closed, or misses a comma", "write {a: 1, b: 2}; quote texts that hold brackets, braces or commas", false},
	"could not find expected ':'":                                  {true, "a key without its colon", "write key: value, with a space after the colon", true},
	"found unexpected end of stream":                               {true, "a quote is not closed", "", true},
	"found character that cannot start any token":                  {true, "a value cannot begin with this character", quoteHint, false},
	"did not find expected alphabetic or numeric character":        {true, "* and & begin names of aliases and anchors", "put quotes around a text that begins with one, like \"*.example.com/\"", true},
	"did not find expected node content":                           {false, "a value is missing", "write one, or close what [ or { has opened", false},
	"block sequence entries are not allowed in this context":       {true, "a list cannot begin here", "put its first - on a line of its own, indented", false},
	"mapping keys are not allowed in this context":                 {true, "a key cannot begin here", quoteHint, false},
	"found unknown escape character":                               {true, `an unknown \ in "..."`, `write \\ for a plain \, or use '...'`, false},
	"did not find expected hexdecimal number":                      {true, `\x, \u and \U in "..." take hexadecimal digits`, `write \\ for a plain \, or use '...'`, false},
	"found invalid Unicode character escape code":                  {true, `an escape in "..." that is no character`, `write \\ for a plain \, or use '...'`, false},
	"found unexpected document indicator":                          {true, "--- or ... inside of a quoted text", "", false},
	"did not find expected <document start>":                       {false, "text after the end of the document", "indent keys of one mapping alike; a table is one mapping", false},
	"found a tab character that violates indentation":              {true, "a tab cannot indent YAML", "indent with spaces", false},
	"found a tab character where an indentation space is expected": {true, "a tab cannot indent YAML", "indent with spaces", false},
	"did not find expected comment or line break":                  {true, "text after | or > must stand on the next line", quoteHint, false},
	"found undefined tag handle":                                   {false, "a tag that is not defined", quoteHint, false},
	"did not find expected whitespace or line break":               {true, "a tag that cannot be read", quoteHint, true},
	"found an indentation indicator equal to 0":                    {true, "| and > cannot be followed by 0", "", false},
	"exceeded max depth of 10000":                                  {true, "nested too deeply", "a table has at most 100 levels", false},
	"found incompatible YAML document":                             {false, "an unknown version of YAML", "remove the line that begins with %YAML", false},
	"found unknown directive name":                                 {true, "an unknown directive", quoteHint, true},
	"cannot be read as YAML":                                       {true, "the file cannot be read as YAML", "", false},
}

func describe(file string, data []byte, problem string, taken, began int) *Error {
	known, ok := faults[problem]
	if name, found := strings.CutPrefix(problem, "unknown anchor '"); found {
		name, _, _ = strings.Cut(name, "'")
		pos := before(file, data, taken, "*"+name)
		return errorAt(pos, "no anchor &%s stands before the alias *%s", name, name).
			WithHint("put quotes around a text that begins with *")
	}
	if !ok {
		return errorAt(last(file, data, taken), "the file is not YAML: %s", problem)
	}
	pos := last(file, data, taken)
	if known.start && began >= 1 && began <= pos.Line {
		pos = firstOf(file, data, began)
	}
	if tab, is := tabbed(file, data, pos.Line); is {
		return errorAt(tab, "a tab cannot indent YAML").WithHint("indent with spaces")
	}
	e := errorAt(pos, "%s", known.message).WithHint(known.hint)
	if text := strings.TrimSpace(lineOf(data, pos.Line)); text != "" && strings.ContainsRune("{[", rune(text[0])) && !known.scanner {
		e.Hint = "quote a key that begins with { or [, like \"{tenant}.example.com/\""
	}
	if !known.start && began >= 1 && began < pos.Line {
		e.Message += ", in what begins on line " + strconv.Itoa(began)
	}
	return e
}

// last gives the place of the last character before an offset that is not
// blank: parsers look a little ahead.
func last(file string, data []byte, offset int) Pos {
	seen := bytes.TrimRight(data[:offset], " \t\r\n")
	_, size := utf8.DecodeLastRune(seen)
	return place(file, data, len(seen)-size)
}

// before gives the place of the last occurrence of text before an offset.
func before(file string, data []byte, offset int, text string) Pos {
	if i := bytes.LastIndex(data[:offset], []byte(text)); i >= 0 {
		return place(file, data, i)
	}
	return last(file, data, offset)
}

// firstOf gives the place of the first character of a line that is not blank.
func firstOf(file string, data []byte, line int) Pos {
	text := lineOf(data, line)
	blank := len(text) - len(strings.TrimLeft(text, " \t"))
	return Pos{file, line, blank + 1}
}

// tabbed tells whether a line is indented with a tab.
func tabbed(file string, data []byte, line int) (Pos, bool) {
	text := lineOf(data, line)
	indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
	i := strings.IndexByte(indent, '\t')
	return Pos{file, line, i + 1}, i >= 0
}

func lineOf(data []byte, line int) string {
	rest := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(string(data))
	for ; line > 1; line-- {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	text, _, _ := strings.Cut(rest, "\n")
	return text
}
