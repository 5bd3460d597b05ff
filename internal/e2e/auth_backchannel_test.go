package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// provider is as much of an OpenID Connect provider as a logout needs.
type provider struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func newProvider(t *testing.T) *provider {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding
	mux := http.NewServeMux()
	answer := func(path string, v func() any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(v())
		})
	}
	answer("/.well-known/openid-configuration", func() any {
		return map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"},
		}
	})
	answer("/keys", func() any {
		return map[string]any{"keys": []any{map[string]any{
			"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "1",
			"x": enc.EncodeToString(public[1:33]), "y": enc.EncodeToString(public[33:]),
		}}}
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// logout makes a logout token.
func (p *provider) logout(t *testing.T, subject, id string) string {
	claims, err := json.Marshal(map[string]any{
		"iss": p.URL, "aud": "site", "sub": subject, "jti": id, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(`{"alg":"ES256","typ":"logout+jwt","kid":"1"}`)) + "." + enc.EncodeToString(claims)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + enc.EncodeToString(signature[:])
}

// A provider that logs a user out ends the sessions where they are kept: those
// that another layer has logged in, too.
func TestAProviderEndsSessions(t *testing.T) {
	p := newProvider(t)
	o := listen(t, hello)
	d := start(t, fmt.Sprintf(`
middleware:
  visit: {session: {}}
  login: {auth.form: {users: ./htpasswd}}
  sso: {auth.oidc: {issuer: %q, client_id: site, client_secret: secret, logout: /.mountd/oidc/logout}}
mounts:
  /private: {proxy: %[2]s, rebase: off, use: [default, visit, login]}
  /sso: {proxy: %[2]s, rebase: off, use: [default, visit, sso]}
`, p.URL, o.url()), "htpasswd", passwords(t))
	joe, ann := newBrowser(t, d), newBrowser(t, d)
	joe.mustLogin("joe", "pw")
	ann.mustLogin("ann", "other")
	tell := func(token string) int {
		return newBrowser(t, d).do(http.MethodPost, "/.mountd/oidc/backchannel", url.Values{"logout_token": {token}}, "Origin:", "Sec-Fetch-Site:", "Sec-Fetch-Mode:").StatusCode
	}
	token := p.logout(t, "joe", "1")
	if status := tell(token[:len(token)-4] + "AAAA"); status != 400 {
		t.Errorf("a forged token: %d", status)
	}
	if who, _ := joe.user(); who != "joe" {
		t.Fatal("a forged token has ended the session")
	}
	if status := tell(token); status != 200 {
		t.Fatalf("the logout: %d\n%s", status, d.stderr.String())
	}
	if who, status := joe.user(); status == 200 {
		t.Errorf("%q is still logged in", who)
	}
	if who, _ := ann.user(); who != "ann" {
		t.Errorf("ann is %q", who)
	}
	if status := tell(token); status != 400 {
		t.Errorf("the same token again: %d", status)
	}
}
