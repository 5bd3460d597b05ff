package issuer

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"
)

// Defaults are the algorithms with public keys, and the one with a secret,
// that are allowed where nothing is said.
var (
	defaultPublic = []string{"RS256", "ES256", "EdDSA"}
	defaultSecret = []string{"HS256"}
)

var (
	publicAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	secretSizes      = map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}
)

// CheckAlgorithms gives the algorithms to allow: names, or the defaults where
// there are none. Those with a secret and those with public keys never stand
// together, since a public key could then be taken for the secret.
func CheckAlgorithms(names []string, secret bool) ([]string, error) {
	switch {
	case len(names) == 0 && secret:
		return defaultSecret, nil
	case len(names) == 0:
		return defaultPublic, nil
	}
	for _, name := range names {
		_, symmetric := secretSizes[name]
		switch {
		case strings.EqualFold(name, "none"):
			return nil, fmt.Errorf("%q would let anyone in", name)
		case symmetric && !secret:
			return nil, fmt.Errorf("%s needs a secret (public keys go with RS256, ES256, EdDSA)", name)
		case symmetric:
		case !slices.Contains(publicAlgorithms, name):
			return nil, fmt.Errorf("%q is not known (write %s, or HS256 with a secret)", name, strings.Join(publicAlgorithms, ", "))
		case secret:
			return nil, fmt.Errorf("%s needs public keys, not a secret (write HS256, or jwks instead of secret)", name)
		}
	}
	return slices.Clone(names), nil
}

// CheckSecret refuses secrets that could be guessed from one token.
func CheckSecret(secret []byte, algorithms []string) error {
	for _, a := range algorithms {
		if size := secretSizes[a]; len(secret) < size {
			return fmt.Errorf("%d bytes are too few for %s (write at least %d random ones)", len(secret), a, size)
		}
	}
	return nil
}

// fits reports whether a public key may verify signatures of algorithm alg.
func fits(key any, alg string) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return alg[:2] == "RS" || alg[:2] == "PS"
	case *ecdsa.PublicKey:
		return alg == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[k.Params().BitSize]
	case ed25519.PublicKey:
		return alg == "EdDSA"
	case []byte:
		return alg[:2] == "HS"
	}
	return false
}

// minRSA is the size of the smallest RSA key that is used (RFC 7518, 3.3).
const minRSA = 2048

func usable(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSA && k.N.BitLen() <= 4*minRSA
	case *ecdsa.PublicKey:
		return slices.Contains([]int{256, 384, 521}, k.Params().BitSize)
	case ed25519.PublicKey:
		return len(k) == ed25519.PublicKeySize
	}
	return false
}
