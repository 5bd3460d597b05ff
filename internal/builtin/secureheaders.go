package builtin

import (
	"time"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/middleware/secureheaders"
)

type secureHeadersOptions struct {
	HSTS     time.Duration `yaml:"hsts" doc:"how long browsers keep to HTTPS; 0: not sent"`
	Frame    string        `yaml:"frame" doc:"who may show the site in a frame: SAMEORIGIN, DENY, or origins; off"`
	CSP      string        `yaml:"csp" doc:"the Content-Security-Policy"`
	Referrer string        `yaml:"referrer" doc:"the Referrer-Policy; off"`
}

func secureHeaders() compose.Factory {
	defaults := secureHeadersOptions{
		HSTS:     secureheaders.DefaultHSTS,
		Frame:    "SAMEORIGIN",
		Referrer: "strict-origin-when-cross-origin",
	}
	return compose.Define("adds the header fields that tell browsers to be careful", defaults,
		func(o secureHeadersOptions) (compose.Instance, error) {
			cfg := secureheaders.Config{HSTS: orNone(o.HSTS), Frame: orOff(o.Frame), CSP: o.CSP, Referrer: orOff(o.Referrer)}
			m, err := secureheaders.New(cfg)
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: m.Wrap}, nil
		})
}

// orNone turns the table's 0, which is none, into the packages' negative one.
func orNone[T ~int | ~int64](v T) T {
	if v == 0 {
		return -1
	}
	return v
}

func orOff(s string) string {
	if s == "" {
		return secureheaders.Off
	}
	return s
}
