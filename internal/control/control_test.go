package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mountd/mountd/internal/control"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dir is short: the path of a socket is bounded.
func dir(t *testing.T) string {
	d, err := os.MkdirTemp("", "ctl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(d) })
	return d
}

// echo answers with what it was asked.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	var question any
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&question); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"path": r.URL.Path, "question": question})
})

func listen(t *testing.T, path string, h http.Handler) *control.Server {
	t.Helper()
	s, err := control.Listen(path, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

type answer struct {
	Path     string
	Question any
}

func ask(t *testing.T, path, method, target string, question any) (a answer, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := control.Dial(ctx, path)
	if err == nil {
		err = c.Ask(ctx, method, target, question, &a)
	}
	return a, err
}

func TestAskAndAnswer(t *testing.T) {
	path := filepath.Join(dir(t), "s")
	s := listen(t, path, echo)
	if s.Path() != path {
		t.Error(s.Path())
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSocket || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if a, err := ask(t, path, "GET", "/status", nil); err != nil || a.Path != "/status" || a.Question != nil {
		t.Error(a, err)
	}
	if a, err := ask(t, path, "POST", "/x", "joe"); err != nil || a.Question != "joe" {
		t.Error(a, err)
	}
	var refusal *control.Refusal
	if _, err := ask(t, path, "POST", "/x", strings.Repeat("x", 100<<10)); !errors.As(err, &refusal) || refusal.Status != 400 || !strings.Contains(refusal.Message, "too large") {
		t.Error(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := ask(t, path, "GET", "/", nil); !errors.Is(err, control.ErrNobody) {
		t.Error(err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

func TestOfManyAtOnceOneListens(t *testing.T) {
	path := filepath.Join(dir(t), "s")
	var wg sync.WaitGroup
	var mu sync.Mutex
	var got []*control.Server
	for range 20 {
		wg.Go(func() {
			s, err := control.Listen(path, echo)
			switch {
			case err == nil:
				mu.Lock()
				got = append(got, s)
				mu.Unlock()
			case !errors.Is(err, control.ErrTaken):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(got) != 1 {
		t.Fatalf("%d listen", len(got))
	}
	if _, err := ask(t, path, "GET", "/", nil); err != nil {
		t.Error(err)
	}
	if err := got[0].Close(); err != nil {
		t.Error(err)
	}
	listen(t, path, echo)
	if _, err := ask(t, path, "GET", "/", nil); err != nil {
		t.Error(err)
	}
}

// A program that was killed leaves its files; the next one takes their place.
func TestAStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(dir(t), "s")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	// Somebody listens without our lock: an older program, or another one.
	if _, err := control.Listen(path, echo); !errors.Is(err, control.ErrTaken) {
		t.Errorf("a socket in use: %v", err)
	}
	_ = ln.Close()
	for _, name := range []string{path + ".lock", path + "~"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listen(t, path, echo)
	if _, err := ask(t, path, "GET", "/", nil); err != nil {
		t.Error(err)
	}
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	d := dir(t)
	path := filepath.Join(d, "notes")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := control.Listen(path, echo); err == nil || errors.Is(err, control.ErrTaken) || !strings.Contains(err.Error(), "is no socket") {
		t.Error(s, err)
	}
	if text, err := os.ReadFile(path); string(text) != "precious" {
		t.Errorf("%q %v", text, err)
	}
	link := filepath.Join(d, "link")
	if err := os.Symlink(path, link+".lock"); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Listen(link, echo); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a lock that is a link: %v", err)
	}
	for _, path := range []string{filepath.Join(d, "none", "s"), filepath.Join(path, "s"), filepath.Join(d, strings.Repeat("x", 120))} {
		if _, err := control.Listen(path, echo); err == nil || errors.Is(err, control.ErrTaken) {
			t.Errorf("%.60s: %v", path, err)
		}
	}
}

// Somebody who opens connections and says nothing keeps the others waiting for
// seconds, not for ever.
func TestConnectionsAreBounded(t *testing.T) {
	path := filepath.Join(dir(t), "s")
	s := listen(t, path, echo)
	var idle []net.Conn
	for range control.MaxConns {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
	}
	if _, err := ask(t, path, "GET", "/", nil); err != nil {
		t.Error(err)
	}
	for _, c := range idle {
		_ = c.Close()
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseWaitsForAnswers(t *testing.T) {
	path := filepath.Join(dir(t), "s")
	asked, closing := make(chan struct{}), make(chan struct{})
	s := listen(t, path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-closing
		echo(w, r)
	}))
	done := make(chan error, 1)
	go func() {
		<-asked
		done <- s.Close()
	}()
	go func() {
		<-asked
		for { // until the socket is gone
			if _, err := os.Lstat(path); err != nil {
				close(closing)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if a, err := ask(t, path, "GET", "/slow", nil); err != nil || a.Path != "/slow" {
		t.Error(a, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestPlaces(t *testing.T) {
	runtime, temp := dir(t), dir(t)
	uid := os.Geteuid()
	p := control.Places{RuntimeDir: runtime, TempDir: temp, UID: uid}
	const table = "/srv/site/mountd.yaml"
	if found := p.Find(table); len(found) > 0 {
		t.Error(found)
	}
	path, err := p.Socket(table)
	if err != nil || filepath.Dir(path) != filepath.Join(runtime, "mountd") || filepath.Base(path) != control.NameOf(table) {
		t.Fatal(path, err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info.Mode(), err)
	}
	if other, _ := p.Socket("/srv/other/mountd.yaml"); other == path || filepath.Dir(other) != filepath.Dir(path) {
		t.Error(other)
	}
	listen(t, path, echo)
	if found := p.Find(table); len(found) != 1 || found[0] != path {
		t.Error(found)
	}
	// Without a runtime directory the temporary one is good, and both are
	// looked in.
	apart := control.Places{RuntimeDir: filepath.Join(runtime, "none"), TempDir: temp, UID: uid}
	if uid == 0 {
		apart.UID = 12345 // root has a directory of its own
		own := filepath.Join(temp, "mountd-12345")
		if err := errors.Join(os.Mkdir(own, 0o700), os.Chown(own, 12345, -1)); err != nil {
			t.Fatal(err)
		}
	}
	path, err = apart.Socket(table)
	if want := filepath.Join(temp, fmt.Sprintf("mountd-%d", apart.UID)); err != nil || filepath.Dir(path) != want {
		t.Fatal(path, err)
	}
	listen(t, path, echo)
	if found := apart.Find(table); len(found) != 1 || found[0] != path {
		t.Error(found)
	}
	if uid == 0 { // who sees everybody's
		if found := p.Find(table); len(found) != 2 || found[1] != path {
			t.Error(found)
		}
	}
}

// In a directory that everybody can write to, somebody may have been there
// first.
func TestDirectoriesOfOthersAreNotUsed(t *testing.T) {
	temp := dir(t)
	p := control.Places{TempDir: temp, UID: 54321}
	own := filepath.Join(temp, "mountd-54321")
	refused := func(why string) {
		t.Helper()
		if path, err := p.Socket("/table"); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %q %v", why, path, err)
		}
		_ = os.Remove(own)
	}
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	refused("belongs to another user")
	if err := os.WriteFile(own, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("not a directory")
	if err := os.Symlink(dir(t), own); err != nil {
		t.Fatal(err)
	}
	refused("not a directory")
	p.UID = os.Geteuid()
	if p.UID == 0 {
		p.UID = 0
		p.RuntimeDir = temp
		own = filepath.Join(temp, "mountd")
		if err := errors.Join(os.Mkdir(own, 0o700), os.Chmod(own, 0o755)); err != nil {
			t.Fatal(err)
		}
		path, err := p.Socket("/table")
		if err == nil && filepath.Dir(path) == own {
			t.Error("a directory that others can read is used")
		}
	}
}
