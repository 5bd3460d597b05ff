package builtin

import (
	"fmt"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/compose"
)

type keyOptions struct {
	Header   string            `yaml:"header" doc:"field that carries the key"`
	Query    string            `yaml:"query" doc:"query parameter that may carry it instead; logs don't show it"`
	Keys     map[string]string `yaml:"keys" doc:"users to the SHA-256 of their keys, in hexadecimal"`
	Optional bool              `yaml:"optional" doc:"let requests without a key pass, as nobody's"`
}

func keyAuth() compose.Factory {
	f := compose.Define("knows programs by their keys", keyOptions{Header: "X-API-Key"},
		func(o keyOptions) (compose.Instance, error) {
			k, err := auth.NewKey(auth.KeyConfig{Keys: o.Keys, Header: o.Header, Query: o.Query})
			if err != nil {
				return compose.Instance{}, err
			}
			return authLayer(k, o.Optional), nil
		})
	f = f.WithRules(authRules())
	return compose.DescribeFor(f, func(o keyOptions) string {
		return optionally(o.Optional, fmt.Sprintf("%d keys", len(o.Keys)))
	})
}
