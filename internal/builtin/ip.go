package builtin

import (
	"strings"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/option"
	"github.com/mountd/mountd/middleware/ipfilter"
)

type ipOptions struct {
	Allow option.Strings `yaml:"allow" doc:"addresses and networks, private, loopback, unix; all others are refused"`
	Deny  option.Strings `yaml:"deny" doc:"addresses and networks that are refused"`
}

func addresses() compose.Factory {
	f := compose.Define("lets requests in by their client's address", ipOptions{},
		func(o ipOptions) (compose.Instance, error) {
			m, err := ipfilter.New(ipfilter.Config{Allow: o.Allow, Deny: o.Deny, ErrorFunc: errorhandler.Error})
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: m.Wrap}, nil
		})
	return compose.DescribeFor(f, func(o ipOptions) string {
		var parts []string
		if len(o.Allow) > 0 {
			parts = append(parts, "allow "+strings.Join(o.Allow, ", "))
		}
		if len(o.Deny) > 0 {
			parts = append(parts, "deny "+strings.Join(o.Deny, ", "))
		}
		return strings.Join(parts, "; ")
	})
}
