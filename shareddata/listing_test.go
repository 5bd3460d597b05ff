package shareddata_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mountd/mountd/shareddata"
)

var rowLink = regexp.MustCompile(`<td class="name"><a href="([^"]*)"`)

// links gives the links of a listing's rows, in order.
func links(page string) []string {
	var list []string
	for _, m := range rowLink.FindAllStringSubmatch(page, -1) {
		list = append(list, m[1])
	}
	return list
}

func TestListing(t *testing.T) {
	root := t.TempDir()
	at := func(name string, size int, day int) {
		writeAt(t, filepath.Join(root, name), strings.Repeat("x", size), time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC))
	}
	at("file10.txt", 5, 1)
	at("file2.txt", 2000, 3)
	at("B.txt", 5, 2)
	at("sub/deep/x", 1, 1)
	at(".hidden", 1, 1)
	h := handler(t, shareddata.Config{Exports: dir(root), Browse: true, ScriptName: func(*http.Request) string { return "/m" }})
	tests := []struct{ target, want string }{
		{"/", "./sub/ ./B.txt ./file2.txt ./file10.txt"},
		{"/?sort=name&order=desc", "./sub/?sort=name&amp;order=desc ./file10.txt ./file2.txt ./B.txt"},
		{"/?sort=size", "./sub/?sort=size&amp;order=asc ./B.txt ./file10.txt ./file2.txt"},
		{"/?sort=modified&order=desc", "./sub/?sort=modified&amp;order=desc ./file2.txt ./B.txt ./file10.txt"},
		{"/?sort=nonsense", "./sub/ ./B.txt ./file2.txt ./file10.txt"},
		{"/sub/deep/", "../ ./x"},
	}
	for _, tt := range tests {
		if got := strings.Join(links(get(h, tt.target).Body.String()), " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.target, got, tt.want)
		}
	}
	w := get(h, "/sub/deep/")
	page := w.Body.String()
	for _, want := range []string{
		`<title>Index of /m/sub/deep/</title>`, `<a href="../../">/m</a>`, `<a href="../">sub</a>`, `<h1 aria-current="page">deep</h1>`,
		`title="1 byte">1 B<`, `<footer>1 file · 1 B</footer>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	if !strings.Contains(get(h, "/").Body.String(), `title="2,000 bytes">2.0 KiB<`) {
		t.Error("the size has no exact form")
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "Vary": "Accept", "Content-Length": fmt.Sprint(len(page)),
	} {
		if w.Header().Get(name) != want {
			t.Errorf("%s: %q", name, w.Header().Get(name))
		}
	}
	if w := do(h, "HEAD", "/sub/deep/"); w.Body.Len() > 0 || w.Header().Get("Content-Length") != fmt.Sprint(len(page)) {
		t.Errorf("HEAD: %d bytes, %v", w.Body.Len(), w.Header())
	}
	if w := get(h, "/sub"); w.Code != 307 || w.Header().Get("Location") != "/m/sub/" {
		t.Errorf("without the slash: %d %v", w.Code, w.Header())
	}
}

func TestListingEscapesNames(t *testing.T) {
	files := map[string]string{}
	names := []string{`<script>alert(1)<`, `"><img src=x onerror=alert(1)>`, "javascript:alert(1)", "a\r\nb", "bad\xffutf8", "100%.txt", "a?b#c", "\u202etxt.exe", "&amp;"}
	for _, name := range names {
		files[name] = "content of " + name
	}
	h := handler(t, shareddata.Config{Exports: dir(tree(t, files)), Browse: true})
	page := get(h, "/").Body.String()
	for _, bad := range []string{"<script>alert", "<img", `href="javascript`, "\r", "\xff", "\u202e"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	if got := len(links(page)); got != len(names) {
		t.Errorf("%d links", got)
	}
	for _, link := range links(page) {
		target, err := url.Parse(strings.ReplaceAll(strings.ReplaceAll(link, "&amp;", "&"), "&#39;", "'"))
		if err != nil || target.Scheme != "" {
			t.Errorf("link %q: %v", link, err)
			continue
		}
		w := get(h, "/"+strings.TrimPrefix(target.EscapedPath(), "./"))
		if w.Code != 200 || w.Body.String() != "content of "+strings.TrimPrefix(target.Path, "./") {
			t.Errorf("link %q: %d %q", link, w.Code, w.Body)
		}
	}
}

func TestListingAllowsItsOwnStyleAndScriptOnly(t *testing.T) {
	h := handler(t, shareddata.Config{Exports: []shareddata.Export{{FS: fstest.MapFS{"a/b": {}}}}, Browse: true})
	w := get(h, "/")
	policy := w.Header().Get("Content-Security-Policy")
	for _, tag := range []string{"style", "script"} {
		_, source, _ := strings.Cut(w.Body.String(), "<"+tag+">")
		source, _, _ = strings.Cut(source, "</"+tag+">")
		sum := sha256.Sum256([]byte(source))
		if want := tag + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; source == "" || !strings.Contains(policy, want) {
			t.Errorf("%q is not in %q", want, policy)
		}
	}
	if !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("policy %q", policy)
	}
}

func TestListingAsJSON(t *testing.T) {
	root := t.TempDir()
	writeAt(t, filepath.Join(root, "a b.txt"), "xyz", time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
	os.Mkdir(filepath.Join(root, "sub"), 0o755)
	h := handler(t, shareddata.Config{Exports: dir(root), Browse: true})
	w := get(h, "/", "Accept: application/json")
	var page struct {
		Path    string
		Entries []struct {
			Name, Type, URL string
			Size            *int64
			Modified        time.Time
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Entries) != 2 || page.Path != "/" {
		t.Fatalf("%s", w.Body)
	}
	sub, file := page.Entries[0], page.Entries[1]
	if sub.Type != "directory" || sub.URL != "./sub/" || sub.Size != nil ||
		file.Type != "file" || file.URL != "./a%20b.txt" || *file.Size != 3 || !file.Modified.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("%s", w.Body)
	}
	if w := get(h, "/", "Accept: text/html, application/json;q=0.5"); !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Errorf("a browser got %s", w.Header().Get("Content-Type"))
	}
}

func TestListingIsBounded(t *testing.T) {
	files := fstest.MapFS{}
	for i := range 10_050 {
		files[fmt.Sprint("f", i)] = &fstest.MapFile{}
	}
	h := handler(t, shareddata.Config{Exports: []shareddata.Export{{FS: files}}, Browse: true})
	page := get(h, "/").Body.String()
	if got := len(links(page)); got != 10_000 {
		t.Errorf("%d rows", got)
	}
	if !strings.Contains(page, "more than 10,000 entries") {
		t.Error("the page does not say that there are more")
	}
	if body := get(h, "/", "Accept: application/json").Body.String(); !strings.Contains(body, `"truncated":true`) {
		t.Error("nor does the JSON")
	}
}

func TestListingOfNothing(t *testing.T) {
	h := handler(t, shareddata.Config{Exports: dir(t.TempDir()), Browse: true})
	if page := get(h, "/").Body.String(); !strings.Contains(page, "This folder is empty") {
		t.Error("an empty folder does not say so")
	}
}
