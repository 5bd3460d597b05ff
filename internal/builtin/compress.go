package builtin

import (
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/option"
	"github.com/mountd/mountd/middleware/compress"
)

type compressOptions struct {
	Encodings option.Strings `yaml:"encodings" doc:"what is offered, in our order of preference"`
	MinSize   option.Size    `yaml:"min_size" doc:"smaller bodies are sent as they are"`
	Types     option.Strings `yaml:"types" doc:"media types to encode: text/html, text/*, application/*+json"`
}

func compression() compose.Factory {
	defaults := compressOptions{
		Encodings: option.Strings{compress.Zstd, compress.Brotli, compress.Gzip},
		MinSize:   compress.DefaultMinSize,
		Types:     compress.DefaultTypes(),
	}
	f := compose.Define("encodes answers with zstd, br or gzip", defaults,
		func(o compressOptions) (compose.Instance, error) {
			m, err := compress.New(compress.Config{Encodings: o.Encodings, MinSize: orNone(int(o.MinSize)), Types: nonNil(o.Types)})
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: m.Wrap}, nil
		})
	return f.WithRules(compose.Rules{Once: true, Outside: []compose.Relation{
		{Of: "share", Warning: true, Because: "its files are sent as they are"},
		{Of: "replace", Warning: true, Because: "it can't read what is encoded"},
	}})
}
