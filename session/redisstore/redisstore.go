// Package redisstore keeps sessions in Redis or Valkey: a single server, one
// found by Sentinel, or a cluster.
//
// A session is one key, "mountd:session:{handle}", with the time to live of
// its session; what a user's sessions are stands in sorted sets,
// "mountd:session:user:{…}". Commits are scripts that touch one key, so they
// are atomic in a cluster as well. Nothing that is kept there leads to a
// browser's cookie.
//
// Redis must not forget sessions in need of memory before they expire, or users
// are logged out: set maxmemory-policy to noeviction or to volatile-ttl. After
// a fail-over, what the new master has not heard of is lost.
package redisstore

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/mountd/mountd/session"
)

// DefaultPrefix begins every key.
const DefaultPrefix = "mountd:session:"

// maxListed bounds what List gives back.
const maxListed = 10_000

// Config says where Redis is. URL must be set.
type Config struct {
	// URL of the server:
	//
	//	redis://user:password@host:6379/0
	//	rediss://host:6380                        with TLS
	//	unix:///run/redis/redis.sock?db=0
	//	redis://host1:6379,host2:6379             a cluster
	//	redis://host1:26379,host2:26379/0?master=name   Sentinel; also sentinel_user, sentinel_password
	//
	// valkey and valkeys may stand for redis and rediss.
	URL string

	// TLS is used with rediss. Nil: the system's certificate authorities, TLS
	// 1.2 or later.
	TLS *tls.Config

	// Prefix begins every key. Empty: "mountd:session:".
	Prefix string

	// Logger is told of a server that cannot be reached at first. Nil:
	// [slog.Default].
	Logger *slog.Logger
}

// Store keeps sessions in Redis. It is safe for concurrent use. Close it when
// it is no longer needed.
type Store struct {
	link   link
	prefix string
}

// New makes a store, and begins to connect. A server that cannot be reached is
// no error: calls fail until it can.
func New(cfg Config) (*Store, error) {
	opt, err := options(cfg.URL, cfg.TLS)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if cfg.Prefix == "" {
		cfg.Prefix = DefaultPrefix
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Store{prefix: cfg.Prefix}
	s.link.start(opt, cfg.Logger)
	return s, nil
}

// Close ends the connections.
func (s *Store) Close() error {
	s.link.close()
	return nil
}

// Traits implements [session.Store].
func (s *Store) Traits() session.Traits { return session.Traits{} }

// Owns implements [session.Store].
func (s *Store) Owns(token string) bool { return session.IsToken(token) }

func (s *Store) key(handle string) string { return s.prefix + "{" + handle + "}" }

// index is the key of the set of a user's sessions. The name is hashed: it may
// hold anything.
func (s *Store) index(user string) string {
	sum := sha256.Sum256([]byte(user))
	return s.prefix + "user:{" + base64.RawURLEncoding.EncodeToString(sum[:]) + "}"
}

// Find implements [session.Store].
func (s *Store) Find(ctx context.Context, token string) (session.Record, error) {
	handle := session.Handle(token)
	rec, err := s.get(ctx, handle)
	rec.Token = token
	return rec, err
}

func (s *Store) get(ctx context.Context, handle string) (session.Record, error) {
	c, err := s.link.client(ctx)
	if err != nil {
		return session.Record{}, err
	}
	return s.parse(handle, c.Do(ctx, c.B().Get().Key(s.key(handle)).Build()))
}

func (s *Store) parse(handle string, answer rueidis.RedisResult) (session.Record, error) {
	text, err := answer.ToString()
	if err != nil {
		return session.Record{}, known(err)
	}
	rec, err := session.ParseRecord([]byte(text))
	if err != nil {
		return session.Record{}, err
	}
	rec.Handle = handle
	if !time.Now().Before(rec.Expires) {
		return session.Record{}, session.ErrNotFound
	}
	return rec, nil
}

// known translates what Redis says of a key.
func known(err error) error {
	if rueidis.IsRedisNil(err) {
		return session.ErrNotFound
	}
	if e, ok := rueidis.IsRedisErr(err); ok && strings.HasPrefix(e.Error(), "WRONGTYPE") {
		return fmt.Errorf("%w: %w", session.ErrMalformed, e)
	}
	return err
}

// A record begins with a byte for its format and 8 each for its version,
// created, seen, and when it expires. Redis may keep it a little longer, since
// the time to live begins when the command arrives: it must not come back.
const unlessGone = `local kept = redis.call('GET', KEYS[1])
if not kept or #kept < 33 or struct.unpack('>I8', kept, 26) <= tonumber(ARGV[1]) then return 0 end
if string.sub(kept, 2, 9) ~= ARGV[2] then return 2 end
`

var (
	commit = rueidis.NewLuaScript(unlessGone + "redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4]) return 1")
	remove = rueidis.NewLuaScript(unlessGone + "redis.call('DEL', KEYS[1]) return 1")
)

// The set lives as long as the session that lasts longest.
var enlist = rueidis.NewLuaScript(`redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 1`)

func outcome(answer rueidis.RedisResult) error {
	n, err := answer.AsInt64()
	switch {
	case err != nil:
		return known(err)
	case n == 0:
		return session.ErrNotFound
	case n == 2:
		return session.ErrConflict
	}
	return nil
}

// Commit implements [session.Store].
func (s *Store) Commit(ctx context.Context, rec session.Record) (session.Record, error) {
	c, err := s.link.client(ctx)
	if err != nil {
		return session.Record{}, err
	}
	begins := rec.Token == ""
	if begins {
		rec.Token = session.NewToken()
	}
	rec.Handle = session.Handle(rec.Token)
	before := versionBytes(rec.Version)
	rec.Version++
	value := rueidis.BinaryString(session.AppendRecord(nil, rec))
	left := max(1, time.Until(rec.Expires).Milliseconds())
	if !begins {
		answer := commit.Exec(ctx, c, []string{s.key(rec.Handle)}, []string{nowText(), before, value, strconv.FormatInt(left, 10)})
		return rec, outcome(answer)
	}
	if rec.User != "" {
		// First, so that no session is missing from the list.
		if err := s.enlist(ctx, c, rec); err != nil {
			return session.Record{}, err
		}
	}
	err = c.Do(ctx, c.B().Set().Key(s.key(rec.Handle)).Value(value).Nx().PxMilliseconds(left).Build()).Error()
	if rueidis.IsRedisNil(err) {
		err = session.ErrConflict
	}
	return rec, err
}

func (s *Store) enlist(ctx context.Context, c rueidis.Client, rec session.Record) error {
	now := time.Now()
	return enlist.Exec(ctx, c, []string{s.index(rec.User)}, []string{
		strconv.FormatInt(now.UnixMilli(), 10), strconv.FormatInt(rec.Deadline.UnixMilli(), 10), rec.Handle,
		strconv.FormatInt(max(1, rec.Deadline.Sub(now).Milliseconds()), 10),
	}).Error()
}

func nowText() string { return strconv.FormatInt(time.Now().UnixMilli(), 10) }

func versionBytes(version uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], version)
	return string(b[:])
}

// Delete implements [session.Store].
func (s *Store) Delete(ctx context.Context, rec session.Record) error {
	c, err := s.link.client(ctx)
	if err != nil {
		return err
	}
	if rec.Version == 0 {
		n, err := c.Do(ctx, c.B().Del().Key(s.key(rec.Handle)).Build()).AsInt64()
		if err == nil && n == 0 {
			err = session.ErrNotFound
		}
		return err
	}
	err = outcome(remove.Exec(ctx, c, []string{s.key(rec.Handle)}, []string{nowText(), versionBytes(rec.Version)}))
	if errors.Is(err, session.ErrMalformed) {
		err = session.ErrConflict
	}
	return err
}

// List implements [session.Store]. It gives 10,000 sessions at most.
func (s *Store) List(ctx context.Context, user string) ([]session.Record, error) {
	c, err := s.link.client(ctx)
	if err != nil {
		return nil, err
	}
	if user != "" {
		return s.listed(ctx, c, s.index(user), func(rec session.Record) bool { return rec.User == user })
	}
	indexes, err := s.indexes(ctx, c)
	if err != nil {
		return nil, err
	}
	var all []session.Record
	for _, index := range indexes {
		found, err := s.listed(ctx, c, index, func(rec session.Record) bool { return rec.User != "" })
		if err != nil {
			return nil, err
		}
		if all = append(all, found...); len(all) >= maxListed {
			return all[:maxListed], nil
		}
	}
	return all, nil
}

// indexes gives the sets of all users, of each server of a cluster.
func (s *Store) indexes(ctx context.Context, c rueidis.Client) ([]string, error) {
	pattern := globQuoter.Replace(s.prefix) + "user:{*}"
	seen, all := map[string]bool{}, []string(nil)
	for _, node := range c.Nodes() {
		for cursor := uint64(0); ; {
			entry, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(pattern).Count(1000).Build()).AsScanEntry()
			if err != nil {
				return nil, err
			}
			for _, key := range entry.Elements {
				if !seen[key] && len(all) < maxListed {
					seen[key] = true
					all = append(all, key)
				}
			}
			if cursor = entry.Cursor; cursor == 0 {
				break
			}
		}
	}
	return all, nil
}

var globQuoter = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// listed gives the sessions of one set, and takes those off it that have ended.
func (s *Store) listed(ctx context.Context, c rueidis.Client, index string, wanted func(session.Record) bool) ([]session.Record, error) {
	handles, err := c.Do(ctx, c.B().Zrange().Key(index).Min("0").Max(strconv.Itoa(maxListed-1)).Build()).AsStrSlice()
	if err = known(err); errors.Is(err, session.ErrMalformed) || err == nil && len(handles) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var gets rueidis.Commands
	for _, handle := range handles {
		gets = append(gets, c.B().Get().Key(s.key(handle)).Build())
	}
	var found []session.Record
	var gone []string
	for i, answer := range c.DoMulti(ctx, gets...) {
		rec, err := s.parse(handles[i], answer)
		switch {
		case err == nil && wanted(rec):
			found = append(found, rec)
		case errors.Is(err, session.ErrNotFound):
			gone = append(gone, handles[i])
		case err != nil && !errors.Is(err, session.ErrMalformed):
			return nil, err
		}
	}
	if len(gone) > 0 {
		if err := c.Do(ctx, c.B().Zrem().Key(index).Member(gone...).Build()).Error(); err != nil {
			return nil, err
		}
	}
	return found, nil
}
