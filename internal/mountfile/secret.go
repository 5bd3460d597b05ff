package mountfile

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

var (
	secretWords = []string{"password", "passwd", "passphrase", "secret", "secrets", "token", "key", "keys", "passwords", "tokens", "apikey"}
	plainWords  = []string{"file", "path", "dir", "url", "id", "name", "header", "query"}
)

// secretKey tells whether a key's name says that its value is a secret.
func secretKey(name string) bool {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '.' || r == '_' || r == '-' })
	if len(words) == 0 || slices.Contains(plainWords, words[len(words)-1]) {
		return false
	}
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(secretWords, w) })
}

// hasPassword tells whether text is an address with a password in it.
func hasPassword(text string) bool {
	if !strings.Contains(text, "://") || !strings.Contains(text, "@") {
		return false
	}
	u, err := url.Parse(text)
	if err != nil {
		return true
	}
	_, has := u.User.Password()
	return has
}

// markSecrets marks the values of a mapping whose keys tell that they are
// secrets. Lists pass the mark on, mappings only below a plural ("keys").
func markSecrets(n *Node) {
	for _, e := range n.entries {
		name := strings.ToLower(e.Key.text)
		if secretKey(name) && !(name == "key" && isFile(e.Value.text)) {
			markSecret(e.Value, strings.HasSuffix(name, "s"))
		}
	}
}

// isFile tells the file of a TLS key from a key that is written out.
func isFile(text string) bool {
	for _, start := range []string{"/", "./", "../", "~/"} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return slices.Contains([]string{".pem", ".key", ".crt", ".der"}, filepath.Ext(text))
}

func markSecret(n *Node, deep bool) {
	switch n.kind {
	case Scalar:
		n.secret = n.quoted || n.text != "true" && n.text != "false"
	case List:
		for _, item := range n.list {
			markSecret(item, deep)
		}
	case Map: // of texts; one of mappings is something that is named so
		for _, e := range n.entries {
			if deep && e.Value.kind == Scalar && !isHash(e.Value.text) {
				markSecret(e.Value, deep)
			}
		}
	}
}

// isHash tells the SHA-256 of a key, which is no secret.
func isHash(text string) bool {
	sum, err := hex.DecodeString(text)
	return err == nil && len(sum) == sha256.Size
}

// literalSecret finds the first secret that is written out in a table, rather
// than brought in by a variable.
func literalSecret(n *Node) *Node {
	switch n.Kind() {
	case Scalar:
		if n.secret && !n.varied && n.text != "" {
			return n
		}
	case List:
		for _, item := range n.list {
			if s := literalSecret(item); s != nil {
				return s
			}
		}
	case Map:
		for _, e := range n.entries {
			if s := literalSecret(e.Value); s != nil {
				return s
			}
		}
	}
	return nil
}
