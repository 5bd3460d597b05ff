package e2e_test

import (
	"fmt"
	"testing"
)

// site is the set-up that most rows use: what is guarded cannot be reached
// from here, so that everything the origin gets by it is a way around.
type site struct {
	*daemon
	open, secret *origin
}

func newSite(t testing.TB, settings ...string) *site {
	t.Helper()
	s := &site{open: listen(t, nil), secret: listen(t, nil)}
	table := ""
	for _, line := range settings {
		table += line + "\n"
	}
	table += fmt.Sprintf(`
mounts:
  /: ./pub
  /app: %[1]s
  /app/private: {proxy: %[2]s, %[3]s}
  /admin: {proxy: %[2]s, %[3]s}
  /api: {proxy: %[1]s, %[4]s}
  /files: ./files
`, s.open.url(), s.secret.url(), guarded, mark("api"))
	s.daemon = start(t, table,
		"pub/index.html", "home", "pub/public/x", "public",
		"files/a.txt", "hello", "files/sub/b.txt", "below", "files/.env", "SECRET", "files/.git/HEAD", "SECRET",
		"files/sub/.hidden/x", "SECRET", "secret.txt", "SECRET")
	return s
}

// untouched fails when a guarded application got anything.
func (s *site) untouched(t testing.TB) {
	t.Helper()
	if got := s.secret.bytes(); got != "" {
		t.Errorf("a guarded application got %q", got)
	}
}
