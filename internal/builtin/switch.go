package builtin

import (
	"errors"

	"github.com/mountd/mountd/backend/switcher"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/option"
)

type switchOptions []option.Node

func switching() compose.AppKind {
	k := compose.DefineApp("hands each request to the first application whose condition holds, and answers 404 where none does", switchOptions{}, newSwitch)
	k.Example = "switch: [{when: {method: [POST]}, proxy: http://127.0.0.1:9000}, {static: ./public}]"
	return k
}

func newSwitch(ctx compose.AppContext, o switchOptions) (compose.App, error) {
	apps := &nested{ctx: ctx}
	cfg := switcher.Config{ErrorFunc: errorhandler.Error}
	if len(o) == 0 {
		return compose.App{}, errors.New("switch has no cases (write a list of {when: {…}, application})")
	}
	for i, entry := range o {
		c, app, err := splitCase(entry.Raw())
		if err != nil {
			apps.errs = append(apps.errs, err)
			continue
		}
		one := switcher.Case{App: apps.make(app).Handler}
		if c != nil {
			one.When = c.Match
		} else if i < len(o)-1 {
			apps.errs = append(apps.errs, mistakeAt(entry.Raw(), "no request reaches the cases after this one, because it has no condition (add when, or move it to the end)"))
		}
		cfg.Cases = append(cfg.Cases, one)
	}
	if err := apps.err(); err != nil {
		return compose.App{}, err
	}
	h, err := switcher.New(cfg)
	if err != nil {
		return compose.App{}, err
	}
	return compose.App{Handler: h}, nil
}

// caseNode is what the values of a table can do: a case is a mapping whose
// keys but `when` make an application.
type caseNode interface {
	Split(key string) (value, rest interface{ Decode(v any) error })
	Mistake(message string) error
}

func splitCase(node compose.Decoder) (compose.Condition, compose.Decoder, error) {
	n, ok := node.(caseNode)
	if !ok {
		return nil, nil, errors.New("a case is a mapping of when and an application")
	}
	when, rest := n.Split("when")
	if when == nil {
		return nil, node, nil
	}
	c, _, err := newCondition(when, false, true)
	return c, rest, err
}

func mistakeAt(node compose.Decoder, message string) error {
	if n, ok := node.(caseNode); ok {
		return n.Mistake(message)
	}
	return errors.New(message)
}
