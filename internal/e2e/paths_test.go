package e2e_test

import (
	"slices"
	"strings"
	"testing"
)

// A request target, and the statuses that are a safe answer to it. None of
// them may reach a guarded mount.
func TestPathsReachNoOtherMount(t *testing.T) {
	s := newSite(t)
	long := strings.Repeat("../", 5000)
	for _, row := range []struct {
		name, target string
		want         []int
	}{
		{"A01 dot segments", "/app/../admin/x", []int{400, 403}},
		{"A01 dot segments to a nested mount", "/app/x/../private/x", []int{400, 403}},
		{"A02 encoded dot segments", "/app/%2e%2e/admin/x", []int{400, 403}},
		{"A02 half encoded dot segments", "/app/.%2E/admin/x", []int{400, 403}},
		{"A04 encoded backslash", "/app/..%5cadmin/x", []int{400}},
		{"A04 backslash", `/app\..\admin`, []int{400}},
		{"A05 dots after the prefix", "/app../admin", []int{404}},
		{"A05 encoded dots after the prefix", "/app%2e%2e/admin", []int{404}},
		{"A05 another mount", "/api../admin", []int{404}},
		{"A08 longer name", "/appX", []int{404}},
		{"A08 dot behind", "/app.", []int{404}},
		{"A08 space behind", "/app%20", []int{404}},
		{"A08 parameter behind", "/app;x", []int{400, 404}},
		{"A10 encoded letter", "/%61dmin/x", []int{403}},
		{"A10 encoded letters", "/%61%64min/x", []int{403}},
		{"A11 mounts are case-sensitive", "/ADMIN/x", []int{404}},
		{"A13 encoded slash", "/app/%2fprivate/x", []int{400, 403}},
		{"A13 doubled slash", "/app//private", []int{400, 403}},
		{"A13 tripled slash", "/app///private/x", []int{400, 403}},
		{"A13 doubled slash in front", "//admin/x", []int{400, 403}},
		{"A14 parameter of the prefix", "/app;a=b/private/x", []int{400, 403, 404}},
		{"A14 parameter of the nested prefix", "/app/private;a=b/x", []int{400, 403}},
		{"A14 dots with a parameter", "/app/..;/admin", []int{400}},
		{"A14 dots with a value", "/app/..;a=b/admin", []int{400}},
		{"A16 line feed", "/admin%0a/x", []int{400}},
		{"A16 CR LF", "/admin%0d%0aX:y/x", []int{400}},
		{"A16 tab", "/app/%09", []int{400}},
		{"A16 delete", "/app/%7f", []int{400}},
		{"A16 NUL", "/app/%00", []int{400}},
		{"A17 fragment", "/admin#frag", []int{400}},
		{"A17 fragment with dots", "/app/x#/../admin", []int{400}},
		{"A19 dots encoded twice", "/app/%252e%252e/admin", []int{400}},
		{"A19 letter encoded twice", "/%2561dmin", []int{400, 404}},
		{"A20 overlong dots", "/%c0%ae%c0%ae/admin", []int{400, 404}},
		{"A20 no UTF-8", "/%ff", []int{400, 404}},
		{"A20 raw byte", "/\xff", []int{400, 404}},
		{"A20 overlong dots below a mount", "/app/%c0%ae%c0%ae/admin", []int{200, 400}},
		{"A22 empty path of an absolute target", "http://a?x", []int{200}},
		{"A22 absolute target", "http://evil/admin/x", []int{400, 403}},
		{"A22 absolute target with dots", "http://a/app/../admin/x", []int{400, 403}},
		{"A22 other scheme", "ftp://a/app/x", []int{400}},
		{"A22 user info", "http://u@a/app/x", []int{400}},
		{"A23 star", "*", []int{400}},
		{"A23 no slash", "admin", []int{400}},
		{"A23 no slash, two segments", "foo/bar", []int{400}},
		{"A23 authority", "a:80", []int{400}},
		{"A28 public path in the query", "/admin?x=/public/", []int{403}},
		{"A28 public path in the fragment", "/admin#/public/", []int{400}},
		{"A31 many dot segments", "/" + long + "admin", []int{400, 414}},
		{"A31 many dot segments below a mount", "/app/" + long[:15000] + "admin", []int{400, 414}},
		{"A31 64 KiB", "/app/" + strings.Repeat("a", 64<<10), []int{414, 431}},
		{"a bare percent sign", "/app/%", []int{400}},
		{"an escape of no hex digits", "/app/%zz", []int{400}},
		{"above the root", "/../admin", []int{400}},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := get(t, s.daemon, row.target)
			if !slices.Contains(row.want, a.status) {
				t.Errorf("status %d, want one of %v: %s", a.status, row.want, a.body)
			}
			s.untouched(t)
		})
	}
}

// What a mount's application gets is what was asked for.
func TestPathsArePassedOnAsTheyCame(t *testing.T) {
	s := newSite(t)
	for _, row := range []struct{ name, target, want string }{
		{"A19 escapes stay", "/app/a%20b%2Bc", "/a%20b%2Bc"},
		{"an encoded slash stays", "/app/@scope%2fname", "/@scope%2fname"},
		{"A13 later doubled slashes stay", "/app/a//b", "/a//b"},
		{"never a leading doubled slash", "/app//a", "/a"},
		{"A20 opaque bytes", "/app/%ff", "/%ff"},
		{"A32 the query as it came", "/app/?a=1;b=%zz&c=/../", "/?a=1;b=%zz&c=/../"},
		{"the bare prefix with its slash", "/app/", "/"},
		{"parameters stay", "/app/a;b=c/d", "/a;b=c/d"},
		{"UTF-8", "/app/%C3%A9", "/%C3%A9"},
		{"dots in names", "/app/a..b/...", "/a..b/..."},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.open.reset()
			if a := get(t, s.daemon, row.target); a.status != 200 {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			if got := s.open.last(t).target; got != row.want {
				t.Errorf("the application got %q, want %q", got, row.want)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	s := newSite(t)
	for _, row := range []struct {
		name, method, target string
		want                 []int
	}{
		{"A23 OPTIONS of the server", "OPTIONS", "*", []int{200, 204}},
		{"A25 lower case", "get", "/admin/x", []int{400, 405}},
		{"A25 mixed case", "GeT", "/app/x", []int{400, 405}},
		{"A25 WebDAV behind a guard", "PROPFIND", "/admin/x", []int{403}},
		{"A25 unknown behind a guard", "JEFF", "/admin/x", []int{403}},
		{"A26 TRACE", "TRACE", "/app/", []int{405}},
		{"C16 CONNECT with a path", "CONNECT", "/app/", []int{400, 405}},
		{"C16 CONNECT with an authority", "CONNECT", "a:80", []int{405}},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := ask(t, s.addr, row.method+" "+row.target+" HTTP/1.1\r\nHost: a\r\nCookie: c=SECRET\r\nAuthorization: Basic SECRET\r\n\r\n")
			if !slices.Contains(row.want, a.status) {
				t.Errorf("status %d, want one of %v", a.status, row.want)
			}
			if strings.Contains(a.body, "SECRET") {
				t.Errorf("the answer holds what was sent: %q", a.body)
			}
			s.untouched(t)
			if got := s.open.bytes(); got != "" {
				t.Errorf("the application got %q", got)
			}
		})
	}
}
