package builtin

import (
	"time"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/option"
	"github.com/mountd/mountd/middleware/cors"
)

type corsOptions struct {
	Origins     option.Strings `yaml:"origins" doc:"origins whose pages may read answers, also https://*.example.com; * for all"`
	Methods     option.Strings `yaml:"methods" doc:"methods besides GET, HEAD and POST"`
	Headers     option.Strings `yaml:"headers" doc:"request fields that pages may set"`
	Expose      option.Strings `yaml:"expose" doc:"answer fields that pages may read"`
	Credentials bool           `yaml:"credentials" doc:"let pages send cookies along"`
	MaxAge      time.Duration  `yaml:"max_age" doc:"how long browsers may remember a preflight"`
}

func crossOrigin() compose.Factory {
	f := compose.Define("lets pages of other origins read answers (CORS)", corsOptions{},
		func(o corsOptions) (compose.Instance, error) {
			m, err := cors.New(cors.Config{Origins: o.Origins, Methods: o.Methods, Headers: o.Headers, Expose: o.Expose, Credentials: o.Credentials, MaxAge: o.MaxAge})
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: m.Wrap}, nil
		})
	return f.WithRules(compose.Rules{Outside: []compose.Relation{{Of: "auth.*", Because: "preflights carry no credentials"}}})
}
