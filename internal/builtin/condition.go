package builtin

import (
	"errors"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/condition"
	"github.com/mountd/mountd/internal/option"
)

// ConditionOptions are the value of `when:` and `except:`. All that are
// written must hold; the items of a list are alternatives.
type ConditionOptions struct {
	Path   option.Strings    `yaml:"path" doc:"globs of the path below the mount; * stays in a segment, ** does not"`
	Method option.Strings    `yaml:"method" doc:"methods"`
	Host   option.Strings    `yaml:"host" doc:"hosts, also *.example.com"`
	Header map[string]string `yaml:"header" doc:"field to a glob of its value"`
	Client option.Strings    `yaml:"client" doc:"addresses and networks"`
	Scheme string            `yaml:"scheme" doc:"http or https"`
}

// Condition makes what stands behind `when:` and `except:`.
func Condition(d compose.Decoder, except bool) (c compose.Condition, pathBound bool, err error) {
	return newCondition(d, except, false)
}

// newCondition makes a condition. A layer's is in doubt about methods it does
// not know, and then holds; where apps are chosen, exact takes them literally.
func newCondition(d compose.Decoder, except, exact bool) (c compose.Condition, pathBound bool, err error) {
	var o ConditionOptions
	if err := d.Decode(&o); err != nil {
		return nil, false, err
	}
	if len(o.Path)+len(o.Method)+len(o.Host)+len(o.Header)+len(o.Client) == 0 && o.Scheme == "" {
		return nil, false, errors.New("the condition is empty (write {path: /admin/**}, or leave it out)")
	}
	made, err := condition.New(condition.Config{
		Path: o.Path, Method: o.Method, ExactMethods: exact, Host: o.Host, Header: o.Header, Client: o.Client, Scheme: o.Scheme,
	}, except)
	if err != nil {
		return nil, false, err
	}
	return made, len(o.Path) > 0, nil
}
