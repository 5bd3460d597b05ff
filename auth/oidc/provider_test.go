package oidc_test

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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

type claims = map[string]any

var signingKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

// provider is an OpenID Connect provider that is strict: codes and refresh
// tokens count once, and PKCE, the client and the redirect are checked. Tests
// make it misbehave.
type provider struct {
	*httptest.Server
	mu     sync.Mutex
	codes  map[string]url.Values // to what was asked for
	tokens map[string]bool       // refresh tokens, to whether they were used
	n      int
	counts map[string]int

	claims    claims                                        // more of the ID token; nil removes one
	sign      func(claims) string                           // nil: as it should be
	intercept func(http.ResponseWriter, *http.Request) bool // answers instead
	refresh   bool
	expires   int
	metadata  claims
	userinfo  claims
}

const (
	clientID     = "gate:1"
	clientSecret = "a secret & more"
)

func newProvider(t testing.TB) *provider {
	t.Helper()
	p := &provider{codes: map[string]url.Values{}, tokens: map[string]bool{}, counts: map[string]int{}, expires: 60}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *provider) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[path]
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.counts[r.URL.Path]++
	intercept := p.intercept
	p.mu.Unlock()
	if intercept != nil && intercept(w, r) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		m := claims{
			"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/authorize?tenant=1",
			"token_endpoint": p.URL + "/token", "end_session_endpoint": p.URL + "/end", "userinfo_endpoint": p.URL + "/userinfo",
			"authorization_response_iss_parameter_supported": true,
		}
		reply(w, 200, with(m, p.metadata))
	case "/keys":
		reply(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: signingKey().Public(), KeyID: "k1", Use: "sig"}}})
	case "/authorize":
		p.authorize(w, r)
	case "/token":
		p.token(w, r)
	case "/userinfo":
		if r.Header.Get("Authorization") != "Bearer access" {
			w.WriteHeader(401)
			return
		}
		reply(w, 200, with(claims{"sub": "joe"}, p.userinfo))
	default:
		http.NotFound(w, r)
	}
}

func with(c, more claims) claims {
	for k, v := range more {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return c
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("response_type") != "code" || q.Get("client_id") != clientID || q.Get("code_challenge_method") != "S256" ||
		len(q.Get("code_challenge")) != 43 || len(q.Get("state")) < 22 || len(q.Get("nonce")) < 22 ||
		!strings.Contains(" "+q.Get("scope")+" ", " openid ") || q.Get("tenant") != "1" {
		http.Error(w, "bad request: "+r.URL.RawQuery, 400)
		return
	}
	p.n++
	code := fmt.Sprint("code", p.n)
	p.codes[code] = q
	back, _ := url.Parse(q.Get("redirect_uri"))
	back.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if r.Method != "POST" || id != url.QueryEscape(clientID) || secret != url.QueryEscape(clientSecret) {
		reply(w, 401, claims{"error": "invalid_client"})
		return
	}
	_ = r.ParseForm()
	f := r.PostForm
	nonce := ""
	switch f.Get("grant_type") {
	case "authorization_code":
		asked, known := p.codes[f.Get("code")]
		delete(p.codes, f.Get("code"))
		sum := sha256.Sum256([]byte(f.Get("code_verifier")))
		if !known || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") || f.Get("redirect_uri") != asked.Get("redirect_uri") {
			reply(w, 400, claims{"error": "invalid_grant", "error_description": "<script>"})
			return
		}
		nonce = asked.Get("nonce")
	case "refresh_token":
		used, known := p.tokens[f.Get("refresh_token")]
		if !known || used {
			clear(p.tokens) // as providers do when one is used twice
			reply(w, 400, claims{"error": "invalid_grant"})
			return
		}
		p.tokens[f.Get("refresh_token")] = true
	default:
		reply(w, 400, claims{"error": "unsupported_grant_type"})
		return
	}
	c := claims{
		"iss": p.URL, "aud": clientID, "sub": "joe", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		"name": "Joe Doe", "email": "joe@example.com", "email_verified": true, "groups": []string{"staff"}, "sid": "sid1",
	}
	if nonce != "" {
		c["nonce"] = nonce
	}
	answer := claims{"access_token": "access", "token_type": "Bearer", "expires_in": p.expires}
	sign := p.sign
	if sign == nil {
		sign = signed
	}
	answer["id_token"] = sign(with(c, p.claims))
	if p.refresh {
		p.n++
		answer["refresh_token"] = fmt.Sprint("refresh", p.n)
		p.tokens[fmt.Sprint("refresh", p.n)] = false
	}
	reply(w, 200, answer)
}

func signed(c claims) string { return signedWith(claims{"alg": "ES256", "kid": "k1"}, c) }

func signedWith(header, c claims) string {
	part := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	input := part(header) + "." + part(c)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, signingKey(), sum[:])
	if err != nil {
		panic(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}
