package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

// KeyConfig says which keys let in. Keys must be set.
type KeyConfig struct {
	// Keys maps names, which become those of users, to the SHA-256 of their
	// keys, in hexadecimal. A key should have 128 random bits or more: nothing
	// slows guesses down.
	Keys map[string]string

	// Header is the field that carries a key. Empty: none, if Query is set, and
	// X-API-Key else.
	Header string

	// Query is a parameter of the query that may carry a key where the field
	// does not. Empty: none. Keys in addresses end up in histories and logs.
	Query string
}

// maxKey bounds the length of a key, in bytes.
const maxKey = 1024

// Key is a [Method]: a key that programs send along. It is safe for concurrent
// use.
type Key struct {
	header, query string
	secret        [sha256.BlockSize]byte
	users         map[digest]*User
}

// NewKey makes a Key. Its error names every key that is none.
func NewKey(cfg KeyConfig) (*Key, error) {
	k := &Key{query: cfg.Query, users: map[digest]*User{}}
	var errs []error
	if cfg.Header == "" && cfg.Query == "" {
		cfg.Header = "X-API-Key"
	}
	if cfg.Header != "" {
		var err error
		if k.header, err = identityField(cfg.Header); err != nil {
			errs = append(errs, &optionError{"header", err})
		}
	}
	if len(cfg.Keys) == 0 {
		errs = append(errs, &optionError{"keys", errors.New("there are no keys (write {name: SHA-256 in hexadecimal}, as printf %s KEY | sha256sum gives it)")})
	}
	if _, err := rand.Read(k.secret[:]); err != nil {
		errs = append(errs, err)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Keys)) {
		if err := k.add(name, cfg.Keys[name]); err != nil {
			errs = append(errs, &optionError{"keys." + name, err})
		}
	}
	return k, errors.Join(errs...)
}

func (k *Key) add(name, text string) error {
	if err := checkName(name); err != nil {
		return cause(err)
	}
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != sha256.Size {
		return errors.New("this is no SHA-256 (64 hexadecimal digits, as printf %s KEY | sha256sum gives them)")
	}
	if digest(sum) == sha256.Sum256(nil) {
		return errors.New("this is the SHA-256 of an empty key")
	}
	at := k.blind(digest(sum))
	if other := k.users[at]; other != nil {
		return fmt.Errorf("%q has the same key", other.Name)
	}
	k.users[at] = &User{Name: name, Method: "key"}
	return nil
}

// blind hides from clients how far a key is right: how long the search takes
// says nothing of the sum.
func (k *Key) blind(sum digest) digest {
	var buf [sha256.BlockSize + sha256.Size]byte
	copy(buf[:], k.secret[:])
	copy(buf[sha256.BlockSize:], sum[:])
	return sha256.Sum256(buf[:])
}

// Ambient says that browsers add no keys by themselves.
func (k *Key) Ambient() bool { return false }

// Wrap puts a gate of this method alone before next.
func (k *Key) Wrap(next http.Handler) http.Handler { return Wrap(k, next) }

// Challenge names the field that is missing.
func (k *Key) Challenge(*http.Request) Challenge {
	if k.header == "" {
		return Challenge{Header: "ApiKey query=" + quoted(k.query)}
	}
	return Challenge{Header: "ApiKey header=" + quoted(k.header)}
}

// Credentials names the field and the parameter.
func (k *Key) Credentials() Credentials { return Credentials{Header: k.header, Query: k.query} }

var errKey error = &request.Error{Status: http.StatusUnauthorized, Err: errors.New("key: unknown")}

// Authenticate gives the user whose key r has.
func (k *Key) Authenticate(_ http.ResponseWriter, r *http.Request) (*User, error) {
	key, found, err := k.find(r)
	if !found || err != nil {
		return nil, err
	}
	if len(key) > maxKey {
		return nil, errKey
	}
	var buf [maxKey]byte
	u := k.users[k.blind(sha256.Sum256(buf[:copy(buf[:], key)]))]
	if u == nil {
		return nil, errKey
	}
	return u, nil
}

func (k *Key) find(r *http.Request) (key string, found bool, err error) {
	if lines := r.Header[k.header]; k.header != "" && len(lines) > 0 {
		if len(lines) > 1 {
			return "", true, errKey
		}
		return lines[0], true, nil
	}
	if k.query == "" || r.URL.RawQuery == "" {
		return "", false, nil
	}
	for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if !isParameter(part, k.query) {
			continue
		}
		if found {
			return "", true, errKey
		}
		_, value, _ := strings.Cut(part, "=")
		if key, err = url.QueryUnescape(value); err != nil {
			return "", true, errKey
		}
		found = true
	}
	return key, found, nil
}
