package dispatcher_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/mountd/mountd/dispatcher"
)

func show(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Printf("%s: script name %q, path %q\n", name, dispatcher.ScriptName(r), r.URL.Path)
	})
}

func visit(h http.Handler, url string) {
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", url, nil))
}

func Example() {
	d, err := dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{
		{Pattern: "/blog", Handler: show("blog")},
		{Pattern: "/blog/admin", Handler: show("admin")},
		{Pattern: "shop.example/", Handler: show("shop")},
	}})
	if err != nil {
		log.Fatal(err)
	}
	h := d.Wrap(show("everything else"))
	visit(h, "http://example/blog/2026/hello")
	visit(h, "http://example/blog/admin")
	visit(h, "http://example/blogger")
	visit(h, "http://shop.example/blog/")
	// Output:
	// blog: script name "/blog", path "/2026/hello"
	// admin: script name "/blog/admin", path "/"
	// everything else: script name "", path "/blogger"
	// shop: script name "", path "/blog/"
}

// A dispatcher inside another one: script names add up.
func Example_nesting() {
	inner, err := dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{
		{Pattern: "/files", Handler: show("files")},
	}})
	if err != nil {
		log.Fatal(err)
	}
	outer, err := dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{
		{Pattern: "/t/{tenant}", Handler: inner.Wrap(show("tenant"))},
	}})
	if err != nil {
		log.Fatal(err)
	}
	h := outer.Wrap(nil)
	visit(h, "/t/acme/files/report.pdf")
	visit(h, "/t/acme/about")
	// Output:
	// files: script name "/t/acme/files", path "/report.pdf"
	// tenant: script name "/t/acme", path "/about"
}

// Links must start with the script name: without it they leave the mount.
func ExampleScriptName() {
	login := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("wrong:", "/login")
		fmt.Println("right:", dispatcher.ScriptName(r)+"/login")
	})
	d, err := dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{{Pattern: "/app", Handler: login}}})
	if err != nil {
		log.Fatal(err)
	}
	visit(d.Wrap(nil), "/app/private")
	// Output:
	// wrong: /login
	// right: /app/login
}

func ExampleDispatcher_Match() {
	d, err := dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{
		{Pattern: "/", Handler: show("root")},
		{Pattern: "/t/{tenant}", Handler: show("tenant")},
	}})
	if err != nil {
		log.Fatal(err)
	}
	m, ok := d.Match("example.com", "/t/acme/../zoo/x")
	fmt.Println(ok, m.Pattern, m.ScriptName, m.Path, m.Params)
	fmt.Println(m.Why)
	_, ok = d.Match("example.com", "/x/%252e%252e/secret")
	fmt.Println(ok)
	// Output:
	// true /t/{tenant} /t/zoo /x [{tenant zoo}]
	// "/t/{tenant}", with no host and 2 segments, comes before "/"
	// false
}

func ExampleLive() {
	live := dispatcher.NewLive(show("old"))
	visit(live, "/")
	live.Store(show("new"))
	visit(live, "/")
	// Output:
	// old: script name "", path "/"
	// new: script name "", path "/"
}
