package redisstore_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/redisstore"
	"github.com/mountd/mountd/session/storetest"
)

// The client looks for a cluster's nodes a second later; that goroutine sleeps
// until then, and ends.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// server is a redis-server on a unix socket.
type server struct {
	t      testing.TB
	dir    string
	socket string
	args   []string
	cmd    *exec.Cmd
}

// serve starts a server that listens nowhere else, unless args say so. It needs
// redis-server (Debian: redis-server).
func serve(t testing.TB, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed")
	}
	dir, err := os.MkdirTemp("", "redis") // short: the path of a socket is
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, dir: dir, socket: filepath.Join(dir, "s"), args: args}
	t.Cleanup(func() {
		s.stop()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s.start()
	return s
}

func (s *server) start() {
	s.t.Helper()
	args := append([]string{"--port", "0", "--unixsocket", s.socket, "--dir", s.dir, "--save", "", "--appendonly", "no"}, s.args...)
	s.cmd = exec.Command("redis-server", args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.wait()
}

// wait asks for an answer until there is one.
func (s *server) wait() {
	s.t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		conn, err := net.Dial("unix", s.socket)
		if err == nil {
			_ = conn.SetDeadline(deadline)
			_, err = io.WriteString(conn, "PING\r\n")
			answer := make([]byte, 5)
			if err == nil {
				_, err = io.ReadFull(conn, answer)
			}
			_ = conn.Close()
			if err == nil && (string(answer) == "+PONG" || strings.HasPrefix(string(answer), "-NOA")) {
				return
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("redis-server does not answer: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *server) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it was killed
	s.cmd = nil
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) url() string { return "unix://" + s.socket }

func open(t testing.TB, cfg redisstore.Config) *redisstore.Store {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = quiet
	}
	store, err := redisstore.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// raw is a client that writes what it likes.
func raw(t testing.TB, s *server) rueidis.Client {
	t.Helper()
	opt := rueidis.MustParseURL(s.url())
	opt.DisableCache, opt.ForceSingleClient = true, true
	c, err := rueidis.NewClient(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestContract(t *testing.T) {
	s := serve(t)
	c := raw(t, s)
	prefix, n := "", 0
	storetest.Run(t, storetest.Options{
		New: func(t *testing.T) session.Store {
			n++
			prefix = fmt.Sprint("t[", n, "]*:")
			return open(t, redisstore.Config{URL: s.url(), Prefix: prefix})
		},
		Overwrite: func(t *testing.T, _ session.Store, handle string, garbage []byte) {
			key := prefix + "{" + handle + "}"
			err := c.Do(t.Context(), c.B().Set().Key(key).Value(string(garbage)).Build()).Error()
			if garbage == nil { // another type
				err = c.Do(t.Context(), c.B().Del().Key(key).Build()).Error()
				if err == nil {
					err = c.Do(t.Context(), c.B().Rpush().Key(key).Element("x").Build()).Error()
				}
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	})
}

func TestURLs(t *testing.T) {
	for url, want := range map[string]string{
		"redis://127.0.0.1:1/0":                      "",
		"redis://u:p@localhost":                      "",
		"rediss://[::1]:1":                           "",
		"valkeys://127.0.0.1:1":                      "",
		"unix:///tmp/nothing?db=3":                   "",
		"redis://127.0.0.1:1,127.0.0.1:2/1?master=x": "",
		"redis://127.0.0.1:1,127.0.0.1:2":            "",
		"":                                           "scheme",
		"127.0.0.1:6379":                             "not a URL",
		"http://127.0.0.1":                           "scheme",
		"redis://":                                   "not a host",
		"redis://a,":                                 "not a host",
		"redis://a:0":                                "not a host",
		"redis://a:70000":                            "not a host",
		"redis://a/x":                                "not the number",
		"redis://a/-1":                               "not the number",
		"redis://a/0/1":                              "not the number",
		"redis://a?mater=x":                          `"mater" is not known`,
		"redis://a,b/1":                              "cluster",
		"redis://user:secret@a b":                    "not a URL",
		"redis://user:secret@127.0.0.1:x1":           "not a URL",
		"unix://host/tmp":                            "needs a path",
		"unix:///tmp/x?db=x":                         "not the number",
		"redis://user:secret@127.0.0.1:6379?password=xy": "not known",
	} {
		store, err := redisstore.New(redisstore.Config{URL: url, Logger: quiet})
		if err == nil {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		}
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

func record(user string) session.Record {
	now := time.Now()
	return session.Record{User: user, Created: now, Seen: now, Expires: now.Add(time.Hour), Deadline: now.Add(2 * time.Hour), Data: []byte("data")}
}

func TestWhatRedisKeeps(t *testing.T) {
	s := serve(t)
	store, c := open(t, redisstore.Config{URL: s.url()}), raw(t, s)
	rec, err := store.Commit(t.Context(), record("joe"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := c.Do(t.Context(), c.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil || len(keys) != 2 {
		t.Fatalf("%q, %v", keys, err)
	}
	for _, key := range keys {
		ttl, err := c.Do(t.Context(), c.B().Pttl().Key(key).Build()).AsInt64()
		if left := time.Duration(ttl) * time.Millisecond; err != nil || left <= 50*time.Minute || left > 2*time.Hour {
			t.Errorf("%s lives for %v, %v", key, left, err)
		}
		dump, err := c.Do(t.Context(), c.B().Dump().Key(key).Build()).ToString()
		if err != nil || strings.Contains(key+dump, rec.Token) || strings.Contains(key, "joe") || !strings.HasPrefix(key, redisstore.DefaultPrefix) {
			t.Errorf("%s: %q, %v", key, dump, err)
		}
	}
	// The list forgets what has ended.
	index := keys[0]
	if !strings.Contains(index, "user:") {
		index = keys[1]
	}
	if err := store.Delete(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if all, err := store.List(t.Context(), "joe"); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	if n, err := c.Do(t.Context(), c.B().Exists().Key(index).Build()).AsInt64(); err != nil || n != 0 {
		t.Errorf("the list is still there, %v", err)
	}
	// Garbage in its place is nobody's list.
	if err := c.Do(t.Context(), c.B().Set().Key(index).Value("x").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if all, err := store.List(t.Context(), ""); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestPasswordAndDatabase(t *testing.T) {
	s := serve(t, "--requirepass", "secret")
	url := "unix://:secret@" + s.socket + "?db=3"
	store := open(t, redisstore.Config{URL: url})
	rec, err := store.Commit(t.Context(), record("joe"))
	if err != nil {
		t.Fatal(err)
	}
	other := open(t, redisstore.Config{URL: "unix://:secret@" + s.socket})
	if _, err := other.Find(t.Context(), rec.Token); err == nil {
		t.Error("found in another database")
	}
	wrong := open(t, redisstore.Config{URL: "unix://:wrong@" + s.socket})
	if _, err := wrong.Find(t.Context(), rec.Token); err == nil || strings.Contains(err.Error(), "wrong@") {
		t.Errorf("with a wrong password: %v", err)
	}
}

func TestTCPIsTakenForASingleServer(t *testing.T) {
	port := freePort(t)
	serve(t, "--port", port, "--bind", "127.0.0.1")
	store := open(t, redisstore.Config{URL: "redis://127.0.0.1:" + port + "/2"})
	rec, err := store.Commit(t.Context(), record("joe"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Find(t.Context(), rec.Token); err != nil {
		t.Error(err)
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// eventually runs f until it succeeds.
func eventually(t testing.TB, what string, f func(ctx context.Context) error) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		err := f(ctx)
		cancel()
		if err == nil {
			return time.Since(start)
		}
		if time.Since(start) > 30*time.Second {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestAClusterOfOne(t *testing.T) {
	port := freePort(t)
	s := serve(t, "--port", port, "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--cluster-port", freePort(t))
	c := raw(t, s)
	if err := c.Do(t.Context(), c.B().Arbitrary("CLUSTER", "ADDSLOTSRANGE", "0", "16383").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	store := open(t, redisstore.Config{URL: "redis://127.0.0.1:" + port})
	var rec session.Record
	eventually(t, "commit", func(ctx context.Context) (err error) {
		rec, err = store.Commit(ctx, record("joe"))
		return err
	})
	if rec, err := store.Commit(t.Context(), rec); err != nil || rec.Version != 2 {
		t.Errorf("%+v, %v", rec, err)
	}
	for _, user := range []string{"joe", ""} {
		if all, err := store.List(t.Context(), user); err != nil || len(all) != 1 {
			t.Errorf("%q: %v, %v", user, all, err)
		}
	}
	if err := store.Delete(t.Context(), rec); err == nil {
		t.Error("an old version was deleted")
	}
}

func TestSentinel(t *testing.T) {
	port, sentinelPort := freePort(t), freePort(t)
	serve(t, "--port", port, "--bind", "127.0.0.1")
	dir := t.TempDir()
	conf := filepath.Join(dir, "sentinel.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor main 127.0.0.1 %s 1\n", sentinelPort, dir, port), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", conf, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	store := open(t, redisstore.Config{URL: "redis://127.0.0.1:" + sentinelPort + "/0?master=main"})
	var rec session.Record
	eventually(t, "commit", func(ctx context.Context) (err error) {
		rec, err = store.Commit(ctx, record("joe"))
		return err
	})
	if _, err := store.Find(t.Context(), rec.Token); err != nil {
		t.Error(err)
	}
}

func BenchmarkFind(b *testing.B) {
	store := open(b, redisstore.Config{URL: serve(b).url()})
	rec, err := store.Commit(b.Context(), record("joe"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.Find(b.Context(), rec.Token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	store := open(b, redisstore.Config{URL: serve(b).url()})
	rec, err := store.Commit(b.Context(), record("joe"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if rec, err = store.Commit(b.Context(), rec); err != nil {
			b.Fatal(err)
		}
	}
}

func Example() {
	store, err := redisstore.New(redisstore.Config{URL: "redis://127.0.0.1:6379/0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	_, err = session.New(session.Config{Store: store})
	fmt.Println(err)
	// Output: <nil>
}
