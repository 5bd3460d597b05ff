package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/server"
)

func tcp(address string) server.Address { return server.Address{Network: "tcp", Address: address} }

func unix(path string) server.Address { return server.Address{Network: "unix", Address: path} }

func overUnix(t testing.TB, path string) *http.Response {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return send(t, c, get)
}

func TestListenReportsEverythingAndLeavesNothingOpen(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	free, _ := net.Listen("tcp", "127.0.0.1:0")
	_ = free.Close()
	path := filepath.Join(t.TempDir(), "s")
	_, err = server.Listen(server.Config{Handler: http.HandlerFunc(hello), Listen: []server.Address{
		tcp(free.Addr().String()), unix(path), tcp(busy.Addr().String()), unix("/nonexistent/s"), {Network: "fd", Address: "http"},
	}})
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatal(err)
	}
	for _, want := range []string{
		"listen on " + busy.Addr().String() + ": address already in use: another program",
		"listen on unix:/nonexistent/s: no such file or directory: the socket's directory",
		"listen on fd:http: no descriptors were passed on",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
	if _, err := net.Dial("tcp", free.Addr().String()); err == nil {
		t.Error("a port stayed open")
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a socket stayed:", err)
	}
}

func TestListenRefusesNonsense(t *testing.T) {
	_, err := server.Listen(server.Config{})
	if err == nil || !strings.Contains(err.Error(), "nothing to listen on") || !strings.Contains(err.Error(), "no handler") {
		t.Error(err)
	}
	_, err = server.Listen(server.Config{Handler: http.HandlerFunc(hello), TLS: &server.TLS{}, Listen: []server.Address{
		tcp("127.0.0.1:7"), tcp("127.0.0.1:7"), {Network: "udp", Address: "x"},
	}})
	for _, want := range []string{"listed twice", `network "udp"`, "tls without a certificate"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
}

func TestAddressesCanBeOpened(t *testing.T) {
	r := serve(t, server.Config{
		Listen: []server.Address{tcp("127.0.0.1:0"), tcp(":0"), {Network: "tcp", Address: "localhost:0", Plain: true}, unix(filepath.Join(t.TempDir(), "s"))},
		TLS:    &server.TLS{SelfSigned: true},
	})
	got := r.Addresses()
	for i, want := range []string{"https://127.0.0.1:", "https://127.0.0.1:", "http://localhost:", "unix:/"} {
		if !strings.HasPrefix(got[i], want) {
			t.Errorf("%s, want %s…", got[i], want)
		}
	}
}

func TestUnixSockets(t *testing.T) {
	dir := t.TempDir()
	config := func(a server.Address) server.Config {
		return server.Config{Listen: []server.Address{a}, Handler: http.HandlerFunc(hello)}
	}
	t.Run("have their mode and go away", func(t *testing.T) {
		path := filepath.Join(dir, "mode")
		a := server.Address{Network: "unix", Address: path, Mode: 0o622, Owner: fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())}
		r := serve(t, config(a))
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != fs.ModeSocket|0o622 {
			t.Error(info.Mode(), err)
		}
		if res := overUnix(t, path); res.StatusCode != 200 {
			t.Error(res.Status)
		}
		r.stop()
		_ = r.ended()
		if _, err := os.Lstat(path); err == nil {
			t.Error("the socket file stayed")
		}
	})
	t.Run("replace a dead one", func(t *testing.T) {
		path := filepath.Join(dir, "dead")
		dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		dead.SetUnlinkOnClose(false)
		_ = dead.Close()
		serve(t, config(unix(path)))
		if res := overUnix(t, path); res.StatusCode != 200 {
			t.Error(res.Status)
		}
	})
	t.Run("leave a living one alone", func(t *testing.T) {
		path := filepath.Join(dir, "alive")
		alive, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer alive.Close()
		if _, err := server.Listen(config(unix(path))); !errors.Is(err, syscall.EADDRINUSE) {
			t.Error(err)
		}
	})
	t.Run("leave a file alone", func(t *testing.T) {
		path := filepath.Join(dir, "file")
		writeFile(t, path, []byte("precious"))
		if _, err := server.Listen(config(unix(path))); !errors.Is(err, syscall.EADDRINUSE) {
			t.Error(err)
		}
		if text, _ := os.ReadFile(path); string(text) != "precious" {
			t.Error("the file was touched")
		}
	})
	t.Run("leave their successor alone", func(t *testing.T) {
		path := filepath.Join(dir, "next")
		r := serve(t, config(unix(path)))
		_ = os.Remove(path)
		next, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer next.Close()
		r.stop()
		_ = r.ended()
		if _, err := os.Lstat(path); err != nil {
			t.Error("the successor's socket was removed:", err)
		}
	})
	t.Run("know their owner", func(t *testing.T) {
		a := server.Address{Network: "unix", Address: filepath.Join(dir, "owner"), Owner: "no-such-user-here"}
		if _, err := server.Listen(config(a)); err == nil || !strings.Contains(err.Error(), `owner "no-such-user-here"`) {
			t.Error(err)
		}
		if _, err := os.Lstat(a.Address); err == nil {
			t.Error("a socket stayed")
		}
	})
}

// child is another mountd: it serves "child" at the addresses it is told,
// says so, and stops when its input ends.
func child() int {
	var listen []server.Address
	for _, text := range strings.Split(os.Getenv("SERVER_TEST_CHILD"), " ") {
		a, err := server.ParseAddress(text)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		listen = append(listen, a)
	}
	s, err := server.Listen(server.Config{Listen: listen, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "child "+os.Getenv("LISTEN_FDS"))
	})})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	fmt.Println("serving", strings.Join(s.Addresses(), " "))
	_ = s.Serve(ctx)
	return 0
}

// spawn starts a child with files passed on, and gives its first line.
func spawn(t *testing.T, listen string, files []*os.File, env ...string) (line string, stop func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(append(os.Environ(), "SERVER_TEST_CHILD="+listen), env...)
	cmd.ExtraFiles = files
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		_ = in.Close()
		_ = cmd.Wait()
	}
	buf := make([]byte, 4096)
	n, _ := out.Read(buf)
	return strings.TrimSpace(string(buf[:n])), stop
}

func TestDescriptorsOfAServiceManager(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, _ := ln.(*net.TCPListener).File()
	defer file.Close()
	for _, listen := range []string{"fd:http", "fd:3", "fd:http http://127.0.0.1:0"} {
		line, stop := spawn(t, listen, []*os.File{file}, "LISTEN_FDS=1", "LISTEN_FDNAMES=http")
		if !strings.HasPrefix(line, "serving http://"+ln.Addr().String()) {
			t.Errorf("%s: %s", listen, line)
		}
		res, err := http.Get("http://" + ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if string(text) != "child " {
			t.Errorf("%s: %q", listen, text)
		}
		http.DefaultClient.CloseIdleConnections()
		stop()
	}
	for name, env := range map[string][]string{
		"there are: web":                {"LISTEN_FDS=1", "LISTEN_FDNAMES=web"},
		"no descriptors were passed on": {"LISTEN_FDS=1", "LISTEN_FDNAMES=http", "LISTEN_PID=1"},
	} {
		line, stop := spawn(t, "fd:http", []*os.File{file}, env...)
		if !strings.Contains(line, name) {
			t.Errorf("%v: %s", env, line)
		}
		stop()
	}
}

func TestAnUpgradeRefusesNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	r := serve(t, server.Config{Listen: []server.Address{tcp("127.0.0.1:0"), unix(path)}})
	addr := r.hostport()
	clients, done := make(chan struct{}), make(chan string)
	go func() {
		for {
			select {
			case <-clients:
				done <- ""
				return
			default:
			}
			c, err := net.Dial("tcp", addr)
			if err != nil {
				done <- err.Error()
				return
			}
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			if text, err := io.ReadAll(c); !strings.Contains(string(text), "200 OK") && err == nil && len(text) > 0 {
				done <- string(text)
				return
			}
			_ = c.Close()
		}
	}()
	files, env, err := r.Files()
	if err != nil {
		t.Fatal(err)
	}
	line, stop := spawn(t, addr+" unix:"+path, files, env...)
	defer stop()
	for _, f := range files {
		_ = f.Close()
	}
	if !strings.HasPrefix(line, "serving http://"+addr) {
		t.Fatal(line)
	}
	r.Release()
	r.stop()
	_ = r.ended()
	time.Sleep(20 * time.Millisecond) // a moment with the successor alone
	close(clients)
	if got := wait(t, "the clients", done); got != "" {
		t.Error(got)
	}
	if text, _ := io.ReadAll(overUnix(t, path).Body); string(text) != "child " {
		t.Errorf("over the socket: %q", text)
	}
}
