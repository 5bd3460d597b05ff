package compress

import (
	"errors"
	"fmt"
	"strings"
)

// types is a set of media types and patterns with one "*".
type types struct {
	exact    map[string]struct{}
	patterns []pattern
}

type pattern struct{ prefix, suffix string }

func (t *types) set(list []string) (errs []error) {
	if list == nil {
		list = DefaultTypes()
	}
	if len(list) == 0 {
		return []error{optionError{"types", errors.New("the list is empty (leave it out for the usual types)")}}
	}
	t.exact = make(map[string]struct{}, len(list))
	for i, s := range list {
		if err := t.add(strings.ToLower(s)); err != nil {
			errs = append(errs, optionError{fmt.Sprintf("types[%d]", i), err})
		}
	}
	return errs
}

func (t *types) add(s string) error {
	main, sub, ok := strings.Cut(s, "/")
	switch {
	case !ok || main == "" || sub == "" || strings.ContainsAny(s, "; \t,") || strings.Contains(sub, "/"):
		return fmt.Errorf("%q is no media type (write text/html or text/*)", s)
	case s == "*/*":
		t.patterns = append(t.patterns, pattern{})
	case strings.Count(s, "*") > 1:
		return fmt.Errorf("%q has more than one * (write several types)", s)
	case strings.Contains(s, "*"):
		prefix, suffix, _ := strings.Cut(s, "*")
		t.patterns = append(t.patterns, pattern{prefix, suffix})
	default:
		t.exact[s] = struct{}{}
	}
	return nil
}

// match reports whether answers with this Content-Type are to be encoded.
// Event streams are not, whatever the list says: they must not wait.
func (t *types) match(contentType string) bool {
	s, _, _ := strings.Cut(contentType, ";")
	s = strings.ToLower(trim(s))
	if s == "text/event-stream" {
		return false
	}
	if _, ok := t.exact[s]; ok {
		return true
	}
	for _, p := range t.patterns {
		if len(s) >= len(p.prefix)+len(p.suffix) && strings.HasPrefix(s, p.prefix) && strings.HasSuffix(s, p.suffix) {
			return true
		}
	}
	return false
}
