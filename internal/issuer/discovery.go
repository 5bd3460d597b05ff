package issuer

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Metadata is what an issuer says of itself (OpenID Connect Discovery 1.0, 3).
type Metadata struct {
	Issuer                string   `json:"issuer"`
	JWKS                  string   `json:"jwks_uri"`
	Authorization         string   `json:"authorization_endpoint"`
	Token                 string   `json:"token_endpoint"`
	UserInfo              string   `json:"userinfo_endpoint"`
	EndSession            string   `json:"end_session_endpoint"`
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	CodeChallengeMethods  []string `json:"code_challenge_methods_supported"`
	NamesItselfInRedirect bool     `json:"authorization_response_iss_parameter_supported"`
}

// DiscoveryConfig says whose metadata to get. Client and Issuer must be set.
type DiscoveryConfig struct {
	Client    *Client
	Issuer    string
	AllowHTTP bool
	Log       func(error)
}

// Discover gives the metadata of an issuer, which is fetched when it is first
// asked for, again every hour, and used for a day when it can't be.
func Discover(cfg DiscoveryConfig) *Cell[*Metadata] {
	address := strings.TrimSuffix(cfg.Issuer, "/") + "/.well-known/openid-configuration"
	load := func(ctx context.Context) (*Metadata, error) {
		data, err := cfg.Client.Get(ctx, address)
		if err != nil {
			return nil, err
		}
		m := &Metadata{}
		if json.Unmarshal(data, m) != nil || m.Issuer == "" {
			return nil, fmt.Errorf("%s: not an issuer's metadata", address)
		}
		if m.Issuer != cfg.Issuer {
			return nil, fmt.Errorf("%s: it calls itself %.200q, not %q (both must be the same, to the last slash)", address, m.Issuer, cfg.Issuer)
		}
		for _, u := range []string{m.JWKS, m.Authorization, m.Token, m.UserInfo, m.EndSession} {
			if u == "" {
				continue
			}
			if err := CheckURL(u, cfg.AllowHTTP); err != nil {
				return nil, fmt.Errorf("%s: %w", address, err)
			}
		}
		if m.JWKS == "" {
			return nil, fmt.Errorf("%s: it names no jwks_uri", address)
		}
		return m, nil
	}
	return NewCell(CellConfig[*Metadata]{
		Load: load, Refresh: time.Hour, Lifetime: 24 * time.Hour, Log: cfg.Log,
	})
}
