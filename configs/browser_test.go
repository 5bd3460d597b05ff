package configs_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd"
)

// TestPagesInABrowser opens what mountd itself shows in a real browser: the
// pages must render there without an error on the console.
func TestPagesInABrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is not installed")
		}
		t.Skip("chromium is not installed")
	}
	site, err := mountd.Load("demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()
	server := httptest.NewServer(site)
	defer server.Close()
	for _, test := range []struct{ path, want string }{
		{"/", "mountd is running"},
		{"/files/", "notes.txt"},
		{"/files/?sort=size&order=desc", "notes.txt"},
		{"/nothing-here", "Not Found"},
		{"/down/", "Bad Gateway"},
	} {
		t.Run(test.path, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var console strings.Builder
			cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
				"--disable-background-networking", "--no-first-run", "--user-data-dir="+t.TempDir(),
				"--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom", server.URL+test.path)
			cmd.Stderr = &console
			cmd.WaitDelay = 5 * time.Second
			dom, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, console.String())
			}
			if !strings.Contains(string(dom), test.want) {
				t.Errorf("the page does not show %q:\n%s", test.want, dom)
			}
			for line := range strings.Lines(console.String()) {
				if strings.Contains(line, ":CONSOLE") && !strings.Contains(line, "Failed to load resource") {
					t.Errorf("console: %s", line)
				}
			}
		})
	}
}
