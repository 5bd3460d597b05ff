package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fileSite serves one tree by an application and by a layer.
func fileSite(t *testing.T, options string) *daemon {
	d := prepare(t, `
mounts:
  /files: {static: {root: ./files`+options+`}, use: [default]}
  /shared: {respond: {status: 404, body: none}, use: [default, {share: {exports: {/: ./files}`+options+`}}]}
`,
		"files/a.txt", "hello", "files/page.html", "<p>page", "files/sub/b.txt", "below", "files/.env", "SECRET", "files/.git/HEAD", "SECRET",
		"files/sub/.hidden/x", "SECRET", "files/noext", "<script>1</script>", "files/x.js", strings.Repeat("x", 2000), "files/x.js.gz", "not really gzip",
		"files/.well-known/security.txt", "open", "secret.txt", "SECRET", "files2/x", "SECRET")
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(d.dir, "files", name)); err != nil {
			t.Fatal(err)
		}
	}
	link("../secret.txt", "out")
	link("/etc", "etc")
	link("..", "up")
	link("a.txt", "in")
	link("loop", "loop")
	d.run()
	return d
}

func TestFilesStayInTheirRoot(t *testing.T) {
	d := fileSite(t, "")
	no := []int{400, 403, 404}
	for _, row := range []struct {
		name, path string
		want       []int
	}{
		{"D01 dot segments", "/../../etc/passwd", no},
		{"D01 encoded dots", "/%2e%2e/secret.txt", no},
		{"D01 an encoded slash", "/..%2fsecret.txt", no},
		{"D01 four dots", "/....//secret.txt", no},
		{"D01 an encoded backslash", "/%2e%2e%5csecret.txt", no},
		{"D01 overlong", "/..%c0%afsecret.txt", no},
		{"D01 a longer sibling", "/../files2/x", no},
		{"D01 an absolute path", "//etc/passwd", no},
		{"D01 a link out", "/out", no},
		{"D01 a linked directory out", "/etc/passwd", no},
		{"D01 a link up", "/up/secret.txt", no},
		{"D01 a link inside", "/in", []int{200}},
		{"D02 a dotfile", "/.env", no},
		{"D02 a dotfile, encoded", "/%2eenv", no},
		{"D02 upper case", "/.ENV", no},
		{"D02 a dot directory", "/.git/HEAD", no},
		{"D02 a dot directory, encoded", "/%2egit/HEAD", no},
		{"D02 a dot directory, upper case", "/.GIT/", no},
		{"D02 a dot directory below", "/sub/.hidden/x", no},
		{"D02 by way of another", "/sub/../.env", no},
		{"D02 .well-known", "/.well-known/security.txt", []int{200}},
		{"D04 a loop of links", "/loop", no},
		{"D05 a device name", "/CON", no},
		{"D05 a stream", "/a.txt::$DATA", no},
		{"D05 a short name", "/PAGE~1.HTM", no},
		{"D05 a dot behind", "/a.txt.", no},
		{"D05 a space behind", "/a.txt%20", no},
		{"D07 CR LF", "/sub%0d%0aSet-Cookie:%20x=1", no},
		{"D20 below a file", "/page.html/extra", no},
		{"D20 a slash behind a file", "/a.txt/", no},
		{"NUL", "/a.txt%00.html", no},
		{"there", "/a.txt", []int{200}},
	} {
		for _, mount := range []string{"/files", "/shared"} {
			t.Run(row.name+" "+mount[1:], func(t *testing.T) {
				a := get(t, d, mount+row.path)
				if !slices.Contains(row.want, a.status) || strings.Contains(a.body, "SECRET") || strings.Contains(a.body, "root:") {
					t.Errorf("%d %q", a.status, a.body)
				}
				if a.get("Set-Cookie") != "" {
					t.Error("the header was split")
				}
			})
		}
	}
}

// D04: what is no file does not hold anybody up.
func TestFilesThatAreNone(t *testing.T) {
	d := fileSite(t, "")
	if err := syscall.Mkfifo(filepath.Join(d.dir, "files", "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0); err == nil {
		t.Chdir(filepath.Join(d.dir, "files"))
		if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: "sock"}); err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(fd)
	}
	d.writeFile("files/unreadable", "SECRET")
	if err := os.Chmod(filepath.Join(d.dir, "files", "unreadable"), 0); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fifo", "sock", "unreadable"} {
		begun := time.Now()
		a := get(t, d, "/files/"+name)
		if name == "unreadable" && os.Getuid() == 0 {
			continue // root reads it
		}
		if a.status != 404 && a.status != 403 {
			t.Errorf("%s: %d", name, a.status)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("%s: after %v", name, took)
		}
	}
}

func TestRangesAndConditions(t *testing.T) {
	d := fileSite(t, "")
	tag := get(t, d, "/files/a.txt").get("ETag")
	if !strings.HasPrefix(tag, `"`) {
		t.Fatalf("ETag: %s", tag)
	}
	for _, row := range []struct {
		name   string
		fields []string
		want   []int
	}{
		{"D10 the end first", []string{"Range: bytes=5-2"}, []int{200, 416}},
		{"D10 a number too large", []string{"Range: bytes=99999999999999999999-"}, []int{200, 416}},
		{"D10 no suffix", []string{"Range: bytes=-0"}, []int{200, 416}},
		{"D10 the smallest number", []string{"Range: bytes=-9223372036854775808"}, []int{200, 206, 416}},
		{"D10 another unit", []string{"Range: items=0-1"}, []int{200}},
		{"D10 letters", []string{"Range: bytes=a-b"}, []int{200, 416}},
		{"D10 an empty one", []string{"Range: bytes=0-1,"}, []int{200, 206}},
		{"D10 many", []string{"Range: bytes=" + strings.Repeat("0-,", 500) + "0-"}, []int{200, 416}},
		{"D11 another tag", []string{"Range: bytes=0-1", `If-Range: "other"`}, []int{200}},
		{"D11 a weak tag", []string{"Range: bytes=0-1", "If-Range: W/" + tag}, []int{200}},
		{"D11 the tag", []string{"Range: bytes=0-1", "If-Range: " + tag}, []int{206}},
		{"D17 a garbled date", []string{"If-Modified-Since: garbage"}, []int{200}},
		{"D17 the tag decides", []string{`If-None-Match: "other"`, "If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT"}, []int{200}},
		{"D17 the tag", []string{"If-None-Match: " + tag}, []int{304}},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := get(t, d, "/files/a.txt", row.fields...)
			if !slices.Contains(row.want, a.status) || a.err != nil {
				t.Errorf("%d, want %v, %v", a.status, row.want, a.err)
			}
			if a.status == 200 && a.body != "hello" {
				t.Errorf("body %q", a.body)
			}
		})
	}
}

// D13: which of a file and its compressed sibling is served.
func TestPrecompressedFiles(t *testing.T) {
	d := fileSite(t, "")
	for _, row := range []struct{ path, accept, encoding string }{
		{"/files/x.js", "gzip", "gzip"},
		{"/files/x.js", "gzip;q=0", ""},
		{"/files/x.js", "*", "gzip"},
		{"/files/x.js", "", ""},
		{"/files/x.js.gz", "gzip", ""},
	} {
		a := get(t, d, row.path, "Accept-Encoding: "+row.accept)
		if a.status != 200 || a.get("Content-Encoding") != row.encoding {
			t.Errorf("D13 %s for %q: %d, Content-Encoding %q", row.path, row.accept, a.status, a.get("Content-Encoding"))
		}
	}
	w := dial(t, d.addr)
	w.send("HEAD /files/x.js HTTP/1.1\r\nHost: a\r\nRange: bytes=0-9\r\n\r\nGET /files/a.txt HTTP/1.1\r\nHost: a\r\n\r\n")
	if a := w.read("HEAD"); a.status != 200 && a.status != 206 {
		t.Errorf("D14 HEAD with a range: %d", a.status)
	}
	if a := w.read("GET"); a.status != 200 || a.body != "hello" {
		t.Errorf("D14 what follows: %d %q", a.status, a.body)
	}
}

// D16: times that say nothing.
func TestTimesOfFiles(t *testing.T) {
	d := fileSite(t, "")
	for name, when := range map[string]time.Time{"epoch": time.Unix(0, 0), "one": time.Unix(1, 0), "future": time.Now().Add(240 * time.Hour), "before": time.Unix(-86400, 0)} {
		d.writeFile("files/"+name, "hello")
		if err := os.Chtimes(filepath.Join(d.dir, "files", name), when, when); err != nil {
			t.Fatal(err)
		}
		a := get(t, d, "/files/"+name)
		if a.status != 200 {
			t.Errorf("D16 %s: %d", name, a.status)
		}
		if last := a.get("Last-Modified"); last != "" && (name == "epoch" || name == "before") {
			t.Errorf("D16 %s: Last-Modified: %s", name, last)
		}
	}
}

// D08, D19, D22: redirects, listings and types.
func TestListingsRedirectsAndTypes(t *testing.T) {
	d := fileSite(t, ", browse: true")
	d.writeFile("files/list/<script>alert(1)<", "x") // a slash cannot be in a name
	d.writeFile("files/list/javascript:alert(1)", "x")
	d.writeFile(`files/list/"><img src=x onerror=alert(1)>`, "x")
	d.writeFile("files/list/a\r\nb", "x")
	d.writeFile("files/list/\xff\xfe", "x")
	d.writeFile("files/list/.hidden", "x")
	a := get(t, d, "/files/list/", "Accept: text/html")
	if a.status != 200 {
		t.Fatalf("D19 %d", a.status)
	}
	for _, bad := range []string{"<script>alert", `"><img`, `href="javascript:`, "href='javascript:", ">.hidden", "/.hidden"} {
		if strings.Contains(a.body, bad) {
			t.Errorf("D19 the listing holds %q", bad)
		}
	}
	if a.get("X-Content-Type-Options") != "nosniff" {
		t.Error("D19 the listing may be sniffed")
	}
	a = get(t, d, "/files/sub?q=1")
	if a.status/100 != 3 || !strings.HasSuffix(a.get("Location"), "/sub/?q=1") && a.get("Location") != "sub/?q=1" {
		t.Errorf("D08 %d %s", a.status, a.get("Location"))
	}
	a = get(t, d, "/files//evil.example/%2e%2e/sub")
	if strings.HasPrefix(a.get("Location"), "//") {
		t.Errorf("D08 a redirect to another host: %s", a.get("Location"))
	}
	a = get(t, d, "/files/noext")
	if a.get("Content-Type") != "application/octet-stream" || a.get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("D22 %q, nosniff %q", a.get("Content-Type"), a.get("X-Content-Type-Options"))
	}
}

// D23: a file that is missing in front of a guarded application.
func TestMissingFilesInFrontOfAGuard(t *testing.T) {
	o := listen(t, nil)
	d := start(t, `
mounts:
  /app: {proxy: `+o.url()+`, use: [default, {ip: {allow: [203.0.113.1]}}, {share: {exports: {/static: ./files}}}]}
  /out: {proxy: `+o.url()+`, use: [default, {share: {exports: {/static: ./files}}}, {ip: {allow: [203.0.113.1]}}]}
`, "files/a.txt", "hello")
	for target, want := range map[string]int{"/app/static/a.txt": 403, "/app/static/b.txt": 403, "/out/static/a.txt": 200, "/out/static/b.txt": 403} {
		if a := get(t, d, target); a.status != want {
			t.Errorf("%s: %d, want %d", target, a.status, want)
		}
	}
	if got := o.bytes(); got != "" {
		t.Errorf("the application got %q", got)
	}
}

// What an application may have served in its place stays in the roots that its
// mount names, and is nobody's business elsewhere.
func TestFilesThatApplicationsName(t *testing.T) {
	o := listen(t, nil)
	var field string
	o.answer = func(c *originConn, _ *received) error {
		return c.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" + field + "\r\n\r\napp")
	}
	d := start(t, `
mounts:
  /app: {proxy: `+o.url()+`, sendfile: {/protected: ./files}}
  /other: `+o.url()+`
`, "files/a.txt", "hello", "files/.env", "SECRET", "secret.txt", "SECRET")
	for _, row := range []struct{ field, want string }{
		{"X-Accel-Redirect: /protected/a.txt", "hello"},
		{"X-Accel-Redirect: /protected/../secret.txt", ""},
		{"X-Accel-Redirect: /protected/%2e%2e/secret.txt", ""},
		{"X-Accel-Redirect: /protected/..%2fsecret.txt", ""},
		{"X-Accel-Redirect: /protectedx/a.txt", ""},
		{"X-Accel-Redirect: /etc/passwd", ""},
		{"X-Accel-Redirect: http://169.254.169.254/", ""},
		{"X-Sendfile: " + filepath.Join(d.dir, "secret.txt"), ""},
		{"X-Sendfile: " + filepath.Join(d.dir, "files/../secret.txt"), ""},
		{"X-Sendfile: /etc/passwd", ""},
	} {
		field = row.field
		a := get(t, d, "/app/x")
		if strings.Contains(a.body, "SECRET") || strings.Contains(a.body, "root:") || row.want != "" && a.body != row.want {
			t.Errorf("%s: %d %q", row.field, a.status, a.body)
		}
		if a.get("X-Accel-Redirect")+a.get("X-Sendfile") != "" {
			t.Errorf("%s: the client reads it", row.field)
		}
		if a := get(t, d, "/other/x"); a.body == "hello" || strings.Contains(a.body, "SECRET") {
			t.Errorf("%s, of a mount without roots: %d %q", row.field, a.status, a.body)
		}
	}
}
