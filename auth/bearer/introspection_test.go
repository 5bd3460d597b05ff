package bearer_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mountd/mountd/auth/bearer"
)

// introspection is an endpoint that knows some tokens.
func introspection(t testing.TB, known map[string]any) *answers {
	t.Helper()
	a := &answers{}
	a.set(func(r *http.Request) (*http.Response, error) {
		id, secret, _ := r.BasicAuth()
		if r.Method != "POST" || id != "api%3A1" || secret != "s+%26" || r.ParseForm() != nil {
			return fixed(401, nil)(r)
		}
		reply, found := known[r.PostForm.Get("token")]
		if !found {
			reply = claims{"active": false}
		}
		data, ok := reply.(string)
		if !ok {
			b, _ := json.Marshal(reply)
			data = string(b)
		}
		return fixed(200, []byte(data))(r)
	})
	return a
}

func introspecting(t testing.TB, a *answers) *bearer.Method {
	return method(t, bearer.Config{
		Issuer: "https://id.example.com", Audience: []string{"api"}, Transport: a,
		Introspection: bearer.Introspection{URL: "https://id.example.com/introspect", ClientID: "api:1", ClientSecret: "s &"},
	})
}

func TestOpaqueTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fine := func(more claims) claims {
			c := good(more)
			if _, said := more["active"]; !said {
				c["active"] = true
			}
			return c
		}
		a := introspection(t, map[string]any{
			"good":       fine(nil),
			"lasting":    fine(claims{"exp": nil}),
			"no-issuer":  fine(claims{"iss": nil}),
			"short":      fine(claims{"exp": time.Now().Add(20 * time.Second).Unix()}),
			"yes":        fine(claims{"active": "true"}),
			"silent":     good(nil),
			"expired":    fine(claims{"exp": 1}),
			"exp-text":   fine(claims{"exp": "99999999999"}),
			"early":      fine(claims{"nbf": time.Now().Add(time.Hour).Unix()}),
			"other-aud":  fine(claims{"aud": "web"}),
			"no-aud":     fine(claims{"aud": nil}),
			"other-iss":  fine(claims{"iss": "https://id.example.org"}),
			"no-user":    fine(claims{"sub": nil}),
			"twice":      `{"active":false,"active":true,"sub":"joe","aud":"api"}`,
			"html":       `<html>`,
			"not-object": `true`,
		})
		m := introspecting(t, a)
		for token, want := range map[string]int{
			"good": 200, "lasting": 200, "no-issuer": 200, "short": 200,
			"unknown": 401, "yes": 401, "silent": 401, "expired": 401, "exp-text": 401, "early": 401,
			"other-aud": 401, "no-aud": 401, "other-iss": 401, "no-user": 401,
			"twice": 503, "html": 503, "not-object": 503,
		} {
			expect(t, m, token, want)
		}
		// Without keys a JSON Web Token is as opaque as others.
		expect(t, m, b64(`{"alg":"none"}`)+"."+b64(`{"sub":"joe"}`)+".", 401)
	})
}

func TestAnswersAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := map[string]any{"good": claims{"active": true, "sub": "joe", "aud": "api", "exp": time.Now().Add(time.Hour).Unix()}}
		a := introspection(t, known)
		m := introspecting(t, a)
		for range 10 {
			expect(t, m, "good", 200)
			expect(t, m, "bad", 401)
		}
		if a.count() != 2 {
			t.Errorf("asked %d times", a.count())
		}
		a.set(fixed(200, []byte(`{"active":false}`))) // taken back
		time.Sleep(59 * time.Second)
		expect(t, m, "good", 200)
		time.Sleep(time.Second)
		expect(t, m, "good", 401)
	})
}

func TestOneQuestionForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		a.set(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return fixed(200, []byte(`{"active":true,"sub":"joe","aud":"api"}`))(r)
		})
		m := introspecting(t, a)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { expect(t, m, "good", 200) })
		}
		wg.Wait()
		if a.count() != 1 {
			t.Errorf("asked %d times", a.count())
		}

		// Random tokens can't keep more than some questions under way.
		got := make([]int, 200)
		for i := range got {
			wg.Go(func() { _, got[i], _ = answer(m, fmt.Sprint("t", i)) })
		}
		wg.Wait()
		passed := 0
		for _, status := range got {
			switch status {
			case 200:
				passed++
			case 503:
			default:
				t.Errorf("status %d", status)
			}
		}
		if passed != 32 || a.count() != 33 {
			t.Errorf("%d passed, asked %d times", passed, a.count())
		}
	})
}

func TestNobodyToAsk(t *testing.T) {
	for name, reply := range map[string]func(*http.Request) (*http.Response, error){
		"down": failing, "silent": silent, "500": fixed(500, nil), "401": fixed(401, nil),
		"50 MiB": fixed(200, append([]byte(`{"active":true,"sub":"joe","aud":"api","x":"`), make([]byte, 50<<20)...)),
		"elsewhere": func(r *http.Request) (*http.Response, error) {
			if r.URL.Host != "id.example.com" {
				t.Error("the token was sent to somebody else")
			}
			res, err := fixed(307, nil)(r)
			res.Header.Set("Location", "https://evil.example.org/")
			return res, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{}
				a.set(reply)
				m := introspecting(t, a)
				expect(t, m, "good", 503)
				a.set(fixed(200, []byte(`{"active":true,"sub":"joe","aud":"api"}`)))
				expect(t, m, "good", 200)
			})
		})
	}
}

func TestBothKindsOfTokens(t *testing.T) {
	keys()
	synctest.Test(t, func(t *testing.T) {
		a := &answers{}
		a.set(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/keys" {
				return fixed(200, jwks("rsa1"))(r)
			}
			return fixed(200, []byte(`{"active":true,"sub":"joe"}`))(r)
		})
		m := method(t, bearer.Config{
			JWKS: "https://id.example.com/keys", Transport: a,
			Introspection: bearer.Introspection{URL: "https://id.example.com/introspect", ClientID: "api"},
		})
		expect(t, m, signed(t, "rsa1", good(nil)), 200)
		expect(t, m, signed(t, "rsa1", good(claims{"exp": 1})), 401)
		expect(t, m, "opaque", 200)
	})
}
