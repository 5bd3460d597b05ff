package auth

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// maxHtpasswd bounds the size of a password file.
const maxHtpasswd = 16 << 20

// account is a user with what the password is checked against.
type account struct {
	name string
	text string // the hash as it was written
	hash hash
	line int
}

// readHtpasswd reads a password file: lines of "user:hash", and of comments
// after #. A third field is a comment too. The error joins all mistakes.
func readHtpasswd(path string) ([]account, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read users: %s is not a file", path)
	}
	if info.Size() > maxHtpasswd {
		return nil, fmt.Errorf("read users: %s has more than %d bytes", path, maxHtpasswd)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	accounts, err := parseHtpasswd(path, text)
	if err == nil && len(accounts) == 0 {
		err = fmt.Errorf("%s has no users (add one with mountd hash-password --user NAME)", path)
	}
	return accounts, err
}

func parseHtpasswd(path string, text []byte) ([]account, error) {
	var accounts []account
	var errs []error
	byName := map[string]int{}
	number := 0
	for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\uFEFF"))) {
		number++
		entry := strings.TrimRight(string(line), " \t\r\n")
		if entry == "" || strings.HasPrefix(strings.TrimLeft(entry, " \t"), "#") {
			continue
		}
		wrong := func(err error) { errs = append(errs, fmt.Errorf("%s:%d: %w", path, number, err)) }
		name, rest, ok := strings.Cut(entry, ":")
		if !ok {
			wrong(errors.New("there is no colon (write user:hash, as mountd hash-password --user does)"))
			continue
		}
		hashText, _, _ := strings.Cut(rest, ":")
		a, err := newAccount(name, strings.TrimSpace(hashText))
		if err != nil {
			wrong(err)
			continue
		}
		if first, taken := byName[name]; taken {
			wrong(fmt.Errorf("user %q is in line %d already (keep one of the two)", name, first))
			continue
		}
		a.line, byName[name] = number, number
		accounts = append(accounts, a)
	}
	return accounts, errors.Join(errs...)
}

func newAccount(name, text string) (account, error) {
	if err := checkName(name); err != nil {
		return account{}, fmt.Errorf("user %q: %w", name, cause(err))
	}
	if strings.Contains(name, ":") {
		return account{}, fmt.Errorf("user %q: a name can't hold a colon", name)
	}
	h, err := parseHash(text)
	if err != nil {
		return account{}, fmt.Errorf("user %q: %w", name, err)
	}
	return account{name: name, text: text, hash: h}, nil
}

// inlineAccounts makes the accounts of a mapping from names to hashes.
func inlineAccounts(users map[string]string) ([]account, error) {
	var accounts []account
	var errs []error
	names := make([]string, 0, len(users))
	for name := range users {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		a, err := newAccount(name, users[name])
		if err != nil {
			errs = append(errs, &optionError{"users." + name, err})
			continue
		}
		accounts = append(accounts, a)
	}
	return accounts, errors.Join(errs...)
}
