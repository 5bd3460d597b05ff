package canonical_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/canonical"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, in  string
		path, raw string
	}{
		{"the empty path is the root", "", "/", ""},
		{"an ordinary path is itself", "/app/x.html", "/app/x.html", ""},
		{"dotfiles are no dot segments", "/.well-known/..x/...", "/.well-known/..x/...", ""},
		{"a dot segment goes", "/app/./x", "/app/x", ""},
		{"two dots take a segment along", "/app/../admin/x", "/admin/x", ""},
		{"escaped dots are dots", "/app/%2e%2E/x", "/x", ""},
		{"a dot and an escaped one", "/app/.%2e/x", "/x", ""},
		{"a final dot segment leaves a slash", "/foo/bar/..", "/foo/", ""},
		{"a final dot leaves a slash", "/foo/.", "/foo/", ""},
		{"down to the root", "/foo/..", "/", ""},
		{"two dots take an empty segment along", "/app//../x", "/app/x", ""},
		{"leading slashes become one", "///foo//x", "/foo//x", ""},
		{"dot segments first, then slashes", "/a/..//x", "/x", ""},
		{"inner slashes stay", "/a//b///c", "/a//b///c", ""},
		{"an escaped letter", "/%61pp/x", "/app/x", "/%61pp/x"},
		{"an escaped slash stays in its segment", "/@scope%2fname", "/@scope/name", "/@scope%2fname"},
		{"an escaped percent sign", "/100%25", "/100%", "/100%25"},
		{"an escaped question mark", "/a%3Fb", "/a?b", "/a%3Fb"},
		{"parameters stay", "/a;x=1/b", "/a;x=1/b", "/a;x=1/b"},
		{"what net/url would escape stays", "/a(b)!*'[c]", "/a(b)!*'[c]", "/a(b)!*'[c]"},
		{"what must be escaped is", `/a|b%2F"c`, `/a|b/"c`, "/a%7Cb%2F%22c"},
		{"a backslash is escaped", `/a\b`, `/a\b`, "/a%5Cb"},
		{"UTF-8", "/caf%C3%A9", "/café", "/caf%C3%A9"},
		{"raw UTF-8", "/café", "/café", "/caf%C3%A9"},
		{"bytes that are no UTF-8 are opaque", "/%c0%ae%c0%ae/x\xff", "/\xc0\xae\xc0\xae/x\xff", "/%c0%ae%c0%ae/x%FF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path, raw, err := canonical.Parse(tt.in)
			if err != nil || path != tt.path || raw != tt.raw {
				t.Fatalf("Parse(%q) = %q, %q, %v; want %q, %q", tt.in, path, raw, err, tt.path, tt.raw)
			}
			u := url.URL{}
			canonical.Set(&u, path, raw)
			if want := first(raw, path); u.EscapedPath() != want {
				t.Errorf("a URL writes it as %q, not %q", u.EscapedPath(), want)
			}
			if p, r, err := canonical.Of(&u); err != nil || p != path || r != raw {
				t.Errorf("Of(%#v) = %q, %q, %v", u, p, r, err)
			}
		})
	}
}

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name string
		want error
		in   []string
	}{
		{"what is no path", canonical.ErrRelative, []string{"*", "foo/bar", "admin", "%2fx"}},
		{"paths above the root", canonical.ErrRoot, []string{"/..", "/../x", "/a/../..", "/%2e%2e/x", "/./../x", "/a//../../.."}},
		{"invalid escapes", canonical.ErrEscape, []string{"/foo/bar%", "/%2", "/%zz", "/%u002e", "/%%41"}},
		{"control bytes", canonical.ErrControl, []string{"/%00", "/%02", "/admin%0a/x", "/%0d%0a", "/%09", "/%7f", "/a\x00", "/a\nb", "/a\x7f", "/%1F"}},
		{"raw bytes that end a path", canonical.ErrRaw, []string{"/admin#frag", "/a?b", "/a b"}},
		{"what could be read as a dot segment", canonical.ErrDots, []string{
			"/app/..%5cadmin/x", `/app\..\admin`, "/app/..;/admin", "/app/..;a=b/admin", "/app/.;/x", "/app/%252e%252e/admin",
			"/a/..%2fb", "/a/%2e%2e%2fb", "/a/x%2f..", "/a/x%2f..%2fy", "/a/%252e", "/a/..%3b", "/a/..%253b", "/a/x%255c..%255cy",
			"/a;%2f../b", "/a/%2e%252e", "/a%2f.", `/a/..\`, "/a/%2e%3Bx", "/a/.%252f", "/a/x%3b/%252e%252e%253b", "/a/%25%32%65%2e",
		}},
	}
	for _, tt := range tests {
		for _, in := range tt.in {
			if path, raw, err := canonical.Parse(in); !errors.Is(err, tt.want) {
				t.Errorf("%s: Parse(%q) = %q, %q, %v; want %v", tt.name, in, path, raw, err, tt.want)
			}
		}
	}
}

func TestErrorsAreBadRequests(t *testing.T) {
	_, _, err := canonical.Parse("/..")
	var e *canonical.PathError
	if !errors.As(err, &e) || e.HTTPStatus() != 400 || e.ClientMessage() != "The path of the request climbs above the root." {
		t.Errorf("error = %#v", err)
	}
}

func TestParseTakesLinearTime(t *testing.T) {
	for _, in := range []string{
		strings.Repeat("/a", 10_000) + strings.Repeat("/..", 9_999),
		strings.Repeat("/..", 20_000),
		"/" + strings.Repeat("../", 21_000),
		"/" + strings.Repeat("a/../", 13_000),
		"/" + strings.Repeat("%252e%252f", 6_500),
		"/" + strings.Repeat(";%2f", 16_000),
		strings.Repeat("/", 65_000),
		"/a" + strings.Repeat(`\`, 65_000),
	} {
		if d := fastest(func() {
			_, raw, err := canonical.Parse(in)
			if err != nil {
				return
			}
			if list, err := canonical.Readings(raw); err == nil {
				for range list {
				}
			}
		}); d > 50*time.Millisecond {
			t.Errorf("%.20q… takes %v", in, d)
		}
	}
}

// fastest gives the shortest of a few runs, so that a busy machine is no
// failure.
func fastest(f func()) time.Duration {
	best := time.Hour
	for range 5 {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

func TestReadings(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"an ordinary path has one", "/a/b", "/a/b"},
		{"an escaped slash", "/@s%2fn", "/@s|n /@s/n"},
		{"parameters", "/a;x/b", "/a;x/b /a/b"},
		{"an empty parameter segment", "/;x/b", "/;x/b //b"},
		{"a backslash", `/a\b`, `/a\b /a/b`},
		{"a second decoding", "/%2561dmin", "/%61dmin /admin"},
		{"a percent sign alone", "/100%25", "/100%"},
		{"cut before or after the escaped slash", "/a;x%2fb/c", "/a;x|b/c /a/c /a;x/b/c /a/b/c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, raw, err := canonical.Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			list, err := canonical.Readings(first(raw, tt.in))
			if err != nil {
				t.Fatal(err)
			}
			for p := range list {
				got = append(got, strings.ReplaceAll(p, canonical.Slash, "|"))
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("readings %s, want %s", s, tt.want)
			}
			if canonical.Suspicious(raw) != (raw != "" && len(got) > 1) && tt.in != "/100%25" {
				t.Errorf("Suspicious = %v with %d readings", canonical.Suspicious(raw), len(got))
			}
		})
	}
}

func TestReadingsAreBounded(t *testing.T) {
	_, err := canonical.Readings(`/a;%2fb%5cc%252f%253bd%255ce%253b;f%3bg%2fh`)
	if err != nil && !errors.Is(err, canonical.ErrAmbiguous) {
		t.Fatal(err)
	}
}

func TestHost(t *testing.T) {
	tests := []struct {
		in, host, port string
		err            error
	}{
		{"example.com", "example.com", "", nil},
		{"A.Example.", "a.example", "", nil},
		{"a.example:80", "a.example", "80", nil},
		{"a.example.:80", "a.example", "80", nil},
		{"a:", "a", "", nil},
		{"my_app", "my_app", "", nil},
		{"127.0.0.1:8080", "127.0.0.1", "8080", nil},
		{"[::1]", "[::1]", "", nil},
		{"[::FF]:8080", "[::ff]", "8080", nil},
		{"", "", "", canonical.ErrHostEmpty},
		{".", "", "", canonical.ErrHostEmpty},
		{":80", "", "", canonical.ErrHostEmpty},
		{"a/b@c", "", "", canonical.ErrHostByte},
		{"a b", "", "", canonical.ErrHostByte},
		{"a,b", "", "", canonical.ErrHostByte},
		{"bücher.example", "", "", canonical.ErrHostByte},
		{"a%2eb", "", "", canonical.ErrHostByte},
		{"[::1", "", "", canonical.ErrHostIP},
		{"[::1%25eth0]", "", "", canonical.ErrHostIP},
		{"[1.2.3.4]", "", "", canonical.ErrHostIP},
		{"[::1]x", "", "", canonical.ErrHostPort},
		{"a:99999", "", "", canonical.ErrHostPort},
		{"a:0", "", "", canonical.ErrHostPort},
		{"a:1:2", "", "", canonical.ErrHostPort},
		{"a:+1", "", "", canonical.ErrHostPort},
		{"a..b", "", "", canonical.ErrHostLabel},
		{".a", "", "", canonical.ErrHostLabel},
		{"a.b..", "", "", canonical.ErrHostLabel},
		{strings.Repeat("a", 64), "", "", canonical.ErrHostLabel},
	}
	for _, tt := range tests {
		host, port, err := canonical.Host(tt.in)
		if host != tt.host || port != tt.port || !errors.Is(err, tt.err) {
			t.Errorf("Host(%q) = %q, %q, %v; want %q, %q, %v", tt.in, host, port, err, tt.host, tt.port, tt.err)
		}
	}
}

func TestMerge(t *testing.T) {
	for in, want := range map[string]string{"/a/b": "/a/b", "//a///b//": "/a/b/", "": "", "/": "/"} {
		if got := canonical.Merge(in); got != want {
			t.Errorf("Merge(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOrdinaryPathsCostNoAllocation(t *testing.T) {
	u := &url.URL{Path: "/app/some/longer/path/to.html"}
	n := testing.AllocsPerRun(100, func() {
		_, raw, err := canonical.Of(u)
		if err != nil || canonical.Suspicious(raw) {
			t.Fatal(raw, err)
		}
		if _, _, err := canonical.Host("www.example.com:8080"); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	for name, in := range map[string]string{"ordinary": "/app/some/longer/path/to.html", "escaped": "/app/caf%C3%A9/x", "dots": "/app/../x/./y"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := canonical.Parse(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
