package builtin_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/builtin"
	"github.com/mountd/mountd/session"
)

func sessionEnv(silent bool) builtin.Env {
	return builtin.Env{Stderr: io.Discard, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Silent: silent}
}

// newSession builds the layer from what a table says.
func newSession(t *testing.T, env builtin.Env, text string) (compose.Instance, error) {
	t.Helper()
	f := builtin.Middlewares(env)["session"]
	o := f.Options()
	if err := value(t, text).Decode(o); err != nil {
		return compose.Instance{}, err
	}
	in, err := f.New(o)
	if err == nil {
		t.Cleanup(func() {
			if err := in.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return in, err
}

// paths gives the options that err names.
func paths(err error) (all []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, paths(e)...)
		}
		return all
	}
	var o interface{ OptionPath() string }
	if errors.As(err, &o) {
		all = append(all, o.OptionPath())
	}
	return all
}

func TestMistakesInSessions(t *testing.T) {
	for text, want := range map[string][]string{
		"{store: nosuch}":                                                {"store"},
		"{store: 'sqlite:'}":                                             {"store"},
		"{store: 'sqlite:/nosuch/dir/x'}":                                {"store"},
		"{store: 'redis://a b'}":                                         {"store"},
		"{store: 'redis://u:secret@h/x'}":                                {"store"},
		"{store: cookie}":                                                {"keys"},
		"{store: cookie, keys: [short, short]}":                          {"keys[0]", "keys[1]"},
		"{keys: [" + strings.Repeat("k", 32) + "]}":                      {"keys"},
		"{max: -1, cookie: {name: 'a b'}}":                               {"max", "cookie.name"},
		"{store: nosuch, lifetime: 1us, cookie: {path: x, domain: '-'}}": {"store", "lifetime", "cookie.path", "cookie.domain"},
		"{cookie: {same_site: none, insecure: true}}":                    {"cookie.same_site"},
		"{cookie: {name: __Host-x}}":                                     {"cookie.name"},
	} {
		for _, silent := range []bool{false, true} {
			_, err := newSession(t, sessionEnv(silent), text)
			if got := paths(err); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q (%v)", text, got, want, err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: the error holds the password: %v", text, err)
			}
		}
	}
	if _, err := newSession(t, sessionEnv(false), "{cookie: {same_site: laxer}}"); err == nil {
		t.Error("same_site: laxer is taken")
	}
}

// A server that cannot be reached is no mistake: whoever needs a session waits
// for it.
func TestSessionsAreMade(t *testing.T) {
	dir := t.TempDir()
	for text, works := range map[string]bool{
		"{}":                               true,
		"{store: memory, max: 10}":         true,
		"{store: 'sqlite:" + dir + "/s'}":  true,
		"{store: 'redis://127.0.0.1:1/0'}": false,
		"{store: cookie, keys: [" + strings.Repeat("k", 32) + "], cookie: {name: sid, same_site: strict, persist: true}}": true,
	} {
		in, err := newSession(t, sessionEnv(false), text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		w := httptest.NewRecorder()
		in.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := session.FromRequest(r).Login("joe"); (err == nil) != works {
				t.Errorf("%s: %v", text, err)
			}
		})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if set := w.Header().Get("Set-Cookie"); works && set == "" {
			t.Errorf("%s: no cookie", text)
		} else if strings.Contains(text, "sid") && (!strings.HasPrefix(set, "sid=") || !strings.Contains(set, "SameSite=Strict") || !strings.Contains(set, "Max-Age")) {
			t.Errorf("%s: %q", text, set)
		}
	}
}

func TestALookAtSessionsOpensNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	for _, text := range []string{"{store: 'sqlite:" + path + "'}", "{store: 'redis://127.0.0.1:1/0'}"} {
		if _, err := newSession(t, sessionEnv(true), text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was made")
	}
}

func TestWhereSessionsStand(t *testing.T) {
	f := builtin.Middlewares(sessionEnv(true))["session"]
	rules := f.Rules(f.Options())
	if !slices.Contains(rules.Provides, "session") || !rules.Once {
		t.Errorf("%+v", rules)
	}
	o := f.Options()
	if err := value(t, "{store: 'redis://u:secret@host/0', idle: 5m}").Decode(o); err != nil {
		t.Fatal(err)
	}
	if got := f.Describe(o); got != "redis, for 24h0m0s, 5m0s idle" {
		t.Errorf("%q", got)
	}
}
