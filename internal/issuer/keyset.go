package issuer

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"

	"github.com/go-jose/go-jose/v4"
)

// maxKeys bounds key sets, and maxTried how many keys a token without a kid is
// tried with.
const (
	maxKeys  = 100
	maxTried = 8
)

// A KeySet holds public keys that do not change.
type KeySet struct {
	keys []key
	raw  []byte
}

type key struct {
	id, alg string // alg: the only one to use it with, or empty
	public  any
}

// ParseKeySet reads a JWK Set (RFC 7517), or PEM with public keys or
// certificates. Keys that are not for signatures, too short, or of an unknown
// kind are left out.
func ParseKeySet(data []byte) (*KeySet, error) {
	set := &KeySet{raw: data}
	var err error
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("-----BEGIN ")) {
		err = set.addPEM(data)
	} else {
		err = set.addJWKS(data)
	}
	if err != nil {
		return nil, err
	}
	if len(set.keys) > maxKeys {
		return nil, errors.New("more than 100 keys")
	}
	return set, nil
}

func (s *KeySet) addJWKS(data []byte) error {
	var doc struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &doc); err != nil || doc.Keys == nil {
		return errors.New("not a JWK Set")
	}
	if len(*doc.Keys) > maxKeys {
		return errors.New("more than 100 keys")
	}
	for _, raw := range *doc.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil || k.Use != "" && k.Use != "sig" {
			continue
		}
		public := k.Key
		if !k.IsPublic() {
			public = k.Public().Key
		}
		if usable(public) {
			s.keys = append(s.keys, key{k.KeyID, k.Algorithm, public})
		}
	}
	return nil
}

func (s *KeySet) addPEM(data []byte) error {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		var public crypto.PublicKey
		var err error
		switch block.Type {
		case "PUBLIC KEY":
			public, err = x509.ParsePKIXPublicKey(block.Bytes)
		case "CERTIFICATE":
			var c *x509.Certificate
			if c, err = x509.ParseCertificate(block.Bytes); err == nil {
				public = c.PublicKey
			}
		default:
			return errors.New("PEM without a PUBLIC KEY or CERTIFICATE: " + block.Type)
		}
		if err != nil {
			return err
		}
		if usable(public) {
			s.keys = append(s.keys, key{public: public})
		}
	}
	return nil
}

// Len gives the number of keys that can be used.
func (s *KeySet) Len() int { return len(s.keys) }

// find gives the keys that may have signed a token. A key without an id may
// have signed any.
func (s *KeySet) find(kid, alg string) []any {
	var found []any
	for _, k := range s.keys {
		if kid != "" && k.id != "" && k.id != kid || k.alg != "" && k.alg != alg || !fits(k.public, alg) {
			continue
		}
		if found = append(found, k.public); len(found) == maxTried {
			break
		}
	}
	return found
}
