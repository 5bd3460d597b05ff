package configs_test

import "testing"

// TestPagesInABrowser opens what mountd itself shows in a real browser: the
// pages must render there without an error on the console.
func TestPagesInABrowser(t *testing.T) {
	need(t, "chromium", "chromium")
	site := listen(t, load(t, "demo.yaml"))
	b := newChromium(t)
	for _, test := range []struct{ path, query, want, name string }{
		{"/", "", "mountd is running", "demo"},
		{"/files/", "", "notes.txt", "files"},
		{"/files/", "?sort=size&order=desc", "notes.txt", "sorted"},
		{"/nothing-here", "", "Not Found", "not-found"},
		{"/down/", "", "Bad Gateway", "bad-gateway"},
	} {
		b.open(site + test.path + test.query)
		b.until("location.search == '" + test.query + "'")
		b.shows(test.path, test.want)
		b.look(test.name)
	}
	b.quiet()
}
