package main_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/mountd/mountd"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mountd": mountd.Main})
}

func TestCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"port":     port,
			"await":    await,
			"get":      get,
			"status":   status,
			"verified": verified,

			"answers":    answers,
			"eventually": eventually,
			"signal":     signal,
		},
	})
}

// port NAME puts a free port of this machine into the environment.
func port(ts *testscript.TestScript, _ bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	_, number, err := net.SplitHostPort(ln.Addr().String())
	ts.Check(err)
	ts.Check(ln.Close())
	ts.Setenv(args[0], number)
}

// await ADDRESS waits until connections are accepted.
func await(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		c, err := net.DialTimeout("tcp", args[0], time.Second)
		if err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("nobody listens on %s", args[0])
}

// clientFor gives a client that follows no redirects, for a socket where the
// first argument is one.
func clientFor(ts *testscript.TestScript, args []string) (*http.Client, []string) {
	transport := &http.Transport{DisableKeepAlives: true}
	if socket, ok := strings.CutPrefix(args[0], "unix:"); ok {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", ts.MkAbs(socket))
		}
		args = args[1:]
	}
	return &http.Client{
		Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, args
}

// get [unix:PATH] STATUS URL [PATTERN …] asks for URL, and looks for the patterns in the
// head and the body of the answer.
func get(ts *testscript.TestScript, neg bool, args []string) {
	client, args := clientFor(ts, args)
	resp, err := client.Get(args[1])
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if want := args[0]; want != strconv.Itoa(resp.StatusCode) {
		ts.Fatalf("%s: status %d, not %s: %s", args[1], resp.StatusCode, want, body)
	}
	var head strings.Builder
	_ = resp.Header.Write(&head)
	for _, pattern := range args[2:] {
		if regexp.MustCompile(`(?m)`+pattern).MatchString(head.String()+string(body)) == neg {
			ts.Fatalf("%s: %q in\n%s%s", args[1], pattern, head.String(), body)
		}
	}
}

// eventually URL PATTERN asks for URL until its body is as wanted.
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	client, args := clientFor(ts, args)
	pattern := regexp.MustCompile(`(?m)` + args[1])
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		resp, err := client.Get(args[0])
		if err != nil {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil && pattern.Match(body) {
			return
		}
	}
	ts.Fatalf("%s never answers %q", args[0], args[1])
}

// answers TABLE waits until the mountd that runs a table takes orders.
func answers(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ts.Exec("mountd", "status", "-c", args[0]) == nil {
			return
		}
	}
	ts.Fatalf("nobody answers for %s", args[0])
}

// signal NAME sends a signal to what runs in the background.
func signal(ts *testscript.TestScript, _ bool, args []string) {
	s, ok := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "USR1": syscall.SIGUSR1}[args[0]]
	if !ok {
		ts.Fatalf("unknown signal %s", args[0])
	}
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(s))
	}
}

// status CODE COMMAND … runs mountd and looks at its exit status.
func status(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("exit status %s, not %s", code, args[0])
	}
}

// verified FILE PASSWORD checks the hashes of a file, one to a line.
func verified(ts *testscript.TestScript, neg bool, args []string) {
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile(args[0])))
	n := 0
	for ; lines.Scan(); n++ {
		hash := lines.Text()
		if _, after, ok := strings.Cut(hash, ":"); ok {
			hash = after
		}
		if matches(hash, args[1]) == neg {
			ts.Fatalf("%s: %v", hash, !neg)
		}
	}
	if n == 0 {
		ts.Fatalf("no hash in %s", args[0])
	}
}

func matches(hash, password string) bool {
	if !strings.HasPrefix(hash, "$argon2id$") {
		return bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	}
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[2] != "v=19" || parts[3] != "m=65536,t=3,p=4" {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	key := argon2.IDKey([]byte(password), salt, 3, 65536, 4, 32)
	return base64.RawStdEncoding.EncodeToString(key) == parts[5]
}

// Load is for programs that serve a table themselves.
func TestLoad(t *testing.T) {
	site, err := mountd.Load("../../internal/cli/start.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "mountd is running") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if err := site.Close(); err != nil {
		t.Error(err)
	}
	if _, err := mountd.Load(filepath.Join(t.TempDir(), "nosuch.yaml")); err == nil {
		t.Error("a missing table is loaded")
	}
}
