package dispatcher_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/internal/request"
)

// saw is what a mounted handler saw.
type saw struct {
	app, script, path, raw, full string
	bare                         bool
	request                      *http.Request
}

func (s saw) String() string {
	if s.app == "" {
		return "none"
	}
	bare := ""
	if s.bare {
		bare = " bare"
	}
	return fmt.Sprintf("%s %s|%s%s", s.app, s.script, s.path, bare)
}

// spy makes handlers that remember what they saw.
type spy struct{ last saw }

func (s *spy) handler(app string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.last = saw{
			app, dispatcher.ScriptName(r), r.URL.Path, r.URL.EscapedPath(), dispatcher.FullPattern(r), dispatcher.Bare(r), r,
		}
	})
}

func (s *spy) mounts(patterns ...string) []dispatcher.Mount {
	var list []dispatcher.Mount
	for _, p := range patterns {
		p, exact := strings.CutPrefix(p, "=")
		list = append(list, dispatcher.Mount{Pattern: p, Handler: s.handler(p), Exact: exact})
	}
	return list
}

func mustNew(t testing.TB, mounts ...dispatcher.Mount) *dispatcher.Dispatcher {
	t.Helper()
	d, err := dispatcher.New(dispatcher.Config{Mounts: mounts})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// get reads a request as net/http's server does, and serves it.
func get(t testing.TB, h http.Handler, target, host string) int {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")))
	if err != nil {
		return http.StatusBadRequest
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestDispatch(t *testing.T) {
	tests := []struct {
		name   string
		mounts string // separated by spaces
		target string
		want   string // app, script name and path; or a status
	}{
		{"segments match as a whole", "/app", "/apple", "404"},
		{"the prefix is removed", "/app", "/app/x?q", "/app /app|/x"},
		{"the bare prefix has the path /", "/app", "/app", "/app /app|/ bare"},
		{"a slash is not bare", "/app", "/app/", "/app /app|/"},
		{"a final slash in the pattern means nothing", "/app/", "/app", "/app/ /app|/ bare"},
		{"the root has no script name", "/", "/x", "/ |/x"},
		{"the longest wins", "/ /a /a/b", "/a/b/c", "/a/b /a/b|/c"},
		{"a longer one that stops short does not", "/a /a/b/c", "/a/b/x", "/a /a|/b/x"},
		{"case matters", "/app", "/APP", "404"},
		{"an escaped prefix matches", "/café", "/caf%C3%A9/x", "/café /café|/x"},
		{"an escaped pattern too", "/caf%c3%a9", "/caf%C3%A9", "/caf%c3%a9 /café|/ bare"},
		{"an escaped slash is none", "/a/b", "/a%2fb", "404"},
		{"a capture takes one segment", "/t/{tenant}/files", "/t/joe/files/x", "/t/{tenant}/files /t/joe/files|/x"},
		{"a capture takes no empty segment", "/t/{tenant}", "/t/", "404"},
		{"a capture takes no segment with a slash", "/t/{tenant}", "/t/a%2fb", "404"},
		{"a capture takes no segment with a backslash", "/t/{tenant}", "/t/a%5cb", "404"},
		{"a capture skips doubled slashes", "/t/{tenant}", "/t//joe//x", "/t/{tenant} /t/joe|/x"},
		{"a literal beats a capture", "/{x} /a", "/a/b", "/a /a|/b"},
		{"but not a longer match", "/a /{x}/b", "/a/b/c", "/{x}/b /a/b|/c"},
		{"from the left", "/{x}/b /a/{y}", "/a/b", "/a/{y} /a/b|/ bare"},
		{"after a wrong turn it goes back", "/a/{x}/c /{y}/b/d", "/a/b/d", "/{y}/b/d /a/b/d|/ bare"},
		{"exact matches itself", "=/app /", "/app", "/app /app|/ bare"},
		{"exact matches with a slash", "=/app /", "/app/", "/app /app|/"},
		{"exact matches nothing below", "=/app /", "/app/x", "/ |/app/x"},
		{"an exact root", "=/", "/x", "404"},
		{"exact among captures", "=/{x} /", "/a/b", "/ |/a/b"},
		{"slashes in the prefix are one", "/app/sub", "/app//sub///x//y", "/app/sub /app/sub|/x//y"},
		{"the rest never begins with two", "/app", "/app//evil.example/x", "/app /app|/evil.example/x"},
		{"not even below the root", "/", "//evil.example", "/ |/evil.example"},
		{"dots are resolved before", "/ /admin /app", "/app/../admin/x", "/admin /admin|/x"},
		{"escaped ones too", "/ /admin /app", "/app/%2e%2e/admin/x", "/admin /admin|/x"},
		{"above the root is refused", "/", "/../x", "400"},
		{"backslash dots are refused", "/app", "/app/..%5cadmin", "400"},
		{"a segment that only starts with dots is one", "/app /", "/app../x", "/ |/app../x"},
		{"a segment with a parameter is another", "/app", "/app;x/y", "404"},
		{"one that would be another mount without is refused", "/app /", "/app;x/y", "400"},
		{"an escaped slash before a mount is refused", "/app /app/private", "/app/%2fprivate", "400"},
		{"so is one at the end of a mount", "/ /app/private", "/app%2fprivate", "400"},
		{"scoped packages pass", "/npm /", "/npm/@scope%2fname", "/npm /npm|/@scope/name"},
		{"a double escape that hides a mount is refused", "/ /admin", "/%2561dmin", "400"},
		{"other double escapes pass", "/ /admin", "/100%2525", "/ |/100%25"},
		{"a raw # is refused", "/", "/x#/../admin", "400"},
		{"control bytes are refused", "/", "/x%0a", "400"},
		{"an absolute target", "/app", "http://a/app/x", "/app /app|/x"},
		{"a target without a path", "/", "http://a?x", "/ |/"},
		{"what is no path is refused", "/", "*", "400"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s spy
			d := mustNew(t, s.mounts(strings.Fields(tt.mounts)...)...)
			code := get(t, d.Wrap(nil), tt.target, "a")
			got := s.last.String()
			if code != 200 {
				got = fmt.Sprint(code)
			}
			if got != tt.want {
				t.Errorf("%s with %s gives %s, want %s", tt.target, tt.mounts, got, tt.want)
			}
		})
	}
}

func TestDispatchByHost(t *testing.T) {
	const mounts = "/ /x example.com/ example.com/app example.com:8443/ {tenant}.example.com/t {tenant}.example.com/app " +
		"*.example.com/ *.b.example.com/ [::1]:8080/v6 other.org/only"
	tests := []struct{ name, host, target, want string }{
		{"exact", "example.com", "/y", "example.com/"},
		{"whatever the port", "example.com:5555", "/y", "example.com/"},
		{"unless the pattern names it", "example.com:8443", "/y", "example.com:8443/"},
		{"a port that is named comes first, then none", "example.com:8443", "/app", "example.com:8443/"},
		{"whatever the case", "EXAMPLE.com", "/y", "example.com/"},
		{"with a trailing dot", "Example.Com.", "/y", "example.com/"},
		{"longest below a host", "example.com", "/app/x", "example.com/app"},
		{"captured before wildcard", "a.example.com", "/app", "{tenant}.example.com/app"},
		{"a captured host without the path", "a.example.com", "/y", "*.example.com/"},
		{"a wildcard takes several labels", "a.c.example.com", "/app", "*.example.com/"},
		{"the longest wildcard", "a.b.example.com", "/", "*.b.example.com/"},
		{"no label is no subdomain", "badexample.com", "/y", "/"},
		{"no host at last", "other.org", "/x/y", "/x"},
		{"a host whose path matches", "other.org", "/only", "other.org/only"},
		{"an address", "[::1]:8080", "/v6", "[::1]:8080/v6"},
		{"an address with another port", "[::1]", "/v6", "/"},
		{"a bad host is no host", "a..example.com", "/y", "/"},
	}
	var s spy
	h := mustNew(t, s.mounts(strings.Fields(mounts)...)...).Wrap(nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if code := get(t, h, tt.target, tt.host); code != 200 || s.last.app != tt.want {
				t.Errorf("%s%s goes to %s (%d), want %s", tt.host, tt.target, s.last.app, code, tt.want)
			}
		})
	}
}

func TestCaptures(t *testing.T) {
	var s spy
	h := mustNew(t, s.mounts("{tenant}.example.com/u/{user}/{what}")...).Wrap(nil)
	if code := get(t, h, "/u/j%c3%b6rg/a;b/x", "ACME.example.com:80"); code != 200 {
		t.Fatal(code)
	}
	r := s.last.request
	if r.PathValue("tenant") != "acme" || r.PathValue("user") != "jörg" || r.PathValue("what") != "a;b" {
		t.Errorf("captured %q, %q, %q", r.PathValue("tenant"), r.PathValue("user"), r.PathValue("what"))
	}
	if dispatcher.ScriptName(r) != "/u/jörg/a;b" || dispatcher.RawScriptName(r) != "/u/j%c3%b6rg/a;b" {
		t.Errorf("script names %q and %q", dispatcher.ScriptName(r), dispatcher.RawScriptName(r))
	}
}

func TestNesting(t *testing.T) {
	var s spy
	inner := mustNew(t, s.mounts("/{b}/x")...)
	var outer *http.Request
	rest := inner.Wrap(s.handler("fallback"))
	middle := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outer = r
		rest.ServeHTTP(w, r)
	})
	d := mustNew(t, dispatcher.Mount{Pattern: "Example.com/{a}", Handler: middle})
	h := d.Wrap(nil)

	if code := get(t, h, "/%61a/b%20b//x/y%2Fz?q", "example.com"); code != 200 {
		t.Fatal(code)
	}
	r := s.last.request
	if s.last.String() != "/{b}/x /aa/b b/x|/y/z" || s.last.raw != "/y%2Fz" || s.last.full != "example.com/{a}/{b}/x" {
		t.Errorf("saw %v, %s, %s", s.last, s.last.raw, s.last.full)
	}
	if dispatcher.RawScriptName(r) != "/%61a/b%20b/x" || r.RequestURI != "/%61a/b%20b//x/y%2Fz?q" || r.URL.RawQuery != "q" {
		t.Errorf("raw script name %q, request URI %q", dispatcher.RawScriptName(r), r.RequestURI)
	}
	if r.PathValue("a") != "aa" || r.PathValue("b") != "b b" || outer.PathValue("b") != "" {
		t.Errorf("captured %q, %q; the outer request has %q", r.PathValue("a"), r.PathValue("b"), outer.PathValue("b"))
	}
	if dispatcher.Pattern(r) != "/{b}/x" {
		t.Errorf("pattern %q", dispatcher.Pattern(r))
	}
	if get(t, h, "/aa", "example.com"); s.last.app != "fallback" || !s.last.bare || s.last.script != "/aa" {
		t.Errorf("fallback saw %v", s.last)
	}
}

func TestUnmatchedRequestsPassOn(t *testing.T) {
	var s spy
	d := mustNew(t, s.mounts("/app")...)
	h := d.Wrap(s.handler("next"))
	if get(t, h, "/app/../x/%2561", "a"); s.last.String() != "next |/x/%61" || s.last.raw != "/x/%2561" {
		t.Errorf("next saw %v", s.last)
	}
	r := httptest.NewRequest("GET", "/ordinary", nil)
	h.ServeHTTP(httptest.NewRecorder(), r)
	if s.last.request != r {
		t.Error("an ordinary request was copied")
	}
	if dispatcher.Pattern(r) != "" || dispatcher.ScriptName(r) != "" || dispatcher.RawScriptName(r) != "" || dispatcher.Bare(r) || dispatcher.FullPattern(r) != "" {
		t.Error("a request outside of a mount has one")
	}
}

func TestMethodsUsedAlone(t *testing.T) {
	var s spy
	h := mustNew(t, s.mounts("/")...).Wrap(nil)
	for _, method := range []string{"TRACE", "CONNECT"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Method = method
		if h.ServeHTTP(w, r); w.Code != 405 || w.Header().Get("Allow") == "" {
			t.Errorf("%s is answered %d", method, w.Code)
		}
	}
}

func TestErrorFuncAnswers(t *testing.T) {
	var got error
	d, err := dispatcher.New(dispatcher.Config{ErrorFunc: func(w http.ResponseWriter, r *http.Request, err error) {
		got = err
		w.WriteHeader(418)
	}})
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]int{"/x": 404, "/..": 400} {
		if code := get(t, d.Wrap(nil), target, "a"); code != 418 {
			t.Errorf("%s: %d", target, code)
		}
		var s interface{ HTTPStatus() int }
		if !errors.As(got, &s) || s.HTTPStatus() != want {
			t.Errorf("%s: %v", target, got)
		}
	}
}

func TestRecord(t *testing.T) {
	var s spy
	inner := mustNew(t, s.mounts("/in")...)
	d := mustNew(t, dispatcher.Mount{Pattern: "trusted.example/app", Name: "outer", Handler: inner.Wrap(s.handler("rest"))})
	r := httptest.NewRequest("GET", "/app/in/x", nil)
	rec := request.New(httptest.NewRecorder(), r)
	rec.HostPort, rec.Path = "trusted.example:8080", "/app/in/x"
	h := d.Wrap(nil)
	h.ServeHTTP(&rec.Writer, &rec.Request)
	if rec.Mount != "/in" || rec.Path != "/app/in/x" || s.last.app != "/in" {
		t.Errorf("record has mount %q, path %q", rec.Mount, rec.Path)
	}
	if request.From(s.last.request.Context()) != rec {
		t.Error("the record is lost")
	}
	rec.URL.Path = "/app/y"
	if h.ServeHTTP(&rec.Writer, &rec.Request); rec.Mount != "outer" {
		t.Errorf("record has mount %q", rec.Mount)
	}
}

func TestHostFunc(t *testing.T) {
	var s spy
	d, err := dispatcher.New(dispatcher.Config{Mounts: s.mounts("a.example/"), Host: func(*http.Request) string { return "A.example:1" }})
	if err != nil {
		t.Fatal(err)
	}
	if code := get(t, d.Wrap(nil), "/", "b.example"); code != 200 {
		t.Error(code)
	}
}

func TestContextIsKept(t *testing.T) {
	type key struct{}
	var s spy
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "v"))
	r := httptest.NewRequest("GET", "/app", nil).WithContext(ctx)
	mustNew(t, s.mounts("/app")...).Wrap(nil).ServeHTTP(httptest.NewRecorder(), r)
	got := s.last.request.Context()
	if cancel(); got.Value(key{}) != "v" || got.Err() == nil {
		t.Error("the handler has another context")
	}
	if dispatcher.ScriptName(s.last.request.WithContext(context.WithValue(got, key{}, "w"))) != "/app" {
		t.Error("the script name is lost under another context")
	}
	if r.URL.Path != "/app" {
		t.Error("the caller's request was changed")
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct{ name, pattern, want string }{
		{"empty", "", `the pattern is empty (write "/" for everything)`},
		{"no path", "example.com", `the pattern has no path (write "example.com/" for a host, or "/example.com" for a path)`},
		{"a URL", "http://example.com/x", `has a scheme (write "example.com/x")`},
		{"a port alone", ":20/x", `has a port without a host (write "example.com:20/")`},
		{"a bad port", "a:99999/", `host "a:99999" has no valid port`},
		{"a bad host", "a b/", `host "a b" holds a byte that no host name has`},
		{"an international host", "bücher.example/", `host "bücher.example" holds a byte that no host name has (write an international name in its xn-- form)`},
		{"a wildcard within", "a.*.example/", `host "a.*.example": only the first label may be "*" or "{name}"`},
		{"half a label", "x{t}.example/", `host "x{t}.example": only the first label may be "*" or "{name}"`},
		{"half a label first", "{t}x.example/", `host "{t}x.example" captures no whole label (write "{name}.example.com")`},
		{"a bad name", "/{a-b}", `segment "{a-b}" captures no whole segment (write "{name}" with letters, digits and _, or %7B and %7D for braces)`},
		{"half a segment", "/x{a}", `segment "x{a}" captures no whole segment (write "{name}" with letters, digits and _, or %7B and %7D for braces)`},
		{"a name twice", "{a}.example/{a}", `captures "a" twice (give each a name of its own)`},
		{"an empty segment", "/a//b", `has an empty segment (write single slashes)`},
		{"a dot segment", "/a/../b", `segment ".." is a dot segment, so no request can reach it`},
		{"an escaped slash", "/a%2fb", `segment "a%2fb" holds a slash, "\" or ";", so no request can reach it`},
		{"a parameter", "/a;b", `segment "a;b" holds a slash, "\" or ";", so no request can reach it`},
		{"a control byte", "/a%0ab", `segment "a%0ab" holds a control byte, so no request can reach it`},
		{"a query", "/a?b", `segment "a?b" holds "?", which ends a path (write %3F)`},
		{"a percent sign", "/100%", `segment "100%" has an invalid escape (write %25 for a percent sign)`},
		{"a double escape", "/%2541", `segment "%2541" can be decoded twice, so no request can reach it`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{{Pattern: tt.pattern, Handler: http.NotFoundHandler()}}})
			list := dispatcher.PatternErrors(err)
			if len(list) != 1 || list[0].Message != tt.want || list[0].Index != 0 || list[0].Other != -1 {
				t.Errorf("error %v\nwant  %s", err, tt.want)
			}
		})
	}
}

func TestPatternsThatAreFine(t *testing.T) {
	for _, p := range []string{"/", "//", "/my app", "/100%25", "/%7Bx%7D", "/.well-known", "/a:b@c", "/ü", "a.example:80/", "*.example/", "/{_a1}"} {
		if _, err := dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{{Pattern: p, Handler: http.NotFoundHandler()}}}); err != nil {
			t.Error(err)
		}
	}
}

func TestClashes(t *testing.T) {
	var s spy
	_, err := dispatcher.New(dispatcher.Config{Mounts: append(s.mounts(
		"/app", "/x", "/app/", "A.example/", "a.Example./", "/t/{a}/x", "/t/{b}/x", "/caf%C3%A9", "/café",
		"{a}.example/", "{b}.example/", "*.example/", "a.example:80/", "/x",
	), dispatcher.Mount{Pattern: "/nil"})})
	var got []string
	for _, e := range dispatcher.PatternErrors(err) {
		got = append(got, fmt.Sprintf("%d-%d", e.Index, e.Other))
	}
	if s := strings.Join(got, " "); s != "2-0 4-3 6-5 8-7 10-9 13-1 14--1" {
		t.Errorf("clashes %s\n%v", s, err)
	}
	if want := `mount "/app/": matches the same requests as "/app" (keep one of the two)`; !strings.Contains(err.Error(), want) {
		t.Errorf("errors %v\nwant one %s", err, want)
	}
}

func TestMatch(t *testing.T) {
	var s spy
	d := mustNew(t, s.mounts("/", "/t/{x}", "*.example.com/t", "/app/private", "/app")...)
	m, ok := d.Match("a.example.com:80", "/t/./caf%C3%A9/x%2Fy")
	if !ok || m.Pattern != "*.example.com/t" || m.Index != 2 || m.Name != "*.example.com/t" || m.ScriptName != "/t" ||
		m.Path != "/café/x/y" || m.RawPath != "/caf%C3%A9/x%2Fy" || m.Canonical != "/t/caf%C3%A9/x%2Fy" {
		t.Errorf("match %+v", m)
	}
	if want := `"*.example.com/t", with a wildcard host and one segment, comes before "/", "/t/{x}"`; m.Why != want {
		t.Errorf("why: %s", m.Why)
	}
	if m, ok = d.Match("", "/t/v"); !ok || !m.Bare || len(m.Params) != 1 || m.Params[0] != (dispatcher.Param{Name: "x", Value: "v"}) || m.Path != "/" {
		t.Errorf("match %+v", m)
	}
	if m, ok = d.Match("", "/app/%2fprivate"); ok || m.Err == nil || !strings.Contains(m.Why, `belong to "/app"`) {
		t.Errorf("match %+v", m)
	}
	if m, ok = d.Match("", "/.."); ok || m.Err == nil {
		t.Errorf("match %+v", m)
	}
	if m, ok = mustNew(t).Match("", "/x"); ok || m.Err != nil || m.Why != "no mount matches /x" {
		t.Errorf("match %+v", m)
	}
}

func TestBelow(t *testing.T) {
	var s spy
	d := mustNew(t, s.mounts("/a", "/a/b", "=/exact", "x.example/a", "*.example/w", "/t/{p}", "/t/{p}/{q}", "/a/e/f", "*.example:81/p")...)
	tests := []struct {
		outer int
		inner string
		other int // -1: reachable
	}{
		{0, "/c", -1},
		{0, "/", -1},
		{0, "/b", 1},
		{0, "/b/c", 1},
		{0, "=/b", 1},
		{0, "/{x}", -1},
		{0, "/e", -1},
		{2, "/x", 2},
		{2, "/", -1},
		{3, "y.example/", 3},
		{3, "X.example./b", -1},
		{3, "*.example/b", -1},
		{4, "y.example/b", -1},
		{4, "y.other/b", 4},
		{5, "/{z}", 6},
		{5, "/lit", 6},
		{8, "q.example:81/", -1},
		{8, "q.example:82/", 8},
		{8, "q.example/", -1},
		{0, "x.example/c", 3},
	}
	for _, tt := range tests {
		inner, exact := strings.CutPrefix(tt.inner, "=")
		err := d.Below(tt.outer, dispatcher.Mount{Pattern: inner, Exact: exact})
		other := -1
		if list := dispatcher.PatternErrors(err); len(list) == 1 {
			other = list[0].Other
		}
		if other != tt.other {
			t.Errorf("%s below mount %d: %v, want %d", tt.inner, tt.outer, err, tt.other)
		}
	}
}

func TestLive(t *testing.T) {
	var s spy
	var l dispatcher.Live
	if code := get(t, &l, "/", "a"); code != 503 || l.Load() != nil {
		t.Error(code)
	}
	l.Store(s.handler("one"))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				l.Store(http.NotFoundHandler())
				get(t, &l, "/", "a")
			}
		})
	}
	wg.Wait()
	l.Store(nil)
	if code := get(t, &l, "/", "a"); code != 503 {
		t.Error(code)
	}
	if get(t, dispatcher.NewLive(s.handler("two")), "/", "a"); s.last.app != "two" {
		t.Error(s.last)
	}
}
