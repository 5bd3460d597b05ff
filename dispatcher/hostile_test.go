package dispatcher_test

import (
	"bufio"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mountd/mountd/dispatcher"
)

// What readers of a path do to it, in every order: decode (at most twice), take
// '\' for '/', cut ";…", merge slashes, resolve dots, lower the case.
func everyReading(s string) []string {
	type state struct {
		s       string
		decoded int
	}
	seen := map[state]bool{}
	var all []string
	var visit func(state)
	visit = func(st state) {
		if seen[st] || len(seen) > 5000 {
			return
		}
		seen[st] = true
		all = append(all, st.s)
		for _, step := range []func(string) string{backslash, cut, merge, resolve} {
			visit(state{step(st.s), st.decoded})
		}
		if st.decoded < 2 {
			visit(state{decode(st.s), st.decoded + 1})
		}
	}
	visit(state{s, 0})
	return all
}

func decode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if p, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(p)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func backslash(s string) string { return strings.ReplaceAll(s, `\`, "/") }

func cut(s string) string {
	segs := strings.Split(s, "/")
	for i := range segs {
		segs[i], _, _ = strings.Cut(segs[i], ";")
	}
	return strings.Join(segs, "/")
}

func merge(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

// resolve leaves "/.." in front where a path climbs above its start.
func resolve(s string) string {
	var out []string
	for _, seg := range strings.Split(strings.TrimPrefix(s, "/"), "/") {
		switch {
		case seg == ".":
		case seg == ".." && len(out) > 0 && out[len(out)-1] != "..":
			out = out[:len(out)-1]
		default:
			out = append(out, seg)
		}
	}
	return "/" + strings.Join(out, "/")
}

// The mounts of the checks, and who would get a decoded path read plainly.
var hostileMounts = []string{"/", "/app", "/app/private", "/admin", "/a b", "/t/{x}/files"}

func plainOwner(path string) string {
	segs := strings.Split(strings.Trim(merge(path), "/"), "/")
	best, length := "/", 0
	for _, p := range hostileMounts[1:] {
		want := strings.Split(p[1:], "/")
		ok := len(want) <= len(segs) && len(want) > length
		for i := 0; ok && i < len(want); i++ {
			ok = want[i] == segs[i] || want[i] == "{x}" && segs[i] != "" && !strings.Contains(segs[i], `\`)
		}
		if ok {
			best, length = p, len(want)
		}
	}
	return best
}

func hostileHandler(t testing.TB, s *spy) http.Handler {
	// A table inside a table too: what is below must stay below.
	inner := mustNew(t, s.mounts("/", "/private")...)
	mounts := s.mounts(hostileMounts...)
	mounts = append(mounts, dispatcher.Mount{Pattern: "/in", Handler: inner.Wrap(nil)})
	return mustNew(t, mounts...).Wrap(nil)
}

// checkHostile serves a target and checks that the handler that got it, if one
// did, cannot read its way out of its mount.
func checkHostile(t *testing.T, h http.Handler, s *spy, target string) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n")))
	if err != nil {
		return
	}
	s.last = saw{}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if s.last.app == "" {
		if w.Code != 400 && w.Code != 404 {
			t.Fatalf("%q is answered %d", target, w.Code)
		}
		return
	}
	script, rest := dispatcher.RawScriptName(s.last.request), s.last.raw
	if strings.HasPrefix(rest, "//") || !strings.HasPrefix(rest, "/") {
		t.Fatalf("%q: the handler sees %q", target, rest)
	}
	if p, err := url.PathUnescape(rest); err != nil || p != s.last.path {
		t.Fatalf("%q: the handler sees %q as %q", target, rest, s.last.path)
	}
	for _, p := range everyReading(rest) {
		if strings.HasPrefix(merge(p)+"/", "/../") || strings.Contains(p+"/", "/../") {
			t.Fatalf("%q: %s sees %q, which can be read as %q", target, s.last.app, rest, p)
		}
	}
	if strings.HasPrefix(s.last.script, "/in") {
		return
	}
	for _, p := range everyReading(script + rest) {
		if decode(p) == p && plainOwner(p) != s.last.app && plainOwner(p) != "/" {
			t.Fatalf("%q: %s gets %q, which can be read as %q of %s", target, s.last.app, script+rest, p, plainOwner(p))
		}
	}
}

var hostileParts = []string{
	"/", "/", "/", "//", ".", "..", "%2e", "%2E%2e", "%252e", "%2f", "%2F", "%252f", `\`, "%5c", "%255C", ";", ";a=b", "%3b", "%253b",
	"app", "private", "admin", "%61dmin", "%2561dmin", "ADMIN", "in", "t", "files", "x", "%00", "%0a", "%c0%ae", "\xff", "%ff", "%", "%25", "#", "?", "*",
	"@", "|", "a%20b", "é",
}

func TestNoTargetLeavesItsMount(t *testing.T) {
	var s spy
	h := hostileHandler(t, &s)
	rng := rand.New(rand.NewPCG(1, 2))
	n := 200_000
	if testing.Short() {
		n = 20_000
	}
	for range n {
		var b strings.Builder
		for range 1 + rng.IntN(9) {
			b.WriteString(hostileParts[rng.IntN(len(hostileParts))])
		}
		checkHostile(t, h, &s, "/"+b.String())
	}
}

func FuzzDispatch(f *testing.F) {
	for _, s := range []string{"/app/../admin", "/app/..%2fadmin", "/app;/private", "/%2561dmin", "/app/%2fprivate", "//app", "/t/a%5c/files", "/in/;x/private"} {
		f.Add(s)
	}
	var s spy
	h := hostileHandler(f, &s)
	f.Fuzz(func(t *testing.T, target string) {
		if len(target) < 100 && !strings.ContainsAny(target, " \r\n") {
			checkHostile(t, h, &s, target)
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, p := range hostileMounts {
		f.Add(p)
	}
	f.Add("*.example.com:80/x")
	f.Add("{t}.[::1]/%41")
	f.Fuzz(func(t *testing.T, pattern string) {
		var s spy
		d, err := dispatcher.New(dispatcher.Config{Mounts: s.mounts(pattern)})
		if err != nil {
			if len(dispatcher.PatternErrors(err)) == 0 {
				t.Fatal(err)
			}
			return
		}
		host, path, _ := strings.Cut(pattern, "/")
		if strings.ContainsAny(pattern, "{}*=") {
			return
		}
		if m, ok := d.Match(host, (&url.URL{Path: unescape("/" + path)}).EscapedPath()); !ok {
			t.Fatalf("no request reaches %q: %v", pattern, m.Why)
		}
	})
}

func unescape(s string) string {
	p, _ := url.PathUnescape(s)
	return p
}
