package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/term"
)

// argon2id parameters: RFC 9106 §4, the second recommended option.
const (
	argonTime    = 3
	argonMemory  = 64 * 1024 // KiB
	argonThreads = 4
	argonKey     = 32
	argonSalt    = 16
)

func (p *Program) hashPassword(_ context.Context, args []string) error {
	f := p.flags("hash-password")
	algorithm := f.String("algorithm", "bcrypt", "")
	cost := f.Int("cost", 12, "")
	user := f.String("user", "", "")
	rest, err := p.parse(f, args)
	if err != nil {
		return err
	}
	switch {
	case len(rest) > 0:
		return &usageError{"hash-password takes no arguments", "a password on the command line would be seen by others; write it to standard input"}
	case *algorithm != "bcrypt" && *algorithm != "argon2id":
		return &usageError{fmt.Sprintf("algorithm %q is not known", *algorithm), "bcrypt or argon2id"}
	case *cost < 10 || *cost > 16:
		return &usageError{fmt.Sprintf("cost %d is not between 10 and 16", *cost), "leave it out for 12"}
	case strings.ContainsAny(*user, ":\n\r\x00"):
		return &usageError{"a user's name holds no colon and no line break", ""}
	}
	password, err := p.readPassword()
	if err != nil {
		return err
	}
	var hash string
	if *algorithm == "bcrypt" {
		hash, err = hashBcrypt(password, *cost)
	} else {
		hash, err = hashArgon2id(password)
	}
	if err != nil {
		return err
	}
	if *user != "" {
		hash = *user + ":" + hash
	}
	fmt.Fprintln(p.Stdout, hash)
	return nil
}

// readPassword asks twice at a terminal, and reads one line elsewhere.
func (p *Program) readPassword() ([]byte, error) {
	if file, ok := p.Stdin.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		first, err := p.ask(file, "Password: ")
		if err != nil {
			return nil, err
		}
		second, err := p.ask(file, "Once more: ")
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(first, second) {
			return nil, errors.New("the two passwords differ")
		}
		return nonEmpty(first)
	}
	line, err := bufio.NewReader(io.LimitReader(p.Stdin, 4096)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	return nonEmpty(bytes.TrimRight(line, "\r\n"))
}

func (p *Program) ask(file *os.File, prompt string) ([]byte, error) {
	fmt.Fprint(p.Stderr, prompt)
	defer fmt.Fprintln(p.Stderr)
	return term.ReadPassword(int(file.Fd()))
}

func nonEmpty(password []byte) ([]byte, error) {
	if len(password) == 0 {
		return nil, errors.New("the password is empty")
	}
	return password, nil
}

func hashBcrypt(password []byte, cost int) (string, error) {
	hash, err := bcrypt.GenerateFromPassword(password, cost)
	if errors.Is(err, bcrypt.ErrPasswordTooLong) {
		return "", errors.New("bcrypt takes at most 72 bytes (use --algorithm argon2id)")
	}
	return string(hash), err
}

func hashArgon2id(password []byte) (string, error) {
	salt := make([]byte, argonSalt)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("make a salt: %w", err)
	}
	key := argon2.IDKey(password, salt, argonTime, argonMemory, argonThreads, argonKey)
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		enc.EncodeToString(salt), enc.EncodeToString(key)), nil
}
