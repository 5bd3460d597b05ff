package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// printing gives settings under which every program is one that prints text.
func printing(t *testing.T, name, text string) settings {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\ncat <<'END'\n" + text + "\nEND\n"
	if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return settings{cpu: -1}
}

func TestWhatWrkSays(t *testing.T) {
	s := printing(t, "wrk", `Running 1s test @ http://127.0.0.1:1/
  Latency Distribution
     50%  490.00us
     75%    1.00ms
     99%    4.28ms
  54263 requests in 1.00s, 7.31MB read
  Socket errors: connect 0, read 3, write 0, timeout 2
  Non-2xx or 3xx responses: 7
Requests/sec:  54201.50
Transfer/sec:      7.30MB`)
	r, err := s.wrk(context.Background(), load{url: "http://127.0.0.1:1/", connections: 1}, "1")
	want := round{rate: 54201.5, requests: 54263, failed: 12, p50: 490 * time.Microsecond, p99: 4280 * time.Microsecond}
	if err != nil || r != want {
		t.Errorf("%+v, %v; want %+v", r, err, want)
	}
}

func TestWhatAbSays(t *testing.T) {
	s := printing(t, "ab", `Complete requests:      1300
Failed requests:        4
Non-2xx responses:      2
Requests per second:    649.90 [#/sec] (mean)
Percentage of the requests served within a certain time (ms)
  50%     39
  99%    127
 100%    140 (longest request)`)
	r, err := s.ab(context.Background(), load{url: "https://127.0.0.1:1/", connections: 1}, "2")
	want := round{rate: 649.9, requests: 1300, failed: 6, p50: 39 * time.Millisecond, p99: 127 * time.Millisecond}
	if err != nil || r != want {
		t.Errorf("%+v, %v; want %+v", r, err, want)
	}
}

func TestAGeneratorThatSaysNothingIsAnError(t *testing.T) {
	s := printing(t, "wrk", "unable to connect")
	if _, err := s.wrk(context.Background(), load{}, "1"); err == nil {
		t.Error("it passes for a measurement")
	}
}

func proxied(mountd, nginx float64) *outcome {
	return &outcome{Case: "c", Title: "Proxied", Base: "nginx", Relative: keyRate, Columns: ratedColumns, Rows: []row{
		{Server: "nginx", Values: map[string]float64{keyRate: nginx, keyMemory: 10}},
		{Server: "caddy", Missing: true},
		{Server: "mountd", Values: map[string]float64{keyRate: mountd, keyMemory: 30}},
	}}
}

func TestGoals(t *testing.T) {
	for _, c := range []struct {
		goal     goal
		measured string
		met      bool
	}{
		{atLeast("mountd", 0.85, "nginx"), "0.90", true},
		{atLeast("mountd", 0.95, "nginx"), "0.90", false},
		{goal{Server: "mountd", Key: keyMemory, Most: true, Limit: 25}, "30.0", false},
		{goal{Server: "mountd", Key: keyMemory, Than: "nginx", Most: true, Limit: 3}, "3.00", true},
	} {
		o := proxied(90, 100)
		o.judge([]goal{c.goal})
		if len(o.Verdicts) != 1 || o.Verdicts[0].Measured != c.measured || o.Verdicts[0].Met != c.met {
			t.Errorf("%+v: %+v", c.goal, o.Verdicts)
		}
	}
	o := proxied(90, 100)
	o.judge([]goal{atLeast("mountd", 2, "caddy"), atLeast("mountd-bare", 1, "nginx")})
	if len(o.Verdicts) != 0 {
		t.Errorf("of servers that did not run: %+v", o.Verdicts)
	}
}

func TestUpdateKeepsWhatIsWrittenByHand(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "RESULTS.md")
	if err := os.WriteFile(file, []byte("# Results\n"+generatedBegin+"old\n"+generatedEnd+"by hand\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := settings{out: dir, update: file}
	first := &report{Machine: "A machine."}
	first.add(proxied(80, 100))
	if err := first.write(s); err != nil {
		t.Fatal(err)
	}
	rep, err := readReport(dir)
	if err != nil {
		t.Fatal(err)
	}
	rep.add(proxied(90, 100)) // takes the place of the first
	if err := rep.write(s); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	if !strings.HasPrefix(text, "# Results\n"+generatedBegin) || !strings.HasSuffix(text, generatedEnd+"by hand\n") || strings.Contains(text, "old") {
		t.Error(text)
	}
	for _, line := range []string{"| nginx | 1.00 | 100 |", "| mountd | 0.90 | 90 |", "| caddy | not installed |"} {
		if strings.Count(text, line) != 1 {
			t.Errorf("%q is there %d times in\n%s", line, strings.Count(text, line), text)
		}
	}
}

func TestUpdateNeedsItsMarks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "RESULTS.md")
	if err := os.WriteFile(file, []byte("by hand\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := new(report).update(file); err == nil {
		t.Error("a file without marks is written to")
	}
}

// TestAFullRunIsShort holds the default run to twenty minutes: a longer one is
// seldom made.
func TestAFullRunIsShort(t *testing.T) {
	var total time.Duration
	seen := map[string]bool{}
	for _, m := range measurements() {
		if seen[m.id()] {
			t.Errorf("two cases are called %s", m.id())
		}
		seen[m.id()] = true
		total += m.takes(settings{rounds: 3, length: 2 * time.Second})
	}
	if total > 18*time.Minute {
		t.Errorf("it takes %s", total)
	}
}
