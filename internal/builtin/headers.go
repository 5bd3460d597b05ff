package builtin

import (
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/option"
	"github.com/mountd/mountd/middleware/headers"
)

type headersOptions struct {
	Request  headerChanges `yaml:"request" doc:"changes of the request, before the application sees it"`
	Response headerChanges `yaml:"response" doc:"changes of the answer, right before it goes out"`
}

type headerChanges struct {
	Remove option.Strings            `yaml:"remove" doc:"names of fields"`
	Set    map[string]string         `yaml:"set" doc:"fields that replace all of their name; {name} is a capture of the pattern"`
	Add    map[string]option.Strings `yaml:"add" doc:"fields beside those there are"`
}

func (c headerChanges) config() headers.Changes {
	out := headers.Changes{Remove: c.Remove, Set: c.Set, Add: map[string][]string{}}
	for name, values := range c.Add {
		out.Add[name] = values
	}
	return out
}

func headerFields() compose.Factory {
	f := compose.Define("sets, adds and removes header fields", headersOptions{},
		func(o headersOptions) (compose.Instance, error) {
			m, err := headers.New(o.config())
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: m.Wrap}, nil
		})
	return compose.CapturesFor(f, func(o headersOptions) []string {
		m, err := headers.New(o.config())
		if err != nil {
			return nil
		}
		return m.Params()
	})
}

func (o headersOptions) config() headers.Config {
	return headers.Config{Request: o.Request.config(), Response: o.Response.config()}
}
