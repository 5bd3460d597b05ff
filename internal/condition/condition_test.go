package condition_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/canonical"
	"github.com/mountd/mountd/internal/condition"
	"github.com/mountd/mountd/internal/request"
)

func mustNew(t testing.TB, cfg condition.Config, except bool) *condition.Condition {
	t.Helper()
	c, err := condition.New(cfg, except)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPaths(t *testing.T) {
	tests := []struct {
		name, glob, target string
		when, except       string // what they decide
	}{
		{"itself", "/admin", "/admin", "yes", "yes"},
		{"nothing else", "/admin", "/admin/", "no", "no"},
		{"a star stays in its segment", "/admin/*", "/admin/x/y", "no", "no"},
		{"a star is one segment", "/admin/*", "/admin/x", "yes", "yes"},
		{"a star may be empty", "/admin/*", "/admin/", "yes", "yes"},
		{"a star is not the parent", "/admin/*", "/admin", "no", "no"},
		{"a star within", "/a*c/d", "/abbc/d", "yes", "yes"},
		{"several stars", "/*a*b", "/xxaxxab", "yes", "yes"},
		{"two stars go deep", "/admin/**", "/admin/x/y", "yes", "yes"},
		{"two stars and the parent", "/admin/**", "/admin", "yes", "no"},
		{"two stars and a slash", "/admin/**", "/admin/", "yes", "yes"},
		{"everything", "/**", "/", "yes", "yes"},
		{"everything in short", "**", "/a/b", "yes", "yes"},
		{"in the middle, none", "/a/**/b", "/a/b", "yes", "yes"},
		{"in the middle, some", "/a/**/b", "/a/x/y/b", "yes", "yes"},
		{"in the middle, wrong end", "/a/**/b", "/a/x/y/c", "no", "no"},
		{"by suffix", "/**/*.php", "/x.php", "yes", "yes"},
		{"by suffix, deep", "**.php", "/a/b/x.php", "yes", "yes"},
		{"by suffix, not", "**.php", "/a/x.php/y", "no", "no"},
		{"two stars within a segment", "/a**z", "/ab/c/yz", "yes", "yes"},
		{"twice deep", "/**/a/**/b", "/a/x/a/y/b", "yes", "yes"},
		{"decoded", "/café", "/caf%C3%A9", "yes", "yes"},
		{"slashes merged", "/admin/x", "/admin///x", "yes", "yes"},
		{"case", "/admin", "/ADMIN", "no", "no"},
		{"a query is no path", "/public/**", "/admin?x=/public/", "no", "no"},
		{"a parameter applies the layer", "/admin/*", "/admin;a/x", "yes", "no"},
		{"a parameter in the last segment", "/admin", "/admin;a", "yes", "no"},
		{"a parameter that a star takes", "/public/*", "/public/x;y", "yes", "yes"},
		{"an escaped parameter", "/admin", "/admin%3ba", "yes", "no"},
		{"an escaped slash that matters", "/admin/*", "/admin%2fx", "400", "400"},
		{"an escaped slash that does not", "/npm/**", "/npm/@scope%2fname", "yes", "yes"},
		{"a backslash that matters", "/admin/*", `/admin%5cx`, "400", "400"},
		{"a double escape that matters", "/admin", "/%2561dmin", "400", "400"},
		{"a double escape that does not", "/admin", "/100%2525", "no", "no"},
		{"an escaped slash elsewhere", "/admin/**", "/x%2fadmin", "no", "no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for except, want := range map[bool]string{false: tt.when, true: tt.except} {
				c := mustNew(t, condition.Config{Path: []string{"/nothing", tt.glob}}, except)
				ok, err := c.Match(httptest.NewRequest("GET", tt.target, nil))
				got := map[bool]string{true: "yes", false: "no"}[ok]
				if errors.Is(err, canonical.ErrAmbiguous) {
					got = "400"
				} else if err != nil {
					t.Fatal(err)
				}
				if got != want {
					t.Errorf("%s of %s (except: %v) is %s, want %s", tt.glob, tt.target, except, got, want)
				}
			}
		})
	}
}

func TestFields(t *testing.T) {
	type C = condition.Config
	req := func(method, url string, header ...string) *http.Request {
		r := httptest.NewRequest(method, url, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		return r
	}
	from := func(addr string) *http.Request {
		r := req("GET", "/")
		r.RemoteAddr = addr
		return r
	}
	tests := []struct {
		name string
		cfg  C
		r    *http.Request
		want bool
	}{
		{"nothing asked", C{}, req("GET", "/"), true},
		{"method", C{Method: []string{"PUT", "POST"}}, req("POST", "/"), true},
		{"another method", C{Method: []string{"GET"}}, req("POST", "/"), false},
		{"HEAD is as good as GET", C{Method: []string{"GET"}}, req("HEAD", "/"), true},
		{"GET is not HEAD", C{Method: []string{"HEAD"}}, req("GET", "/"), false},
		{"methods have a case, but none is a way round", C{Method: []string{"GET"}}, req("get", "/"), true},
		{"nor is a rare method", C{Method: []string{"GET", "POST"}}, req("PROPFIND", "/"), true},
		{"a choice by method", C{Method: []string{"GET", "POST"}, ExactMethods: true}, req("PROPFIND", "/"), false},
		{"host", C{Host: []string{"A.example."}}, req("GET", "http://a.EXAMPLE:81/"), true},
		{"host with port", C{Host: []string{"a.example:80"}}, req("GET", "http://a.example:81/"), false},
		{"subdomain", C{Host: []string{"*.example"}}, req("GET", "http://b.a.example/"), true},
		{"no subdomain", C{Host: []string{"*.example"}}, req("GET", "http://example/"), false},
		{"only looks like one", C{Host: []string{"*.example"}}, req("GET", "http://bexample/"), false},
		{"header is there", C{Header: map[string]string{"x-a": "*"}}, req("GET", "/", "X-A", ""), true},
		{"header is not", C{Header: map[string]string{"x-a": "*"}}, req("GET", "/"), false},
		{"header by glob", C{Header: map[string]string{"Accept": "*/json*"}}, req("GET", "/", "Accept", "text/html", "Accept", "application/json; q=1"), true},
		{"header by wrong glob", C{Header: map[string]string{"Accept": "*/json"}}, req("GET", "/", "Accept", "application/json; q=1"), false},
		{"empty header", C{Header: map[string]string{"X-A": ""}}, req("GET", "/", "X-A", "v"), false},
		{"client", C{Client: []string{"10.0.0.0/8", "::1"}}, from("10.1.2.3:5"), true},
		{"client in IPv6 dress", C{Client: []string{"10.0.0.0/8"}}, from("[::ffff:10.1.2.3]:5"), true},
		{"network in IPv6 dress", C{Client: []string{"::ffff:10.0.0.0/104"}}, from("10.1.2.3:5"), true},
		{"another client", C{Client: []string{"10.0.0.1"}}, from("10.0.0.2:5"), false},
		{"client on a socket", C{Client: []string{"0.0.0.0/0"}}, from("@"), false},
		{"scheme", C{Scheme: "https"}, req("GET", "https://a/"), true},
		{"another scheme", C{Scheme: "https"}, req("GET", "http://a/"), false},
		{"all must hold", C{Method: []string{"GET"}, Path: []string{"/x"}}, req("GET", "/y"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if ok, err := mustNew(t, tt.cfg, false).Match(tt.r); err != nil || ok != tt.want {
				t.Errorf("= %v, %v", ok, err)
			}
		})
	}
}

func TestExceptTakesMethodsLiterally(t *testing.T) {
	c := mustNew(t, condition.Config{Method: []string{"GET"}}, true)
	for method, want := range map[string]bool{"GET": true, "HEAD": false, "PROPFIND": false, "get": false} {
		if ok, _ := c.Match(httptest.NewRequest(method, "/", nil)); ok != want {
			t.Errorf("%s: %v", method, ok)
		}
	}
}

func TestTheRecordCounts(t *testing.T) {
	r := httptest.NewRequest("GET", "http://inner.example/", nil)
	rec := request.New(httptest.NewRecorder(), r)
	rec.HostPort, rec.Scheme, rec.Client = "outer.example:443", "https", netip.MustParseAddr("192.0.2.7")
	c := mustNew(t, condition.Config{Host: []string{"outer.example"}, Scheme: "https", Client: []string{"192.0.2.7"}}, false)
	if ok, err := c.Match(&rec.Request); !ok || err != nil {
		t.Error(ok, err)
	}
}

func TestMistakes(t *testing.T) {
	_, err := condition.New(condition.Config{
		Path:   []string{"/ok", "admin", "/a//b", "/a**b**c**d**e**f"},
		Method: []string{"get"},
		Host:   []string{"a b", "*"},
		Header: map[string]string{"a b": "*", "host": "x"},
		Client: []string{"localhost", "::ffff:0:0/90"},
		Scheme: "ftp",
	}, false)
	want := `path[1]: "admin" does not start with a slash (write "/admin")
path[2]: "/a//b" has two slashes in a row, which no path has here (write one)
path[3]: has too many "**" within segments (write "**" as a segment of its own)
method[0]: "get" is no method (write "GET")
host[0]: "a b" is no host (write example.com or *.example.com): bad host: holds a byte that no host name has
host[1]: "*" is every host (leave host out)
header.a b: "a b" is no header name
header.host: the host is no header here (write host: instead)
client[0]: "localhost" is no address (write 10.1.2.3 or 10.0.0.0/8)
client[1]: "::ffff:0:0/90" holds more than IPv4-mapped addresses (write the IPv4 network)
scheme: "ftp" is no scheme (write http or https)`
	if err == nil || err.Error() != want {
		t.Errorf("mistakes:\n%v\nwant:\n%s", err, want)
	}
	var f interface{ OptionPath() string }
	if !errors.As(err, &f) || f.OptionPath() != "path[1]" {
		t.Error("no option path")
	}
}

func TestString(t *testing.T) {
	c := mustNew(t, condition.Config{Path: []string{"/a", "/b/*"}, Header: map[string]string{"X-B": "*", "X-A": "v"}, Scheme: "https"}, false)
	if got, want := c.String(), "path /a or /b/*, header X-A: v, header X-B: *, scheme https"; got != want || !c.HasPath() {
		t.Errorf("%q, want %q", got, want)
	}
	if c := mustNew(t, condition.Config{}, true); c.String() != "always" || c.HasPath() {
		t.Error(c)
	}
}

func TestMatchingTakesBoundedTime(t *testing.T) {
	for _, glob := range []string{"/**a*a*a*b", "/*a*a*a*a*b", "/**/a*/**/a*/b", "/**/*a/**/*a/**/*ab"} {
		for _, path := range []string{"/" + strings.Repeat("a", 30_000), strings.Repeat("/a", 15_000)} {
			c := mustNew(t, condition.Config{Path: []string{glob}}, false)
			r := httptest.NewRequest("GET", path, nil)
			best := time.Hour
			for range 3 {
				start := time.Now()
				if _, err := c.Match(r); err != nil {
					t.Fatal(err)
				}
				best = min(best, time.Since(start))
			}
			if best > 200*time.Millisecond {
				t.Errorf("%s takes %v", glob, best)
			}
		}
	}
}

func TestOrdinaryPathsCostNoAllocation(t *testing.T) {
	c := mustNew(t, condition.Config{
		Path: []string{"/a/**/*.php", "/admin/*"}, Method: []string{"GET"}, Host: []string{"*.example"},
		Client: []string{"192.0.2.0/24"}, Header: map[string]string{"Accept": "*"},
	}, false)
	r := httptest.NewRequest("GET", "http://a.example/admin/x", nil)
	r.Header.Set("Accept", "*/*")
	if n := testing.AllocsPerRun(100, func() {
		if ok, err := c.Match(r); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// toRegexp is the same glob for another matcher.
func toRegexp(glob string, except bool) *regexp.Regexp {
	s := regexp.QuoteMeta(glob)
	if !strings.HasPrefix(s, "/") {
		s = "/" + s
	}
	for strings.Contains(s, `\*\*\*`) {
		s = strings.ReplaceAll(s, `\*\*\*`, `\*\*`)
	}
	for strings.Contains(s, `/\*\*/\*\*/`) {
		s = strings.ReplaceAll(s, `/\*\*/\*\*/`, `/\*\*/`)
	}
	if strings.HasSuffix(s, `/\*\*/\*\*`) {
		s = strings.TrimSuffix(s, `/\*\*`)
	}
	end := ""
	if rest, ok := strings.CutSuffix(s, `/\*\*`); ok {
		if s, end = rest, `(/(?s:.*))?`; except {
			end = `/(?s:.*)`
		}
	}
	s = strings.ReplaceAll(s, `/\*\*/`, "\x01")
	s = strings.ReplaceAll(s, `\*\*`, "\x02")
	s = strings.ReplaceAll(s, `\*`, `[^/]*`)
	s = strings.ReplaceAll(s, "\x01", `/((?s:.*)/)?`)
	s = strings.ReplaceAll(s, "\x02", `(?s:.*)`)
	return regexp.MustCompile("^" + s + end + "$")
}

func FuzzGlob(f *testing.F) {
	for _, g := range []string{"/a/*", "/**/b", "/a**b/c", "**.x", "/a/**", "/**/a*/**/b", "/*a*b*"} {
		f.Add(g, "/a/b/c", false)
		f.Add(g, "/ab/xa/b.x", true)
	}
	f.Fuzz(func(t *testing.T, glob, path string, except bool) {
		if len(glob) > 40 || len(path) > 80 || strings.ContainsAny(glob, "\x01\x02\n;%\\") || !isASCII(glob+path) {
			return
		}
		c, err := condition.New(condition.Config{Path: []string{glob}}, except)
		if err != nil {
			return
		}
		p, raw, err := canonical.Parse(path)
		if err != nil || canonical.Suspicious(raw) {
			return
		}
		r := httptest.NewRequest("GET", "/", nil)
		canonical.Set(r.URL, p, raw)
		got, err := c.Match(r)
		if err != nil {
			t.Fatal(err)
		}
		if want := toRegexp(glob, except).MatchString(canonical.Merge(p)); got != want {
			t.Errorf("%q of %q (except: %v) is %v, want %v", glob, p, except, got, want)
		}
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

func BenchmarkMatch(b *testing.B) {
	c := mustNew(b, condition.Config{Path: []string{"/admin/*", "/api/**"}}, false)
	r := httptest.NewRequest("GET", "/some/other/page.html", nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Match(r); err != nil {
			b.Fatal(err)
		}
	}
}
