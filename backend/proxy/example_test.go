package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/mountd/mountd/backend/proxy"
)

// A mounted app is reached below a prefix, and told so.
func Example() {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s below %s", r.URL.Path, r.Header.Get("X-Forwarded-Prefix"))
	}))
	defer app.Close()

	p, err := proxy.New(proxy.Config{
		Upstreams:  []proxy.Upstream{{URL: app.URL}},
		ScriptName: func(*http.Request) string { return "/blog" },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	site := httptest.NewServer(http.StripPrefix("/blog", p))
	defer site.Close()

	resp, err := http.Get(site.URL + "/blog/posts/1")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	http.DefaultClient.CloseIdleConnections()
	fmt.Println(string(body))
	// Output: /posts/1 below /blog
}
