// Package cookiestore keeps sessions in their cookies, encrypted and
// authenticated, so that the server needs no memory of them.
//
// # What it cannot do
//
//   - Sessions are small: what browsers keep of a cookie is 4 KiB, which leaves
//     about 2.8 KiB for keys and values. More is an error, never a second
//     cookie.
//   - Of requests at the same time that change the session, the answer that
//     reaches the browser last wins as a whole: updates can be lost.
//   - A session that has ended is remembered, so that a copy of its cookie is
//     refused, but by this process only and for as many sessions as
//     [Config.MaxEnded] says. Otherwise such a copy works until its idle time
//     and lifetime are over. That holds for copies from before a login too.
//   - A user's sessions cannot be listed, nor ended together.
//
// # Keys
//
// Every machine needs the same keys. To change them, put the new one in front
// on every machine, and take the old one away once the sessions' lifetime has
// passed. Cookies are encrypted with XAES-256-GCM, whose random nonces don't
// run out; the keys for it are derived with HKDF-SHA256.
package cookiestore

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/mountd/mountd/session"
)

// MinKey is the shortest key, in bytes.
const MinKey = 32

// DefaultMaxEnded is how many ended sessions are remembered.
const DefaultMaxEnded = 100_000

// MaxToken is the longest value of a cookie: browsers keep 4096 bytes together
// with its name.
const MaxToken = 3900

// Config has the keys.
type Config struct {
	// Keys are random secrets of at least 32 bytes each. The first one encrypts
	// cookies, all decrypt. There must be one.
	Keys [][]byte

	// Binding tells managers with the same keys apart: a cookie of one is
	// nothing to the other. It should hold the cookie's name, and be the same
	// on every machine.
	Binding string

	// MaxEnded is how many sessions that have ended are remembered, at about
	// 150 bytes each; the one that ended first is forgotten first. 0: 100,000.
	MaxEnded int
}

// Store keeps sessions in cookies. It is safe for concurrent use, and never
// waits.
type Store struct {
	keys  []*key
	ended endings
}

// A token is, in base64url: the format (1 byte), the key's id (4), the nonce
// (24), and encrypted the handle (16) and the record, with its tag (16).
const (
	format     = 1
	handleSize = 16
	headSize   = 1 + idSize
	minToken   = (headSize + nonceSize + handleSize + tagSize) / 3 * 4
)

// maxData leaves room for everything around the data, and a user's name of a
// usual length.
const maxData = MaxToken/4*3 - headSize - nonceSize - handleSize - tagSize - recordSize

const recordSize = 45

// New makes a store. Its error names every key that will not do.
func New(cfg Config) (*Store, error) {
	var errs []error
	if len(cfg.Keys) == 0 {
		errs = append(errs, &optionError{"keys", errors.New("there is none (write at least one, of 32 random bytes or more)")})
	}
	s := &Store{}
	for i, secret := range cfg.Keys {
		path := fmt.Sprintf("keys[%d]", i)
		if len(secret) < MinKey {
			errs = append(errs, &optionError{path, fmt.Errorf("%d bytes are too few (write %d random bytes or more)", len(secret), MinKey)})
			continue
		}
		k, err := newKey(secret, cfg.Binding)
		if err != nil {
			errs = append(errs, &optionError{path, err})
			continue
		}
		for _, other := range s.keys {
			if other.id == k.id {
				errs = append(errs, &optionError{path, errors.New("the same key again")})
			}
		}
		s.keys = append(s.keys, k)
	}
	if cfg.MaxEnded < 0 {
		errs = append(errs, &optionError{"max_ended", fmt.Errorf("%d is below zero", cfg.MaxEnded)})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if cfg.MaxEnded == 0 {
		cfg.MaxEnded = DefaultMaxEnded
	}
	s.ended.max = cfg.MaxEnded
	return s, nil
}

type optionError struct {
	path string
	err  error
}

func (e *optionError) Error() string      { return e.path + ": " + e.err.Error() }
func (e *optionError) Unwrap() error      { return e.err }
func (e *optionError) OptionPath() string { return e.path }

// Traits implements [session.Store].
func (s *Store) Traits() session.Traits {
	return session.Traits{Local: true, InCookie: true, MaxData: maxData}
}

var encoding = base64.RawURLEncoding.Strict()

// Owns implements [session.Store]. It looks at the key's id only.
func (s *Store) Owns(token string) bool {
	_, ok := s.keyOf(token)
	return ok
}

func (s *Store) keyOf(token string) (*key, bool) {
	const chars = (headSize + 2) / 3 * 4
	var in [chars]byte
	var head [chars / 4 * 3]byte
	if len(token) < minToken || len(token) > MaxToken || len(token) < chars {
		return nil, false
	}
	copy(in[:], token)
	if _, err := encoding.Decode(head[:], in[:]); err != nil || head[0] != format {
		return nil, false
	}
	for _, k := range s.keys {
		if k.id == [idSize]byte(head[1:headSize]) {
			return k, true
		}
	}
	return nil, false
}

// Find implements [session.Store].
func (s *Store) Find(_ context.Context, token string) (session.Record, error) {
	rec, err := s.open(token)
	now := time.Now()
	switch {
	case err != nil:
		return session.Record{}, err
	case !now.Before(rec.Expires) || s.ended.has(rec.Handle):
		return session.Record{}, session.ErrNotFound
	}
	return rec, nil
}

// open decrypts. A value that was not made with one of the keys is no session;
// one that was, and cannot be read, is malformed.
func (s *Store) open(token string) (session.Record, error) {
	k, ok := s.keyOf(token)
	if !ok {
		return session.Record{}, session.ErrNotFound
	}
	sealed, err := encoding.DecodeString(token)
	if err != nil {
		return session.Record{}, session.ErrNotFound
	}
	plain, err := k.open(sealed[headSize:], sealed[:headSize])
	if err != nil {
		return session.Record{}, session.ErrNotFound
	}
	if len(plain) < handleSize {
		return session.Record{}, session.ErrMalformed
	}
	rec, err := session.ParseRecord(plain[handleSize:])
	if err != nil {
		return session.Record{}, err
	}
	rec.Token, rec.Handle = token, encoding.EncodeToString(plain[:handleSize])
	return rec, nil
}

// Commit implements [session.Store]: it makes a new token.
func (s *Store) Commit(ctx context.Context, rec session.Record) (session.Record, error) {
	var handle [handleSize]byte
	if rec.Token == "" {
		_, _ = rand.Read(handle[:]) // never fails
		rec.Handle = encoding.EncodeToString(handle[:])
	} else {
		found, err := s.Find(ctx, rec.Token)
		if err != nil {
			return session.Record{}, err
		}
		rec.Handle = found.Handle
		if _, err := encoding.Decode(handle[:], []byte(found.Handle)); err != nil {
			return session.Record{}, session.ErrMalformed
		}
	}
	rec.Version++
	plain := make([]byte, 0, handleSize+recordSize+len(rec.User)+len(rec.Data))
	plain = session.AppendRecord(append(plain, handle[:]...), rec)
	k := s.keys[0]
	sealed := make([]byte, headSize, headSize+nonceSize+len(plain)+tagSize)
	sealed[0] = format
	copy(sealed[1:], k.id[:])
	sealed = k.seal(sealed, plain)
	if n := encoding.EncodedLen(len(sealed)); n > MaxToken {
		return session.Record{}, fmt.Errorf("%w: %d bytes encrypted, of %d that a cookie can hold", session.ErrTooLarge, n, MaxToken)
	}
	rec.Token = encoding.EncodeToString(sealed)
	return rec, nil
}

// Delete implements [session.Store]: the session is remembered as ended.
func (s *Store) Delete(_ context.Context, rec session.Record) error {
	if s.ended.has(rec.Handle) {
		return session.ErrNotFound
	}
	if n, err := encoding.DecodeString(rec.Handle); err != nil || len(n) != handleSize {
		return session.ErrNotFound
	}
	s.ended.add(rec.Handle)
	return nil
}

// List implements [session.Store]: it cannot.
func (s *Store) List(context.Context, string) ([]session.Record, error) {
	return nil, errors.ErrUnsupported
}
