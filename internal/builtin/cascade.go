package builtin

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mountd/mountd/backend/cascade"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/option"
)

type cascadeOptions struct {
	Apps   []option.Node `yaml:"apps" doc:"the applications, asked in order"`
	On     []int         `yaml:"on" doc:"statuses at which the next one is asked"`
	Buffer option.Size   `yaml:"buffer" doc:"how much of a request's body is kept for the next one: 413 beyond"`
}

// UnmarshalOption takes the list of applications alone as well.
func (o *cascadeOptions) UnmarshalOption(decode func(any) error) error {
	if isList(decode) {
		return decode(&o.Apps)
	}
	type plain cascadeOptions
	return decode((*plain)(o))
}

func cascading() compose.AppKind {
	k := compose.DefineApp("asks several applications in turn: the first answer that is not 404 or 405 wins", cascadeOptions{On: []int{404, 405}, Buffer: 1 << 20}, newCascade)
	k.Example = "cascade: [./public, http://127.0.0.1:9000]"
	return k
}

func newCascade(ctx compose.AppContext, o cascadeOptions) (compose.App, error) {
	apps := &nested{ctx: ctx}
	cfg := cascade.Config{On: o.On, Buffer: int64(o.Buffer), ErrorFunc: errorhandler.Error}
	if len(o.Apps) == 0 {
		return compose.App{}, errors.New("cascade has no applications (write a list of them)")
	}
	for i, node := range o.Apps {
		app := apps.make(node)
		cfg.Apps = append(cfg.Apps, app.Handler)
		if i < len(o.Apps)-1 && final(app, o.On) {
			apps.errs = append(apps.errs, mistakeAt(node.Raw(), fmt.Sprintf("no request reaches the applications after this one, because it always answers with %d (move it to the end)", app.Only[0])))
		}
	}
	if err := apps.err(); err != nil {
		return compose.App{}, err
	}
	h, err := cascade.New(cfg)
	if err != nil {
		return compose.App{}, err
	}
	return compose.App{Handler: h}, nil
}

// final reports whether the application answers every request for good.
func final(app compose.App, on []int) bool {
	for _, status := range app.Only {
		if slices.Contains(on, status) {
			return false
		}
	}
	return app.Only != nil
}

// nested makes the applications inside an application. They are kept, closed
// and rebased on their own.
type nested struct {
	ctx  compose.AppContext
	errs []error
}

func (n *nested) make(node compose.Decoder) compose.App {
	if raw, ok := node.(option.Node); ok {
		node = raw.Raw()
	}
	if node == nil {
		n.errs = append(n.errs, errors.New("an application is missing"))
		return compose.App{}
	}
	app, err := n.ctx.Nested(node)
	if err != nil {
		n.errs = append(n.errs, err)
	}
	return app
}

func (n *nested) err() error { return errors.Join(n.errs...) }
