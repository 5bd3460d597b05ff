package builtin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mountd/mountd/backend/proxy"
	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/internal/option"
)

// proxyOptions are the options of a proxy; its short form is one target.
type proxyOptions struct {
	To              upstreams     `yaml:"to" doc:"one target or a list: http://, https://, h2c://, unix:/sock, or {url, weight: 1, backup: false}"`
	Balance         balance       `yaml:"balance" doc:"how to choose: round_robin, least_conn, random_two, ip_hash, first, {cookie: name} or {header: name}"`
	Health          health        `yaml:"health" doc:"asks the targets regularly whether they are well"`
	FailTimeout     time.Duration `yaml:"fail_timeout" doc:"how long a target that failed stays out of the choice"`
	MaxFails        int           `yaml:"max_fails" doc:"failures within fail_timeout that take a target out; 0: never"`
	Retries         int           `yaml:"retries" doc:"further tries, where repeating the request is safe"`
	ConnectTimeout  time.Duration `yaml:"connect_timeout" doc:"for name resolution, connection and TLS together"`
	ResponseTimeout time.Duration `yaml:"response_timeout" doc:"to the first byte of the answer: 504; 0: no limit"`
	Flush           string        `yaml:"flush" doc:"auto, always or never: when pieces of an answer are sent on"`
	Host            string        `yaml:"host" doc:"the Host a target sees: client, upstream or a name; default: upstream for https, client else"`
	KeepPrefix      bool          `yaml:"keep_prefix" doc:"send the mount's prefix in front of the path"`
	TLS             proxyTLS      `yaml:"tls" doc:"how https targets are spoken to"`
	MaxConns        int           `yaml:"max_conns" doc:"requests a target serves at a time, others wait; 0: no limit"`
	BufferRequest   bool          `yaml:"buffer_request" doc:"take in the whole body before the target hears of the request"`
}

type health struct {
	Path     string        `yaml:"path" doc:"what to ask for; empty: nothing is asked"`
	Interval time.Duration `yaml:"interval" doc:"between two questions"`
	Timeout  time.Duration `yaml:"timeout" doc:"of one question"`
	Status   string        `yaml:"status" doc:"what is well: 2xx, 200, 200-399, or several with commas"`
	Fails    int           `yaml:"fails" doc:"in a row take a target out"`
	Passes   int           `yaml:"passes" doc:"in a row bring it back"`
}

type proxyTLS struct {
	CA                 option.File `yaml:"ca" doc:"certificates to trust; default: the system's"`
	Cert               option.File `yaml:"cert" doc:"our own certificate"`
	Key                option.File `yaml:"key" doc:"its key"`
	ServerName         string      `yaml:"server_name" doc:"the name to ask for and to verify; default: the target's host"`
	InsecureSkipVerify bool        `yaml:"insecure_skip_verify" doc:"trust any certificate"`
}

// UnmarshalOption takes a target or a list of them for the whole.
func (o *proxyOptions) UnmarshalOption(decode func(any) error) error {
	var to upstreams
	if isScalar(decode) || isList(decode) {
		if err := decode(&to); err != nil {
			return err
		}
		o.To = to
		return nil
	}
	type plain proxyOptions
	return decode((*plain)(o))
}

type upstream struct {
	URL    string `yaml:"url" doc:"the target"`
	Weight int    `yaml:"weight" doc:"its share"`
	Backup bool   `yaml:"backup" doc:"used only while no other is available"`
}

// UnmarshalOption takes the URL alone as well.
func (u *upstream) UnmarshalOption(decode func(any) error) error {
	u.Weight = 1
	if isScalar(decode) {
		return decode(&u.URL)
	}
	type plain upstream
	return decode((*plain)(u))
}

type upstreams []upstream

// UnmarshalOption takes one target or a list.
func (u *upstreams) UnmarshalOption(decode func(any) error) error {
	if isList(decode) {
		return decode((*[]upstream)(u))
	}
	var one upstream
	if err := decode(&one); err != nil {
		return err
	}
	*u = upstreams{one}
	return nil
}

// JSONSchema describes the forms.
func (upstreams) JSONSchema() map[string]any {
	text := map[string]any{"type": "string"}
	one := map[string]any{"anyOf": []any{text, map[string]any{
		"type": "object", "additionalProperties": false, "required": []string{"url"},
		"properties": map[string]any{
			"url":    map[string]any{"type": "string", "description": "the target"},
			"weight": map[string]any{"type": "integer", "minimum": 0, "default": 1, "description": "its share"},
			"backup": map[string]any{"type": "boolean", "default": false, "description": "used only while no other is available"},
		},
	}}}
	return map[string]any{"anyOf": []any{text, map[string]any{"type": "array", "minItems": 1, "items": one}}}
}

type balance struct{ policy, name string }

// MarshalText writes the default for the reference.
func (b balance) MarshalText() ([]byte, error) { return []byte(b.policy), nil }

// JSONSchema describes the forms.
func (balance) JSONSchema() map[string]any {
	named := func(kind string) map[string]any {
		return map[string]any{
			"type": "object", "additionalProperties": false, "required": []string{kind},
			"properties": map[string]any{kind: map[string]any{"type": "string"}},
		}
	}
	return map[string]any{"anyOf": []any{
		map[string]any{"enum": []string{"round_robin", "least_conn", "random_two", "ip_hash", "first"}},
		named("cookie"), named("header"),
	}}
}

// UnmarshalOption takes a policy, or one that needs a name as {cookie: name}.
func (b *balance) UnmarshalOption(decode func(any) error) error {
	if isScalar(decode) {
		return decode(&b.policy)
	}
	var by struct {
		Cookie string `yaml:"cookie"`
		Header string `yaml:"header"`
	}
	if err := decode(&by); err != nil {
		return err
	}
	switch {
	case by.Cookie != "" && by.Header == "":
		b.policy, b.name = "cookie", by.Cookie
	case by.Header != "" && by.Cookie == "":
		b.policy, b.name = "header", by.Header
	default:
		return errors.New("one of cookie and header is needed, with a name (write {cookie: name})")
	}
	return nil
}

func proxying() compose.AppKind {
	defaults := proxyOptions{
		Balance:         balance{policy: "round_robin"},
		Health:          health{Interval: 10 * time.Second, Timeout: 2 * time.Second, Status: "2xx", Fails: 3, Passes: 2},
		FailTimeout:     10 * time.Second,
		MaxFails:        3,
		Retries:         1,
		ConnectTimeout:  5 * time.Second,
		ResponseTimeout: 60 * time.Second,
		Flush:           "auto",
	}
	k := compose.DefineApp("hands requests to one or several HTTP servers", defaults, newProxy)
	k.Schemes = []string{"http://", "https://", "h2c://", "unix:/"}
	k.Example = "http://127.0.0.1:9000"
	return k
}

func newProxy(ctx compose.AppContext, o proxyOptions) (compose.App, error) {
	cfg := proxy.Config{
		Balance:         proxy.Balance{Policy: o.Balance.policy, Name: o.Balance.name},
		Health:          proxy.Health(o.Health),
		MaxFails:        orNone(o.MaxFails),
		FailTimeout:     o.FailTimeout,
		Retries:         orNone(o.Retries),
		ConnectTimeout:  o.ConnectTimeout,
		ResponseTimeout: orNone(o.ResponseTimeout),
		Flush:           o.Flush,
		Host:            o.Host,
		KeepPrefix:      o.KeepPrefix,
		TLS:             proxy.TLS{CA: string(o.TLS.CA), Cert: string(o.TLS.Cert), Key: string(o.TLS.Key), ServerName: o.TLS.ServerName, InsecureSkipVerify: o.TLS.InsecureSkipVerify},
		MaxConns:        o.MaxConns,
		BufferRequest:   o.BufferRequest,
		ScriptName:      dispatcher.ScriptName,
		RawScriptName:   dispatcher.RawScriptName,
		Bare:            dispatcher.Bare,
		Name:            ctx.Name,
		Logger:          ctx.Logger,
	}
	app := compose.App{Foreign: !o.KeepPrefix, Slash: true}
	for i, u := range o.To {
		if err := checkParams(ctx, fmt.Sprintf("to[%d]", i), u.URL); err != nil {
			return app, err
		}
		cfg.Upstreams = append(cfg.Upstreams, proxy.Upstream(u))
		host, path := hostAndPath(u.URL)
		if host != "" && !strings.Contains(host, "{") {
			app.Hosts = append(app.Hosts, host)
		}
		// A target with a path that ends without a slash is one resource.
		if path != "" && !strings.HasSuffix(path, "/") {
			app.Slash = false
		}
	}
	p, err := proxy.New(cfg)
	if err != nil {
		return app, err
	}
	app.Handler, app.Close = p, func() error { return end(p) }
	app.Preview = func(r *http.Request) compose.Preview {
		return compose.Preview(p.Preview(r))
	}
	return app, nil
}

// end closes a proxy and cuts what is under way: whoever closes an application
// has given its requests their time.
func end(p *proxy.Proxy) error {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Shutdown(over); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func hostAndPath(target string) (host, path string) {
	if rest, ok := strings.CutPrefix(target, "unix:"); ok {
		_, path, _ = strings.Cut(rest, ":")
		return "", path
	}
	u, err := url.Parse(target)
	if err != nil {
		return "", ""
	}
	return u.Host, u.Path
}
