// Package sqlitestore keeps sessions in an SQLite file: they outlast the
// program, on one machine. The SQLite is modernc.org/sqlite, in Go.
//
// The file is in WAL mode: beside it are two more, -wal and -shm. Several
// programs of one machine may use it at once; a network file system will not
// do. After a power cut the last sessions may be missing, but the file is
// sound.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/mountd/mountd/session"
)

// DefaultCleanup is how often expired sessions are removed.
const DefaultCleanup = 5 * time.Minute

// Config says where the file is. Path must be set.
type Config struct {
	// Path of the file. It is made, readable for its owner alone; its directory
	// must be there.
	Path string

	// Cleanup is how often expired sessions are removed. 0: 5 minutes.
	Cleanup time.Duration

	// Logger is told of clean-ups that fail. Nil: [slog.Default].
	Logger *slog.Logger
}

// Store keeps sessions in a file. It is safe for concurrent use. Close it when
// it is no longer needed.
type Store struct {
	write *sql.DB // one connection: SQLite has one writer
	read  *sql.DB
	log   *slog.Logger
	stop  context.CancelFunc
	done  sync.WaitGroup
}

// The format of the file. A file of another application, or of a later format,
// is refused.
const (
	applicationID = 0x6d6f756e // "moun"
	schemaVersion = 1
)

const schema = `CREATE TABLE session (
	handle  TEXT PRIMARY KEY,
	version INTEGER NOT NULL,
	user    TEXT NOT NULL,
	expires INTEGER NOT NULL,
	record  BLOB NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX session_user ON session (user) WHERE user <> '';
CREATE INDEX session_expires ON session (expires);`

// New opens the file, and makes it where there is none.
func New(cfg Config) (*Store, error) {
	s, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("open sessions %s: %w", cfg.Path, err)
	}
	return s, nil
}

func open(cfg Config) (*Store, error) {
	switch {
	case cfg.Path == "":
		return nil, errors.New("no file is named")
	case cfg.Cleanup < 0:
		return nil, fmt.Errorf("cleanup %v is below zero", cfg.Cleanup)
	case cfg.Cleanup == 0:
		cfg.Cleanup = DefaultCleanup
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, err
	}
	if err := private(path); err != nil {
		return nil, err
	}
	s := &Store{log: cfg.Logger}
	if s.write, err = connect(path, "immediate", 1); err != nil {
		return nil, err
	}
	if s.read, err = connect(path, "deferred", 4); err != nil {
		return nil, errors.Join(err, s.write.Close())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.write.Close(), s.read.Close())
	}
	ctx, s.stop = context.WithCancel(context.Background())
	s.done.Go(func() { s.cleanEvery(ctx, cfg.Cleanup) })
	return s, nil
}

// private makes the file readable for its owner alone. SQLite gives the files
// beside it the same mode.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a file")}
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	return errors.Join(err, f.Close())
}

func connect(path, begin string, conns int) (*sql.DB, error) {
	query := url.Values{
		"_pragma": {"busy_timeout(1500)", "journal_mode(WAL)", "synchronous(NORMAL)", "trusted_schema(0)", "journal_size_limit(16777216)"},
		"_txlock": {begin},
	}
	db, err := sql.Open("sqlite", "file://"+(&url.URL{Path: path}).EscapedPath()+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// prepare makes the table in an empty file, and refuses files that are not
// ours.
func (s *Store) prepare(ctx context.Context) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing once it is committed
	var application, version, tables int
	if err := errors.Join(
		tx.QueryRowContext(ctx, "PRAGMA application_id").Scan(&application),
		tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version),
		tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables),
	); err != nil {
		return err
	}
	switch {
	case application == applicationID && version == schemaVersion:
		return nil
	case application == applicationID:
		return fmt.Errorf("it has format %d, this program knows %d (name another file)", version, schemaVersion)
	case application != 0 || version != 0 || tables != 0:
		return errors.New("it is another program's database (name another file)")
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("%s PRAGMA application_id = %d; PRAGMA user_version = %d;", schema, applicationID, schemaVersion)); err != nil {
		return err
	}
	return tx.Commit()
}

// Close stops the clean-ups and closes the file.
func (s *Store) Close() error {
	s.stop()
	s.done.Wait()
	return errors.Join(s.read.Close(), s.write.Close())
}

func (s *Store) cleanEvery(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := s.clean(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("expired sessions not removed", "error", err)
			}
		}
	}
}

// clean removes expired sessions in small steps, which let others write.
func (s *Store) clean(ctx context.Context) error {
	const step = 500
	for {
		result, err := s.write.ExecContext(ctx, "DELETE FROM session WHERE handle IN (SELECT handle FROM session WHERE expires <= ? LIMIT ?)", time.Now().UnixMilli(), step)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n < step {
			return err
		}
	}
}

// Traits implements [session.Store].
func (s *Store) Traits() session.Traits { return session.Traits{} }

// Owns implements [session.Store].
func (s *Store) Owns(token string) bool { return session.IsToken(token) }

// Find implements [session.Store].
func (s *Store) Find(ctx context.Context, token string) (session.Record, error) {
	handle := session.Handle(token)
	var record []byte
	err := s.read.QueryRowContext(ctx, "SELECT record FROM session WHERE handle = ? AND expires > ?", handle, time.Now().UnixMilli()).Scan(&record)
	if errors.Is(err, sql.ErrNoRows) {
		return session.Record{}, session.ErrNotFound
	}
	if err != nil {
		return session.Record{}, err
	}
	rec, err := session.ParseRecord(record)
	rec.Token, rec.Handle = token, handle
	return rec, err
}

// Commit implements [session.Store].
func (s *Store) Commit(ctx context.Context, rec session.Record) (session.Record, error) {
	begins := rec.Token == ""
	if begins {
		rec.Token = session.NewToken()
	}
	rec.Handle = session.Handle(rec.Token)
	before := rec.Version
	rec.Version++
	record := session.AppendRecord(nil, rec)
	if begins {
		_, err := s.write.ExecContext(ctx, "INSERT INTO session (handle, version, user, expires, record) VALUES (?, ?, ?, ?, ?)",
			rec.Handle, int64(rec.Version), rec.User, rec.Expires.UnixMilli(), record)
		return rec, err
	}
	result, err := s.write.ExecContext(ctx, "UPDATE session SET version = ?, expires = ?, record = ? WHERE handle = ? AND version = ? AND expires > ?",
		int64(rec.Version), rec.Expires.UnixMilli(), record, rec.Handle, int64(before), time.Now().UnixMilli())
	return rec, s.changed(ctx, result, err, rec.Handle)
}

// changed tells why a statement about a version has changed nothing.
func (s *Store) changed(ctx context.Context, result sql.Result, err error, handle string) error {
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	var there bool
	err = s.write.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM session WHERE handle = ? AND expires > ?)", handle, time.Now().UnixMilli()).Scan(&there)
	switch {
	case err != nil:
		return err
	case there:
		return session.ErrConflict
	}
	return session.ErrNotFound
}

// Delete implements [session.Store].
func (s *Store) Delete(ctx context.Context, rec session.Record) error {
	result, err := s.write.ExecContext(ctx, "DELETE FROM session WHERE handle = ?1 AND (?2 = 0 OR version = ?2) AND expires > ?3",
		rec.Handle, int64(rec.Version), time.Now().UnixMilli())
	return s.changed(ctx, result, err, rec.Handle)
}

// List implements [session.Store].
func (s *Store) List(ctx context.Context, user string) (found []session.Record, err error) {
	rows, err := s.read.QueryContext(ctx, "SELECT handle, record FROM session WHERE user <> '' AND (?1 = '' OR user = ?1) AND expires > ?2", user, time.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var handle string
		var record []byte
		if err := rows.Scan(&handle, &record); err != nil {
			return nil, err
		}
		if rec, err := session.ParseRecord(record); err == nil {
			rec.Handle = handle
			found = append(found, rec)
		}
	}
	return found, rows.Err()
}
