package auth

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// hash is what passwords are checked against.
type hash interface {
	verify(password []byte) bool

	// class names the algorithm and its cost: checks against hashes of one
	// class take equally long.
	class() string

	// decoy is a hash of the same class that no password fits.
	decoy() hash
}

// Bounds on what a check may cost, so that a hash in a file can't stop the
// program: about a second each.
const (
	maxBcryptCost   = 16
	maxArgonMemory  = 1 << 20 // KiB
	maxArgonWork    = 1 << 22 // KiB times passes
	maxArgonThreads = 64
	maxCryptRounds  = 2_000_000
)

const knownHashes = "bcrypt, argon2id, $5$, $6$, $apr1$ or {SHA}; mountd hash-password makes one"

// parseHash reads a hash of any known kind.
func parseHash(text string) (hash, error) {
	switch {
	case text == "":
		return nil, fmt.Errorf("the hash is empty (write %s)", knownHashes)
	case strings.HasPrefix(text, "$2a$"), strings.HasPrefix(text, "$2b$"), strings.HasPrefix(text, "$2y$"):
		return parseBcrypt(text)
	case strings.HasPrefix(text, "$argon2id$"):
		return parseArgon(text)
	case strings.HasPrefix(text, "$5$"), strings.HasPrefix(text, "$6$"):
		return parseShaCrypt(text)
	case strings.HasPrefix(text, "$apr1$"):
		return parseApr1(text)
	case strings.HasPrefix(text, "{SHA}"):
		return parseSha(text)
	case strings.HasPrefix(text, "$") || strings.HasPrefix(text, "{"):
		return nil, fmt.Errorf("this kind of hash is not supported (write %s)", knownHashes)
	}
	return nil, fmt.Errorf("this is no hash (write %s)", knownHashes)
}

type bcryptHash struct {
	text []byte
	cost int
}

const bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func parseBcrypt(text string) (hash, error) {
	if len(text) != 60 || text[6] != '$' || !onlyOf(text[7:], bcryptAlphabet) {
		return nil, errors.New("the bcrypt hash is broken: it has 60 characters, as $2y$12$ and 53 more")
	}
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil || cost > maxBcryptCost || cost < bcrypt.MinCost {
		return nil, fmt.Errorf("the bcrypt cost %s is not between %d and %d", text[4:6], bcrypt.MinCost, maxBcryptCost)
	}
	return &bcryptHash{[]byte(text), cost}, nil
}

func (h *bcryptHash) verify(password []byte) bool {
	return bcrypt.CompareHashAndPassword(h.text, password) == nil
}

func (h *bcryptHash) class() string { return "bcrypt " + strconv.Itoa(h.cost) }

func (h *bcryptHash) decoy() hash { return refusing{h} }

type argonHash struct {
	salt, key    []byte
	time, memory uint32
	threads      uint8
}

// parseArgon reads $argon2id$v=19$m=65536,t=3,p=4$salt$key.
func parseArgon(text string) (hash, error) {
	broken := errors.New("the argon2id hash is broken (it is written as $argon2id$v=19$m=65536,t=3,p=4$salt$key)")
	parts := strings.Split(text, "$")
	if len(parts) != 6 {
		return nil, broken
	}
	if parts[2] != "v=19" {
		return nil, errors.New("the argon2id hash is not of version 19")
	}
	values := map[string]uint64{}
	for part := range strings.SplitSeq(parts[3], ",") {
		name, number, _ := strings.Cut(part, "=")
		n, err := strconv.ParseUint(number, 10, 32)
		if _, again := values[name]; again || err != nil || n == 0 {
			return nil, broken
		}
		values[name] = n
	}
	m, t, p := values["m"], values["t"], values["p"]
	if len(values) != 3 || m == 0 || t == 0 || p == 0 {
		return nil, broken
	}
	if m > maxArgonMemory || m*t > maxArgonWork || p > maxArgonThreads || m < 8*p {
		return nil, fmt.Errorf("the argon2id cost %s is out of range (m up to %d, m times t up to %d, p up to %d and an eighth of m)", parts[3], maxArgonMemory, maxArgonWork, maxArgonThreads)
	}
	salt, errSalt := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	key, errKey := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if errSalt != nil || errKey != nil || len(salt) < 8 || len(salt) > 256 || len(key) < 16 || len(key) > 256 {
		return nil, broken
	}
	return &argonHash{salt: salt, key: key, time: uint32(t), memory: uint32(m), threads: uint8(p)}, nil
}

func (h *argonHash) verify(password []byte) bool {
	key := argon2.IDKey(password, h.salt, h.time, h.memory, h.threads, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(key, h.key) == 1
}

func (h *argonHash) class() string {
	return fmt.Sprintf("argon2id m=%d,t=%d,p=%d", h.memory, h.time, h.threads)
}

func (h *argonHash) decoy() hash { return refusing{h} }

// shaHash is Apache's {SHA}: no salt, no cost. It is read since files have it.
type shaHash [sha1.Size]byte

func parseSha(text string) (hash, error) {
	sum, err := base64.StdEncoding.Strict().DecodeString(text[len("{SHA}"):])
	if err != nil || len(sum) != sha1.Size {
		return nil, errors.New("the {SHA} hash is broken: 28 characters of base64 follow")
	}
	return shaHash(sum), nil
}

func (h shaHash) verify(password []byte) bool {
	sum := sha1.Sum(password)
	return subtle.ConstantTimeCompare(sum[:], h[:]) == 1
}

func (h shaHash) class() string { return "sha" }

func (h shaHash) decoy() hash { return refusing{h} }

type apr1Hash struct{ salt, digest string }

func parseApr1(text string) (hash, error) {
	parts := strings.Split(text, "$")
	if len(parts) != 4 || parts[2] == "" || len(parts[2]) > 8 || !onlyOf(parts[2], cryptAlphabet) || len(parts[3]) != encodedLen(md5.Size) || !onlyOf(parts[3], cryptAlphabet) {
		return nil, errors.New("the $apr1$ hash is broken: it has a salt of 1 to 8 characters and 22 more")
	}
	return apr1Hash{parts[2], parts[3]}, nil
}

func (h apr1Hash) verify(password []byte) bool {
	return subtle.ConstantTimeCompare([]byte(apr1(password, h.salt)), []byte(h.digest)) == 1
}

func (h apr1Hash) class() string { return "apr1" }

func (h apr1Hash) decoy() hash { return refusing{h} }

type shaCryptHash struct {
	kind         shaCryptKind
	rounds       int
	salt, digest string
}

// parseShaCrypt reads $5$rounds=N$salt$digest and its like.
func parseShaCrypt(text string) (hash, error) {
	h := shaCryptHash{kind: shaCrypt256, rounds: 5000}
	if text[1] == '6' {
		h.kind = shaCrypt512
	}
	parts := strings.Split(text[3:], "$")
	if number, ok := strings.CutPrefix(parts[0], "rounds="); ok {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1000 || n > maxCryptRounds {
			return nil, fmt.Errorf("the number of rounds %q is not between 1000 and %d", number, maxCryptRounds)
		}
		h.rounds, parts = n, parts[1:]
	}
	if len(parts) != 2 || len(parts[0]) > 16 || !onlyOf(parts[0], cryptAlphabet) || len(parts[1]) != encodedLen(h.kind.size) || !onlyOf(parts[1], cryptAlphabet) {
		return nil, fmt.Errorf("the $%c$ hash is broken: it has a salt of up to 16 characters and %d more", text[1], encodedLen(h.kind.size))
	}
	h.salt, h.digest = parts[0], parts[1]
	return h, nil
}

func (h shaCryptHash) verify(password []byte) bool {
	return subtle.ConstantTimeCompare([]byte(shaCrypt(h.kind, password, []byte(h.salt), h.rounds)), []byte(h.digest)) == 1
}

func (h shaCryptHash) class() string {
	return fmt.Sprintf("sha-crypt %d %d", h.kind.size, h.rounds)
}

func (h shaCryptHash) decoy() hash { return refusing{h} }

// refusing takes as long as its hash and is never right.
type refusing struct{ hash }

func (r refusing) verify(password []byte) bool { return r.hash.verify(password) && false }

func onlyOf(s, alphabet string) bool {
	return strings.Trim(s, alphabet) == ""
}
