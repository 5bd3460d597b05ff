package auth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/request"
)

func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	m, err := auth.NewHeader(auth.HeaderConfig{User: "Remote-User", Groups: "Remote-Groups", Name: "Remote-Name", Email: "remote-email"})
	if err != nil {
		t.Fatal(err)
	}
	full := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, _ := auth.UserFromContext(r.Context())
		fmt.Fprintf(w, "%s %q %s %s", u.Name, u.Groups, u.DisplayName, u.Email)
	})
	all := http.Header{"Remote-User": {"joe"}, "Remote-Groups": {"a, b", "c"}, "Remote-Name": {"Joe Doe"}, "Remote-Email": {"j@example.com"}}
	for _, c := range []struct {
		name     string
		trusted  bool
		asserted http.Header
		want     string
	}{
		{"all", true, all, `joe ["a" "b" "c"] Joe Doe j@example.com`},
		{"not trusted", false, all, ""},
		{"nothing", true, nil, ""},
		{"empty", true, http.Header{"Remote-User": {""}}, ""},
		{"two users", true, http.Header{"Remote-User": {"joe", "root"}}, ""},
		{"no user", true, http.Header{"Remote-Groups": {"a"}}, ""},
		{"a blank name", true, http.Header{"Remote-User": {" joe"}}, ""},
		{"a tab", true, http.Header{"Remote-User": {"a\tb"}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Remote-User", "root") // as no front door lets pass
			w := httptest.NewRecorder()
			rec := request.New(w, r)
			rec.PeerTrusted, rec.Asserted = c.trusted, c.asserted
			m.Wrap(full).ServeHTTP(&rec.Writer, &rec.Request)
			if c.want == "" && w.Code != 401 || c.want != "" && w.Body.String() != c.want {
				t.Errorf("%d %q", w.Code, w.Body)
			}
		})
	}
	if w := ask(m.Wrap(name), "/", "Remote-User: joe"); w.Code != 401 {
		t.Errorf("without a front door: %d", w.Code)
	}
}

func TestAProgramMaySayWhomItTrusts(t *testing.T) {
	m, err := auth.NewHeader(auth.HeaderConfig{User: "X-User", Trusted: func(r *http.Request) bool { return r.RemoteAddr == "192.0.2.1:1234" }})
	if err != nil {
		t.Fatal(err)
	}
	if w := ask(m.Wrap(name), "/", "X-User: joe"); w.Body.String() != "joe" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	for _, cfg := range []auth.HeaderConfig{{}, {User: "X User"}, {User: "X-User", Groups: "Cookie"}} {
		if _, err := auth.NewHeader(cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}
