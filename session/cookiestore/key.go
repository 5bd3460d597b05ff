package cookiestore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
)

const (
	idSize    = 4
	nonceSize = 24
	tagSize   = 16
)

// key encrypts with XAES-256-GCM (c2sp.org/XAES-256-GCM): each message has an
// AES-256-GCM key of its own, derived from the first half of its nonce.
type key struct {
	id  [idSize]byte
	aad []byte
	xaes
}

// newKey derives the key of a binding from a secret. The id depends on both, so
// that a cookie of another binding is not even tried.
func newKey(secret []byte, binding string) (*key, error) {
	derived, err := hkdf.Key(sha256.New, secret, nil, "mountd session cookie 1:"+binding, 32+idSize)
	if err != nil {
		return nil, err
	}
	x, err := newXAES(derived[:32])
	if err != nil {
		return nil, err
	}
	return &key{id: [idSize]byte(derived[32:]), aad: []byte("mountd session cookie 1:" + binding), xaes: x}, nil
}

// seal appends nonce and ciphertext to head, which is authenticated as well.
func (k *key) seal(head, plain []byte) []byte {
	var nonce [nonceSize]byte
	_, _ = rand.Read(nonce[:]) // never fails
	aad := append(append(make([]byte, 0, len(k.aad)+len(head)), k.aad...), head...)
	return k.aead(nonce[:]).Seal(append(head, nonce[:]...), nonce[nonceSize/2:], plain, aad)
}

// open undoes seal, of which sealed is what follows head.
func (k *key) open(sealed, head []byte) ([]byte, error) {
	if len(sealed) < nonceSize+tagSize {
		return nil, errors.New("too short")
	}
	aad := append(append(make([]byte, 0, len(k.aad)+len(head)), k.aad...), head...)
	nonce, text := sealed[:nonceSize], sealed[nonceSize:]
	return k.aead(nonce).Open(text[:0], nonce[nonceSize/2:], text, aad)
}

// xaes derives a key for each nonce.
type xaes struct {
	block  cipher.Block
	subkey [aes.BlockSize]byte // K1 of CMAC
}

func newXAES(key []byte) (xaes, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return xaes{}, err
	}
	x := xaes{block: block}
	block.Encrypt(x.subkey[:], x.subkey[:])
	carry := byte(0)
	for i := len(x.subkey) - 1; i >= 0; i-- {
		next := x.subkey[i] >> 7
		x.subkey[i] = x.subkey[i]<<1 | carry
		carry = next
	}
	x.subkey[len(x.subkey)-1] ^= carry * 0x87
	return x, nil
}

func (x *xaes) aead(nonce []byte) cipher.AEAD {
	var derived [32]byte
	for half := range 2 {
		m := derived[half*aes.BlockSize:][:aes.BlockSize]
		m[1], m[2] = byte(half+1), 'X'
		copy(m[4:], nonce[:nonceSize/2])
		for i := range m {
			m[i] ^= x.subkey[i]
		}
		x.block.Encrypt(m, m)
	}
	block, err := aes.NewCipher(derived[:])
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has blocks of 16 bytes
	}
	return aead
}
