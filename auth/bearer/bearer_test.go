package bearer_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/auth/bearer"
	"github.com/mountd/mountd/internal/request"
)

func keyFile(t testing.TB, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func usual(t testing.TB) *bearer.Method {
	t.Helper()
	return method(t, bearer.Config{
		Issuer: "https://id.example.com", Audience: []string{"api"}, JWKS: keyFile(t, jwks("rsa1", "ec", "ed")),
	})
}

func TestGoodTokens(t *testing.T) {
	m := usual(t)
	for _, name := range []string{"rsa1", "ec", "ed"} {
		expect(t, m, signed(t, name, good(nil)), 200)
	}
	key := keys()["rsa1"]
	for name, token := range map[string]string{
		"no kid":                sign(t, key, "RS256", claims{"alg": "RS256"}, good(nil)),
		"access token":          sign(t, key, "RS256", claims{"alg": "RS256", "typ": "at+JWT"}, good(nil)),
		"its whole type":        sign(t, key, "RS256", claims{"alg": "RS256", "typ": "application/at+jwt"}, good(nil)),
		"keys of its own":       sign(t, key, "RS256", claims{"alg": "RS256", "kid": "rsa1", "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/"}, good(nil)),
		"one of some audiences": signed(t, "rsa1", good(claims{"aud": []string{"web", "api"}})),
		"a moment too old":      signed(t, "rsa1", good(claims{"exp": time.Now().Unix() - 10})),
		"a moment too early":    signed(t, "rsa1", good(claims{"nbf": time.Now().Unix() + 20, "iat": time.Now().Unix() + 20})),
	} {
		t.Run(name, func(t *testing.T) { expect(t, m, token, 200) })
	}
}

// The rows F11, F13, F14 and F17.
func TestBadTokens(t *testing.T) {
	m := usual(t)
	key := keys()["rsa1"]
	now := time.Now()
	header := claims{"alg": "RS256", "kid": "rsa1", "typ": "JWT"}
	rs256 := func(payload any) string { return sign(t, key, "RS256", header, payload) }
	head := func(h any) string { return sign(t, key, "RS256", h, good(nil)) }
	fine := rs256(good(nil))
	parts := strings.Split(fine, ".")
	publicKey := jwks("rsa1")
	stranger, _ := rsa.GenerateKey(rand.Reader, 2048)
	jwk, _ := json.Marshal(jose.JSONWebKey{Key: stranger.Public(), KeyID: "rsa1"})
	var badSignature = parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 256))

	for name, token := range map[string]string{
		"alg none":               b64(`{"alg":"none"}`) + "." + b64(text(good(nil))) + ".",
		"alg None":               b64(`{"alg":"None"}`) + "." + b64(text(good(nil))) + ".",
		"alg nOnE":               b64(`{"alg":"nOnE"}`) + "." + b64(text(good(nil))) + ".x",
		"alg none, signed":       head(claims{"alg": "none"}),
		"alg missing":            head(claims{"kid": "rsa1"}),
		"alg a list":             head(claims{"alg": []string{"RS256"}}),
		"alg null":               head(`{"alg":null}`),
		"alg twice":              head(`{"alg":"none","alg":"RS256"}`),
		"alg in another case":    head(claims{"alg": "rs256"}),
		"alg not allowed":        sign(t, key, "PS256", claims{"alg": "PS256", "kid": "rsa1"}, good(nil)),
		"alg of another key":     head(claims{"alg": "ES256", "kid": "rsa1"}),
		"public key as a secret": sign(t, publicKey, "HS256", claims{"alg": "HS256", "kid": "rsa1"}, good(nil)),
		"empty signature":        parts[0] + "." + parts[1] + ".",
		"wrong signature":        badSignature,
		"other payload":          parts[0] + "." + b64(text(good(claims{"sub": "root"}))) + "." + parts[2],
		"own key":                sign(t, stranger, "RS256", claims{"alg": "RS256", "kid": "rsa1", "jwk": json.RawMessage(jwk)}, good(nil)),

		"kid a path":      head(claims{"alg": "RS256", "kid": "../../dev/null"}),
		"kid SQL":         head(claims{"alg": "RS256", "kid": "' OR 1=1 --"}),
		"kid long":        head(claims{"alg": "RS256", "kid": strings.Repeat("k", 600)}),
		"kid a number":    head(claims{"alg": "RS256", "kid": 1}),
		"kid of 1 MiB":    head(claims{"alg": "RS256", "kid": strings.Repeat("k", 1<<20)}),
		"crit":            head(claims{"alg": "RS256", "kid": "rsa1", "crit": []string{"exp"}}),
		"crit b64":        head(claims{"alg": "RS256", "kid": "rsa1", "crit": []string{"b64"}, "b64": true}),
		"compressed":      head(claims{"alg": "RS256", "kid": "rsa1", "zip": "DEF"}),
		"a logout token":  head(claims{"alg": "RS256", "kid": "rsa1", "typ": "logout+jwt"}),
		"header a list":   head(`["alg"]`),
		"header trailing": head(`{"alg":"RS256"}{}`),

		"aud empty":          rs256(good(claims{"aud": ""})),
		"aud missing":        rs256(good(claims{"aud": nil})),
		"aud null":           rs256(`{"iss":"https://id.example.com","sub":"joe","aud":null,"exp":99999999999}`),
		"aud no list":        rs256(good(claims{"aud": []string{}})),
		"aud another":        rs256(good(claims{"aud": []string{"apis"}})),
		"aud a number":       rs256(good(claims{"aud": 1})),
		"aud with a number":  rs256(good(claims{"aud": []any{"api", 1}})),
		"iss another":        rs256(good(claims{"iss": "https://id.example.com/"})),
		"iss missing":        rs256(good(claims{"iss": nil})),
		"iss a list":         rs256(good(claims{"iss": []string{"https://id.example.com"}})),
		"sub a number":       rs256(good(claims{"sub": 7})),
		"sub empty":          rs256(good(claims{"sub": ""})),
		"sub missing":        rs256(good(claims{"sub": nil})),
		"sub with a newline": rs256(good(claims{"sub": "joe\nRemote-User: root"})),
		"exp missing":        rs256(good(claims{"exp": nil})),
		"exp a text":         rs256(good(claims{"exp": "99999999999"})),
		"exp a fraction":     rs256(`{"iss":"https://id.example.com","aud":"api","sub":"joe","exp":9999999999.5}`),
		"exp 1e400":          rs256(`{"iss":"https://id.example.com","aud":"api","sub":"joe","exp":1e400}`),
		"exp 1e10":           rs256(`{"iss":"https://id.example.com","aud":"api","sub":"joe","exp":1e10}`),
		"exp huge":           rs256(`{"iss":"https://id.example.com","aud":"api","sub":"joe","exp":9223372036854775808}`),
		"exp negative":       rs256(good(claims{"exp": -1})),
		"exp null":           rs256(`{"iss":"https://id.example.com","aud":"api","sub":"joe","exp":null}`),
		"exp twice":          rs256(`{"iss":"https://id.example.com","aud":"api","sub":"joe","exp":1,"exp":9999999999}`),
		"sub twice, escaped": rs256(`{"iss":"https://id.example.com","aud":"api","sub":"joe","s\u0075b":"root","exp":9999999999}`),
		"expired":            rs256(good(claims{"exp": now.Add(-5 * time.Minute).Unix()})),
		"expired yesterday":  rs256(good(claims{"exp": now.Add(-24 * time.Hour).Unix()})),
		"nbf in the future":  rs256(good(claims{"nbf": now.Add(5 * time.Minute).Unix()})),
		"nbf a text":         rs256(good(claims{"nbf": "1"})),
		"iat in the future":  rs256(good(claims{"iat": now.Add(24 * time.Hour).Unix()})),
		"groups numbers":     rs256(good(claims{"groups": []int{1}})),
		"groups an object":   rs256(good(claims{"groups": claims{"a": "b"}})),
		"not UTF-8":          rs256("{\"iss\":\"https://id.example.com\",\"aud\":\"api\",\"sub\":\"joe\xff\",\"exp\":9999999999}"),
		"payload a text":     rs256(`"joe"`),
		"payload empty":      rs256(``),
		"nested deeply":      rs256(strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000)),

		"one part":        "joe",
		"two parts":       parts[0] + "." + parts[1],
		"four parts":      fine + ".x",
		"five parts":      fine + ".x.y",
		"padding":         fine + "==",
		"blank inside":    parts[0] + " ." + parts[1] + "." + parts[2],
		"nothing":         "",
		"two dots":        "..",
		"1 MiB":           strings.Repeat("a", 1<<20),
		"17 KiB of a sig": fine + strings.Repeat("A", 17<<10),
	} {
		t.Run(name, func(t *testing.T) { expect(t, m, token, 401) })
	}
	expect(t, m, fine, 200)
}

func TestWhereTokensAreLookedFor(t *testing.T) {
	m := usual(t)
	token := signed(t, "ec", good(nil))
	status := func(r *http.Request) int {
		u, err := m.Authenticate(httptest.NewRecorder(), r)
		switch {
		case err != nil:
			status, _, _ := request.Describe(err)
			return status
		case u != nil:
			return 200
		}
		return 0
	}
	for name, tt := range map[string]struct {
		lines []string
		want  int
	}{
		"none":               {nil, 0},
		"another scheme":     {[]string{"Basic am9lOnB3"}, 0},
		"a longer scheme":    {[]string{"Bearers " + token}, 0},
		"bearer":             {[]string{"bearer " + token}, 200},
		"BEARER, blanks":     {[]string{"BEARER   " + token}, 200},
		"no token":           {[]string{"Bearer"}, 401},
		"a comma":            {[]string{"Bearer " + token + ", Basic x"}, 401},
		"twice the same":     {[]string{"Bearer " + token, "Bearer " + token}, 400},
		"beside basic":       {[]string{"Basic am9lOnB3", "Bearer " + token}, 400},
		"two of others":      {[]string{"Basic am9lOnB3", "Basic am9lOnB3"}, 0},
		"a tab":              {[]string{"Bearer\t" + token}, 0},
		"the token, no more": {[]string{token}, 0},
	} {
		if got := status(with(tt.lines...)); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
	r := httptest.NewRequest("POST", "/?access_token="+token, strings.NewReader("access_token="+token))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Cookie", "access_token="+token)
	r.Header.Set("Proxy-Authorization", "Bearer "+token)
	if got := status(r); got != 0 {
		t.Errorf("a token outside Authorization was taken: %d", got)
	}
}

func TestClaimsBecomeAUser(t *testing.T) {
	m := method(t, bearer.Config{
		JWKS: keyFile(t, jwks("ec")),
		Claims: bearer.Claims{
			User: "preferred_username", Groups: "realm_access.roles", Name: "https://example.com/name", Email: "contact.email",
		},
	})
	u, err := m.Authenticate(nil, with("Bearer "+signed(t, "ec", good(claims{
		"preferred_username":       "Joe Doe",
		"realm_access":             claims{"roles": []string{"admins", "staff"}},
		"https://example.com/name": "Joe",
		"contact":                  claims{"email": "joe@example.com", "email_verified": true},
		"level":                    3,
	}))))
	if err != nil {
		t.Fatal(err)
	}
	if u.Name != "Joe Doe" || !slices.Equal(u.Groups, []string{"admins", "staff"}) || u.DisplayName != "Joe" ||
		u.Email != "joe@example.com" || u.Method != "bearer" || u.Claims["level"] != json.Number("3") {
		t.Errorf("%+v", u)
	}
	// An object that is not one, and nobody's name.
	for _, c := range []claims{{"realm_access": "admins", "preferred_username": "joe"}} {
		if u, err := m.Authenticate(nil, with("Bearer "+signed(t, "ec", good(c)))); err != nil || u.Groups != nil {
			t.Errorf("%v: %+v, %v", c, u, err)
		}
	}
	expect(t, m, signed(t, "ec", good(nil)), 401)
}

// The row F20.
func TestAnEmailCountsOnceItIsVerified(t *testing.T) {
	m := method(t, bearer.Config{JWKS: keyFile(t, jwks("ec")), Claims: bearer.Claims{User: "email"}})
	ask := func(c claims) (*auth.User, error) {
		return m.Authenticate(nil, with("Bearer "+signed(t, "ec", good(c))))
	}
	for _, c := range []claims{
		{"email": "joe@example.com"},
		{"email": "joe@example.com", "email_verified": false},
		{"email": "joe@example.com", "email_verified": "false"},
		{"email": "joe@example.com", "email_verified": 1},
		{"email": "a@evil.example@example.com", "email_verified": true},
		{"email": "joe", "email_verified": true},
		{"email": "@example.com", "email_verified": true},
		{"email": "joe@example.com,root@example.com", "email_verified": true},
		{"email": "joe@example.com\n", "email_verified": true},
		{"email": "", "email_verified": true},
		{"email": []string{"joe@example.com"}, "email_verified": true},
	} {
		if u, err := ask(c); err == nil {
			t.Errorf("%v: %+v", c, u)
		}
	}
	for _, verified := range []any{true, "true"} {
		if u, err := ask(claims{"email": "Joe@Example.com", "email_verified": verified}); err != nil || u.Name != "Joe@Example.com" || u.Email != u.Name {
			t.Errorf("%+v, %v", u, err)
		}
	}
	other := method(t, bearer.Config{JWKS: keyFile(t, jwks("ec"))})
	if u, err := other.Authenticate(nil, with("Bearer "+signed(t, "ec", good(claims{"email": "joe@example.com"})))); err != nil || u.Email != "" {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestSecrets(t *testing.T) {
	secret := []byte(strings.Repeat("0123456789abcdef", 4))
	m := method(t, bearer.Config{Secret: secret})
	expect(t, m, sign(t, secret, "HS256", claims{"alg": "HS256"}, good(nil)), 200)
	expect(t, m, sign(t, secret, "HS256", claims{"alg": "HS256", "kid": "any"}, good(nil)), 200)
	expect(t, m, sign(t, secret[:32], "HS256", claims{"alg": "HS256"}, good(nil)), 401)
	expect(t, m, sign(t, secret, "HS256", claims{"alg": "HS512"}, good(nil)), 401)
	expect(t, m, signed(t, "rsa1", good(nil)), 401)
}

func TestScopes(t *testing.T) {
	m := method(t, bearer.Config{JWKS: keyFile(t, jwks("ec")), Scopes: []string{"read", "write"}, Realm: "API"})
	for _, c := range []claims{
		{"scope": "read write other"}, {"scp": []string{"write", "read"}},
	} {
		expect(t, m, signed(t, "ec", good(c)), 200)
	}
	for _, c := range []claims{nil, {"scope": "read"}, {"scope": "readwrite"}, {"scope": "read", "scp": "write"}} {
		_, status, challenge := answer(m, signed(t, "ec", good(c)))
		if status != 403 || challenge != `Bearer realm="API", scope="read write", error="insufficient_scope"` {
			t.Errorf("%v: %d %s", c, status, challenge)
		}
	}
}

func TestChallenges(t *testing.T) {
	m := method(t, bearer.Config{JWKS: keyFile(t, jwks("ec")), Realm: "Team's API"})
	for want, r := range map[string]*http.Request{
		`Bearer realm="Team's API"`:                        with(),
		`Bearer realm="Team's API", error="invalid_token"`: with("Bearer x"),
	} {
		if c := m.Challenge(r); c.Header != want || c.Login != "" {
			t.Errorf("%+v, want %s", c, want)
		}
	}
	if _, _, got := answer(m, signed(t, "ec", good(claims{"exp": 1}))); got != `Bearer realm="Team's API", error="invalid_token", error_description="expired"` {
		t.Error(got)
	}
	// What a token says is quoted for the header it is put in.
	_, _, got := answer(m, sign(t, keys()["ec"], "ES256", claims{"alg": "x\"\r\nSet-Cookie: a=b, é\\"}, good(nil)))
	if strings.ContainsAny(got, "\r\n\\") || strings.Count(got, `"`) != 6 {
		t.Error(got)
	}
	if c := m.Credentials(); c != (auth.Credentials{Scheme: "Bearer"}) {
		t.Errorf("%+v", c)
	}
}

// No page of another site can make a browser send a token.
func TestUpgradesOfOtherSitesPass(t *testing.T) {
	h := auth.Wrap(usual(t), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := with("Bearer " + signed(t, "ec", good(nil)))
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Origin", "https://app.example.org")
	rec := httptest.NewRecorder()
	if h.ServeHTTP(rec, r); rec.Code != 200 || rec.Header().Get("Cache-Control") != "" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
}

func TestBehindAGate(t *testing.T) {
	m := usual(t)
	var seen *auth.User
	h := auth.Wrap(m, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen, _ = auth.UserFromContext(r.Context())
	}))
	for token, want := range map[string]int{signed(t, "ec", good(nil)): 200, "x.y.z": 401, "": 401} {
		rec := httptest.NewRecorder()
		r := with()
		if token != "" {
			r = with("Bearer " + token)
		}
		h.ServeHTTP(rec, r)
		if rec.Code != want || want == 401 && len(rec.Header()["Www-Authenticate"]) != 1 {
			t.Errorf("%d %v, want %d", rec.Code, rec.Header(), want)
		}
	}
	if seen == nil || seen.Name != "joe" {
		t.Errorf("%+v", seen)
	}
}
