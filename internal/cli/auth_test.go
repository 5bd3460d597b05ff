package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// table writes a table into a directory of its own.
func table(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mountd.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheLogNamesUsersAndHidesKeys(t *testing.T) {
	path := table(t, `
use: [{access_log: {to: access.log, format: "{user} {path} {status}"}}, errors]
mounts:
  /foo: {respond: hi, use: [default, `+joeUser(t)+`]}
  /files: {respond: app, use: [default, `+joeUser(t)+`, {share: {exports: {/t: .}}}]}
  /key: {respond: hi, use: [default, {ip: {deny: [10.0.0.0/8]}}, {auth.key: {query: secret, keys: {ci: 2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683}}}]}
`)
	dir := filepath.Dir(path)
	if err := os.WriteFile(filepath.Join(dir, "test.txt"), []byte("test"), 0o600); err != nil {
		t.Fatal(err)
	}
	site, err := program("").Load(path)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(target, client, password string) {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.RemoteAddr = client + ":1234"
		if password != "" {
			r.SetBasicAuth("joe", password)
		}
		site.ServeHTTP(httptest.NewRecorder(), r)
	}
	serve("/foo", "192.0.2.7", "pw") // dispatch-058
	serve("/foo", "192.0.2.7", "wrong")
	serve("/files/t/test.txt", "192.0.2.7", "pw") // static-066
	serve("/key?secret=key&a=1", "192.0.2.7", "")
	serve("/key?secret=key&a=1", "10.0.0.1", "")
	if err := site.Close(); err != nil {
		t.Error(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	want := "joe /foo 200\n- /foo 401\njoe /files/t/test.txt 200\nci /key?secret=REDACTED&a=1 200\n- /key?secret=REDACTED&a=1 403\n"
	if string(got) != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// joeUser is a layer that knows joe, whose password is pw.
func joeUser(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/good/files/htpasswd")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if hash, ok := strings.CutPrefix(strings.TrimSpace(line), "joe:"); ok {
			return fmt.Sprintf("{auth.basic: {users: {joe: %q}}}", hash)
		}
	}
	t.Fatal("there is no joe")
	return ""
}

func TestExplainShowsTheGate(t *testing.T) {
	path := table(t, `
use: [errors]
middleware:
  team: `+joeUser(t)+`
  ci: {auth.key: {keys: {ci: 2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683}, optional: true}}
mounts:
  /app: {proxy: "http://127.0.0.1:1", use: [default, {team: , except: {path: /open}}, ci, {require: {users: [joe]}, when: {path: /joe}}]}
`)
	for _, c := range []struct {
		url, header string
		want        []string
	}{
		{"/app/x", "", []string{
			"auth.basic (team)  1 user  except path /open",
			"auth.key (ci)  1 keys, optional",
			"auth  refuses requests without a user, unless all auth.* that applied are optional  answers",
			"require  users joe  not reached",
			"answer   401 Unauthorized: no credentials",
			`Www-Authenticate: Basic realm="Restricted", charset="UTF-8"`,
			`Www-Authenticate: ApiKey header="X-Api-Key"`,
		}},
		{"/app/open", "", []string{
			"auth.basic (team)  1 user  skipped by its condition",
			"auth  refuses requests without a user, unless all auth.* that applied are optional\n",
			"sends    GET http://127.0.0.1:1/open",
		}},
		{"/app/joe", "Authorization: Basic am9lOnB3", []string{"Remote-User: joe", "require  users joe  when"}},
	} {
		args := []string{"explain", "-c", path}
		if c.header != "" {
			args = append(args, "-H", c.header)
		}
		got := command(t.Context(), append(args, c.url)...)
		for _, want := range c.want {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%s: no %q in\n%s%s", c.url, want, got.stdout, got.stderr)
			}
		}
		if strings.Contains(got.stdout, "am9l") {
			t.Errorf("%s: the application would get the password:\n%s", c.url, got.stdout)
		}
	}
}

func TestPagesOfRefusalsKeepTheChallenge(t *testing.T) {
	path := table(t, `
use: [{errors: {pages: {401: login.html}}}]
mounts:
  /app: {respond: hi, use: [default, `+joeUser(t)+`]}
`)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "login.html"), []byte("<p>who are you"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/app", nil)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	load(t, path).ServeHTTP(w, r)
	if w.Code != 401 || !strings.Contains(w.Body.String(), "who are you") || w.Header().Get("WWW-Authenticate") == "" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}
