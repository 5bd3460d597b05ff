package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// vector is a fact about how this kind of software behaves; those here need
// the whole program.
type vector struct {
	ID      string `json:"id"`
	Request struct {
		Method  string            `json:"method"`
		Path    string            `json:"path"`
		Headers map[string]string `json:"headers"`
	} `json:"request"`
	Expect struct {
		Status  int            `json:"status"`
		Headers map[string]any `json:"headers"`
	} `json:"expect"`
}

func vectors(t *testing.T, theme string) []vector {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "vectors", theme+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Theme   string   `json:"theme"`
		Vectors []vector `json:"vectors"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if file.Theme != theme || len(file.Vectors) == 0 {
		t.Fatalf("%s holds %d vectors of %s", theme, len(file.Vectors), file.Theme)
	}
	return file.Vectors
}

// answers of the applications behind the encoding vectors, by id; the others
// are 4000 times x.
var encodingAnswers = map[string]string{
	"encoding-005": "Content-Encoding: text\r\n",
	"encoding-008": "Vary: Accept-Encoding\r\n",
	"encoding-009": "Vary: *\r\n",
	"encoding-013": "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n",
}

func TestEncodingVectors(t *testing.T) {
	big := strings.Repeat("x", 4000)
	all := vectors(t, "encoding")
	passed, failed := 0, 0
	for _, v := range all {
		ok := t.Run(v.ID, func(t *testing.T) {
			o := listen(t, func(c *originConn, r *received) error {
				if strings.Contains(v.ID, "sse") {
					_ = c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
					_, _ = c.r.ReadByte() // the event comes later than the client waits
					return errDone
				}
				kind := "text/plain"
				if v.ID == "encoding-018" {
					kind += "; charset=us-ascii"
				}
				return c.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n%s", kind, encodingAnswers[v.ID], len(big), big))
			})
			options := "compress: {encodings: [gzip, br, zstd]}"
			if v.ID == "encoding-018" {
				options = "compress: {types: [text/plain]}"
			}
			d := start(t, fmt.Sprintf("grace: 100ms\nuse: [errors, {%s}]\nmounts: {/: %s, /f8.css: {static: ./f8.css}}\n", options, o.url()), "f8.css", big)
			var fields []string
			for name, value := range v.Request.Headers {
				fields = append(fields, name+": "+value)
			}
			w := dial(t, d.addr)
			w.send(v.Request.Method + " " + v.Request.Path + " HTTP/1.1\r\nHost: a\r\n" + lines(fields) + "\r\n")
			method := v.Request.Method
			if strings.Contains(v.ID, "sse") {
				method = "HEAD" // the header alone
			}
			a := w.read(method)
			meets(t, v, a)
			if strings.Contains(v.ID, "etag") {
				plain := get(t, d, v.Request.Path)
				if plain.get("ETag") == a.get("ETag") {
					t.Errorf("both forms have the tag %s", a.get("ETag"))
				}
				if again := get(t, d, v.Request.Path, append(fields, "If-None-Match: "+a.get("ETag"))...); again.status != 304 {
					t.Errorf("its own tag: %d", again.status)
				}
			}
			_ = w.Close()
		})
		if ok {
			passed++
		} else {
			failed++
		}
	}
	fmt.Printf("vectors encoding: %d passed, %d failed, 0 not applicable\n", passed, failed)
}

// The slash redirect is the daemon's, not the dispatcher's.
func TestDispatchVectors(t *testing.T) {
	o := listen(t, nil)
	d := start(t, "mounts: {/testTwo: "+o.url()+"}\n")
	passed, failed := 0, 0
	for _, v := range vectors(t, "dispatch") {
		if v.ID == "dispatch-058" {
			if t.Run(v.ID, func(t *testing.T) { theLogNamesTheUser(t, v) }) {
				passed++
			} else {
				failed++
			}
			continue
		}
		if t.Run(v.ID, func(t *testing.T) { meets(t, v, get(t, d, v.Request.Path)) }) {
			passed++
		} else {
			failed++
		}
	}
	fmt.Printf("vectors dispatch: %d passed, %d failed, 0 not applicable\n", passed, failed)
}

// meets compares an answer with what a vector expects.
func meets(t *testing.T, v vector, a *answer) {
	t.Helper()
	if a.status != v.Expect.Status {
		t.Errorf("status %d, want %d", a.status, v.Expect.Status)
	}
	for name, want := range v.Expect.Headers {
		values := a.values(name)
		got := strings.Join(values, ", ")
		switch want := want.(type) {
		case nil:
		case string:
			if got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		case map[string]any:
			for how, arg := range want {
				text, _ := arg.(string)
				ok := false
				switch how {
				case "absent":
					ok = len(values) == 0
				case "present":
					ok = len(values) > 0
				case "contains":
					ok = strings.Contains(got, text)
				case "not":
					ok = got != text && got != ""
				case "regex":
					ok = regexp.MustCompile(text).MatchString(got)
				default:
					t.Fatalf("%s: expectation %q is not known", v.ID, how)
				}
				if !ok {
					t.Errorf("%s: %q, want %s %v", name, got, how, arg)
				}
			}
		}
	}
}
