package builtin

import (
	"errors"
	"fmt"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/option"
	"github.com/mountd/mountd/rebase"
)

// RebaseOptions are the value of a mount's rebase key.
type RebaseOptions struct {
	Mode    string         `yaml:"mode" doc:"auto, off, headers or full"`
	Cookies string         `yaml:"cookies" doc:"path, namespace or off: how the cookies of mounts are kept apart"`
	Storage string         `yaml:"storage" doc:"apart or shared: the browser's storage (for a later version)"`
	Rescue  bool           `yaml:"rescue" doc:"lead requests that lost their prefix back to their mount (for a later version)"`
	Skip    option.Strings `yaml:"skip" doc:"globs of paths whose answers stay as they are (for a later version)"`
}

// UnmarshalOption takes the mode alone as well.
func (o *RebaseOptions) UnmarshalOption(decode func(any) error) error {
	if isScalar(decode) {
		return decode(&o.Mode)
	}
	type plain RebaseOptions
	return decode((*plain)(o))
}

// DefaultRebase holds the defaults of a mount's rebase key.
func DefaultRebase() RebaseOptions {
	return RebaseOptions{Mode: "auto", Cookies: "path", Storage: "apart", Rescue: true}
}

// Rebase makes the layer around an application that does not know where it is
// mounted. Without a wrap, the mount wants none.
func Rebase(d compose.Decoder, app compose.App) (in compose.Instance, mode string, err error) {
	o := DefaultRebase()
	if d != nil {
		if err := d.Decode(&o); err != nil {
			return in, "", err
		}
	}
	if err := o.check(); err != nil {
		return in, "", err
	}
	if o.Mode == "off" {
		return in, "off", nil
	}
	m, err := rebase.New(rebase.Config{
		Mode:      rebase.Mode(o.Mode),
		Cookies:   rebase.CookieMode(o.Cookies),
		Prefix:    publicPrefix,
		Upstreams: app.Hosts,
	})
	if err != nil {
		return in, "", err
	}
	return compose.Instance{Wrap: m.Wrap}, o.Mode, nil
}

func (o RebaseOptions) check() error {
	var errs []error
	for _, c := range []struct{ path, value, known string }{
		{"mode", o.Mode, "auto off headers full"},
		{"cookies", o.Cookies, "path namespace off"},
		{"storage", o.Storage, "apart shared"},
	} {
		if !oneOf(c.value, c.known) {
			errs = append(errs, &compose.OptionError{Path: c.path, Err: fmt.Errorf("%s: %q is not known (write %s)", c.path, c.value, alternatives(c.known))})
		}
	}
	if len(o.Skip) > 0 {
		errs = append(errs, &compose.OptionError{Path: "skip", Err: errors.New("skip is not part of this version (leave it out)")})
	}
	return errors.Join(errs...)
}
