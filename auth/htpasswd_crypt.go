package auth

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	h "hash"
)

// The algorithms of crypt(3) that password files have. SHA-crypt is Ulrich
// Drepper's "Unix crypt using SHA-256 and SHA-512" (2007), apr1 the MD5 variant
// of Apache's htpasswd.

// cryptAlphabet has the digits of crypt's own base 64.
const cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// encodedLen is how many digits n bytes take.
func encodedLen(n int) int { return (n*8 + 5) / 6 }

// appendDigits writes the lowest bits of v first.
func appendDigits(dst []byte, v uint, n int) []byte {
	for range n {
		dst = append(dst, cryptAlphabet[v&0x3f])
		v >>= 6
	}
	return dst
}

type shaCryptKind struct {
	size int
	make func() h.Hash
}

var (
	shaCrypt256 = shaCryptKind{sha256.Size, sha256.New}
	shaCrypt512 = shaCryptKind{sha512.Size, sha512.New}
)

func shaCrypt(kind shaCryptKind, password, salt []byte, rounds int) string {
	digest := kind.make()
	digest.Write(password)
	digest.Write(salt)
	digest.Write(password)
	b := digest.Sum(nil)

	digest.Reset()
	digest.Write(password)
	digest.Write(salt)
	digest.Write(stretch(b, len(password)))
	for n := len(password); n > 0; n >>= 1 {
		if n&1 != 0 {
			digest.Write(b)
		} else {
			digest.Write(password)
		}
	}
	a := digest.Sum(nil)

	digest.Reset()
	for range len(password) {
		digest.Write(password)
	}
	p := stretch(digest.Sum(nil), len(password))

	digest.Reset()
	for range 16 + int(a[0]) {
		digest.Write(salt)
	}
	s := stretch(digest.Sum(nil), len(salt))

	for i := range rounds {
		digest.Reset()
		if i&1 != 0 {
			digest.Write(p)
		} else {
			digest.Write(a)
		}
		if i%3 != 0 {
			digest.Write(s)
		}
		if i%7 != 0 {
			digest.Write(p)
		}
		if i&1 != 0 {
			digest.Write(a)
		} else {
			digest.Write(p)
		}
		a = digest.Sum(a[:0])
	}
	return encodeShaCrypt(a)
}

// stretch repeats block until there are n bytes.
func stretch(block []byte, n int) []byte {
	out := make([]byte, 0, n+len(block))
	for len(out) < n {
		out = append(out, block...)
	}
	return out[:n]
}

// encodeShaCrypt takes three bytes at a time, a third of the digest apart, each
// time beginning with another of the three.
func encodeShaCrypt(d []byte) string {
	third := len(d) / 3
	out := make([]byte, 0, encodedLen(len(d)))
	i, j, k := 0, third, 2*third
	for range third {
		out = appendDigits(out, uint(d[i])<<16|uint(d[j])<<8|uint(d[k]), 4)
		if len(d) == sha256.Size {
			i, j, k = k+1, i+1, j+1
		} else {
			i, j, k = j+1, k+1, i+1
		}
	}
	if len(d) == sha256.Size {
		return string(appendDigits(out, uint(d[31])<<8|uint(d[30]), 3))
	}
	return string(appendDigits(out, uint(d[63]), 2))
}

func apr1(password []byte, salt string) string {
	const magic = "$apr1$"
	inner := md5.New()
	inner.Write(password)
	inner.Write([]byte(salt))
	inner.Write(password)
	b := inner.Sum(nil)

	digest := md5.New()
	digest.Write(password)
	digest.Write([]byte(magic + salt))
	digest.Write(stretch(b, len(password)))
	for n := len(password); n > 0; n >>= 1 {
		if n&1 != 0 {
			digest.Write([]byte{0})
		} else {
			digest.Write(password[:1])
		}
	}
	a := digest.Sum(nil)
	for i := range 1000 {
		digest.Reset()
		if i&1 != 0 {
			digest.Write(password)
		} else {
			digest.Write(a)
		}
		if i%3 != 0 {
			digest.Write([]byte(salt))
		}
		if i%7 != 0 {
			digest.Write(password)
		}
		if i&1 != 0 {
			digest.Write(a)
		} else {
			digest.Write(password)
		}
		a = digest.Sum(a[:0])
	}
	var out []byte
	for _, t := range [...][3]int{{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}} {
		out = appendDigits(out, uint(a[t[0]])<<16|uint(a[t[1]])<<8|uint(a[t[2]]), 4)
	}
	return string(appendDigits(out, uint(a[11]), 2))
}
