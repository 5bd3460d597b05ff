package oidc

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// attempt is a login that has begun in a browser.
type attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"` // of PKCE
	To       string `json:"t"` // where it comes back to
	Redirect string `json:"r"` // the callback as the provider was told
	At       int64  `json:"a"`
}

const (
	maxAttempt  = 10 * time.Minute
	maxAttempts = 4 // in one browser
	cookieName  = "mountd_login_"
	hostPrefix  = "__Host-"
)

// seal encrypts attempts for the cookies that hold them.
type seal struct{ aead cipher.AEAD }

// newSeal makes a seal that all processes with the client's secret share.
func newSeal(cfg Config) (*seal, error) {
	key := make([]byte, 32)
	if cfg.ClientSecret == "" {
		_, _ = rand.Read(key) // never fails
	} else {
		var err error
		info := "mountd oidc login " + cfg.Issuer + " " + cfg.ClientID
		if key, err = hkdf.Key(sha256.New, []byte(cfg.ClientSecret), nil, info, len(key)); err != nil {
			return nil, err
		}
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &seal{aead}, nil
}

// random gives a text that nobody can guess.
func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// stateCookie gives the name of the cookie of a state, without its prefix:
// logins in several tabs don't disturb each other.
func stateCookie(state string) string {
	sum := sha256.Sum256([]byte(state))
	return cookieName + hex.EncodeToString(sum[:8])
}

// OwnCookie reports whether a cookie is one of the client's own, which
// applications need not see.
func (m *Method) OwnCookie(name, _ string) bool {
	return strings.HasPrefix(strings.TrimPrefix(name, hostPrefix), cookieName)
}

func (m *Method) cookie(at site, name string) *http.Cookie {
	c := &http.Cookie{Name: name, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if at.secure() {
		c.Name, c.Secure = hostPrefix+name, true
	}
	return c
}

// keep puts an attempt into a cookie of the browser. One that begins logins
// and does not end them loses the older ones.
func (m *Method) keep(w http.ResponseWriter, r *http.Request, at site, a attempt) error {
	var old []string
	for _, c := range r.Cookies() {
		if m.OwnCookie(c.Name, "") {
			old = append(old, strings.TrimPrefix(c.Name, hostPrefix))
		}
	}
	if len(old) >= maxAttempts {
		for _, name := range old[:min(len(old), 4*maxAttempts)] {
			m.drop(w, at, name)
		}
	}
	plain, err := json.Marshal(a)
	if err != nil {
		return err
	}
	c := m.cookie(at, stateCookie(a.State))
	c.Value = base64.RawURLEncoding.EncodeToString(m.seal.aead.Seal(nil, nil, plain, []byte(c.Name+" "+at.host)))
	c.MaxAge = int(maxAttempt / time.Second)
	http.SetCookie(w, c)
	return nil
}

// take gives the attempt of a state that this browser has begun, and forgets
// it: a state counts once.
func (m *Method) take(w http.ResponseWriter, r *http.Request, at site, state string) (a attempt, err error) {
	name := stateCookie(state)
	c := m.cookie(at, name)
	found := r.CookiesNamed(c.Name)
	if len(found) != 1 {
		return a, errors.New("the browser has not begun this login")
	}
	m.drop(w, at, name)
	sealed, err := base64.RawURLEncoding.DecodeString(found[0].Value)
	if err != nil {
		return a, errors.New("the login's cookie is malformed")
	}
	plain, err := m.seal.aead.Open(nil, nil, sealed, []byte(c.Name+" "+at.host))
	if err != nil {
		return a, errors.New("the login's cookie is not ours")
	}
	if err := json.Unmarshal(plain, &a); err != nil {
		return a, err
	}
	age := time.Since(time.Unix(a.At, 0))
	switch {
	case a.State != state:
		return a, errors.New("the state is not that of the login")
	case age > maxAttempt || age < -time.Minute:
		return a, errors.New("the login took too long")
	case !m.first("state " + state):
		return a, errors.New("the state was used before")
	}
	return a, nil
}

// first reports whether something that may be used once is used now.
func (m *Method) first(what string) bool {
	m.once.Lock()
	defer m.once.Unlock()
	if _, again := m.used.Get(what); again {
		return false
	}
	m.used.Put(what, struct{}{}, len(what))
	return true
}

func (m *Method) drop(w http.ResponseWriter, at site, name string) {
	c := m.cookie(at, name)
	c.MaxAge = -1
	http.SetCookie(w, c)
}
