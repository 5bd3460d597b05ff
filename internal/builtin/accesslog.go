package builtin

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/middleware/accesslog"
)

type accessLogOptions struct {
	Format string  `yaml:"format" doc:"json, combined, text, or a template such as {method} {path} {status}; default: json, and text at a terminal"`
	To     logFile `yaml:"to" doc:"stderr, stdout or a file"`
	Sample float64 `yaml:"sample" doc:"the part of the requests that is logged; errors always are"`
}

// logFile is stderr, stdout or a file.
type logFile string

// UnmarshalText keeps the text.
func (f *logFile) UnmarshalText(text []byte) error { *f = logFile(text); return nil }

// SetDir resolves the name of a file.
func (f *logFile) SetDir(dir string) {
	if *f != "stderr" && *f != "stdout" {
		*f = logFile(inDir(dir, string(*f)))
	}
}

func accessLog(env Env) compose.Factory {
	f := compose.Define("writes a line for every request", accessLogOptions{To: "stderr", Sample: 1},
		func(o accessLogOptions) (compose.Instance, error) {
			return newAccessLog(env, o)
		})
	f.Rules = func(any) compose.Rules {
		return compose.Rules{Outside: []compose.Relation{{Of: "errors", Warning: true, Because: "the log would not see the error pages"}}}
	}
	return compose.DescribeFor(f, func(o accessLogOptions) string { return "to " + string(o.To) })
}

func newAccessLog(env Env, o accessLogOptions) (compose.Instance, error) {
	if o.Sample <= 0 || o.Sample > 1 {
		return compose.Instance{}, &compose.OptionError{Path: "sample", Err: fmt.Errorf("sample: %v is not above 0 and up to 1", o.Sample)}
	}
	cfg := accesslog.Config{Format: o.Format, Sample: o.Sample, Redact: env.Redact}
	to := accesslog.SinkConfig{Logger: env.Logger}
	switch o.To {
	case "stderr":
		to.Writer = env.Stderr
		if o.Format == "" && env.Terminal {
			cfg.Format, cfg.Color = accesslog.Text, env.Color
		}
	case "stdout":
		to.Writer = env.Stdout
	default:
		to.Path = string(o.To)
	}
	if env.Silent {
		if err := Writable(to.Path); err != nil {
			return compose.Instance{}, &compose.OptionError{Path: "to", Err: err}
		}
		to = accesslog.SinkConfig{Writer: io.Discard, Logger: env.Logger}
	}
	sink, err := accesslog.NewSink(to)
	if err != nil {
		return compose.Instance{}, &compose.OptionError{Path: "to", Err: err}
	}
	cfg.To = sink
	m, err := accesslog.New(cfg)
	if err != nil {
		return compose.Instance{}, errors.Join(err, sink.Close())
	}
	forget := env.Reopen.add(sink.Reopen)
	return compose.Instance{Wrap: m.Wrap, Close: func() error { forget(); return sink.Close() }}, nil
}

// Writable reports whether a log file could be opened, without making one. An
// empty name stands for none.
func Writable(name string) error {
	if name == "" {
		return nil
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	switch {
	case err == nil:
		err = file.Close()
	case errors.Is(err, fs.ErrNotExist):
		if _, missing := os.Stat(filepath.Dir(name)); missing == nil {
			return nil // it will be made
		}
	}
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	return nil
}
