package auth

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mountd/mountd/internal/request"
)

// BasicConfig says whose credentials HTTP's Basic scheme (RFC 7617) is to
// accept. Users must be set.
type BasicConfig struct {
	// Users check names and passwords. Whoever made them closes them.
	Users *Users

	// Realm is shown by browsers where they ask for the password. Empty:
	// "Restricted".
	Realm string
}

// Basic is a [Method]: name and password in the Authorization field. It is safe
// for concurrent use.
type Basic struct {
	users     *Users
	challenge Challenge
}

// NewBasic makes a Basic.
func NewBasic(cfg BasicConfig) (*Basic, error) {
	if cfg.Realm == "" {
		cfg.Realm = "Restricted"
	}
	var errs []error
	if cfg.Users == nil {
		errs = append(errs, &optionError{"users", errors.New("there are no users")})
	}
	if err := checkRealm(cfg.Realm); err != nil {
		errs = append(errs, &optionError{"realm", err})
	}
	return &Basic{cfg.Users, Challenge{Header: "Basic realm=" + quoted(cfg.Realm) + `, charset="UTF-8"`}}, errors.Join(errs...)
}

func checkRealm(realm string) error {
	if !utf8.ValidString(realm) || strings.ContainsFunc(realm, unicode.IsControl) {
		return errors.New("a realm can't hold control characters")
	}
	return nil
}

// Ambient says that browsers add passwords that they remember by themselves.
func (b *Basic) Ambient() bool { return true }

// Wrap puts a gate of this method alone before next.
func (b *Basic) Wrap(next http.Handler) http.Handler { return Wrap(b, next) }

// Challenge asks for a name and a password.
func (b *Basic) Challenge(*http.Request) Challenge { return b.challenge }

// Credentials names the Authorization field.
func (b *Basic) Credentials() Credentials { return Credentials{Scheme: "Basic"} }

var (
	errMalformed error = &request.Error{Status: http.StatusUnauthorized, Err: errors.New("basic: the credentials are malformed")}
	errPassword  error = &request.Error{Status: http.StatusUnauthorized, Err: errors.New("basic: wrong name or password")}
)

// Authenticate gives the user whose name and password r has.
func (b *Basic) Authenticate(_ http.ResponseWriter, r *http.Request) (*User, error) {
	lines := r.Header["Authorization"]
	if len(lines) == 0 || !isBasic(lines) {
		return nil, nil
	}
	if len(lines) > 1 {
		return nil, errMalformed
	}
	token := strings.Trim(strings.TrimLeft(lines[0], " \t")[len("Basic"):], " \t")
	if token == "" || len(token) > maxCredentials/3*4+4 {
		return nil, errMalformed
	}
	var coded [usual / 3 * 4]byte
	var room [usual]byte
	plain, err := base64.StdEncoding.AppendDecode(room[:0], append(coded[:0], token...))
	if err != nil || bytes.IndexByte(plain, ':') < 0 {
		return nil, errMalformed
	}
	user, err := b.users.verify(r.Context(), r, plain)
	if err == nil && user == nil {
		err = errPassword
	}
	return user, err
}

func isBasic(lines []string) bool {
	for _, line := range lines {
		if isScheme(line, "Basic") {
			return true
		}
	}
	return false
}
