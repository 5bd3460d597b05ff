package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// A token is 24 random bytes and the first 3 of a hash over them, in base64url:
// 36 characters. The hash is no secret. It tells our tokens from other values
// without asking anyone.
const (
	tokenRandom = 24
	tokenCheck  = 3
	tokenBytes  = tokenRandom + tokenCheck
	tokenChars  = tokenBytes / 3 * 4
)

const tokenLabel = "mountd session token 1:"

// NewToken makes a token with 192 random bits.
func NewToken() string {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:tokenRandom]) // never fails
	check := tokenSum(b[:tokenRandom])
	copy(b[tokenRandom:], check[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func tokenSum(random []byte) [sha256.Size]byte {
	var b [len(tokenLabel) + tokenRandom]byte
	copy(b[copy(b[:], tokenLabel):], random)
	return sha256.Sum256(b[:])
}

// IsToken reports whether s has the form of what [NewToken] makes.
func IsToken(s string) bool {
	if len(s) != tokenChars {
		return false
	}
	var in [tokenChars]byte
	var b [tokenBytes]byte
	copy(in[:], s)
	if n, err := base64.RawURLEncoding.Decode(b[:], in[:]); err != nil || n != tokenBytes {
		return false
	}
	check := tokenSum(b[:tokenRandom])
	return [tokenCheck]byte(check[:]) == [tokenCheck]byte(b[tokenRandom:])
}

// Handle gives the name under which a server store keeps the session with this
// token: its SHA-256 in base64url, 43 characters. It does not lead back to the
// token.
func Handle(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
