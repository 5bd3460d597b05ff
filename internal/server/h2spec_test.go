package server_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/server"
)

const h2specModule = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"

// h2spec finds the program, or builds it where the network allows.
func h2spec(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("h2spec"); err == nil {
		return path
	}
	if path := filepath.Join(os.Getenv("GOBIN"), "h2spec"); os.Getenv("GOBIN") != "" {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	dir := t.TempDir()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	build := exec.CommandContext(ctx, "go", "install", h2specModule)
	build.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=-mod=mod")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("h2spec is missing and cannot be built: %v\n%s", err, out)
		}
		t.Skipf("h2spec is missing and cannot be built: %v", err)
	}
	return filepath.Join(dir, "h2spec")
}

// h2report counts the cases of one run.
type h2report struct {
	total  int
	failed []string
}

func runH2spec(t *testing.T, program, hostport string) h2report {
	t.Helper()
	host, port, _ := net.SplitHostPort(hostport)
	file := filepath.Join(t.TempDir(), "report.xml")
	out, _ := exec.Command(program, "-h", host, "-p", port, "-o", "2", "-j", file).CombinedOutput()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("h2spec: %v\n%s", err, out)
	}
	var suites struct {
		Suites []struct {
			Cases []struct {
				Package string    `xml:"package,attr"`
				Name    string    `xml:"classname,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.NewDecoder(bytes.NewReader(text)).Decode(&suites); err != nil {
		t.Fatal(err)
	}
	var r h2report
	for _, s := range suites.Suites {
		for _, c := range s.Cases {
			r.total++
			if c.Failure != nil || c.Error != nil {
				r.failed = append(r.failed, c.Package+" "+c.Name)
			}
		}
	}
	return r
}

// What net/http gets right must survive what is around it here.
func TestH2spec(t *testing.T) {
	program := h2spec(t)
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "hello")
	})
	plain := httptest.NewUnstartedServer(answer)
	plain.Config.Protocols = new(http.Protocols)
	plain.Config.Protocols.SetHTTP1(true)
	plain.Config.Protocols.SetUnencryptedHTTP2(true)
	plain.Start()
	defer plain.Close()
	theirs := runH2spec(t, program, plain.Listener.Addr().String())
	ours := runH2spec(t, program, serve(t, server.Config{Handler: answer}).hostport())
	t.Logf("h2spec: ours %d of %d, plain net/http %d of %d",
		ours.total-len(ours.failed), ours.total, theirs.total-len(theirs.failed), theirs.total)
	if ours.total < 140 {
		t.Errorf("h2spec ran %d cases only", ours.total)
	}
	for _, name := range ours.failed {
		if slices.Contains(theirs.failed, name) {
			t.Log("fails for both:", name)
		} else {
			t.Error("fails for us only:", name)
		}
	}
}
