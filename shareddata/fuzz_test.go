package shareddata_test

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mountd/mountd/shareddata"
)

func FuzzRange(f *testing.F) {
	for _, field := range []string{"bytes=0-1", "bytes=-5,3-", "bytes=99999999999999999999-", "bytes=1-1,1-1,,", "items=0-1", "bytes=5-2"} {
		f.Add(field, int64(10))
	}
	f.Fuzz(func(t *testing.T, field string, size int64) {
		if size < 0 {
			return
		}
		result, spans := shareddata.ParseRange(field, size)
		if (result == "satisfiable") != (len(spans) > 0) {
			t.Fatalf("%s with %d spans", result, len(spans))
		}
		var sum int64
		for _, s := range spans {
			if s[0] < 0 || s[1] <= 0 || s[0] > size-s[1] {
				t.Fatalf("span %v of %d bytes", s, size)
			}
			if sum += s[1]; sum > size {
				t.Fatalf("spans %v add up to more than %d", spans, size)
			}
		}
	})
}

func FuzzAcceptEncoding(f *testing.F) {
	for _, field := range []string{"gzip", "br;q=0.5, *;q=0", "identity;q=0", "gzip;q=1.0001", ";q=", ",,"} {
		f.Add(field)
	}
	f.Fuzz(func(t *testing.T, field string) {
		weights, identity := shareddata.AcceptEncoding(field)
		for _, q := range weights {
			if q < 0 || q > 1000 {
				t.Fatalf("weight %d", q)
			}
		}
		if identity < -1 || identity > 1000 {
			t.Fatalf("identity %d", identity)
		}
		lower := strings.ToLower(field)
		if weights[2] > 0 && !strings.Contains(lower, "gzip") && !strings.Contains(lower, "*") {
			t.Fatal("gzip out of nothing")
		}
	})
}

func FuzzTags(f *testing.F) {
	f.Add(`"a", W/"b"`, `"b"`)
	f.Add(`*`, `"x"`)
	f.Fuzz(func(t *testing.T, field, tag string) {
		if shareddata.MatchTags(field, tag) && !strings.Contains(field, tag) && !strings.Contains(field, "*") {
			t.Fatalf("%q matches %q", field, tag)
		}
	})
}

func FuzzGlob(f *testing.F) {
	f.Add("a/**/b", "a/x/y/b")
	f.Add("*.js", "x/y.js")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		shareddata.MatchGlob(pattern, strings.FieldsFunc(path, func(r rune) bool { return r == '/' }))
	})
}

// FuzzPath asks for anything: the file beside the root is never served.
func FuzzPath(f *testing.F) {
	root := tree(f, map[string]string{"pub/a.txt": "a", "pub/sub/index.html": "i", "pub/.env": "SECRET", "secret": "SECRET"})
	h := handler(f, shareddata.Config{Exports: dir(root + "/pub"), Browse: true, CacheBytes: -1})
	for _, path := range []string{"/a.txt", "/../secret", "/sub//../../secret", "/.env", "/./.env", "/sub/..\\..\\secret", "/%2e%2e/secret"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = &url.URL{Path: path}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), "SECRET") {
			t.Fatalf("%q: %q", path, w.Body)
		}
		if location := w.Header().Get("Location"); location != "" && !strings.HasPrefix(location, "./") {
			t.Fatalf("%q redirects to %q", path, location)
		}
	})
}
