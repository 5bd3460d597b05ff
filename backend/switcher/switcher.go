// Package switcher hands each request to the first app whose condition holds.
package switcher

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/mountd/mountd/internal/request"
)

// A Case is an app and when it is chosen.
type Case struct {
	// When reports whether the request is this case's. An error ends the
	// search: it is answered, by its own status. nil always holds, which only
	// the last case may.
	When func(*http.Request) (bool, error)

	// App must be set.
	App http.Handler
}

// Config lists the cases. Its slice is copied.
type Config struct {
	// Cases are tried in order. There must be one.
	Cases []Case

	// ErrorFunc answers where no case holds (404) or a condition fails.
	// Default: the errors layer around, or plain text.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// Switch is an app made of several. It passes request and response writer on
// as they are. It is safe for concurrent use if its cases are.
type Switch struct {
	cases []Case
	fail  func(http.ResponseWriter, *http.Request, error)
}

// New checks cfg and gives its Switch.
func New(cfg Config) (*Switch, error) {
	var errs []error
	if len(cfg.Cases) == 0 {
		errs = append(errs, errors.New("switch needs at least one case"))
	}
	for i, c := range cfg.Cases {
		if c.App == nil {
			errs = append(errs, &fieldError{i, "has no app"})
		}
		if c.When == nil && i < len(cfg.Cases)-1 {
			errs = append(errs, &fieldError{i, "has no `when`, so that no later case can be reached (put it last)"})
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	s := &Switch{cases: append([]Case(nil), cfg.Cases...), fail: cfg.ErrorFunc}
	if s.fail == nil {
		s.fail = request.Fail
	}
	return s, nil
}

// ServeHTTP hands r to the first app whose condition holds.
func (s *Switch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for i := range s.cases {
		c := &s.cases[i]
		if c.When == nil {
			c.App.ServeHTTP(w, r)
			return
		}
		holds, err := c.When(r)
		if err != nil {
			s.fail(w, r, fmt.Errorf("condition of case %d: %w", i+1, err))
			return
		}
		if holds {
			c.App.ServeHTTP(w, r)
			return
		}
	}
	s.fail(w, r, &request.Error{Status: http.StatusNotFound, Err: errNoCase})
}

var errNoCase = errors.New("no case of the switch holds for this request")

// A fieldError is a mistake in one case.
type fieldError struct {
	index int
	text  string
}

func (e *fieldError) Error() string { return fmt.Sprintf("case %d %s", e.index+1, e.text) }

// OptionPath names the case as a mount table does.
func (e *fieldError) OptionPath() string { return fmt.Sprintf("[%d]", e.index) }
