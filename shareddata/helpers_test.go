package shareddata_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/shareddata"
)

// write makes files below dir. Their times lie in the past, so that they are
// not taken for files that are being written.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		writeAt(t, filepath.Join(dir, name), content, time.Now().Add(-time.Hour).Truncate(time.Second))
	}
}

func writeAt(t testing.TB, name, content string, mtime time.Time) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, mtime, mtime); err != nil {
		t.Fatal(err)
	}
}

func tree(t testing.TB, files map[string]string) string {
	dir := t.TempDir()
	write(t, dir, files)
	return dir
}

func handler(t testing.TB, cfg shareddata.Config) *shareddata.Handler {
	t.Helper()
	h, err := shareddata.NewHandler(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func middleware(t testing.TB, cfg shareddata.Config) *shareddata.Middleware {
	t.Helper()
	m, err := shareddata.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func dir(path string) []shareddata.Export { return []shareddata.Export{{Path: path}} }

// get asks h for target. Header fields are written "Name: value".
func get(h http.Handler, target string, fields ...string) *httptest.ResponseRecorder {
	return do(h, http.MethodGet, target, fields...)
}

func do(h http.Handler, method, target string, fields ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// exchange sends a request byte for byte over a connection of its own.
func exchange(t testing.TB, addr, method, target string, header map[string]string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	// In one piece: a server that refuses the first line resets the connection
	// when more comes.
	text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", method, target)
	for name, value := range header {
		text += name + ": " + value + "\r\n"
	}
	fmt.Fprint(conn, text+"\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}
