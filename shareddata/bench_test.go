package shareddata_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mountd/mountd/shareddata"
)

// sink is a response writer that keeps nothing, as a server's does, with its
// header made anew for each request.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(io.Discard, r)
}

func benchmark(b *testing.B, h http.Handler, status int, target string, fields ...string) {
	r := httptest.NewRequest("GET", target, nil)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Set(name, value)
	}
	w := &sink{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
	if w.status != status {
		b.Fatalf("status %d", w.status)
	}
}

func BenchmarkServe(b *testing.B) {
	root := tree(b, map[string]string{
		"1k.html": strings.Repeat("x", 1<<10), "100k.bin": strings.Repeat("x", 100<<10), "1m.bin": strings.Repeat("x", 1<<20),
		"app.js": "plain", "app.js.br": "br", "index.html": "index",
	})
	cached := handler(b, shareddata.Config{Exports: dir(root)})
	uncached := handler(b, shareddata.Config{Exports: dir(root), CacheBytes: -1})
	share := middleware(b, shareddata.Config{Exports: dir(root)}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) }))
	stock := http.FileServer(http.Dir(root))
	etag := "If-None-Match: " + get(cached, "/1k.html").Header().Get("Etag")
	modified := "If-Modified-Since: " + get(cached, "/1k.html").Header().Get("Last-Modified")

	b.Run("1KiB/cached", func(b *testing.B) { benchmark(b, cached, 200, "/1k.html") })
	b.Run("1KiB/uncached", func(b *testing.B) { benchmark(b, uncached, 200, "/1k.html") })
	b.Run("1KiB/FileServer", func(b *testing.B) { benchmark(b, stock, 200, "/1k.html") })
	b.Run("100KiB/cached", func(b *testing.B) { benchmark(b, cached, 200, "/100k.bin") })
	b.Run("100KiB/uncached", func(b *testing.B) { benchmark(b, uncached, 200, "/100k.bin") })
	b.Run("100KiB/FileServer", func(b *testing.B) { benchmark(b, stock, 200, "/100k.bin") })
	b.Run("1MiB/file", func(b *testing.B) { benchmark(b, cached, 200, "/1m.bin") })
	b.Run("1MiB/FileServer", func(b *testing.B) { benchmark(b, stock, 200, "/1m.bin") })
	b.Run("304/tag", func(b *testing.B) { benchmark(b, cached, 304, "/1k.html", etag) })
	b.Run("304/date", func(b *testing.B) { benchmark(b, cached, 304, "/1k.html", modified) })
	b.Run("304/FileServer", func(b *testing.B) { benchmark(b, stock, 304, "/1k.html", modified) })
	b.Run("index", func(b *testing.B) { benchmark(b, cached, 200, "/") })
	b.Run("sibling", func(b *testing.B) { benchmark(b, cached, 200, "/app.js", "Accept-Encoding: gzip, deflate, br, zstd") })
	b.Run("range", func(b *testing.B) { benchmark(b, cached, 206, "/1k.html", "Range: bytes=5-99") })
	b.Run("miss", func(b *testing.B) { benchmark(b, share, 200, "/api/users/7") })
}

// BenchmarkServer is the same over loopback and net/http's server.
func BenchmarkServer(b *testing.B) {
	root := tree(b, map[string]string{"1k.html": strings.Repeat("x", 1<<10)})
	for name, h := range map[string]http.Handler{
		"cached": handler(b, shareddata.Config{Exports: dir(root)}), "FileServer": http.FileServer(http.Dir(root)),
	} {
		b.Run(name, func(b *testing.B) {
			server := httptest.NewServer(h)
			defer server.Close()
			b.ReportAllocs()
			for b.Loop() {
				resp, err := http.Get(server.URL + "/1k.html")
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
}

func BenchmarkListing(b *testing.B) {
	files := map[string]string{}
	for i := range 1000 {
		files["file"+strings.Repeat("x", i%50)+string(rune('a'+i%26))+strings.Repeat("y", i/50)] = ""
	}
	h := handler(b, shareddata.Config{Exports: dir(tree(b, files)), Browse: true})
	benchmark(b, h, 200, "/")
}
