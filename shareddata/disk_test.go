package shareddata_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mountd/mountd/shareddata"
)

func symlink(t *testing.T, target, link string) {
	t.Helper()
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
}

func TestSymlinks(t *testing.T) {
	root := tree(t, map[string]string{"pub/real/f": "real", "secret": "secret", "pub/real/index.html": "index"})
	pub := filepath.Join(root, "pub")
	symlink(t, "real/f", filepath.Join(pub, "inside"))
	symlink(t, "real", filepath.Join(pub, "dir"))
	symlink(t, "../secret", filepath.Join(pub, "outside"))
	symlink(t, filepath.Join(root, "secret"), filepath.Join(pub, "absolute"))
	symlink(t, "..", filepath.Join(pub, "parent"))
	symlink(t, "loop", filepath.Join(pub, "loop"))
	symlink(t, "gone", filepath.Join(pub, "dangling"))
	tests := []struct {
		target string
		inside string // what is answered where links inside are followed
	}{
		{"/inside", "real"}, {"/dir/f", "real"}, {"/dir/", "index"}, {"/outside", ""}, {"/absolute", ""}, {"/parent/secret", ""},
		{"/parent/pub/real/f", ""}, {"/loop", ""}, {"/dangling", ""},
	}
	for _, mode := range []shareddata.Symlinks{"", shareddata.SymlinksInside, shareddata.SymlinksNone} {
		h := handler(t, shareddata.Config{Exports: dir(pub), Symlinks: mode, Browse: true})
		for _, tt := range tests {
			want := tt.inside
			if mode == shareddata.SymlinksNone {
				want = ""
			}
			w := get(h, tt.target)
			if want == "" && w.Code != 404 || want != "" && w.Body.String() != want {
				t.Errorf("%q %s: %d %q, want %q", mode, tt.target, w.Code, w.Body, want)
			}
		}
		if w := get(h, "/real/f"); w.Body.String() != "real" {
			t.Errorf("%q: a file that is no link: %d", mode, w.Code)
		}
		list := get(h, "/", "Accept: application/json").Body.String()
		if strings.Contains(list, "outside") || strings.Contains(list, "absolute") || strings.Contains(list, "dangling") ||
			strings.Contains(list, `"inside"`) == (mode == shareddata.SymlinksNone) {
			t.Errorf("%q lists %s", mode, list)
		}
	}
}

func TestASingleFileMayBeALink(t *testing.T) {
	root := tree(t, map[string]string{"a": "old", "b": "new"})
	link := filepath.Join(root, "favicon.ico")
	symlink(t, "a", link)
	h := handler(t, shareddata.Config{Recheck: always, Exports: []shareddata.Export{{Prefix: "/favicon.ico", Path: link}}})
	if w := get(h, "/favicon.ico"); w.Body.String() != "old" {
		t.Fatalf("%d %q", w.Code, w.Body)
	}
	swap(t, "b", link)
	if w := get(h, "/favicon.ico"); w.Body.String() != "new" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// swap replaces a link in one step.
func swap(t testing.TB, target, link string) {
	t.Helper()
	if err := os.Symlink(target, link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
}

func TestTheRootMayBeReplaced(t *testing.T) {
	root := tree(t, map[string]string{"7/f": "seven", "8/f": "eight", "7/only": "x"})
	current := filepath.Join(root, "current")
	symlink(t, "7", current)
	h := handler(t, shareddata.Config{Recheck: always, Exports: dir(current)})
	if w := get(h, "/f"); w.Body.String() != "seven" {
		t.Fatalf("%d %q", w.Code, w.Body)
	}
	swap(t, "8", current)
	if w := get(h, "/f"); w.Body.String() != "eight" {
		t.Errorf("after the swap: %q", w.Body)
	}
	if w := get(h, "/only"); w.Code != 404 {
		t.Errorf("a file of the old root: %d", w.Code)
	}
	if err := os.Remove(current); err != nil {
		t.Fatal(err)
	}
	if w := get(h, "/f"); w.Body.String() != "eight" {
		t.Errorf("while there is no root: %d %q", w.Code, w.Body)
	}
	symlink(t, "7", current)
	if w := get(h, "/f"); w.Body.String() != "seven" {
		t.Errorf("after the way back: %q", w.Body)
	}
}

func TestTheRootIsReplacedUnderLoad(t *testing.T) {
	big := strings.Repeat("x", 300<<10)
	root := tree(t, map[string]string{"7/f": "seven", "8/f": "eight", "7/big": "7" + big, "8/big": "8" + big, "7/d/x": "", "8/d/x": ""})
	current := filepath.Join(root, "current")
	symlink(t, "7", current)
	h := handler(t, shareddata.Config{Recheck: always, Browse: true, Exports: dir(current)})
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if w := get(h, "/f"); w.Code != 200 || w.Body.String() != "seven" && w.Body.String() != "eight" {
					t.Errorf("%d %q", w.Code, w.Body)
				}
				if w := get(h, "/big"); w.Code != 200 || w.Body.Len() != len(big)+1 {
					t.Errorf("big: %d, %d bytes", w.Code, w.Body.Len())
				}
				if w := get(h, "/d/"); w.Code != 200 {
					t.Errorf("listing: %d", w.Code)
				}
			}
		})
	}
	for i := range 200 {
		swap(t, []string{"7", "8"}[i%2], current)
	}
	close(done)
	wg.Wait()
}

func TestChangesAreSeen(t *testing.T) {
	root := tree(t, map[string]string{"f": "old", "sub/index.html": "index", "x.js": "js"})
	h := handler(t, shareddata.Config{Recheck: always, Exports: dir(root), Index: []string{"index.htm", "index.html"}})
	steps := []struct {
		name   string
		change func()
		target string
		want   string // "": missing
	}{
		{"at first", func() {}, "/f", "old"},
		{"new content", func() { write(t, root, map[string]string{"f": "newer"}) }, "/f", "newer"},
		{"of the same length and time", func() { write(t, root, map[string]string{"f": "other"}) }, "/f", "other"},
		{"removed", func() { os.Remove(filepath.Join(root, "f")) }, "/f", ""},
		{"there again", func() { write(t, root, map[string]string{"f": "again"}) }, "/f", "again"},
		{"an index", func() {}, "/sub/", "index"},
		{"an earlier index", func() { write(t, root, map[string]string{"sub/index.htm": "earlier"}) }, "/sub/", "earlier"},
		{"the earlier index removed", func() { os.Remove(filepath.Join(root, "sub/index.htm")) }, "/sub/", "index"},
		{"no sibling", func() {}, "/x.js", "js"},
		{"a new sibling", func() { write(t, root, map[string]string{"x.js.gz": "gz"}) }, "/x.js", "gz"},
		{"a changed sibling", func() { write(t, root, map[string]string{"x.js.gz": "g2"}) }, "/x.js", "g2"},
		{"the sibling removed", func() { os.Remove(filepath.Join(root, "x.js.gz")) }, "/x.js", "js"},
		{"a directory instead", func() { os.Remove(filepath.Join(root, "f")); os.Mkdir(filepath.Join(root, "f"), 0o755) }, "/f", ""},
	}
	for _, s := range steps {
		s.change()
		for range 2 {
			w := get(h, s.target, "Accept-Encoding: gzip")
			if s.want == "" && w.Code != 404 || s.want != "" && w.Body.String() != s.want {
				t.Errorf("%s: %d %q, want %q", s.name, w.Code, w.Body, s.want)
			}
		}
	}
}

func TestMemoryIsUsedUntilRecheck(t *testing.T) {
	root := tree(t, map[string]string{"f": "old"})
	h := handler(t, shareddata.Config{Recheck: time.Hour, Exports: dir(root)})
	get(h, "/f")
	get(h, "/missing")
	write(t, root, map[string]string{"f": "new", "missing": "here"})
	if w := get(h, "/f"); w.Body.String() != "old" {
		t.Errorf("the disk was asked: %q", w.Body)
	}
	if w := get(h, "/missing"); w.Code != 404 {
		t.Errorf("the disk was asked: %d", w.Code)
	}
}

func TestConcurrentChangesGiveWholeAnswers(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "f")
	replace := func(n int) {
		if err := os.WriteFile(file+".new", bytes.Repeat([]byte{'a' + byte(n%26)}, 1000+n), 0o644); err != nil {
			t.Error(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Error(err)
		}
	}
	replace(0)
	for _, cacheBytes := range []int64{0, -1} {
		h := handler(t, shareddata.Config{Recheck: always, Exports: dir(root), CacheBytes: cacheBytes})
		done := make(chan struct{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					w := get(h, "/f")
					body := w.Body.Bytes()
					if w.Code != 200 || fmt.Sprint(len(body)) != w.Header().Get("Content-Length") || len(body) < 1000 ||
						body[0] != 'a'+byte((len(body)-1000)%26) || bytes.Count(body, body[:1]) != len(body) {
						t.Errorf("%d, %d bytes, header %v", w.Code, len(body), w.Header())
					}
				}
			})
		}
		for n := range 300 {
			replace(n)
		}
		close(done)
		wg.Wait()
	}
}

// shrinker cuts the file off when the first bytes of the answer go out.
type shrinker struct {
	http.ResponseWriter
	file string
}

func (s shrinker) Write(p []byte) (int, error) {
	if err := os.Truncate(s.file, 100); err != nil {
		return 0, err
	}
	return s.ResponseWriter.Write(p)
}

func TestAFileThatShrinksAbortsTheAnswer(t *testing.T) {
	for _, field := range []string{"", "bytes=10-999999", "bytes=0-5,300000-900000"} {
		root := tree(t, map[string]string{"f": strings.Repeat("x", 1<<20)})
		file := filepath.Join(root, "f")
		h := handler(t, shareddata.Config{Exports: dir(root)})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(shrinker{w, file}, r)
		}))
		r, _ := http.NewRequest("GET", server.URL+"/f", nil)
		if field != "" {
			r.Header.Set("Range", field)
		}
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			t.Errorf("range %q: the short answer looks complete", field)
		}
		server.Close()
	}
}

// reader records what a large file is sent from.
type reader struct {
	*httptest.ResponseRecorder
	sources []io.Reader
}

func (r *reader) ReadFrom(src io.Reader) (int64, error) {
	r.sources = append(r.sources, src)
	return io.Copy(r.ResponseRecorder, src)
}

func TestLargeFilesGoOutThroughReaderFrom(t *testing.T) {
	root := tree(t, map[string]string{"f": strings.Repeat("x", 300<<10)})
	h := handler(t, shareddata.Config{Exports: dir(root)})
	for field, n := range map[string]int{"": 1, "bytes=5-299999": 1, "bytes=0-9,20-29": 2} {
		w := &reader{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest("GET", "/f", nil)
		if field != "" {
			r.Header.Set("Range", field)
		}
		h.ServeHTTP(w, r)
		if len(w.sources) != n {
			t.Fatalf("%q: %d parts, want %d", field, len(w.sources), n)
		}
		for _, src := range w.sources {
			limited, ok := src.(*io.LimitedReader)
			if !ok {
				t.Fatalf("sent from %T", src)
			}
			if _, ok := limited.R.(*os.File); !ok {
				t.Errorf("sent from %T", limited.R)
			}
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	root := t.TempDir()
	for i := range 100 {
		write(t, root, map[string]string{fmt.Sprint("f", i): strings.Repeat("x", 10<<10)})
	}
	h := handler(t, shareddata.Config{Recheck: time.Hour, Exports: dir(root), CacheBytes: 200 << 10, CacheFile: 20 << 10})
	for range 3 {
		get(h, "/f0") // hot
	}
	for i := range 100 {
		if w := get(h, fmt.Sprint("/f", i)); w.Body.Len() != 10<<10 {
			t.Fatalf("f%d: %d", i, w.Code)
		}
		get(h, "/f0")
	}
	os.RemoveAll(root)
	kept := 0
	for i := range 100 {
		if get(h, fmt.Sprint("/f", i)).Code == 200 {
			kept++
		}
	}
	if kept < 5 || kept > 20 {
		t.Errorf("%d files of 10 KiB are kept within 200 KiB", kept)
	}
	if w := get(h, "/f0"); w.Code != 200 {
		t.Error("a scan drove a hot file out")
	}
}

func TestPathsWithParameters(t *testing.T) {
	root := tree(t, map[string]string{"t/a/www/f": "of a", "t/b/www/f": "of b", "t/.hidden/www/f": "hidden", "secret/www/f": "secret"})
	symlink(t, "../../b/www/f", filepath.Join(root, "t/a/www/steal"))
	h := handler(t, shareddata.Config{Exports: dir(filepath.Join(root, "t/{tenant}/www"))})
	mux := http.NewServeMux()
	mux.Handle("/{tenant}/{rest...}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path, r.URL.RawPath = "/"+r.PathValue("rest"), ""
		h.ServeHTTP(w, r)
	}))
	tests := []struct{ target, want string }{
		{"/a/f", "of a"}, {"/b/f", "of b"}, {"/a/f", "of a"}, {"/c/f", ""}, {"/.hidden/f", ""}, {"/a/steal", ""},
		{"/..%2fsecret/f", ""}, {"/%2e%2e/f", ""}, {"/a%00/f", ""}, {"/a%5cb/f", ""},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("GET", "/x", nil)
		w := httptest.NewRecorder()
		if strings.Contains(tt.target, "%2e") { // the mux would redirect
			r.SetPathValue("tenant", "..")
			r.URL.Path = "/f"
			h.ServeHTTP(w, r)
		} else {
			mux.ServeHTTP(w, httptest.NewRequest("GET", tt.target, nil))
		}
		if tt.want == "" && w.Code == 200 || tt.want != "" && w.Body.String() != tt.want {
			t.Errorf("%s: %d %q, want %q", tt.target, w.Code, w.Body, tt.want)
		}
	}
}

func TestAPathWithParametersNeedsItsFixedPart(t *testing.T) {
	if _, err := shareddata.New(shareddata.Config{Exports: dir(filepath.Join(t.TempDir(), "gone", "{tenant}"))}); err == nil {
		t.Error("no error")
	}
}

func TestManyParameterValuesKeepFewDirectoriesOpen(t *testing.T) {
	root := t.TempDir()
	for i := range 600 {
		write(t, root, map[string]string{fmt.Sprint(i, "/f"): fmt.Sprint(i)})
	}
	h := handler(t, shareddata.Config{Exports: dir(filepath.Join(root, "{id}"))})
	for range 2 {
		for i := range 600 {
			r := httptest.NewRequest("GET", "/f", nil)
			r.SetPathValue("id", fmt.Sprint(i))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Body.String() != fmt.Sprint(i) {
				t.Fatalf("%d: %d %q", i, w.Code, w.Body)
			}
		}
	}
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil && len(fds) > 400 {
		t.Errorf("%d files are open", len(fds))
	}
}
