package bearer_test

import (
	"errors"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/auth/bearer"
)

// paths gives the options that an error is about, in order.
func paths(err error) []string {
	var found []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			found = append(found, paths(e)...)
		}
		return found
	}
	var o interface{ OptionPath() string }
	if errors.As(err, &o) {
		return []string{o.OptionPath()}
	}
	return []string{""}
}

func TestMistakes(t *testing.T) {
	file := keyFile(t, jwks("ec"))
	long := []byte(strings.Repeat("s", 32))
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("<html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		cfg  bearer.Config
		want string
	}{
		"nothing":              {bearer.Config{}, ""},
		"no such file":         {bearer.Config{JWKS: file + "x"}, "jwks"},
		"not a key set":        {bearer.Config{JWKS: bad}, "jwks"},
		"a set without keys":   {bearer.Config{JWKS: keyFile(t, []byte(`{"keys":[]}`))}, "jwks"},
		"http elsewhere":       {bearer.Config{JWKS: "http://id.example.com/keys"}, "jwks"},
		"issuer no URL":        {bearer.Config{Issuer: "id.example.com"}, "issuer"},
		"none":                 {bearer.Config{JWKS: file, Algorithms: []string{"none"}}, "algorithms"},
		"HS with public keys":  {bearer.Config{JWKS: file, Algorithms: []string{"RS256", "HS256"}}, "algorithms"},
		"RS with a secret":     {bearer.Config{Secret: long, Algorithms: []string{"HS256", "RS256"}}, "algorithms"},
		"unknown":              {bearer.Config{JWKS: file, Algorithms: []string{"RS257"}}, "algorithms"},
		"short secret":         {bearer.Config{Secret: long[:31]}, "secret"},
		"short for HS512":      {bearer.Config{Secret: long, Algorithms: []string{"HS512"}}, "secret"},
		"secret and keys":      {bearer.Config{Secret: long, JWKS: file}, "jwks"},
		"leeway":               {bearer.Config{JWKS: file, Leeway: 2 * time.Minute}, "leeway"},
		"realm":                {bearer.Config{JWKS: file, Realm: "a\"b"}, "realm"},
		"scope":                {bearer.Config{JWKS: file, Scopes: []string{"a", "b c"}}, "scopes[1]"},
		"audience":             {bearer.Config{JWKS: file, Audience: []string{""}}, "audience[0]"},
		"introspection, whom?": {bearer.Config{JWKS: file, Introspection: bearer.Introspection{ClientID: "x"}}, "introspect.url"},
		"introspection, who?":  {bearer.Config{Introspection: bearer.Introspection{URL: "https://id.example.com/"}}, "introspect.client_id"},
		"introspection, http":  {bearer.Config{Introspection: bearer.Introspection{URL: "http://id.example.com/", ClientID: "x"}}, "introspect.url"},
		"key times":            {bearer.Config{JWKS: file, KeyRefresh: time.Second, KeyLifetime: time.Millisecond}, "key_lifetime key_refresh"},
		"several": {
			bearer.Config{JWKS: "http://id.example.com/", Algorithms: []string{"x"}, Leeway: time.Hour, CacheSize: -1},
			"algorithms cache jwks leeway",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := bearer.New(tt.cfg)
			if err == nil {
				_ = m.Close()
				t.Fatal("no mistake was found")
			}
			got := paths(err)
			sort.Strings(got)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%q: %v", got, err)
			}
		})
	}
}

func TestAnIssuerThatIsAwayIsNoMistake(t *testing.T) {
	method(t, bearer.Config{Issuer: "https://id.example.com"})
	method(t, bearer.Config{Issuer: "http://127.0.0.1:1"})
	method(t, bearer.Config{Issuer: "http://id.example.com", InsecureHTTP: true})
}
