package builtin

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/cookiestore"
	"github.com/mountd/mountd/session/memstore"
	"github.com/mountd/mountd/session/redisstore"
	"github.com/mountd/mountd/session/sqlitestore"
)

type sessionOptions struct {
	Store    sessionStore  `yaml:"store" doc:"memory, cookie, sqlite:path, or redis://host:6379/0 (rediss:// with TLS, unix://path; hosts with commas for a cluster, ?master=name for Sentinel)"`
	Lifetime time.Duration `yaml:"lifetime" doc:"how long a session lasts, however much it is used"`
	Idle     time.Duration `yaml:"idle" doc:"how long it lasts without being used"`
	Cookie   sessionCookie `yaml:"cookie" doc:"how the cookie looks"`
	Keys     []string      `yaml:"keys" doc:"cookie store: secrets of at least 32 bytes each; the first one writes, all read"`
	Max      int           `yaml:"max" doc:"memory store: how many sessions there may be"`
}

type sessionCookie struct {
	Name     string   `yaml:"name" doc:"its name; over HTTPS __Host- is put before it if path is / and there is no domain"`
	Path     string   `yaml:"path" doc:"the path below which browsers send it"`
	Domain   string   `yaml:"domain" doc:"a domain whose hosts get it; default: the host alone"`
	SameSite sameSite `yaml:"same_site" doc:"lax, strict or none: which requests of other sites it goes along with"`
	Insecure bool     `yaml:"insecure" doc:"leave Secure and __Host- out over HTTPS too, so that one cookie serves HTTP and HTTPS"`
	Persist  bool     `yaml:"persist" doc:"the cookie outlives the browser"`
}

// sessionStore is memory, cookie, sqlite:path or a Redis URL.
type sessionStore string

const sqlitePrefix = "sqlite:"

// UnmarshalText keeps the text.
func (s *sessionStore) UnmarshalText(text []byte) error { *s = sessionStore(text); return nil }

// SetDir resolves the path of an SQLite file.
func (s *sessionStore) SetDir(dir string) {
	if path, ok := strings.CutPrefix(string(*s), sqlitePrefix); ok {
		*s = sessionStore(sqlitePrefix + inDir(dir, path))
	}
}

// kind is the store without what may be secret.
func (s sessionStore) kind() string {
	switch {
	case s == "memory" || s == "cookie":
		return string(s)
	case strings.HasPrefix(string(s), sqlitePrefix):
		return "sqlite"
	}
	scheme, _, _ := strings.Cut(string(s), "://")
	if oneOf(scheme, "redis rediss valkey valkeys unix") {
		return "redis"
	}
	return ""
}

// sameSite is lax, strict or none.
type sameSite http.SameSite

var sameSites = map[string]http.SameSite{
	"lax": http.SameSiteLaxMode, "strict": http.SameSiteStrictMode, "none": http.SameSiteNoneMode,
}

// UnmarshalText reads one of the words.
func (s *sameSite) UnmarshalText(text []byte) error {
	mode, ok := sameSites[string(text)]
	if !ok {
		return fmt.Errorf("%q is not known (write lax, strict or none)", text)
	}
	*s = sameSite(mode)
	return nil
}

// MarshalText writes the default for the reference.
func (s sameSite) MarshalText() ([]byte, error) {
	for word, mode := range sameSites {
		if mode == http.SameSite(s) {
			return []byte(word), nil
		}
	}
	return nil, fmt.Errorf("%d is no SameSite", s)
}

// JSONSchema describes the words.
func (sameSite) JSONSchema() map[string]any {
	return map[string]any{"enum": []string{"lax", "strict", "none"}}
}

func defaultSessionOptions() sessionOptions {
	return sessionOptions{
		Store: "memory", Lifetime: session.DefaultLifetime, Idle: session.DefaultIdle, Max: memstore.DefaultMax,
		Cookie: sessionCookie{Name: session.DefaultCookieName, Path: "/", SameSite: sameSite(http.SameSiteLaxMode)},
	}
}

func sessions(env Env) compose.Factory {
	f := compose.Define("keeps values between the requests of a browser", defaultSessionOptions(),
		func(o sessionOptions) (compose.Instance, error) { return newSessions(env, o) })
	f = f.WithRules(compose.Rules{Provides: []string{"session"}, Once: true})
	return compose.DescribeFor(f, func(o sessionOptions) string {
		return fmt.Sprintf("%s, for %v, %v idle", o.Store.kind(), o.Lifetime, o.Idle)
	})
}

func newSessions(env Env, o sessionOptions) (compose.Instance, error) {
	store, closeStore, err := o.open(env)
	if err == nil && o.Store != "cookie" && len(o.Keys) > 0 {
		err = &compose.OptionError{Path: "keys", Err: fmt.Errorf("keys are for the cookie store (write store: cookie, or leave them out)")}
	}
	if store == nil { // another stands in, so that the other mistakes are found too
		store, _ = memstore.New(memstore.Config{}) // the zero value is fine
	}
	cfg := session.Config{
		Store: store, Lifetime: o.Lifetime, Idle: o.Idle, Logger: env.Logger,
		Cookie: session.Cookie{
			Name: o.Cookie.Name, Path: o.Cookie.Path, Domain: o.Cookie.Domain, SameSite: http.SameSite(o.Cookie.SameSite),
			Insecure: o.Cookie.Insecure, Persist: o.Cookie.Persist,
		},
	}
	m, mistakes := session.New(cfg)
	if err = errors.Join(err, mistakes); err != nil {
		return compose.Instance{}, errors.Join(err, closeStore())
	}
	forget := env.Sessions.add(m, o.Store.kind())
	return compose.Instance{Wrap: m.Wrap, Offers: m, Close: func() error {
		forget()
		return errors.Join(m.Close(), closeStore())
	}}, nil
}

// open makes the store, and what closes it. Mistakes name their option.
func (o sessionOptions) open(env Env) (session.Store, func() error, error) {
	nothing := func() error { return nil }
	wrong := func(path string, err error) (session.Store, func() error, error) {
		return nil, nothing, &compose.OptionError{Path: path, Err: err}
	}
	kind := o.Store.kind()
	if env.Silent && (kind == "sqlite" || kind == "redis") {
		// Nothing is opened that a site which is only looked at would change.
		if err := o.Store.check(); err != nil {
			return wrong("store", err)
		}
		kind = "memory"
	}
	switch kind {
	case "memory":
		s, err := memstore.New(memstore.Config{Max: o.Max})
		if err != nil {
			return nil, nothing, err
		}
		return s, nothing, nil
	case "cookie":
		cfg := cookiestore.Config{Binding: strings.Join([]string{o.Cookie.Name, o.Cookie.Domain, o.Cookie.Path}, " ")}
		for _, key := range o.Keys {
			cfg.Keys = append(cfg.Keys, []byte(key))
		}
		s, err := cookiestore.New(cfg)
		if err != nil {
			return nil, nothing, err
		}
		return s, nothing, nil
	case "sqlite":
		s, err := sqlitestore.New(sqlitestore.Config{Path: o.Store.path(), Logger: env.Logger})
		if err != nil {
			return wrong("store", err)
		}
		return s, s.Close, nil
	case "redis":
		s, err := redisstore.New(redisstore.Config{URL: string(o.Store), Logger: env.Logger})
		if err != nil {
			return wrong("store", err)
		}
		return s, s.Close, nil
	}
	return wrong("store", errors.New("this store is not known (write memory, cookie, sqlite:path or redis://host:6379/0)"))
}

func (s sessionStore) path() string { return strings.TrimPrefix(string(s), sqlitePrefix) }

// check tells whether the store could be opened, without opening it.
func (s sessionStore) check() error {
	if s.kind() == "redis" {
		return redisstore.CheckURL(string(s))
	}
	if s.path() == "" {
		return errors.New("no file is named (write sqlite:path)")
	}
	info, err := os.Stat(filepath.Dir(s.path()))
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", filepath.Dir(s.path()))
	}
	return err
}
