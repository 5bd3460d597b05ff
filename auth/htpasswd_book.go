package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// maxRemembered bounds how many passwords are remembered.
const maxRemembered = 1 << 16

// usual is how long name and password are, if at all possible, in bytes: what
// is longer costs allocations.
const usual = 96

// digest stands for a name and a password. Its key is random and never leaves
// the program, so that it says nothing of them.
type digest [sha256.Size]byte

// book is one state of the users, and what is remembered of them.
type book struct {
	users    map[string]*entry
	classes  []hash // a decoy of each, the same for all
	remember time.Duration
	secret   [sha256.Size]byte

	mu      sync.RWMutex
	right   map[digest]memory // passwords that were right
	pending map[digest]*check
}

type entry struct {
	account
	user *User
}

type memory struct {
	entry   *entry
	expires time.Time
}

func newBook(accounts []account, cfg UsersConfig) (*book, error) {
	b := &book{users: make(map[string]*entry, len(accounts)), right: map[digest]memory{}, pending: map[digest]*check{}, remember: cfg.Remember}
	if _, err := rand.Read(b.secret[:]); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	groups := map[string][]string{}
	for g, members := range cfg.Groups {
		for _, name := range members {
			groups[name] = append(groups[name], g)
		}
	}
	seen := map[string]bool{}
	for _, a := range accounts {
		slices.Sort(groups[a.name])
		b.users[a.name] = &entry{a, &User{Name: a.name, Groups: slices.Compact(groups[a.name]), Method: cfg.Method}}
		if class := a.hash.class(); !seen[class] {
			seen[class] = true
			b.classes = append(b.classes, a.hash.decoy())
		}
	}
	return b, nil
}

// inherit takes over what old remembers of users who have the same password.
func (b *book) inherit(old *book) {
	b.secret = old.secret
	old.mu.RLock()
	defer old.mu.RUnlock()
	for key, m := range old.right {
		if e := b.users[m.entry.name]; e != nil && e.text == m.entry.text {
			b.right[key] = memory{e, m.expires}
		}
	}
}

func (b *book) digest(credentials []byte) digest {
	if len(credentials) > usual {
		return sha256.Sum256(append(b.secret[:len(b.secret):len(b.secret)], credentials...))
	}
	var buf [sha256.Size + usual]byte
	n := copy(buf[:], b.secret[:])
	n += copy(buf[n:], credentials)
	return sha256.Sum256(buf[:n])
}

// remembered gives the user whose password was right a short while ago.
func (b *book) remembered(key digest) *User {
	b.mu.RLock()
	m, ok := b.right[key]
	b.mu.RUnlock()
	if !ok || time.Now().After(m.expires) {
		return nil
	}
	return m.entry.user
}

func (b *book) keep(key digest, e *entry) {
	if b.remember < 0 {
		return
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.right) >= maxRemembered {
		for k, m := range b.right {
			if now.After(m.expires) {
				delete(b.right, k)
			}
		}
		if len(b.right) >= maxRemembered {
			clear(b.right)
		}
	}
	b.right[key] = memory{e, now.Add(b.remember)}
}

// check is a password check under way, which others with the very same
// credentials wait for.
type check struct {
	done chan struct{}
	user *User
	err  error
}

var errLeft = errors.New("the request that began the check has left, or its network had no place")

// check checks credentials by their hash. Whether the name is known makes no
// difference to when the answer comes.
func (b *book) check(ctx context.Context, workers *Workers, key digest, credentials []byte) (*User, error) {
	for {
		b.mu.Lock()
		c, others := b.pending[key]
		if !others {
			c = &check{done: make(chan struct{}), err: errLeft}
			b.pending[key] = c
		}
		b.mu.Unlock()
		if !others {
			defer b.finish(key, c)
			c.user, c.err = b.work(ctx, workers, key, credentials)
			if c.err != nil && (ctx.Err() != nil || errors.Is(c.err, errCrowded)) {
				err := c.err
				c.err = errLeft
				return nil, err
			}
			return c.user, c.err
		}
		select {
		case <-c.done:
			if c.err == errLeft {
				continue
			}
			return c.user, c.err
		case <-ctx.Done():
			return nil, left(ctx)
		}
	}
}

func (b *book) finish(key digest, c *check) {
	b.mu.Lock()
	delete(b.pending, key)
	b.mu.Unlock()
	close(c.done)
}

func (b *book) work(ctx context.Context, workers *Workers, key digest, credentials []byte) (*User, error) {
	name, password, _ := bytes.Cut(credentials, []byte(":"))
	e := b.users[string(name)]
	right := false
	err := workers.Do(ctx, func() { right = b.compare(e, password) })
	if err != nil || !right {
		return nil, err
	}
	b.keep(key, e)
	return e.user, nil
}

// compare checks the password against the hash of e. What is refused has cost
// one check of every class.
func (b *book) compare(e *entry, password []byte) bool {
	own := ""
	if e != nil {
		if e.hash.verify(password) {
			return true
		}
		own = e.hash.class()
	}
	for _, decoy := range b.classes {
		if decoy.class() != own {
			decoy.verify(password)
		}
	}
	return false
}
