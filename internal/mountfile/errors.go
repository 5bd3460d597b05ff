package mountfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Pos is a place in a file. Lines and columns count from 1, columns in
// characters; a Pos without a line names the file as a whole.
type Pos struct {
	File   string
	Line   int
	Column int
}

// String writes file:line:column.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.File == "":
		return strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
}

// Error is one mistake in a table, in words for the person who wrote it.
type Error struct {
	Pos     Pos
	Message string // what is wrong
	Hint    string // what to write instead; may be empty
	Warning bool   // does not keep the table from being used
	Err     error  // the cause; may be nil
}

// Error writes file:line:column: message (hint).
func (e *Error) Error() string {
	var b strings.Builder
	if pos := e.Pos.String(); pos != "" {
		b.WriteString(pos + ": ")
	}
	if e.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(e.Message)
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// WithHint sets what to write instead, and gives e back.
func (e *Error) WithHint(hint string) *Error {
	e.Hint = hint
	return e
}

// Errors are mistakes, sorted by place when they come from this package.
type Errors []*Error

// Error joins the mistakes, one to a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the mistakes one by one.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, err := range e {
		errs[i] = err
	}
	return errs
}

// Err gives e, or a nil error when there are no mistakes in it.
func (e Errors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// Split parts the mistakes from the warnings.
func (e Errors) Split() (mistakes, warnings Errors) {
	for _, err := range e {
		if err.Warning {
			warnings = append(warnings, err)
		} else {
			mistakes = append(mistakes, err)
		}
	}
	return mistakes, warnings
}

// Collect takes joined errors apart and gives them sorted by file (root
// first), line and column, each once. One that carries no place is laid at
// root's door.
func Collect(root string, errs ...error) Errors {
	all, others := flatten(errs...)
	for _, err := range others {
		all = append(all, &Error{Pos: Pos{File: root}, Message: err.Error(), Err: err})
	}
	slices.SortStableFunc(all, func(a, b *Error) int { return comparePos(root, a.Pos, b.Pos) })
	seen := make(map[string]bool, len(all))
	return slices.DeleteFunc(all, func(e *Error) bool {
		text := e.Error()
		again := seen[text]
		seen[text] = true
		return again
	})
}

// flatten takes joined errors apart into mistakes with a place and others.
func flatten(errs ...error) (placed Errors, others []error) {
	for _, err := range errs {
		switch e := err.(type) {
		case nil:
		case *Error:
			placed = append(placed, e)
		case interface{ Unwrap() []error }:
			p, o := flatten(e.Unwrap()...)
			placed, others = append(placed, p...), append(others, o...)
		default:
			var many Errors
			var one *Error
			switch {
			case errors.As(err, &many):
				placed = append(placed, many...)
			case errors.As(err, &one):
				placed = append(placed, one)
			default:
				others = append(others, err)
			}
		}
	}
	return placed, others
}

func comparePos(root string, a, b Pos) int {
	if (a.File == root) != (b.File == root) {
		if a.File == root {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

func errorAt(pos Pos, format string, args ...any) *Error {
	return &Error{Pos: pos, Message: fmt.Sprintf(format, args...)}
}
