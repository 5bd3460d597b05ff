package builtin

import (
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/middleware/requestid"
)

type requestIDOptions struct {
	Header string `yaml:"header" doc:"the field that carries the id, of the request and of the answer"`
	Trust  bool   `yaml:"trust" doc:"keep an id that the client sent"`
}

func requestID() compose.Factory {
	f := compose.Define("gives every request an id", requestIDOptions{Header: requestid.DefaultHeader},
		func(o requestIDOptions) (compose.Instance, error) {
			m, err := requestid.New(requestid.Config{Header: o.Header, Trust: o.Trust})
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: m.Wrap}, nil
		})
	return f.WithRules(compose.Rules{Outside: []compose.Relation{
		{Of: "access_log", Warning: true, Because: "the log would miss the id"},
		{Of: "errors", Warning: true, Because: "error pages would miss the id"},
	}})
}
