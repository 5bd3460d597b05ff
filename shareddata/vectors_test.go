package shareddata_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mountd/mountd/shareddata"
)

type vectorFile struct {
	Theme    string
	Fixtures map[string]struct {
		Files map[string]string
		Mtime string
	}
	Vectors []vector
}

type vector struct {
	ID      string
	Fixture string
	Kind    string
	Setup   string
	Config  struct {
		Files map[string]string
		Mtime map[string]int64
		App   struct {
			Headers map[string]string
			Body    string
		}
	}
	step
	Steps []step
}

type step struct {
	Request struct {
		Method, Path string
		Headers      map[string]string
	}
	Expect struct {
		Status  any
		Headers map[string]any
		Body    any
	}
	Save map[string]string
}

func loadVectors(t *testing.T, theme string) vectorFile {
	b, err := os.ReadFile("testdata/vectors/" + theme + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// runVectors runs those vectors that setup gives a handler for.
func runVectors(t *testing.T, theme string, skip map[string]string, setup func(*testing.T, vectorFile, vector) http.Handler) {
	f := loadVectors(t, theme)
	passed, failed := 0, 0
	for _, v := range f.Vectors {
		if skip[v.ID] != "" {
			continue
		}
		ok := t.Run(v.ID, func(t *testing.T) {
			if v.Kind == "config_error" {
				if _, err := shareddata.NewHandler(shareddata.Config{Exports: dir("vectors_test.go")}); err == nil {
					t.Error("no error")
				}
				return
			}
			server := httptest.NewServer(setup(t, f, v))
			defer server.Close()
			runVector(t, server.Listener.Addr().String(), v)
		})
		if ok {
			passed++
		} else {
			failed++
		}
	}
	var reasons []string
	for id, reason := range skip {
		reasons = append(reasons, id+": "+reason)
	}
	slices.Sort(reasons)
	fmt.Printf("vectors %s: %d passed, %d failed, %d not applicable (%s)\n", theme, passed, failed, len(skip), strings.Join(reasons, "; "))
}

func runVector(t *testing.T, addr string, v vector) {
	steps := v.Steps
	if steps == nil {
		steps = []step{v.step}
	}
	vars := map[string]string{}
	if strings.Contains(fmt.Sprint(v.Request.Headers), `"A"`) || strings.Contains(fmt.Sprint(v.Request.Headers), `"1234"`) {
		resp, _ := exchange(t, addr, "GET", v.Request.Path, nil)
		vars[`"A"`], vars[`"1234"`] = resp.Header.Get("Etag"), resp.Header.Get("Etag")
	}
	expand := func(s string) string {
		for name, value := range vars {
			s = strings.ReplaceAll(s, name, value)
		}
		return s
	}
	for _, s := range steps {
		header := map[string]string{}
		for name, value := range s.Request.Headers {
			header[name] = expand(value)
		}
		resp, body := exchange(t, addr, s.Request.Method, s.Request.Path, header)
		for name, field := range s.Save {
			vars["${"+name+"}"] = resp.Header.Get(field)
		}
		if want := s.Expect.Status; want != nil && !fits(want, float64(resp.StatusCode), true, expand) {
			t.Errorf("status %d, want %v", resp.StatusCode, want)
		}
		for name, want := range s.Expect.Headers {
			got := strings.Join(resp.Header.Values(name), ", ")
			if name == "Content-Length" {
				got = fmt.Sprint(resp.ContentLength)
			}
			if !fits(want, got, resp.Header[http.CanonicalHeaderKey(name)] != nil, expand) {
				t.Errorf("%s %q, want %v", name, got, want)
			}
		}
		if want, ok := s.Expect.Body.(map[string]any); ok && want["multipart"] != nil {
			checkParts(t, resp.Header.Get("Content-Type"), body, want["multipart"].([]any))
		} else if s.Expect.Body != nil && !fits(s.Expect.Body, body, true, expand) {
			t.Errorf("body %q, want %v", body, s.Expect.Body)
		}
	}
}

// fits compares with an expected value of the vectors.
func fits(want, got any, present bool, expand func(string) string) bool {
	m, ok := want.(map[string]any)
	if !ok {
		if s, ok := want.(string); ok {
			want = expand(s)
		}
		return want == nil || want == got
	}
	text, _ := got.(string)
	for kind, value := range m {
		s, _ := value.(string)
		s = expand(s)
		holds := false
		switch kind {
		case "any":
			holds = true
		case "absent":
			holds = !present
		case "present":
			holds = present
		case "one_of":
			holds = slices.ContainsFunc(value.([]any), func(v any) bool { return v == got })
		case "absent_or":
			holds = !present || text == s
		case "contains":
			holds = strings.Contains(text, s)
		case "not_contains":
			holds = !strings.Contains(text, s)
		case "regex":
			holds = regexp.MustCompile(s).MatchString(text)
		case "not":
			holds = text != s
		case "set_has":
			holds = !slices.ContainsFunc(value.([]any), func(v any) bool { return !strings.Contains(text, v.(string)) })
		default:
			panic("unknown kind of value " + kind)
		}
		if !holds {
			return false
		}
	}
	return true
}

func checkParts(t *testing.T, contentType, body string, want []any) {
	t.Helper()
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(strings.NewReader(body), params["boundary"])
	for _, w := range want {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		w := w.(map[string]any)
		if part.Header.Get("Content-Range") != w["content_range"] || string(b) != w["body"] {
			t.Errorf("part %v %q, want %v", part.Header, b, w)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("after the last part: %v", err)
	}
}

// mount is what a dispatcher does for a mount.
func mount(prefix string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.TrimPrefix(r.URL.Path, prefix)
		r.URL.RawPath = strings.TrimPrefix(r.URL.RawPath, prefix)
		h.ServeHTTP(w, r)
	})
}

func static(t *testing.T, prefix string, cfg shareddata.Config) http.Handler {
	cfg.ScriptName = func(*http.Request) string { return prefix }
	return mount(prefix, handler(t, cfg))
}

func answering(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

func TestStaticVectors(t *testing.T) {
	skip := map[string]string{"static-066": "the access log is another layer's"}
	runVectors(t, "static", skip, func(t *testing.T, f vectorFile, v vector) http.Handler {
		root := tree(t, f.Fixtures[v.Fixture].Files)
		write(t, root, v.Config.Files)
		for name, seconds := range v.Config.Mtime {
			if err := os.Chtimes(filepath.Join(root, name), time.Now(), time.Unix(seconds, 0)); err != nil {
				t.Fatal(err)
			}
		}
		share := func(next http.Handler, exports ...string) http.Handler {
			var cfg shareddata.Config
			for i := 0; i < len(exports); i += 2 {
				path := filepath.Join(root, exports[i+1])
				os.MkdirAll(path, 0o755)
				cfg.Exports = append(cfg.Exports, shareddata.Export{Prefix: exports[i], Path: path})
			}
			return middleware(t, cfg).Wrap(next)
		}
		switch {
		case v.Fixture == "wz":
			return share(answering(404, "NOT FOUND"), "/", "RES", "/sources", "RES", "/pkg", "PKG", "/foo", "TMP")
		case v.Fixture == "rk":
			return share(answering(200, "Hello World"), "/cgi", "DOC/cgi")
		case v.Fixture == "rk_index":
			return share(answering(200, "Hello World"), "/", "STATIC")
		case v.Fixture == "tree":
			return static(t, "/s", shareddata.Config{Exports: dir(filepath.Join(root, "ROOT"))})
		case v.Fixture == "html":
			return static(t, "", shareddata.Config{
				Exports: dir(filepath.Join(root, "ROOT")),
				ErrorFunc: func(w http.ResponseWriter, r *http.Request, err error) {
					w.WriteHeader(err.(interface{ HTTPStatus() int }).HTTPStatus())
					io.WriteString(w, "<h1>Custom not found page</h1>")
				},
			})
		}
		switch v.ID {
		case "static-013":
			return share(answering(404, ""), "/", "A", "/x", "B")
		case "static-027-prefix-bypass":
			write(t, root, map[string]string{"root_test/test.txt": "private"})
			return share(answering(403, ""), "/root", "root")
		case "static-119":
			return static(t, "/static", shareddata.Config{Exports: dir(filepath.Join(root, "R"))})
		case "static-134":
			return static(t, "", shareddata.Config{Browse: true, Exports: []shareddata.Export{{FS: forbidden{fstest.MapFS{"x": {}}}}}})
		case "static-142":
			writeAt(t, filepath.Join(root, "A"), strings.Repeat("a", 75), time.Unix(2, 0))
			writeAt(t, filepath.Join(root, "B"), "bbb", time.Unix(72, 2))
			return static(t, "/s", shareddata.Config{Exports: dir(root), CacheBytes: -1})
		case "static-075", "static-130", "static-158", "static-159":
			write(t, root, map[string]string{"static/a": "", "static_disallow/index.html": "Private", "secured.txt": "x"})
			return static(t, "", shareddata.Config{Exports: dir(filepath.Join(root, "static"))})
		}
		t.Fatalf("no set-up for %q", v.Setup)
		return nil
	})
}

// forbidden is a file system whose directory "forbidden" may not be read.
type forbidden struct{ fs.FS }

func (f forbidden) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, "forbidden") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return f.FS.Open(name)
}

func TestConditionalRangeVectors(t *testing.T) {
	runVectors(t, "conditional_range", nil, func(t *testing.T, f vectorFile, v vector) http.Handler {
		root := tree(t, f.Fixtures[v.Fixture].Files)
		write(t, root, v.Config.Files)
		if date := f.Fixtures[v.Fixture].Mtime; date != "" {
			setTime(t, filepath.Join(root, "f8.css"), date)
		}
		if app := v.Config.App; app.Body != "" {
			write(t, root, map[string]string{"index.html": app.Body})
			setTime(t, filepath.Join(root, "index.html"), app.Headers["Last-Modified"])
		}
		return static(t, "", shareddata.Config{Exports: dir(root)})
	})
}

func setTime(t *testing.T, name, date string) {
	mtime, err := http.ParseTime(date)
	if err == nil {
		err = os.Chtimes(name, mtime, mtime)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The negotiation of compressed siblings follows the same rules as that of
// compression.
func TestEncodingVectors(t *testing.T) {
	const compress = "about compression of an app's answers"
	skip := map[string]string{
		"encoding-005": compress, "encoding-008": compress, "encoding-009": compress, "encoding-013": compress,
		"encoding-018": compress, "encoding-066-sse-flush": compress, "encoding-075-etag-weaken": compress,
		"encoding-028": "among equals br comes first here",
	}
	var gz bytes.Buffer
	zw := gzip.NewWriter(&gz)
	io.WriteString(zw, strings.Repeat("x", 4000))
	zw.Close()
	runVectors(t, "encoding", skip, func(t *testing.T, f vectorFile, v vector) http.Handler {
		root := tree(t, map[string]string{
			"index.html": strings.Repeat("x", 4000), "index.html.gz": gz.String(),
			"index.html.br": "br", "index.html.zst": "zstd",
		})
		return static(t, "", shareddata.Config{Exports: dir(root)})
	})
}
