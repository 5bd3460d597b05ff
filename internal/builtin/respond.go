package builtin

import (
	"github.com/mountd/mountd/backend/respond"
	"github.com/mountd/mountd/compose"
)

type respondOptions struct {
	Body    string            `yaml:"body" doc:"the text"`
	Status  int               `yaml:"status" doc:"of the answer"`
	Type    string            `yaml:"type" doc:"the Content-Type"`
	Headers map[string]string `yaml:"headers" doc:"more fields of the answer"`
}

// UnmarshalOption takes the text alone as well.
func (o *respondOptions) UnmarshalOption(decode func(any) error) error {
	if isScalar(decode) {
		return decode(&o.Body)
	}
	type plain respondOptions
	return decode((*plain)(o))
}

func responding() compose.AppKind {
	k := compose.DefineApp("answers with a text", respondOptions{Status: 200, Type: "text/plain; charset=utf-8"},
		func(_ compose.AppContext, o respondOptions) (compose.App, error) {
			h, err := respond.New(respond.Config{Status: o.Status, Body: o.Body, Type: o.Type, Headers: o.Headers})
			return compose.App{Handler: h, Only: []int{o.Status}}, err
		})
	k.Example = "respond:Hello"
	return k
}
