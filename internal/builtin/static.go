package builtin

import (
	"fmt"
	"net/http"
	"time"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/option"
	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/shareddata"
)

// fileOptions are common to the static application and the share layer.
type fileOptions struct {
	Index         option.Strings    `yaml:"index" doc:"files that answer for a directory"`
	Browse        bool              `yaml:"browse" doc:"list directories that have no index file"`
	SPA           bool              `yaml:"spa" doc:"answer navigations to missing paths with the root's index file"`
	MaxAge        time.Duration     `yaml:"max_age" doc:"how long clients may use a file without asking again"`
	Immutable     option.Strings    `yaml:"immutable" doc:"globs of files that never change under their name"`
	Disallow      option.Strings    `yaml:"disallow" doc:"globs of names that are never served or listed; .* leaves .well-known open"`
	Precompressed bool              `yaml:"precompressed" doc:"serve app.js.br, .zst and .gz in place of app.js where the client can"`
	Types         map[string]string `yaml:"types" doc:"file extension to media type"`
	Symlinks      string            `yaml:"symlinks" doc:"inside: links that stay below the root are followed; none"`
}

func defaultFileOptions() fileOptions {
	return fileOptions{Index: option.Strings{"index.html"}, Disallow: option.Strings{".*"}, Precompressed: true, Symlinks: "inside"}
}

func (o fileOptions) config(exports []shareddata.Export) shareddata.Config {
	return shareddata.Config{
		Exports:         exports,
		Index:           nonNil(o.Index),
		Browse:          o.Browse,
		SPA:             o.SPA,
		MaxAge:          o.MaxAge,
		Immutable:       o.Immutable,
		Disallow:        nonNil(o.Disallow),
		NoPrecompressed: !o.Precompressed,
		Types:           o.Types,
		Symlinks:        shareddata.Symlinks(o.Symlinks),
		ScriptName:      publicPrefix,
		ErrorFunc:       errorhandler.Error,
	}
}

// nonNil keeps an empty list from standing for the default.
func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

type staticOptions struct {
	Root        option.File `yaml:"root" doc:"the directory, or a single file"`
	fileOptions `yaml:",inline"`
}

// UnmarshalOption takes the root alone as well.
func (o *staticOptions) UnmarshalOption(decode func(any) error) error {
	if isScalar(decode) {
		return decode(&o.Root)
	}
	type plain staticOptions
	return decode((*plain)(o))
}

func static() compose.AppKind {
	k := compose.DefineApp("serves a directory or a file", staticOptions{fileOptions: defaultFileOptions()},
		func(ctx compose.AppContext, o staticOptions) (compose.App, error) {
			if o.Root == "" {
				return compose.App{}, &compose.OptionError{Path: "root", Err: fmt.Errorf("root is missing (write the directory to serve)")}
			}
			if err := checkParams(ctx, "root", string(o.Root)); err != nil {
				return compose.App{}, err
			}
			if isFile(string(o.Root)) {
				return singleFile(o)
			}
			h, err := shareddata.NewHandler(o.config([]shareddata.Export{{Path: string(o.Root)}}))
			if err != nil {
				return compose.App{}, renamePath(err, "root")
			}
			return compose.App{Handler: h, Close: h.Close, Slash: true}, nil
		})
	k.Schemes = []string{"./", "/", "../"}
	k.Example = "./public"
	return k
}

// singleFile serves a file at the mount's own path, and nothing below it.
func singleFile(o staticOptions) (compose.App, error) {
	const at = "/file"
	h, err := shareddata.NewHandler(o.config([]shareddata.Export{{Prefix: at, Path: string(o.Root)}}))
	if err != nil {
		return compose.App{}, renamePath(err, "root")
	}
	serve := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			errorhandler.Error(w, r, &request.Error{Status: http.StatusNotFound})
			return
		}
		r2, u := *r, *r.URL
		u.Path, u.RawPath = at, ""
		r2.URL = &u
		h.ServeHTTP(w, &r2)
	}
	return compose.App{Handler: http.HandlerFunc(serve), Close: h.Close}, nil
}

type shareOptions struct {
	Exports     map[string]option.File `yaml:"exports" doc:"prefix below the mount to a directory or file"`
	fileOptions `yaml:",inline"`
}

func share() compose.Factory {
	return compose.Define("serves files in front of the application", shareOptions{fileOptions: defaultFileOptions()},
		func(o shareOptions) (compose.Instance, error) {
			var exports []shareddata.Export
			for prefix, path := range o.Exports {
				exports = append(exports, shareddata.Export{Prefix: prefix, Path: string(path)})
			}
			if len(exports) == 0 {
				return compose.Instance{}, &compose.OptionError{Path: "exports", Err: fmt.Errorf("nothing is shared (write exports: {/static: ./static})")}
			}
			m, err := shareddata.New(o.config(exports))
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: m.Wrap, Close: m.Close}, nil
		})
}
