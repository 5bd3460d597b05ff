package compose

import (
	"fmt"
	"strconv"
)

// LayerError is what is wrong with one layer of a stack.
type LayerError struct {
	Index   int    // of the layer in the stack
	Name    string // of the layer
	Message string // what is wrong, where no cause says it
	Hint    string // what to write instead
	Warning bool   // the stack works, though hardly as it was meant
	Err     error  // the cause
}

func (e *LayerError) Error() string {
	s := e.Message
	if s == "" && e.Err != nil {
		s = strconv.Quote(e.Name) + ": " + e.Err.Error()
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap gives the cause.
func (e *LayerError) Unwrap() error { return e.Err }

// UnknownError is a name that the registry does not have.
type UnknownError struct {
	Name  string
	Known []string
}

func (e *UnknownError) Error() string { return fmt.Sprintf("unknown middleware %q", e.Name) }

// OptionError is a mistake in one option, named by its path from the options
// struct: "cookie.name", "origins[2]".
type OptionError struct {
	Path string
	Err  error
}

func (e *OptionError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *OptionError) Unwrap() error { return e.Err }

// OptionPath gives Path.
func (e *OptionError) OptionPath() string { return e.Path }
