package bearer_test

import (
	"strings"
	"testing"

	"github.com/mountd/mountd/auth/bearer"
	"github.com/mountd/mountd/internal/request"
)

// Whatever stands in Authorization, only what the key has signed passes, and
// nothing is a server's error.
func FuzzAuthorization(f *testing.F) {
	secret := []byte(strings.Repeat("s", 32))
	m := method(f, bearer.Config{Secret: secret})
	fine := sign(f, secret, "HS256", claims{"alg": "HS256"}, `{"sub":"joe","exp":99999999999}`)
	head, rest, _ := strings.Cut(fine, ".")
	for _, s := range []string{
		"", "Bearer", "Bearer ", "Bearer " + fine, "bearer " + fine + "=", "Bearer ..", "Bearer " + head + "..",
		"Bearer " + b64(`{"alg":"none"}`) + "." + rest, "Bearer " + b64(`{"alg":["HS256"]}`) + "." + rest,
		"Bearer " + b64(`{"alg":"HS256","alg":"none"}`) + "." + rest, "Bearer e30.e30.e30", "Basic am9lOnB3", "Bearer \x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		u, err := m.Authenticate(nil, with(line))
		if err != nil {
			if status, _, h := request.Describe(err); status != 401 || strings.ContainsAny(h.Get("Www-Authenticate"), "\r\n") {
				t.Errorf("%d %v", status, h)
			}
			return
		}
		if u != nil && !strings.Contains(line, fine) {
			t.Errorf("%q passed as %+v", line, u)
		}
	})
}

// Whatever an issuer has signed, a user it makes has a name that can stand in
// a header field.
func FuzzPayload(f *testing.F) {
	secret := []byte(strings.Repeat("s", 32))
	m := method(f, bearer.Config{Secret: secret, Claims: bearer.Claims{User: "a.b"}})
	for _, s := range []string{
		`{}`, `{"a":{"b":"joe"},"exp":99999999999}`, `{"a.b":"joe","exp":99999999999,"groups":["x"]}`, `{"a":{"b":"\u0000"},"exp":99999999999}`,
		`{"a":{"b":"joe"},"exp":1e400}`, `{"a":1,"a":2}`, `[]`, `{"a":{"b":"joe"},"exp":99999999999}x`, "{\"\xff\":1}", `{"a":{"b":"joe"},"exp":99999999999,"groups":[[]]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		u, err := m.Authenticate(nil, with("Bearer "+sign(t, secret, "HS256", claims{"alg": "HS256"}, payload)))
		if err != nil {
			if status, _, _ := request.Describe(err); status != 401 {
				t.Errorf("%d", status)
			}
			return
		}
		for _, s := range append([]string{u.Name}, u.Groups...) {
			if strings.ContainsAny(s, "\r\n\x00") {
				t.Errorf("%+v", u)
			}
		}
		if u.Name == "" {
			t.Errorf("nobody's name: %s", payload)
		}
	})
}
