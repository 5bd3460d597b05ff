package canonical

import (
	"iter"
	"strings"
)

// Slash stands for a slash inside a segment in a reading: one that was escaped
// and is not taken for a separator. No path holds this byte otherwise.
const Slash = "\x00"

// A Kind tells what a reading does to the path.
type Kind uint8

// The kinds of readings.
const (
	AsIs  Kind = iota // the canonical view itself
	Cut               // nothing but the parameters (";…") of segments cut
	Other             // decoded once more, other slashes taken for slashes
)

// maxReadings bounds how many ways a path may be read. Only paths made to
// confuse have more.
const maxReadings = 96

// Suspicious reports whether a path has more than one reading. raw is the
// escaped form that [Parse] gave; the empty one has just one.
func Suspicious(raw string) bool {
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case ';', '\\':
			return true
		case '%':
			if b, ok := unescape(raw[i:]); ok && special(b) {
				return true
			}
		}
	}
	return false
}

// Readings lists the ways in which raw, the escaped form that [Parse] gave,
// could be read. Each is a list of decoded segments, written with '/' between
// them; runs of slashes are left for the caller to merge. The first is the
// canonical view. The others come from decoding once more, taking escaped
// slashes and backslashes for slashes, and cutting ";…" off segments, in every
// order that makes a difference.
//
// It gives an error instead if there are more readings than anyone could mean.
func Readings(raw string) (iter.Seq2[string, Kind], error) {
	set := readings{}
	set.add(state{path: decodeMarked(raw), kind: AsIs})
	if cut := CutParams(raw); cut != raw {
		set.add(state{path: decodeMarked(cut), kind: Cut})
	}
	for i := 0; i < len(set.list); i++ {
		set.expand(set.list[i])
		if len(set.list) > maxReadings {
			return nil, ErrAmbiguous
		}
	}
	return func(yield func(string, Kind) bool) {
		for _, s := range set.list {
			if !yield(s.path, s.kind) {
				return
			}
		}
	}, nil
}

// state is a reading that further steps may be applied to.
type state struct {
	path    string
	kind    Kind
	decoded bool // once more
}

type readings struct{ list []state }

// add keeps s unless it is there already. A path found twice keeps the kind
// it had first: the steps that lead to it do not matter.
func (set *readings) add(s state) {
	for i := range set.list {
		if old := &set.list[i]; old.path == s.path && old.decoded == s.decoded {
			return
		}
	}
	set.list = append(set.list, s)
}

func (set *readings) expand(s state) {
	step := func(path string, kind Kind, decoded bool) {
		if path != s.path {
			set.add(state{path, max(s.kind, kind), decoded})
		}
	}
	step(CutParams(s.path), Cut, s.decoded)
	step(strings.ReplaceAll(s.path, Slash, "/"), Other, s.decoded)
	step(strings.ReplaceAll(s.path, `\`, "/"), Other, s.decoded)
	if !s.decoded {
		step(decodeMore(s.path), Other, true)
	}
}

// CutParams cuts every segment at its first ';'.
func CutParams(s string) string {
	at := strings.IndexByte(s, ';')
	if at < 0 {
		return s
	}
	out := append(make([]byte, 0, len(s)), s[:at]...)
	skip := false
	for i := at; i < len(s); i++ {
		switch s[i] {
		case ';':
			skip = true
		case '/':
			skip = false
		}
		if !skip {
			out = append(out, s[i])
		}
	}
	return string(out)
}

// decodeMarked decodes once, with Slash for escaped slashes.
func decodeMarked(raw string) string {
	if strings.IndexByte(raw, '%') < 0 {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' {
			if b, ok := unescape(raw[i:]); ok {
				i += 2
				if c = b; c == '/' {
					c = Slash[0]
				}
			}
		}
		out = append(out, c)
	}
	return string(out)
}

// decodeMore decodes what is decoded already, with Slash for the slashes that
// come out of it. An escaped NUL becomes another byte that no segment holds.
func decodeMore(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	return decodeMarked(strings.ReplaceAll(s, "%00", "\x01"))
}
