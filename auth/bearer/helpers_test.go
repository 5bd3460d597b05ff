package bearer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/auth/bearer"
	"github.com/mountd/mountd/internal/request"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keys are made once: RSA keys take long.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	rsa1, _ := rsa.GenerateKey(rand.Reader, 2048)
	rsa2, _ := rsa.GenerateKey(rand.Reader, 2048)
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	return map[string]crypto.Signer{"rsa1": rsa1, "rsa2": rsa2, "ec": ec, "ed": ed}
})

func jwks(names ...string) []byte {
	var set jose.JSONWebKeySet
	for _, name := range names {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: keys()[name].Public(), KeyID: name, Use: "sig"})
	}
	data, err := json.Marshal(set)
	if err != nil {
		panic(err)
	}
	return data
}

type claims = map[string]any

// good are the claims of a token that everybody accepts.
func good(more claims) claims {
	c := claims{
		"iss": "https://id.example.com", "aud": "api", "sub": "joe",
		"exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
	}
	for k, v := range more {
		if v == nil {
			delete(c, k)
			continue
		}
		c[k] = v
	}
	return c
}

func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// sign makes a token of a header and a payload as they are, so that wrong ones
// can be made too.
func sign(t testing.TB, key any, alg string, header, payload any) string {
	t.Helper()
	input := b64(text(header)) + "." + b64(text(payload))
	sig, err := signature(key, alg, []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func signature(key any, alg string, input []byte) ([]byte, error) {
	sum := sha256.Sum256(input)
	switch k := key.(type) {
	case []byte:
		h := hmac.New(sha256.New, k)
		h.Write(input)
		return h.Sum(nil), nil
	case *rsa.PrivateKey:
		if alg == "PS256" {
			return rsa.SignPSS(rand.Reader, k, crypto.SHA256, sum[:], nil)
		}
		return rsa.SignPKCS1v15(nil, k, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, sum[:])
		if err != nil {
			return nil, err
		}
		out := make([]byte, 64)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out, nil
	case ed25519.PrivateKey:
		return ed25519.Sign(k, input), nil
	}
	return nil, nil
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func signed(t testing.TB, name string, c claims) string {
	t.Helper()
	alg := map[string]string{"rsa1": "RS256", "rsa2": "RS256", "ec": "ES256", "ed": "EdDSA"}[name]
	return sign(t, keys()[name], alg, claims{"alg": alg, "kid": name, "typ": "JWT"}, c)
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func method(t testing.TB, cfg bearer.Config) *bearer.Method {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = quiet()
	}
	m, err := bearer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func with(authorization ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Authorization"] = authorization
	return r
}

// answer asks m about a token: the user's name and 200, or the status of the
// error and its challenge.
func answer(m *bearer.Method, token string) (who string, status int, challenge string) {
	u, err := m.Authenticate(httptest.NewRecorder(), with("Bearer "+token))
	if err != nil {
		status, _, h := request.Describe(err)
		return "", status, h.Get("Www-Authenticate")
	}
	if u == nil {
		return "", 0, ""
	}
	return u.Name, 200, ""
}

func expect(t *testing.T, m *bearer.Method, token string, status int) {
	t.Helper()
	who, got, challenge := answer(m, token)
	if got != status || status == 200 && who != "joe" || status == 401 && !strings.Contains(challenge, `error="invalid_token"`) {
		t.Errorf("got %d %q %s, want %d", got, who, challenge, status)
	}
}

var _ auth.Method = (*bearer.Method)(nil)

// publisher serves whatever its handler is at the moment, and counts.
type publisher struct {
	*httptest.Server
	mu      sync.Mutex
	handler http.HandlerFunc
	hits    int
}

func publish(t testing.TB, data []byte) *publisher {
	t.Helper()
	p := &publisher{}
	p.serve(data)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.hits++
		h := p.handler
		p.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) serve(data []byte) {
	p.set(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) })
}

func (p *publisher) set(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handler = h
}

func (p *publisher) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hits
}
