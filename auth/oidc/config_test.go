package oidc_test

import (
	"errors"
	"net/http"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/auth/oidc"
)

func TestMistakes(t *testing.T) {
	paths := func(err error) string {
		var found []string
		for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
			var o interface{ OptionPath() string }
			if errors.As(e, &o) {
				found = append(found, o.OptionPath())
			} else {
				found = append(found, "-")
			}
		}
		sort.Strings(found)
		return strings.Join(found, " ")
	}
	fine := oidc.Config{Issuer: "https://id.example.com", ClientID: "x", Session: func(*http.Request) auth.Session { return nil }}
	for want, change := range map[string]func(*oidc.Config){
		"- client_id issuer": func(c *oidc.Config) { *c = oidc.Config{} },
		"issuer":             func(c *oidc.Config) { c.Issuer = "http://id.example.com" },
		"scopes[1]":          func(c *oidc.Config) { c.Scopes = []string{"openid", "a b"} },
		"algorithms":         func(c *oidc.Config) { c.Algorithms = []string{"HS256"} },
		"leeway":             func(c *oidc.Config) { c.Leeway = time.Hour },
		"callback":           func(c *oidc.Config) { c.Callback = "//evil.test/" },
		"logout start":       func(c *oidc.Config) { c.Logout, c.Start = "out", "/a?b" },
		"logout":             func(c *oidc.Config) { c.Logout = "/.mountd/oidc/callback" },
		"after_logout":       func(c *oidc.Config) { c.AfterLogout = "https://evil.test/" },
		"algorithms issuer scopes[0]": func(c *oidc.Config) {
			c.Issuer, c.Algorithms, c.Scopes = "x", []string{"none"}, []string{""}
		},
	} {
		cfg := fine
		change(&cfg)
		m, err := oidc.New(cfg)
		if err == nil {
			_ = m.Close()
			t.Errorf("%s: no mistake was found", want)
		} else if got := paths(err); got != want {
			t.Errorf("%q, want %q: %v", got, want, err)
		}
	}
	m, err := oidc.New(fine) // nobody is asked
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if n := len(m.Handlers()); n != 4 {
		t.Errorf("%d addresses", n)
	}
}
