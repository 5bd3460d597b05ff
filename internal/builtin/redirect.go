package builtin

import (
	"github.com/mountd/mountd/backend/redirect"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/errorhandler"
)

type redirectOptions struct {
	To       string `yaml:"to" doc:"a URL, or a path from the root of the site; {name} is a capture of the pattern"`
	Status   int    `yaml:"status" doc:"301, 302, 303, 307 or 308"`
	KeepPath bool   `yaml:"keep_path" doc:"append the rest of the path"`
}

// UnmarshalOption takes the URL alone as well.
func (o *redirectOptions) UnmarshalOption(decode func(any) error) error {
	if isScalar(decode) {
		return decode(&o.To)
	}
	type plain redirectOptions
	return decode((*plain)(o))
}

func redirecting() compose.AppKind {
	k := compose.DefineApp("sends clients elsewhere", redirectOptions{Status: 307, KeepPath: true},
		func(ctx compose.AppContext, o redirectOptions) (compose.App, error) {
			if err := checkParams(ctx, "to", o.To); err != nil {
				return compose.App{}, err
			}
			h, err := redirect.New(redirect.Config{To: o.To, Status: o.Status, DropPath: !o.KeepPath, ErrorFunc: errorhandler.Error})
			return compose.App{Handler: h, Only: []int{o.Status}}, err
		})
	k.Example = "redirect:https://example.com/new"
	return k
}
