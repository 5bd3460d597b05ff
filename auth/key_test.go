package auth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mountd/mountd/auth"
)

func TestKeys(t *testing.T) {
	k, err := auth.NewKey(auth.KeyConfig{Keys: map[string]string{"ci": sum("k3y"), "cron": strings.ToUpper(sum("ö&="))}, Header: "x-api-key", Query: "key"})
	if err != nil {
		t.Fatal(err)
	}
	everywhere(t, k.Wrap(name), func(t *testing.T, h http.Handler) {
		for _, c := range []struct{ target, fields, want string }{
			{"/", "", ""},
			{"/", "X-Api-Key: k3y", "ci"},
			{"/", "X-Api-Key: ö&=", "cron"},
			{"/", "X-Api-Key: k3", ""},
			{"/", "X-Api-Key: ", ""},
			{"/", "X-Api-Key: k3y|X-Api-Key: k3y", ""},
			{"/", "X-Api-Key: " + strings.Repeat("x", 1<<16), ""},
			{"/?key=k3y", "", "ci"},
			{"/?a=b&k%65y=%C3%B6%26%3D", "", "cron"},
			{"/?key=wrong", "", ""},
			{"/?key=k3y&key=k3y", "", ""},
			{"/?key", "", ""},
			{"/?key=%zz", "", ""},
			{"/?Key=k3y", "", ""},
			{"/?key=wrong", "X-Api-Key: k3y", "ci"},
			{"/?key=k3y", "X-Api-Key: wrong", ""},
			{"/", "X-Api-Key: " + sum("k3y"), ""},
		} {
			var fields []string
			if c.fields != "" {
				fields = strings.Split(c.fields, "|")
			}
			w := ask(h, c.target, fields...)
			if c.want == "" && (w.Code != 401 || w.Header().Get("WWW-Authenticate") != `ApiKey header="X-Api-Key"`) || c.want != "" && w.Body.String() != c.want {
				t.Errorf("%s %.40q: %d %q", c.target, c.fields, w.Code, w.Body)
			}
		}
	})
}

func TestMistakesInKeys(t *testing.T) {
	for want, cfg := range map[string]auth.KeyConfig{
		"keys: there are no keys":           {},
		"keys.ci: this is no SHA-256":       {Keys: map[string]string{"ci": "k3y"}},
		"keys.x: this is no SHA-256":        {Keys: map[string]string{"x": ""}},
		"keys.ci: this is the SHA-256 of":   {Keys: map[string]string{"ci": sum("")}},
		`keys.b: "a" has the same key`:      {Keys: map[string]string{"a": sum("x"), "b": sum("x")}},
		"keys.: the user's name is empty":   {Keys: map[string]string{"": sum("x")}},
		`header: "Cookie" has another mean`: {Keys: map[string]string{"a": sum("x")}, Header: "Cookie"},
		`header: "X Key" is no header name`: {Keys: map[string]string{"a": sum("x")}, Header: "X Key"},
	} {
		if _, err := auth.NewKey(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	k, err := auth.NewKey(auth.KeyConfig{Keys: map[string]string{"ci": sum("k3y")}})
	if err != nil {
		b.Fatal(err)
	}
	r, _ := http.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-API-Key", "k3y")
	b.ReportAllocs()
	for b.Loop() {
		if u, _ := k.Authenticate(nil, r); u == nil {
			b.Fatal("refused")
		}
	}
}
