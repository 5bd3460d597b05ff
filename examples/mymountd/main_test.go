package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/examples/internal/sitetest"
)

func TestTable(t *testing.T) {
	site, err := distribution().Load("mountd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()
	s := sitetest.New(t, site, nil)
	for path, want := range map[string]string{"/": "everyone", "/clock": "everyone", "/quiet": ""} {
		res := s.Get(path)
		if got := res.Header.Get("X-Hello"); got != want || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d greets %q, want %q", path, res.StatusCode, got, want)
		}
	}
	var text [64]byte
	n, _ := s.Get("/clock").Body.Read(text[:])
	if _, err := time.Parse(time.RFC3339, strings.TrimSpace(string(text[:n]))); err != nil {
		t.Error(err)
	}
	s.Fails("/clock/../../x", http.StatusBadRequest, "")
}

// What the additions refuse has its place in the table, as everything else.
func TestMistakesHaveAPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mountd.yaml")
	table := "mounts:\n  /: {clock: {zone: Mars/Olympus}, use: [helo, {hello: {nam: x}}]}\n"
	if err := os.WriteFile(file, []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := distribution().Load(file)
	if err == nil {
		t.Fatal("mistakes were taken")
	}
	for _, want := range []string{
		file + ":2:21:", "Mars/Olympus", file + ":2:42:", `did you mean "hello"`, `"nam"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
}
