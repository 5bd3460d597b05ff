// Package issuer knows how to ask an issuer of tokens (its metadata, its keys)
// and how to verify what it has signed: JSON Web Tokens (RFC 7519, with the
// advice of RFC 8725) under algorithms that the operator has named, keys that
// the operator or the issuer has published, and claims of the right type. What
// a token says about where its key may be found is never followed.
//
// An issuer may be slow, down, or answer nonsense: what was fetched is kept,
// one fetch runs at a time, and each is bounded in size and time.
package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// MaxToken bounds tokens, in bytes.
	MaxToken = 16 << 10

	// MaxLeeway bounds how far clocks may differ.
	MaxLeeway = time.Minute

	maxKeyID = 512
)

// An InvalidError is what is wrong with a token: whoever sent it may be told.
type InvalidError struct{ Reason string }

func (e *InvalidError) Error() string { return "token: " + e.Reason }

func invalid(format string, args ...any) error {
	return &InvalidError{fmt.Sprintf(format, args...)}
}

// ErrUnavailable is in the chain of errors that say nothing of a token: the
// keys to verify it with cannot be had.
var ErrUnavailable = errors.New("unavailable")

// VerifierConfig says which tokens are good. Keys and Algorithms must be set.
type VerifierConfig struct {
	Keys       *Keys
	Algorithms []string // as [CheckAlgorithms] has found good

	Issuer   string   // what iss must be; empty: anything
	Audience []string // one of which aud must name; empty: anything

	// Types lists what the header's typ may say, in lower case and without
	// "application/". A token without typ is good.
	Types []string

	Leeway time.Duration
}

// A Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	cfg  VerifierConfig
	algs []jose.SignatureAlgorithm
}

// NewVerifier makes a Verifier.
func NewVerifier(cfg VerifierConfig) *Verifier {
	v := &Verifier{cfg: cfg}
	for _, a := range cfg.Algorithms {
		v.algs = append(v.algs, jose.SignatureAlgorithm(a))
	}
	return v
}

// A Token is a verified one.
type Token struct {
	Claims  Claims
	Expires time.Time // exp, without leeway
	Keys    *KeySet   // what it was verified with
}

// Verify verifies token. The error is an [*InvalidError], or has
// [ErrUnavailable] in its chain.
func (v *Verifier) Verify(ctx context.Context, token string) (*Token, error) {
	h, err := v.header(token)
	if err != nil {
		return nil, err
	}
	signed, err := jose.ParseSignedCompact(token, v.algs)
	if err != nil {
		return nil, invalid("malformed")
	}
	payload, set, err := v.signature(ctx, signed, h)
	if err != nil {
		return nil, err
	}
	claims, err := ParseClaims(payload)
	if err != nil {
		return nil, invalid("its payload is malformed: %v", err)
	}
	expires, err := v.check(claims, time.Now())
	if err != nil {
		return nil, err
	}
	return &Token{claims, expires, set}, nil
}

type header struct{ alg, kid string }

func (v *Verifier) header(token string) (h header, err error) {
	if len(token) > MaxToken {
		return h, invalid("longer than %d bytes", MaxToken)
	}
	encoded, rest, _ := strings.Cut(token, ".")
	if strings.Count(rest, ".") != 1 {
		return h, invalid("malformed: three parts make a signed token")
	}
	fields, err := decodePart(encoded)
	if err != nil {
		return h, invalid("its header is malformed: %v", err)
	}
	var typ string
	for name, p := range map[string]*string{"alg": &h.alg, "kid": &h.kid, "typ": &typ} {
		value, found := fields[name]
		if !found {
			continue
		}
		var ok bool
		if *p, ok = value.(string); !ok {
			return h, invalid("%s is not a text", name)
		}
	}
	for _, name := range []string{"crit", "b64", "zip", "enc"} {
		if _, found := fields[name]; found {
			return h, invalid("%s is not supported", name)
		}
	}
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	switch {
	case !slices.Contains(v.cfg.Algorithms, h.alg):
		return h, invalid("the algorithm %s is not one of those allowed", strconv.QuoteToASCII(clip(h.alg)))
	case len(h.kid) > maxKeyID:
		return h, invalid("kid is longer than %d bytes", maxKeyID)
	case typ != "" && !slices.Contains(v.cfg.Types, typ):
		return h, invalid("a token of type %s is none for this use", strconv.QuoteToASCII(clip(typ)))
	}
	return h, nil
}

func (v *Verifier) signature(ctx context.Context, signed *jose.JSONWebSignature, h header) ([]byte, *KeySet, error) {
	keys, set, err := v.cfg.Keys.find(ctx, h.kid, h.alg)
	if err != nil {
		return nil, nil, err
	}
	if len(keys) == 0 {
		return nil, nil, invalid("no key is known by its kid")
	}
	for _, k := range keys {
		if payload, err := signed.Verify(k); err == nil {
			return payload, set, nil
		}
	}
	return nil, nil, invalid("the signature is wrong")
}

// check holds the registered claims to what is expected.
func (v *Verifier) check(c Claims, now time.Time) (expires time.Time, err error) {
	if err := v.checkParties(c); err != nil {
		return expires, err
	}
	expires, found, err := c.Time("exp")
	switch {
	case err != nil:
		return expires, err
	case !found:
		return expires, invalid("exp is missing")
	case !now.Before(expires.Add(v.cfg.Leeway)):
		return expires, invalid("expired")
	}
	for _, name := range []string{"nbf", "iat"} {
		t, found, err := c.Time(name)
		if err != nil {
			return expires, err
		}
		if found && now.Add(v.cfg.Leeway).Before(t) {
			return expires, invalid("not valid yet (%s)", name)
		}
	}
	return expires, nil
}

func (v *Verifier) checkParties(c Claims) error {
	issuer, err := c.optionalText("iss")
	if err != nil {
		return err
	}
	if v.cfg.Issuer != "" && issuer != v.cfg.Issuer {
		return invalid("it is from another issuer")
	}
	if _, err := c.optionalText("sub"); err != nil {
		return err
	}
	return c.CheckAudience(v.cfg.Audience)
}

func clip(s string) string { return s[:min(len(s), 64)] }
