package auth

import (
	"crypto/sha256"
	"encoding/hex"
)

// Lookup gives the user of that name, as the users are now.
func (u *Users) Lookup(name string) (*User, bool) {
	e := u.book.Load().users[name]
	if e == nil {
		return nil, false
	}
	return e.user, true
}

// Version gives a text that changes when the password of a user does, and that
// tells nothing of it. It fits [FormConfig].
func (u *Users) Version(name string) string {
	e := u.book.Load().users[name]
	if e == nil {
		return ""
	}
	sum := sha256.Sum256([]byte("mountd password version\x00" + e.text))
	return hex.EncodeToString(sum[:16])
}
