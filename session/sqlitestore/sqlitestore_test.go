package sqlitestore_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/sqlitestore"
	"github.com/mountd/mountd/session/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, cfg sqlitestore.Config) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// raw opens the file as another program would.
func raw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Exec("PRAGMA busy_timeout = 5000"); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestContract(t *testing.T) {
	var path string
	storetest.Run(t, storetest.Options{
		New: func(t *testing.T) session.Store {
			path = filepath.Join(t.TempDir(), "a b%?#.db")
			return open(t, sqlitestore.Config{Path: path})
		},
		Overwrite: func(t *testing.T, _ session.Store, handle string, garbage []byte) {
			if garbage == nil {
				garbage = []byte{}
			}
			db, err := sql.Open("sqlite", "file://"+strings.NewReplacer(" ", "%20", "%", "%25", "?", "%3F", "#", "%23").Replace(path))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			result, err := db.Exec("UPDATE session SET record = ? WHERE handle = ?", garbage, handle)
			if err != nil {
				t.Fatal(err)
			}
			if n, _ := result.RowsAffected(); n != 1 {
				t.Fatalf("%d sessions overwritten", n)
			}
		},
	})
}

func begin(t testing.TB, s *sqlitestore.Store, lasts time.Duration) session.Record {
	t.Helper()
	now := time.Now()
	rec, err := s.Commit(context.Background(), session.Record{User: "joe", Created: now, Seen: now, Expires: now.Add(lasts), Deadline: now.Add(lasts), Data: []byte("data")})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestSessionsOutlastTheProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	first, err := sqlitestore.New(sqlitestore.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	rec := begin(t, first, time.Hour)
	second := open(t, sqlitestore.Config{Path: path}) // both at once, as over a change of the binary
	if _, err := second.Find(t.Context(), rec.Token); err != nil {
		t.Error(err)
	}
	if _, err := second.Commit(t.Context(), rec); err != nil {
		t.Error(err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if got, err := second.Find(t.Context(), rec.Token); err != nil || got.Version != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNobodyElseReadsTheFile(t *testing.T) {
	for name, mode := range map[string]os.FileMode{"new": 0, "old": 0o664} {
		path := filepath.Join(t.TempDir(), name)
		if mode != 0 {
			if err := os.WriteFile(path, nil, mode); err != nil {
				t.Fatal(err)
			}
		}
		rec := begin(t, open(t, sqlitestore.Config{Path: path}), time.Hour)
		files, err := filepath.Glob(path + "*")
		if err != nil || len(files) < 2 {
			t.Fatalf("%v, %v", files, err)
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", file, info.Mode(), err)
			}
			content, err := os.ReadFile(file)
			if err != nil || strings.Contains(string(content), rec.Token) {
				t.Errorf("%s holds the token, %v", filepath.Base(file), err)
			}
		}
	}
}

func TestFilesThatAreNotOurs(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other")
	if _, err := raw(t, other).Exec("CREATE TABLE x (y)"); err != nil {
		t.Fatal(err)
	}
	later := filepath.Join(dir, "later")
	s, err := sqlitestore.New(sqlitestore.Config{Path: later})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := raw(t, later).Exec("PRAGMA user_version = 2"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		text: "not a database", other: "another program's", later: "format 2", dir: "directory",
		filepath.Join(dir, "none", "x"): "no such file", "": "no file is named",
	} {
		if _, err := sqlitestore.New(sqlitestore.Config{Path: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if _, err := sqlitestore.New(sqlitestore.Config{Path: filepath.Join(dir, "c"), Cleanup: -1}); err == nil {
		t.Error("a negative clean-up is taken")
	}
}

func TestExpiredSessionsAreRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, sqlitestore.Config{Path: path, Cleanup: 20 * time.Millisecond})
	for range 10 {
		begin(t, s, time.Millisecond)
	}
	kept := begin(t, s, time.Hour)
	db := raw(t, path)
	deadline := time.Now().Add(10 * time.Second)
	for n := -1; n != 1; {
		if err := db.QueryRow("SELECT count(*) FROM session").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d are left", n)
		}
	}
	if _, err := s.Find(t.Context(), kept.Token); err != nil {
		t.Error(err)
	}
}

// A program that holds the file's lock delays others up to a limit.
func TestALockedFileIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, sqlitestore.Config{Path: path})
	rec := begin(t, s, time.Hour)
	conn, err := raw(t, path).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := s.Commit(ctx, rec); err == nil {
		t.Error("a commit without the lock")
	}
	if _, err := s.Find(t.Context(), rec.Token); err != nil {
		t.Errorf("readers wait for writers: %v", err)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), rec); err != nil {
		t.Error(err)
	}
}

func TestWritersTakeTurns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	stores := []*sqlitestore.Store{open(t, sqlitestore.Config{Path: path}), open(t, sqlitestore.Config{Path: path})}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := stores[i%2]
			for range 10 {
				now := time.Now()
				rec := session.Record{User: "joe", Created: now, Seen: now, Expires: now.Add(time.Hour), Deadline: now.Add(time.Hour)}
				if _, err := s.Commit(context.Background(), rec); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	all, err := stores[0].List(t.Context(), "joe")
	if err != nil || len(all) != 80 {
		t.Errorf("%d sessions, %v", len(all), err)
	}
}

func BenchmarkFind(b *testing.B) {
	s := open(b, sqlitestore.Config{Path: filepath.Join(b.TempDir(), "s.db")})
	token := begin(b, s, time.Hour).Token
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Find(context.Background(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	s := open(b, sqlitestore.Config{Path: filepath.Join(b.TempDir(), "s.db")})
	rec := begin(b, s, time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if rec, err = s.Commit(context.Background(), rec); err != nil {
			b.Fatal(err)
		}
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "sessions")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	store, err := sqlitestore.New(sqlitestore.Config{Path: filepath.Join(dir, "sessions.db")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	_, err = session.New(session.Config{Store: store})
	fmt.Println(err)
	// Output: <nil>
}
