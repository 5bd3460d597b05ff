package issuer_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/mountd/mountd/internal/issuer"
)

func TestKeySets(t *testing.T) {
	ed, private, _ := ed25519.GenerateKey(rand.Reader)
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	text := func(k jose.JSONWebKey) string {
		data, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	set := func(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }
	good := text(jose.JSONWebKey{Key: ed, KeyID: "a"})
	pemOf := func(kind string, key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	for name, tt := range map[string]struct {
		data string
		want int // -1: a mistake
	}{
		"one":            {set(good), 1},
		"private":        {set(text(jose.JSONWebKey{Key: private})), 1},
		"none":           {set(), 0},
		"for encryption": {set(text(jose.JSONWebKey{Key: ed, Use: "enc"}), good), 1},
		"symmetric":      {set(`{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U"}`, good), 1},
		"short RSA":      {set(text(jose.JSONWebKey{Key: &small.PublicKey}), good), 1},
		"unknown kind":   {set(`{"kty":"XYZ"}`, `{}`, `1`, `null`, good), 1},
		"off the curve":  {set(`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`, good), 1},
		"no set":         {`{}`, -1},
		"null":           {`null`, -1},
		"HTML":           {`<html>`, -1},
		"empty":          {``, -1},
		"101":            {set(strings.Split(strings.Repeat("{} ", 101), " ")[:101]...), -1},
		"PEM":            {pemOf("PUBLIC KEY", ed) + pemOf("PUBLIC KEY", &ec.PublicKey), 2},
		"PEM, private":   {pemOf("PRIVATE KEY", ed), -1},
		"PEM, garbage":   {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", -1},
	} {
		s, err := issuer.ParseKeySet([]byte(tt.data))
		switch {
		case err != nil && tt.want >= 0, err == nil && tt.want < 0:
			t.Errorf("%s: %v", name, err)
		case err == nil && s.Len() != tt.want:
			t.Errorf("%s: %d keys, want %d", name, s.Len(), tt.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"https://id.example.com/x": true, "http://127.0.0.1:1/": true, "http://[::1]/": true, "http://localhost:8080": true, "http://id.localhost/": true,
		"http://id.example.com/": false, "http://127.0.0.1.example.com/": false, "ftp://x/": false, "id.example.com": false, "": false,
		"https://": false, "https://joe:pw@id.example.com/": false, "https://id.example.com/#x": false, "http://169.254.169.254/": false,
	} {
		if err := issuer.CheckURL(address, false); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := issuer.CheckURL("http://id.example.com/", true); err != nil {
		t.Error(err)
	}
}

func FuzzClaims(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"a":2}`, `{"a":{"b":[1,"x",null,true]}}`, `[`, `{"a":1}{}`, "{\"\xff\":1}", `{"a":1e999}`} {
		f.Add(s, "a.b")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		c, err := issuer.ParseClaims([]byte(text))
		if err != nil {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Errorf("%q is no JSON", text)
		}
		c.Lookup(path)
		_, _ = c.List(path)
		_, _, _ = c.Time(path)
		if email, _ := c.VerifiedEmail(path); strings.ContainsAny(email, "\r\n\x00,") {
			t.Errorf("%q", email)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	f.Add("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := issuer.ParseKeySet([]byte(text)); err == nil && s.Len() > 100 {
			t.Error(s.Len())
		}
	})
}
