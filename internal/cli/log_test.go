package cli_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/cli"
)

func TestTheLogIsWholeWhenTheProgramEnds(t *testing.T) {
	dir := t.TempDir()
	table := filepath.Join(dir, "mountd.yaml")
	log := filepath.Join(dir, "mountd.log")
	text := "listen: 127.0.0.1:0\nlog: {file: mountd.log, format: text}\nuse: [errors]\nmounts: {/: respond:hello}\n"
	if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, in := io.Pipe()
	p := &cli.Program{Name: "mountd", Stdout: in, Stderr: t.Output(), Env: os.LookupEnv}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int)
	go func() {
		status := p.Run(ctx, []string{"run", "-c", table})
		in.Close()
		ended <- status
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, "serving 1 mount on http://127.0.0.1:") {
		t.Fatalf("%q, %v", line, err)
	}
	go io.Copy(io.Discard, out)
	stop()
	if status := <-ended; status != 0 {
		t.Errorf("it ended with status %d", status)
	}
	said, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(said), "stopping") {
		t.Errorf("the log holds %q, %v", said, err)
	}
}
