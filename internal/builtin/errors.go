package builtin

import (
	"errors"
	"strconv"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/option"
)

type errorsOptions struct {
	Pages     map[string]option.File `yaml:"pages" doc:"status (404) or class (5xx) to a file: HTML with {{.Status}} and the like, or anything else as it is"`
	Intercept intercept              `yaml:"intercept" doc:"whose error answers get our pages: gateway, all, or a list of statuses"`
	Debug     bool                   `yaml:"debug" doc:"show stacks and source lines, to clients on this machine only"`
	Format    string                 `yaml:"format" doc:"auto (by Accept), html, json or text"`
}

// intercept is gateway, all, or a list of statuses.
type intercept struct{ errorhandler.Intercept }

// UnmarshalOption reads any of the forms.
func (i *intercept) UnmarshalOption(decode func(any) error) error {
	var word string
	if decode(&word) != nil {
		return decode(&i.Statuses)
	}
	if status, err := strconv.Atoi(word); err == nil {
		i.Statuses = []int{status}
		return nil
	}
	switch word {
	case "gateway":
		i.All = false
	case "all":
		i.All = true
	default:
		return errors.New(strconv.Quote(word) + " is not known (write gateway, all or a list of statuses)")
	}
	return nil
}

// JSONSchema describes the forms.
func (intercept) JSONSchema() map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"enum": []string{"gateway", "all"}},
		map[string]any{"type": "integer"},
		map[string]any{"type": "array", "items": map[string]any{"type": "integer"}},
	}}
}

// MarshalText writes the default for the reference.
func (i intercept) MarshalText() ([]byte, error) {
	if i.All {
		return []byte("all"), nil
	}
	return []byte("gateway"), nil
}

func errorPages(env Env) compose.Factory {
	f := compose.Define("answers errors and panics with pages", errorsOptions{Format: errorhandler.Auto, Debug: env.Debug},
		func(o errorsOptions) (compose.Instance, error) {
			pages := map[string]string{}
			for status, file := range o.Pages {
				pages[status] = string(file)
			}
			h, err := errorhandler.New(errorhandler.Config{
				Pages: pages, Intercept: o.Intercept.Intercept, Format: o.Format, Debug: o.Debug, Redact: env.Redact, Logger: env.Logger,
			})
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: h.Wrap}, nil
		})
	f = compose.StampFor(f, func(o errorsOptions) string {
		var files []string
		for _, file := range o.Pages {
			files = append(files, string(file))
		}
		return stamp(files...)
	})
	return f.WithRules(compose.Rules{Once: true, Outside: []compose.Relation{{
		Of: "*", Unless: []string{"request_id", "access_log", "ip", "limit.*", "timeout", "errors"},
		Warning: true, Because: "its errors get no page",
	}}})
}
