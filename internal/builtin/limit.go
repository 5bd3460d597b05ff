package builtin

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/internal/option"
	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/middleware/limit"
)

type rateOptions struct {
	Rate  option.Rate `yaml:"rate" doc:"requests in a time: 20/s, 5/m, 100/h"`
	Burst int         `yaml:"burst" doc:"how many may come at once after a pause; default: twice the rate's count"`
	By    limitBy     `yaml:"by" doc:"whose requests are counted together: client, user or {header: name}"`
	Store string      `yaml:"store" doc:"memory"`
}

// limitBy is client, user or a header field.
type limitBy struct{ kind, header string }

// UnmarshalOption reads one of the forms.
func (b *limitBy) UnmarshalOption(decode func(any) error) error {
	if isScalar(decode) {
		if err := decode(&b.kind); err != nil {
			return err
		}
		if !oneOf(b.kind, "client user") {
			return fmt.Errorf("%q is not known (write client, user or {header: name})", b.kind)
		}
		return nil
	}
	var by struct {
		Header string `yaml:"header"`
	}
	if err := decode(&by); err != nil {
		return err
	}
	if by.Header == "" {
		return errors.New("header needs the name of a field")
	}
	b.kind, b.header = "header", by.Header
	return nil
}

// MarshalText writes the default for the reference.
func (b limitBy) MarshalText() ([]byte, error) { return []byte(b.kind), nil }

// JSONSchema describes the forms.
func (limitBy) JSONSchema() map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"enum": []string{"client", "user"}},
		map[string]any{
			"type": "object", "additionalProperties": false, "required": []string{"header"},
			"properties": map[string]any{"header": map[string]any{"type": "string"}},
		},
	}}
}

func (b limitBy) key() func(*http.Request) string {
	switch b.kind {
	case "user":
		return func(r *http.Request) string {
			if rec := request.From(r.Context()); rec != nil {
				return rec.User
			}
			return ""
		}
	case "header":
		return limit.ByHeader(b.header)
	}
	return limit.ByClient
}

func rateLimit() compose.Factory {
	f := compose.Define("limits how often requests come", rateOptions{Rate: option.Rate{Count: 20, Per: time.Second}, By: limitBy{kind: "client"}, Store: "memory"},
		func(o rateOptions) (compose.Instance, error) {
			if o.Store != "memory" {
				return compose.Instance{}, &compose.OptionError{Path: "store", Err: fmt.Errorf("store: %q is not part of this version (write memory)", o.Store)}
			}
			if o.Burst == 0 {
				o.Burst = 2 * o.Rate.Count
			}
			l, err := limit.NewRate(limit.RateConfig{Count: o.Rate.Count, Per: o.Rate.Per, Burst: o.Burst, Key: o.By.key(), ErrorFunc: errorhandler.Error})
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: l.Wrap}, nil
		})
	f = compose.RulesFor(f, func(o rateOptions) compose.Rules {
		if o.By.kind == "user" {
			return compose.Rules{Needs: []string{"auth"}}
		}
		return compose.Rules{}
	})
	return compose.DescribeFor(f, func(o rateOptions) string { return o.Rate.String() + " by " + o.By.kind })
}

type concurrentOptions struct {
	Max   int           `yaml:"max" doc:"requests served at once"`
	Queue int           `yaml:"queue" doc:"further ones that wait for their turn"`
	Wait  time.Duration `yaml:"wait" doc:"how long they wait"`
}

func concurrencyLimit() compose.Factory {
	f := compose.Define("limits how many requests are served at once", concurrentOptions{Max: 100, Queue: 200, Wait: 5 * time.Second},
		func(o concurrentOptions) (compose.Instance, error) {
			l, err := limit.NewConcurrent(limit.ConcurrentConfig{Max: o.Max, Queue: o.Queue, Wait: o.Wait, ErrorFunc: errorhandler.Error})
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: l.Wrap}, nil
		})
	return compose.DescribeFor(f, func(o concurrentOptions) string { return fmt.Sprintf("%d, %d more wait", o.Max, o.Queue) })
}

type bodyOptions struct {
	Max option.Size `yaml:"max" doc:"largest body of a request: 413 beyond"`
}

func bodyLimit() compose.Factory {
	f := compose.Define("limits the size of request bodies", bodyOptions{Max: 10 << 20},
		func(o bodyOptions) (compose.Instance, error) {
			l, err := limit.NewBody(limit.BodyConfig{Max: int64(o.Max), ErrorFunc: errorhandler.Error})
			if err != nil {
				return compose.Instance{}, err
			}
			return compose.Instance{Wrap: l.Wrap}, nil
		})
	f = f.WithRules(insideErrors())
	return compose.DescribeFor(f, func(o bodyOptions) string { return o.Max.String() })
}

func insideErrors() compose.Rules {
	return compose.Rules{Inside: []compose.Relation{{Of: "errors", Warning: true, Because: "its errors get no page"}}}
}
