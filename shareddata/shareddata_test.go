package shareddata_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/shareddata"
)

// always makes every request look at the disk again.
const always = time.Nanosecond

func TestAnswers(t *testing.T) {
	root := tree(t, map[string]string{
		"a.txt": "a", "page.html": "<p>", "sub/index.html": "sub", "sub/.hidden/x": "x", ".env": "secret",
		".git/HEAD": "ref", ".well-known/acme": "token", "bare/x": "x", "CON": "console", "file.": "dot",
		"aux.txt": "aux", "x::$DATA": "stream", "PROGRA~1": "short", "50%.txt": "half", "a;b=c.txt": "semicolon",
		"archive.tar.gz": "gz", "app.mjs": "js", "data.json": "{}", "x.unknown": "?", "evil.jpg": "<html>",
	})
	tests := []struct {
		name   string
		method string
		target string
		status int
		header string // "Name: value" that must be there
	}{
		{"a file", "GET", "/a.txt", 200, "Content-Type: text/plain; charset=utf-8"},
		{"HEAD has the length of GET", "HEAD", "/a.txt", 200, "Content-Length: 1"},
		{"HEAD has no ranges", "HEAD", "/a.txt", 200, "Accept-Ranges: bytes"},
		{"nothing is sniffed", "GET", "/evil.jpg", 200, "X-Content-Type-Options: nosniff"},
		{"a type is not guessed from content", "GET", "/evil.jpg", 200, "Content-Type: image/jpeg"},
		{"an unknown extension is bytes", "GET", "/x.unknown", 200, "Content-Type: application/octet-stream"},
		{"the last extension counts", "GET", "/archive.tar.gz", 200, "Content-Type: application/gzip"},
		{"a script has a charset", "GET", "/app.mjs", 200, "Content-Type: text/javascript; charset=utf-8"},
		{"JSON needs none", "GET", "/data.json", 200, "Content-Type: application/json"},
		{"a missing file", "GET", "/b.txt", 404, ""},
		{"below a file", "GET", "/page.html/extra", 404, ""},
		{"a file with a slash", "GET", "/a.txt/", 404, ""},
		{"an index", "GET", "/sub/", 200, ""},
		{"a directory redirects with its query", "GET", "/sub?a=1&b=%2F", 307, "Location: /m/sub/?a=1&b=%2F"},
		{"a directory without an index is missing", "GET", "/bare/", 404, ""},
		{"and does not redirect", "GET", "/bare", 404, ""},
		{"doubled slashes are one", "GET", "/sub//index.html", 200, ""},
		{"a redirect never names a host", "GET", "//sub", 307, "Location: /m/sub/"},
		{"a dot file", "GET", "/.env", 404, ""},
		{"an escaped dot file", "GET", "/%2eenv", 404, ""},
		{"below a dot directory", "GET", "/.git/HEAD", 404, ""},
		{"in another case", "GET", "/.GIT/HEAD", 404, ""},
		{"deep below", "GET", "/sub/.hidden/x", 404, ""},
		{".well-known is open", "GET", "/.well-known/acme", 200, ""},
		{"dot segments are refused", "GET", "/sub/../a.txt", 400, ""},
		{"escaped ones, too", "GET", "/sub/%2e%2e/a.txt", 400, ""},
		{"an escaped slash names no file", "GET", "/sub%2findex.html", 404, ""},
		{"in either case", "GET", "/sub%2Findex.html", 404, ""},
		{"a backslash names no file", "GET", "/sub%5cindex.html", 404, ""},
		{"four dots are a name", "GET", "/..../a.txt", 404, ""},
		{"overlong UTF-8 is no dot", "GET", "/..%c0%af/a.txt", 404, ""},
		{"CR and LF split nothing", "GET", "/sub%0d%0aSet-Cookie:%20x=1", 404, ""},
		{"NUL is refused", "GET", "/a.txt%00.jpg", 400, ""},
		{"a percent sign", "GET", "/50%25.txt", 200, ""},
		{"a semicolon", "GET", "/a;b=c.txt", 200, ""},
		{"a device name of Windows", "GET", "/CON", 200, ""},
		{"another one", "GET", "/aux.txt", 200, ""},
		{"a stream of Windows", "GET", "/x::$DATA", 200, ""},
		{"a short name", "GET", "/PROGRA~1", 200, ""},
		{"a dot at the end", "GET", "/file.", 200, ""},
		{"a blank at the end", "GET", "/a.txt%20", 404, ""},
		{"a name that is too long", "GET", "/" + strings.Repeat("x", 300), 404, ""},
		{"a path that is too long", "GET", strings.Repeat("/x", 4000), 404, ""},
		{"POST", "POST", "/a.txt", 405, "Allow: GET, HEAD"},
		{"lower-case get", "get", "/a.txt", 405, "Allow: GET, HEAD"},
	}
	for _, cached := range []int64{0, -1} {
		h := handler(t, shareddata.Config{
			Exports: dir(root), CacheBytes: cached, ScriptName: func(*http.Request) string { return "/m" },
		})
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s/cache %d", tt.name, cached), func(t *testing.T) {
				for range 2 { // the second time from memory
					w := do(h, tt.method, tt.target)
					if w.Code != tt.status {
						t.Fatalf("status %d, want %d", w.Code, tt.status)
					}
					name, value, _ := strings.Cut(tt.header, ": ")
					if w.Header().Get(name) != value {
						t.Errorf("%s: %q, want %q", name, w.Header().Get(name), value)
					}
					if tt.method == "HEAD" && w.Body.Len() > 0 {
						t.Errorf("HEAD has the body %q", w.Body)
					}
				}
			})
		}
	}
}

func TestShareFallsThrough(t *testing.T) {
	root := tree(t, map[string]string{
		"static/a.txt": "a", "static/sub/index.html": "i", "static/bare/x": "x", "favicon.ico": "icon", "favicon.ico.gz": "packed",
	})
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "app "+r.Method+" "+r.URL.Path) })
	h := middleware(t, shareddata.Config{Exports: []shareddata.Export{
		{Prefix: "/static", Path: filepath.Join(root, "static")},
		{Prefix: "/favicon.ico", Path: filepath.Join(root, "favicon.ico")},
		{Prefix: "/static/more/", FS: fstest.MapFS{"m.css": {Data: []byte("css")}}},
	}}).Wrap(app)
	tests := []struct {
		name, method, target string
		body                 string
	}{
		{"an exported file", "GET", "/static/a.txt", "a"},
		{"a single file", "GET", "/favicon.ico", "icon"},
		{"nothing is below a single file", "GET", "/favicon.ico/x", "app GET /favicon.ico/x"},
		{"nor its sibling beside it", "GET", "/favicon.ico.gz", "app GET /favicon.ico.gz"},
		{"a file system", "GET", "/static/more/m.css", "css"},
		{"a missing file", "GET", "/static/b.txt", "app GET /static/b.txt"},
		{"another method", "POST", "/static/a.txt", "app POST /static/a.txt"},
		{"outside the exports", "GET", "/x", "app GET /x"},
		{"a longer segment", "GET", "/statics/a.txt", "app GET /statics/a.txt"},
		{"a directory without an index", "GET", "/static/bare/", "app GET /static/bare/"},
		{"a disallowed name", "GET", "/static/.env", "app GET /static/.env"},
		{"dot segments", "GET", "/static/../favicon.ico", "app GET /static/../favicon.ico"},
		{"the bare prefix", "GET", "/static", "app GET /static"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if w := do(h, tt.method, tt.target); w.Body.String() != tt.body {
				t.Errorf("%q, want %q", w.Body, tt.body)
			}
		})
	}
	if w := get(h, "/static/sub"); w.Header().Get("Location") != "./sub/" {
		t.Errorf("without a script name the redirect is to %q", w.Header().Get("Location"))
	}
	if w := get(h, "/favicon.ico", "Accept-Encoding: gzip"); w.Body.String() != "packed" || w.Header().Get("Content-Type") != "image/x-icon" {
		t.Errorf("the sibling of a single file: %v %q", w.Header(), w.Body)
	}
}

func TestMistakesAreReportedTogether(t *testing.T) {
	root := tree(t, map[string]string{"f": ""})
	_, err := shareddata.New(shareddata.Config{
		Exports: []shareddata.Export{
			{Prefix: "static", Path: root}, {Prefix: "/a/../b", Path: root}, {Prefix: "/x", Path: root}, {Prefix: "/x/", Path: root},
			{Prefix: "/none"}, {Prefix: "/both", Path: root, FS: os.DirFS(root)}, {Prefix: "/gone", Path: filepath.Join(root, "gone")},
			{Path: filepath.Join(root, "f")},
		},
		Index: []string{"a/b"}, Disallow: []string{"[", ""}, Immutable: []string{"a//b"}, Symlinks: "maybe", MaxAge: -1,
		Types: map[string]string{"foo": "text/foo", ".bar": "bar"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`"static" is not a clean path`, `"/a/../b" is not a clean path`, `"/x/" is exported twice`, `"/none" needs a path`,
		`"/both" needs a path or a file system, and only one`, "gone: no such file", "f is a file; a directory is needed here",
		`"a/b" is not a file name`, `glob "[" is malformed`, "the glob is empty", `glob "a//b" has an empty segment`,
		`"maybe" is neither "inside" nor "none"`, "is negative", `"foo" is not a file extension, write ".foo"`, `"bar" is not a media type`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
	var option interface{ OptionPath() string }
	if !errors.As(err, &option) || option.OptionPath() == "" {
		t.Errorf("%v names no option", err)
	}
}

func TestDisallowAndImmutableGlobs(t *testing.T) {
	root := tree(t, map[string]string{
		"a.bak": "", "A.BAK": "", "x/a.bak": "", "private/x/y": "", "docs/private/x": "", "docs/a.txt": "", ".env": "", "build/a/cache/b": "",
		"assets/app.js": "", "assets/img/x.png": "", "lib.min.js": "", "x/lib.min.js": "", "x/assets/app.js": "",
	})
	h := handler(t, shareddata.Config{
		Exports: dir(root), Disallow: []string{"*.bak", "/private", "build/**/cache"}, Immutable: []string{"assets/**", "*.min.js"},
		MaxAge: 90*time.Second + time.Millisecond,
	})
	const short, long = "max-age=90", "public, max-age=31536000, immutable"
	tests := []struct {
		target  string
		status  int
		control string
	}{
		{"/a.bak", 404, ""}, {"/A.BAK", 404, ""}, {"/x/a.bak", 404, ""}, {"/private/x/y", 404, ""}, {"/docs/private/x", 200, short},
		{"/docs/a.txt", 200, short}, {"/.env", 200, short}, {"/build/a/cache/b", 404, ""},
		{"/assets/app.js", 200, long}, {"/assets/img/x.png", 200, long}, {"/lib.min.js", 200, long}, {"/x/lib.min.js", 200, long},
		{"/x/assets/app.js", 200, short},
	}
	for _, tt := range tests {
		w := get(h, tt.target)
		if w.Code != tt.status || w.Header().Get("Cache-Control") != tt.control {
			t.Errorf("%s: %d %q, want %d %q", tt.target, w.Code, w.Header().Get("Cache-Control"), tt.status, tt.control)
		}
	}
}

func TestAnswersForAUserArePrivate(t *testing.T) {
	root := tree(t, map[string]string{"a": "", "b.min.js": ""})
	for _, tt := range []struct {
		target string
		maxAge time.Duration
		want   string
	}{
		{"/a", 0, "private"}, {"/a", time.Minute, "private, max-age=60"}, {"/b.min.js", 0, "private, max-age=31536000, immutable"},
	} {
		h := handler(t, shareddata.Config{Exports: dir(root), MaxAge: tt.maxAge, Immutable: []string{"*.min.js"}})
		w := httptest.NewRecorder()
		rec := request.New(w, httptest.NewRequest("GET", tt.target, nil))
		rec.User = "joe"
		h.ServeHTTP(&rec.Writer, &rec.Request)
		if got := w.Header().Get("Cache-Control"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.target, got, tt.want)
		}
	}
}

func TestSPA(t *testing.T) {
	root := tree(t, map[string]string{"index.html": "app", "real.txt": "real", "dir/x": "x"})
	h := handler(t, shareddata.Config{Exports: dir(root), SPA: true})
	const browser = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
	tests := []struct {
		name, target, accept string
		status               int
		body                 string
	}{
		{"a view", "/users/7", browser, 200, "app"},
		{"a view with a dot", "/users/joe.doe", browser, 200, "app"},
		{"a directory without an index", "/dir/", browser, 200, "app"},
		{"curl", "/users/7", "Accept: */*", 200, "app"},
		{"no Accept", "/users/7", "", 200, "app"},
		{"a missing script stays missing", "/assets/app.js", "Accept: */*", 404, ""},
		{"a missing image", "/logo", "Accept: image/avif,image/webp", 404, ""},
		{"an API call", "/users/7", "Accept: application/json", 404, ""},
		{"html refused", "/users/7", "Accept: text/html;q=0", 404, ""},
		{"a disallowed name", "/.env", browser, 404, ""},
		{"a disallowed directory", "/.git/x", browser, 404, ""},
		{"a file", "/real.txt", browser, 200, "real"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var fields []string
			if tt.accept != "" {
				fields = append(fields, tt.accept)
			}
			w := get(h, tt.target, fields...)
			if w.Code != tt.status || tt.body != "" && w.Body.String() != tt.body {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, tt.status, tt.body)
			}
			if tt.body == "app" && w.Header().Get("Vary") != "Accept" {
				t.Errorf("Vary %q", w.Header().Get("Vary"))
			}
		})
	}
}

func TestNonsenseTimesGiveNoValidators(t *testing.T) {
	now := time.Now()
	tests := []struct {
		name       string
		mtime      time.Time
		validators bool
	}{
		{"the epoch", time.Unix(0, 0), false},
		{"a second later", time.Unix(1, 0), false},
		{"two seconds later", time.Unix(2, 0), true},
		{"before the epoch", time.Unix(-5, 0), false},
		{"the future", now.Add(time.Hour), false},
		{"the past", now.Add(-time.Hour), true},
	}
	for _, cacheBytes := range []int64{0, -1} {
		for _, tt := range tests {
			root := t.TempDir()
			writeAt(t, filepath.Join(root, "f"), "content", tt.mtime)
			h := handler(t, shareddata.Config{Exports: dir(root), CacheBytes: cacheBytes})
			w := get(h, "/f")
			etag, modified := w.Header().Get("Etag"), w.Header().Get("Last-Modified")
			if w.Code != 200 || (etag != "") != tt.validators || (modified != "") != tt.validators {
				t.Errorf("%s: %d, ETag %q, Last-Modified %q", tt.name, w.Code, etag, modified)
			}
			if w := get(h, "/f", "If-Modified-Since: "+tt.mtime.UTC().Format(http.TimeFormat)); (w.Code == 304) != tt.validators {
				t.Errorf("%s: If-Modified-Since gives %d", tt.name, w.Code)
			}
		}
	}
}

func TestFileSystemsWithoutTimesHaveTags(t *testing.T) {
	h := handler(t, shareddata.Config{Exports: []shareddata.Export{{FS: fstest.MapFS{"a.css": {Data: []byte("a")}}}}})
	w := get(h, "/a.css")
	etag := w.Header().Get("Etag")
	if etag == "" || w.Header().Get("Last-Modified") != "" {
		t.Errorf("header %v", w.Header())
	}
	if w := get(h, "/a.css", "If-None-Match: "+etag); w.Code != 304 {
		t.Errorf("status %d", w.Code)
	}
}

func TestConditions(t *testing.T) {
	root := t.TempDir()
	mtime := time.Date(2020, 5, 17, 10, 0, 0, 5e8, time.UTC)
	writeAt(t, filepath.Join(root, "f"), "0123456789", mtime)
	for _, cacheBytes := range []int64{0, -1} {
		h := handler(t, shareddata.Config{Exports: dir(root), CacheBytes: cacheBytes})
		tag := get(h, "/f").Header().Get("Etag")
		const same, before, after = "Sun, 17 May 2020 10:00:00 GMT", "Sun, 17 May 2020 09:59:59 GMT", "Sun, 17 May 2020 10:00:01 GMT"
		tests := []struct {
			name   string
			fields []string
			status int
		}{
			{"If-None-Match with the tag", []string{"If-None-Match: " + tag}, 304},
			{"in a list", []string{`If-None-Match: "x", ` + tag}, 304},
			{"in a second line", []string{`If-None-Match: "x"`, "If-None-Match: " + tag}, 304},
			{"weakly", []string{"If-None-Match: W/" + tag}, 304},
			{"any", []string{"If-None-Match: *"}, 304},
			{"another", []string{`If-None-Match: "x"`}, 200},
			{"without quotes", []string{"If-None-Match: " + strings.Trim(tag, `"`)}, 200},
			{"If-None-Match wins over the date", []string{`If-None-Match: "x"`, "If-Modified-Since: " + same}, 200},
			{"both ways", []string{"If-None-Match: " + tag, "If-Modified-Since: " + before}, 304},
			{"the same second", []string{"If-Modified-Since: " + same}, 304},
			{"a second before", []string{"If-Modified-Since: " + before}, 200},
			{"a second after", []string{"If-Modified-Since: " + after}, 304},
			{"an obsolete form of the date", []string{"If-Modified-Since: Sunday, 17-May-20 10:00:00 GMT"}, 304},
			{"no date", []string{"If-Modified-Since: yesterday"}, 200},
			{"a date in the future", []string{"If-Modified-Since: Fri, 11 Apr 2100 11:47:06 GMT"}, 200},
			{"If-Match with the tag", []string{"If-Match: " + tag}, 200},
			{"any tag", []string{"If-Match: *"}, 200},
			{"not weakly", []string{"If-Match: W/" + tag}, 412},
			{"another tag", []string{`If-Match: "x"`}, 412},
			{"If-Match wins over the date", []string{"If-Match: " + tag, "If-Unmodified-Since: " + before}, 200},
			{"unmodified since", []string{"If-Unmodified-Since: " + same}, 200},
			{"modified since", []string{"If-Unmodified-Since: " + before}, 412},
			{"If-Match comes before If-None-Match", []string{`If-Match: "x"`, "If-None-Match: " + tag}, 412},
			{"If-None-Match comes before Range", []string{"If-None-Match: " + tag, "Range: bytes=0-1"}, 304},
			{"a range", []string{"Range: bytes=0-1"}, 206},
			{"If-Range with the tag", []string{"Range: bytes=0-1", "If-Range: " + tag}, 206},
			{"an old tag", []string{"Range: bytes=0-1", `If-Range: "x"`}, 200},
			{"a weak tag", []string{"Range: bytes=0-1", "If-Range: W/" + tag}, 200},
			{"the date", []string{"Range: bytes=0-1", "If-Range: " + same}, 206},
			{"a later date", []string{"Range: bytes=0-1", "If-Range: " + after}, 200},
			{"an earlier date", []string{"Range: bytes=0-1", "If-Range: " + before}, 200},
			{"neither", []string{"Range: bytes=0-1", "If-Range: x"}, 200},
		}
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s/cache %d", tt.name, cacheBytes), func(t *testing.T) {
				w := get(h, "/f", tt.fields...)
				if w.Code != tt.status {
					t.Errorf("status %d, want %d", w.Code, tt.status)
				}
				if w.Code == 304 && (w.Body.Len() > 0 || w.Header().Get("Etag") != tag || w.Header().Get("Content-Length") != "") {
					t.Errorf("304 with %v and %q", w.Header(), w.Body)
				}
			})
		}
	}
}

func TestRanges(t *testing.T) {
	root := tree(t, map[string]string{"f": "0123456789", "empty": ""})
	tests := []struct {
		field  string
		status int
		body   string
	}{
		{"bytes=0-0", 206, "0"}, {"bytes=9-", 206, "9"}, {"bytes=-1", 206, "9"}, {"bytes=3-99", 206, "3456789"}, {"bytes=-99", 206, "0123456789"},
		{"BYTES=1-2", 206, "12"}, {"bytes=,1-2,", 206, "12"}, {"bytes=0-1,", 206, "01"}, {"bytes=20-,1-2", 206, "12"},
		{"bytes=10-", 416, ""}, {"bytes=-0", 416, ""}, {"bytes=99999999999999999999-", 416, ""},
		{"bytes=5-2", 200, ""}, {"bytes=-9223372036854775808", 206, "0123456789"}, {"bytes=--1", 200, ""}, {"bytes=a-b", 200, ""},
		{"bytes=", 200, ""}, {"bytes=-", 200, ""}, {"bytes", 200, ""}, {"items=0-1", 200, ""}, {"bytes=0-1-2", 200, ""}, {"bytes=+1-2", 200, ""},
		{"bytes=0-8,0-8", 200, ""}, {"bytes=0-9223372036854775807,0-9223372036854775807", 200, ""},
		{"bytes=" + strings.Repeat("1-1,", 40), 200, ""},
	}
	for _, cacheBytes := range []int64{0, -1} {
		h := handler(t, shareddata.Config{Exports: dir(root), CacheBytes: cacheBytes})
		for _, tt := range tests {
			w := get(h, "/f", "Range: "+tt.field)
			if tt.status == 200 {
				tt.body = "0123456789"
			}
			if w.Code != tt.status || tt.status < 300 && w.Body.String() != tt.body {
				t.Errorf("%.60s: %d %q, want %d %q", tt.field, w.Code, w.Body, tt.status, tt.body)
			}
			if w.Code < 300 && w.Header().Get("Content-Length") != fmt.Sprint(len(tt.body)) {
				t.Errorf("%.60s: Content-Length %s", tt.field, w.Header().Get("Content-Length"))
			}
			if w.Code == 416 && w.Header().Get("Content-Range") != "bytes */10" {
				t.Errorf("%s: Content-Range %q", tt.field, w.Header().Get("Content-Range"))
			}
		}
		if w := get(h, "/empty", "Range: bytes=0-"); w.Code != 200 {
			t.Errorf("a range of nothing: %d", w.Code)
		}
		if w := do(h, "HEAD", "/f", "Range: bytes=0-1"); w.Code != 200 || w.Header().Get("Content-Length") != "10" {
			t.Errorf("HEAD with a range: %d %v", w.Code, w.Header())
		}
		w := get(h, "/f", "Range: bytes=7-8,1-2,-1")
		if got := fmt.Sprint(w.Body.Len()); w.Header().Get("Content-Length") != got {
			t.Errorf("several ranges: Content-Length %s, sent %s", w.Header().Get("Content-Length"), got)
		}
	}
}

// plainFile is a file that can not seek.
type plainFile struct{ fs.File }

type plainFS struct{ fs.FS }

func (p plainFS) Open(name string) (fs.File, error) {
	f, err := p.FS.Open(name)
	return plainFile{f}, err
}

func TestRangesOfFilesThatCanNotSeek(t *testing.T) {
	h := handler(t, shareddata.Config{CacheBytes: -1, Exports: []shareddata.Export{{FS: plainFS{fstest.MapFS{"f": {Data: []byte("0123456789")}}}}}})
	if w := get(h, "/f", "Range: bytes=3-5"); w.Code != 206 || w.Body.String() != "345" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := get(h, "/f", "Range: bytes=3-5,0-1"); w.Code != 200 || w.Body.String() != "0123456789" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestPrecompressedSiblings(t *testing.T) {
	root := tree(t, map[string]string{
		"x.js": "plain", "x.js.gz": "gzipped", "x.js.br": "brotli", "only.css": "plain", "only.css.gz": "gzipped",
		"none.txt": "plain", "old.js": "plain", "hidden.js": "plain", "hidden.js.gz": "gzipped",
	})
	writeAt(t, filepath.Join(root, "old.js.gz"), "gzipped", time.Now().Add(-2*time.Hour))
	tests := []struct {
		target, accept string
		body, encoding string
	}{
		{"/x.js", "", "plain", ""},
		{"/x.js", "gzip", "gzipped", "gzip"},
		{"/x.js", "GZIP", "gzipped", "gzip"},
		{"/x.js", "x-gzip", "gzipped", "gzip"},
		{"/x.js", "gzip, deflate, br, zstd", "brotli", "br"},
		{"/x.js", "gzip;q=1, br;q=0.9", "gzipped", "gzip"},
		{"/x.js", "gzip;q=0", "plain", ""},
		{"/x.js", "gzip;q=0.000", "plain", ""},
		{"/x.js", "gzip;q=0.001", "gzipped", "gzip"},
		{"/x.js", "*", "brotli", "br"},
		{"/x.js", "br;q=0, *", "gzipped", "gzip"},
		{"/x.js", "identity", "plain", ""},
		{"/x.js", "identity;q=1, gzip;q=0.5", "plain", ""},
		{"/x.js", "identity;q=0", "plain", ""},
		{"/x.js", "identity;q=0, gzip;q=0.1", "gzipped", "gzip"},
		{"/x.js", "*;q=0", "plain", ""},
		{"/x.js", "zstd", "plain", ""},
		{"/x.js", "gzip;q=2", "plain", ""},
		{"/x.js", "gzip;q=", "plain", ""},
		{"/x.js", "gzip ; Q=0.5", "gzipped", "gzip"},
		{"/x.js", "gzipped", "plain", ""},
		{"/only.css", "br, gzip", "gzipped", "gzip"},
		{"/none.txt", "br, gzip", "plain", ""},
		{"/old.js", "gzip", "plain", ""},
		{"/hidden.js", "gzip", "plain", ""},
		{"/x.js.gz", "gzip", "gzipped", ""},
	}
	for _, cacheBytes := range []int64{0, -1} {
		h := handler(t, shareddata.Config{Exports: dir(root), CacheBytes: cacheBytes, Disallow: []string{"hidden.js.gz"}})
		for _, tt := range tests {
			var fields []string
			if tt.accept != "" {
				fields = []string{"Accept-Encoding: " + tt.accept}
			}
			w := get(h, tt.target, fields...)
			if w.Body.String() != tt.body || w.Header().Get("Content-Encoding") != tt.encoding {
				t.Errorf("%s for %q: %q in %q, want %q in %q", tt.target, tt.accept, w.Body, w.Header().Get("Content-Encoding"), tt.body, tt.encoding)
			}
			if vary := w.Header().Get("Vary"); (vary == "Accept-Encoding") != (tt.target == "/x.js" || tt.target == "/only.css") {
				t.Errorf("%s for %q: Vary %q", tt.target, tt.accept, vary)
			}
		}
		plain, packed := get(h, "/x.js"), get(h, "/x.js", "Accept-Encoding: gzip")
		if plain.Header().Get("Etag") == packed.Header().Get("Etag") {
			t.Error("two representations have one tag")
		}
		if packed.Header().Get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("type %q", packed.Header().Get("Content-Type"))
		}
		if w := get(h, "/x.js.gz"); w.Header().Get("Content-Type") != "application/gzip" {
			t.Errorf("type of the sibling itself %q", w.Header().Get("Content-Type"))
		}
		if w := get(h, "/x.js", "Accept-Encoding: gzip", "Range: bytes=0-1"); w.Body.String() != "gz" || w.Header().Get("Content-Encoding") != "gzip" {
			t.Errorf("a range of a sibling: %q %v", w.Body, w.Header())
		}
		if w := get(h, "/x.js", "Accept-Encoding: gzip", "If-None-Match: "+packed.Header().Get("Etag")); w.Code != 304 || w.Header().Get("Vary") == "" {
			t.Errorf("304 of a sibling: %d %v", w.Code, w.Header())
		}
	}
	h := handler(t, shareddata.Config{Exports: dir(root), NoPrecompressed: true})
	if w := get(h, "/x.js", "Accept-Encoding: gzip"); w.Body.String() != "plain" || w.Header().Get("Vary") != "" {
		t.Errorf("siblings are served: %q", w.Body)
	}
}

func TestVaryOfOuterLayersIsKept(t *testing.T) {
	root := tree(t, map[string]string{"x.js": "plain", "x.js.gz": "gzipped"})
	h := handler(t, shareddata.Config{Exports: dir(root)})
	for range 2 {
		w := httptest.NewRecorder()
		w.Header().Set("Vary", "Origin")
		h.ServeHTTP(w, httptest.NewRequest("GET", "/x.js", nil))
		if got := strings.Join(w.Header()["Vary"], ", "); got != "Origin, Accept-Encoding" {
			t.Errorf("Vary %q", got)
		}
	}
	get(h, "/x.js").Header().Add("Vary", "X")
	if got := get(h, "/x.js").Header()["Vary"]; len(got) != 1 {
		t.Errorf("an answer changed another one's header: %q", got)
	}
}

func TestTypes(t *testing.T) {
	root := tree(t, map[string]string{"a.foo": "", "b.JS": "", "c.tar.gz": "", "d.foo.bar": ""})
	h := handler(t, shareddata.Config{Exports: dir(root), Types: map[string]string{".FOO": "text/foo", ".js": "application/x-js", ".tar.gz": "application/x-tgz", ".foo.bar": "x/y"}})
	for target, want := range map[string]string{"/a.foo": "text/foo; charset=utf-8", "/b.JS": "application/x-js", "/c.tar.gz": "application/x-tgz", "/d.foo.bar": "x/y"} {
		if got := get(h, target).Header().Get("Content-Type"); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

func TestErrorFunc(t *testing.T) {
	root := tree(t, map[string]string{"f": "0123456789"})
	var got error
	h := handler(t, shareddata.Config{Exports: dir(root), ErrorFunc: func(w http.ResponseWriter, r *http.Request, err error) {
		got = err
		w.WriteHeader(err.(interface{ HTTPStatus() int }).HTTPStatus())
	}})
	for want, fields := range map[int][]string{404: {"GET", "/x"}, 405: {"PUT", "/f"}, 412: {"GET", "/f", `If-Match: "x"`}, 416: {"GET", "/f", "Range: bytes=20-"}} {
		if w := do(h, fields[0], fields[1], fields[2:]...); w.Code != want || got == nil {
			t.Errorf("%v: %d %v", fields, w.Code, got)
		}
	}
}

func TestClosed(t *testing.T) {
	root := tree(t, map[string]string{"f": "x"})
	h := handler(t, shareddata.Config{Exports: dir(root)})
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if w := get(h, "/f"); w.Code != 500 {
		t.Errorf("status %d", w.Code)
	}
}
