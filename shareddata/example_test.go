package shareddata_test

import (
	"embed"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/mountd/mountd/shareddata"
)

func show(h http.Handler, target string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"), w.Body)
}

// Files of a directory, in front of an application.
func Example() {
	static, err := os.MkdirTemp("", "static")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(static)
	os.WriteFile(filepath.Join(static, "style.css"), []byte("body {}"), 0o644)

	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "the application")
	})
	shared, err := shareddata.New(shareddata.Config{
		Exports: []shareddata.Export{{Prefix: "/static", Path: static}},
		MaxAge:  time.Hour,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer shared.Close()

	h := shared.Wrap(app)
	show(h, "/static/style.css")
	show(h, "/static/missing.css")
	show(h, "/")
	// Output:
	// 200 text/css; charset=utf-8 body {}
	// 200 text/plain the application
	// 200 text/plain the application
}

// One file at one path.
func Example_singleFile() {
	dir, err := os.MkdirTemp("", "icons")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	icon := filepath.Join(dir, "brand.svg")
	os.WriteFile(icon, []byte("<svg/>"), 0o644)

	shared, err := shareddata.New(shareddata.Config{
		Exports: []shareddata.Export{{Prefix: "/favicon.svg", Path: icon}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer shared.Close()

	show(shared.Wrap(http.NotFoundHandler()), "/favicon.svg")
	// Output: 200 image/svg+xml <svg/>
}

//go:embed listing.css listing.js
var assets embed.FS

// Files that are part of the program. They have no modification times, so
// their entity tags are made of their content.
func ExampleNewHandler_embedded() {
	h, err := shareddata.NewHandler(shareddata.Config{
		Exports: []shareddata.Export{{FS: fs.FS(assets)}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()

	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/listing.css", nil))
	r := httptest.NewRequest("GET", "/listing.css", nil)
	r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	again := httptest.NewRecorder()
	h.ServeHTTP(again, r)
	fmt.Println(w.Code, again.Code)
	// Output: 200 304
}

// A wrong one: http.StripPrefix is not needed, and hides the prefix that the
// exports are to be compared with.
func ExampleConfig_exports() {
	root, err := os.MkdirTemp("", "static")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(root)
	os.WriteFile(filepath.Join(root, "a.txt"), []byte("a"), 0o644)

	h, err := shareddata.NewHandler(shareddata.Config{Exports: []shareddata.Export{{Prefix: "/static", Path: root}}})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()

	show(http.StripPrefix("/static", h), "/static/a.txt")
	show(h, "/static/a.txt")
	// Output:
	// 404 text/plain; charset=utf-8 404 Not Found
	//
	// 200 text/plain; charset=utf-8 a
}
