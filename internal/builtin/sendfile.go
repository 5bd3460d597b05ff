package builtin

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/mountd/mountd/backend/sendfile"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/option"
	"github.com/mountd/mountd/shareddata"
)

// SendfileOptions are the value of a mount's sendfile key: prefix to
// directory.
type SendfileOptions map[string]option.File

// Sendfile makes the layer that serves the files an application names. An
// instance without a wrap has no roots.
func Sendfile(d compose.Decoder, _ compose.AppContext) (compose.Instance, error) {
	var o SendfileOptions
	if err := d.Decode(&o); err != nil || len(o) == 0 {
		return compose.Instance{}, err
	}
	roots := map[string]sendfile.Root{}
	var handlers []*shareddata.Handler
	closeAll := func() error {
		var errs []error
		for _, h := range handlers {
			errs = append(errs, h.Close())
		}
		return errors.Join(errs...)
	}
	for prefix, dir := range o {
		abs, err := filepath.Abs(string(dir))
		if err != nil {
			return compose.Instance{}, errors.Join(err, closeAll())
		}
		// The application decides what is served: nothing below is disallowed.
		cfg := fileOptions{Precompressed: true, Symlinks: "inside"}.config([]shareddata.Export{{Path: abs}})
		h, err := shareddata.NewHandler(cfg)
		if err != nil {
			return compose.Instance{}, errors.Join(&compose.OptionError{Path: prefix, Err: fmt.Errorf("sendfile %s: %w", prefix, err)}, closeAll())
		}
		handlers = append(handlers, h)
		roots[prefix] = sendfile.Root{Handler: h, Dir: abs}
	}
	m, err := sendfile.New(sendfile.Config{Roots: roots, ErrorFunc: errorhandler.Error})
	if err != nil {
		return compose.Instance{}, errors.Join(err, closeAll())
	}
	return compose.Instance{Wrap: m.Wrap, Close: closeAll}, nil
}
