package canonical_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/canonical"
)

// The steps below are what readers of a path do to it, written on their own so
// that they share no mistake with the package.

func stepDecode(s string) string {
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

func stepBackslash(s string) string { return strings.ReplaceAll(s, `\`, "/") }

func stepCut(s string) string {
	segs := strings.Split(s, "/")
	for i := range segs {
		segs[i], _, _ = strings.Cut(segs[i], ";")
	}
	return strings.Join(segs, "/")
}

func stepMerge(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

// reading is what steps make of a path.
type reading struct {
	path    string
	decoded int // how often
}

// everyReading applies the steps in every order, decoding at most twice.
func everyReading(s string) []reading {
	seen := map[reading]bool{}
	var all []reading
	var visit func(reading)
	visit = func(r reading) {
		if seen[r] || len(seen) > 5000 {
			return
		}
		seen[r] = true
		all = append(all, r)
		for _, step := range []func(string) string{stepBackslash, stepCut, stepMerge} {
			visit(reading{step(r.path), r.decoded})
		}
		if r.decoded < 2 {
			visit(reading{stepDecode(r.path), r.decoded + 1})
		}
	}
	visit(reading{s, 0})
	return all
}

func hasDots(s string) bool {
	return slices.ContainsFunc(strings.Split(s, "/"), func(seg string) bool { return seg == "." || seg == ".." })
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "/", "/a/../b", "/%2e%2e/x", "/a%2f..%2fb", "/a;b/..;/c", `/a\..\b`, "/%252e", "//a//b/", "/caf%c3%a9", "/a|b%2F", "/%5c%3b%25",
		"/\xff%ff", "/a/..%253b", "/a(b)", "*",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		path, raw, err := canonical.Parse(in)
		if err != nil {
			return
		}
		sent := first(raw, path)
		if len(sent) > 1 && sent[1] == '/' || sent[0] != '/' {
			t.Fatalf("%q begins with other than one slash", sent)
		}
		u := url.URL{}
		canonical.Set(&u, path, raw)
		if u.EscapedPath() != sent {
			t.Fatalf("a URL writes %q as %q", sent, u.EscapedPath())
		}
		if p, err := url.PathUnescape(sent); err != nil || p != path {
			t.Fatalf("%q decodes to %q, not %q (%v)", sent, p, path, err)
		}
		if p, r, err := canonical.Parse(sent); err != nil || p != path || r != raw {
			t.Fatalf("parsing %q again gives %q, %q, %v", sent, p, r, err)
		}
		if i := strings.IndexFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
			t.Fatalf("%q holds a control byte", path)
		}
		if len(sent) > 200 {
			return
		}
		known, rerr := canonical.Readings(sent)
		var readings []string
		if rerr == nil {
			for p := range known {
				readings = append(readings, stepMerge(p))
			}
		}
		for _, r := range everyReading(sent) {
			if hasDots(r.path) {
				t.Fatalf("%q can be read as %q", sent, r.path)
			}
			// A second decoding may give NULs, which Readings writes as another byte.
			p := strings.ReplaceAll(stepMerge(r.path), "\x00", "\x01")
			if r.decoded > 0 && rerr == nil && !slices.Contains(readings, p) {
				t.Fatalf("%q can be read as %q, which is not among the readings %q", sent, p, readings)
			}
		}
		if raw == "" && len(readings) > 1 {
			t.Fatalf("%q has no escaped form, but readings %q", path, readings)
		}
		if !canonical.Suspicious(raw) && len(readings) > 1 {
			t.Fatalf("%q is not suspicious, but has readings %q", raw, readings)
		}
	})
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"a", "A.b.:80", "[::1]:8", "a:1:2", "", "[", "a.."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		host, port, err := canonical.Host(in)
		if err != nil {
			return
		}
		again := host
		if port != "" {
			again += ":" + port
		}
		if h, p, err := canonical.Host(again); err != nil || h != host || p != port {
			t.Fatalf("Host(%q) = %q, %q, %v", again, h, p, err)
		}
		if host != strings.ToLower(host) || strings.ContainsAny(host, "/@?#%\\ ,\r\n") {
			t.Fatalf("host %q", host)
		}
	})
}
