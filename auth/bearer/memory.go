package bearer

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"sync"
	"time"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/issuer"
)

// memory remembers tokens by keyed hashes, so that it holds none of them.
type memory struct {
	hash    cipher.AEAD
	spare   sync.Pool // of *hashing
	entries *issuer.Generations[tokenID, *remembered]
}

type tokenID [16]byte

// hashing is what one hash needs.
type hashing struct {
	nonce [12]byte
	sum   [16]byte
	token []byte
}

// remembered is what is known of a token. It does not change.
type remembered struct {
	user  *auth.User
	err   error          // what is wrong with it instead
	until time.Time      // it counts
	keys  *issuer.KeySet // that it was verified with; nil: the issuer was asked
}

func (e *remembered) answer(m *Method) (*auth.User, error) {
	if e.err != nil {
		return nil, m.refusal(e.err)
	}
	return e.user, nil
}

const (
	maxMemory = 64 << 20 // bytes, as far as they can be told
	claimCost = 4        // of a token's claims in memory, to its length
	entryCost = 512
)

func newMemory(size int) (*memory, error) {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	hash, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &memory{
		hash:    hash,
		spare:   sync.Pool{New: func() any { return new(hashing) }},
		entries: issuer.NewGenerations[tokenID, *remembered](size, maxMemory),
	}, nil
}

// id hashes a token under a key that nobody knows, with the authenticator of
// AES-GCM: five times as fast as SHA-256. One nonce for all would be fatal if a
// hash were ever seen outside; none is, and without the key no two tokens of
// one hash can be made.
func (m *memory) id(token string) tokenID {
	h := m.spare.Get().(*hashing)
	h.token = append(h.token[:0], token...)
	id := tokenID(m.hash.Seal(h.sum[:0], h.nonce[:], nil, h.token))
	clear(h.token)
	m.spare.Put(h)
	return id
}

// find gives what is known of a token, if that counts still: its time, and the
// keys that it was verified with.
func (m *memory) find(id tokenID, keys *issuer.Keys) (*remembered, bool) {
	e, ok := m.entries.Get(id)
	if !ok || e.keys != nil && e.keys != keys.Current() || !time.Now().Before(e.until) {
		return nil, false
	}
	return e, true
}

func (m *memory) add(id tokenID, e *remembered, size int) {
	m.entries.Put(id, e, entryCost+claimCost*size)
}
