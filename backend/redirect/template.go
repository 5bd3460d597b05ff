package redirect

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

// A place is a component of a URL: it decides what a value may hold there.
type place uint8

const (
	inHost place = iota
	inPath
	inQuery
)

// A template is text with captured values in it.
type template struct {
	place place
	parts []part
}

// A part is literal text, then the value captured by name, if there is a name.
type part struct{ text, name string }

// literal reads a template, after some text that is not read.
func literal(before string, where place, s string) template {
	t := template{place: where}
	for {
		text, rest, found := strings.Cut(s, "{")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			if before+s != "" {
				t.parts = append(t.parts, part{text: before + s})
			}
			return t
		}
		t.parts = append(t.parts, part{text: before + text, name: name})
		before, s = "", after
	}
}

func (t *template) expand(b []byte, r *http.Request) ([]byte, error) {
	for _, p := range t.parts {
		b = append(b, p.text...)
		if p.name == "" {
			continue
		}
		value := r.PathValue(p.name)
		if value == "" {
			return nil, &request.Error{
				Status: http.StatusInternalServerError,
				Err:    fmt.Errorf("redirect: the mount's pattern captures no {%s}", p.name),
			}
		}
		if !t.fits(value) {
			return nil, &request.Error{
				Status: http.StatusBadRequest,
				Err:    fmt.Errorf("redirect: {%s} is %q, which cannot stand in the target", p.name, value),
			}
		}
		b = append(b, t.escape(value)...)
	}
	return b, nil
}

// fits reports whether a value stays the one segment, or the labels, that it
// stands for.
func (t *template) fits(value string) bool {
	switch t.place {
	case inHost:
		return !strings.ContainsFunc(value, notHost)
	case inPath:
		return value != "." && value != ".." && !strings.ContainsAny(value, `/\`)
	}
	return true
}

func notHost(c rune) bool {
	return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-')
}

func (t *template) escape(value string) string {
	if t.place == inQuery {
		return url.QueryEscape(value)
	}
	return url.PathEscape(value)
}
