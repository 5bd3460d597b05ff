package builtin

import (
	"time"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/middleware/timeout"
)

type timeoutOptions struct {
	After time.Duration `yaml:"after" doc:"time to the first byte of the answer: 504 beyond"`
}

func answerTimeout() compose.Factory {
	f := compose.Define("limits the time to the first byte of an answer", timeoutOptions{After: 30 * time.Second},
		func(o timeoutOptions) (compose.Instance, error) {
			m, err := timeout.New(timeout.Config{After: o.After, ErrorFunc: errorhandler.Error})
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: m.Wrap}, nil
		})
	f = f.WithRules(insideErrors())
	return compose.DescribeFor(f, func(o timeoutOptions) string { return "after " + o.After.String() })
}
