package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The reading of paths below shares nothing with mountd's: it applies the
// steps that some reader may take, one after the other in any order.

// steps that a reader of a path may take. The number of decodings is bounded
// by the caller.
var steps = []func(string) string{
	func(s string) string { return strings.ReplaceAll(s, `\`, "/") },
	cutParameters,
	func(s string) string {
		for strings.Contains(s, "//") {
			s = strings.ReplaceAll(s, "//", "/")
		}
		return s
	},
	removeDots,
}

func cutParameters(s string) string {
	segments := strings.Split(s, "/")
	for i, seg := range segments {
		segments[i], _, _ = strings.Cut(seg, ";")
	}
	return strings.Join(segments, "/")
}

// climbed stands for a path that has left its root.
const climbed = "/\x00climbed"

// removeDots is RFC 3986 section 5.2.4, except that climbing above the root
// shows.
func removeDots(s string) string {
	var out []string
	segments := strings.Split(s, "/")[1:]
	for i, seg := range segments {
		last := i == len(segments)-1
		switch {
		case seg == "..":
			if len(out) == 0 {
				return climbed
			}
			out = out[:len(out)-1]
			if last {
				out = append(out, "")
			}
		case seg == ".":
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, seg)
		}
	}
	return "/" + strings.Join(out, "/")
}

func decodeOnce(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

type reading struct {
	path    string
	decoded int
}

// readingsOf gives every path that a reader may make of the bytes it got.
func readingsOf(sent string) []reading {
	all := []reading{{sent, 0}}
	add := func(r reading) {
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	for i := 0; i < len(all); i++ {
		r := all[i]
		if r.path == climbed {
			continue
		}
		for _, step := range steps {
			add(reading{step(r.path), r.decoded})
		}
		if r.decoded < 2 {
			add(reading{decodeOnce(r.path), r.decoded + 1})
		}
	}
	return all
}

// chosen is the mount that the segments of a path belong to.
func chosen(mounts []string, path string) string {
	best := "/"
	for _, m := range mounts {
		if (path == m || strings.HasPrefix(path, m+"/")) && len(m) > len(best) {
			best = m
		}
	}
	return best
}

// escapes tells how a reader of what mount got could be elsewhere; empty: it
// cannot.
func escapes(mounts []string, mount, full string) string {
	for _, r := range readingsOf(full) {
		if r.path == climbed {
			return "it climbs above the root"
		}
		if r.decoded == 0 && strings.Contains(full, "%") {
			continue // prefixes are compared decoded
		}
		// Slashes are merged in the prefix before anything else is looked at.
		if at := chosen(mounts, steps[2](r.path)); at != mount {
			return fmt.Sprintf("read as %q it is in %s", r.path, at)
		}
	}
	if mount != "/" {
		for _, r := range readingsOf(strings.ToLower(decodeOnce(full))) {
			if r.path == climbed || !strings.HasPrefix(steps[2](r.path)+"/", mount+"/") {
				return fmt.Sprintf("in lower case it reads as %q", r.path)
			}
		}
	}
	return ""
}

func TestReadingsOfTheOracle(t *testing.T) {
	mounts := []string{"/app", "/app/private", "/admin"}
	for _, row := range []struct {
		mount, full string
		escapes     bool
	}{
		{"/app", "/app/x", false},
		{"/app", "/app/..;/admin", true},
		{"/app", "/app/%252e%252e/admin", true},
		{"/app", "/app/..%5cadmin", true},
		{"/app", "/app/%2fprivate", true},
		{"/app", "/app/@a%2fb", false},
		{"/", "/app;x/y", true},
		{"/app", "/%61pp/y", false},
		{"/app", "/app/a/%2e%2e%2f%2e%2e%2fadmin", true},
	} {
		if got := escapes(mounts, row.mount, row.full); (got != "") != row.escapes {
			t.Errorf("%s in %s: %q", row.full, row.mount, got)
		}
	}
}

// pieces of request targets that have confused somebody.
var pieces = []string{
	"a", "x.y", "app", "app", "keep", "keep", "private", "private", "admin", "secret", "APP", "Private", "",
	".", "..", "...", "%2e", "%2E%2e", ".%2e", "%252e%252e", "..;", "..;a=b", ";", ";a=b", "a;b", "%3b", "..%3b", "%253b",
	"%2f", "%2F", "%5c", `\`, "%252f", "%255c", "%2f%2e%2e", "..%2f", "..%5c", `..\`, "%61", "%70rivate", "%2561", "priv%61te",
	"%00", "%0a", "%20", "%c0%ae", "%ff", "é", "%C3%A9", "#", "?", "%", "%zz", "~", "@a%2fb", "app..", "..app", "app%20", "%2e.", "%25",
}

func target(rnd *rand.Rand) string {
	var b strings.Builder
	for range 1 + rnd.IntN(5) {
		b.WriteByte('/')
		for range 1 + rnd.IntN(8)/6 + rnd.IntN(8)/7 {
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
	}
	if rnd.IntN(4) == 0 {
		b.WriteByte('/')
	}
	return b.String()
}

// INV-PATH: however the application reads what it got, it stays inside the
// mount that was chosen; otherwise it got nothing.
func TestNoReadingOfAPathLeavesItsMount(t *testing.T) {
	type arrival struct{ mount, target string }
	var mu sync.Mutex
	arrived := map[string]arrival{}
	record := func(c *originConn, r *received) error {
		mu.Lock()
		arrived[r.get("X-N")] = arrival{r.get("X-Mount"), r.target}
		mu.Unlock()
		return c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}
	open, secret := listen(t, record), listen(t, record)
	mounts := []string{"/app", "/app/private", "/admin", "/keep", "/keep/private"}
	d := start(t, fmt.Sprintf(`
use: [errors]
mounts:
  /: {proxy: %[1]s, %[3]s}
  /app: {proxy: %[1]s, %[4]s}
  /app/private: {proxy: %[2]s, %[6]s}
  /admin: {proxy: %[2]s, %[6]s}
  /keep: {proxy: {to: %[1]s, keep_prefix: true}, %[5]s}
  /keep/private: {proxy: {to: %[2]s, keep_prefix: true}, %[6]s}
`, open.url(), secret.url(), mark("/"), mark("/app"), mark("/keep"), guarded))

	const sockets, limit = 4, 20 * time.Second
	perSocket := 5500
	if testing.Short() {
		perSocket = 500
	}
	var sent, refused, checked atomic.Int64
	ends := time.Now().Add(limit)
	var wg sync.WaitGroup
	for socket := range sockets {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(socket), 26))
			w := dial(t, d.addr)
			for i := range perSocket {
				if time.Now().After(ends) {
					return
				}
				id := fmt.Sprintf("%d-%d", socket, i)
				want := target(rnd)
				w.send("GET " + want + " HTTP/1.1\r\nHost: a\r\nX-N: " + id + "\r\n\r\n")
				a := w.read("GET")
				sent.Add(1)
				if a.err != nil {
					t.Errorf("%q: no whole answer: %v", want, a.err)
					return
				}
				mu.Lock()
				got, here := arrived[id]
				delete(arrived, id)
				mu.Unlock()
				switch {
				case a.status == 200 && !here:
					t.Errorf("%q: 200 without the application", want)
				case a.status != 200 && here:
					t.Errorf("%q: %d, and the application got %q", want, a.status, got.target)
				case here && got.mount == "":
					t.Errorf("%q: a guarded application got %q", want, got.target)
				case here:
					full := got.target
					if got.mount == "/app" {
						full = "/app" + full
					}
					path, _, _ := strings.Cut(full, "?")
					if how := escapes(mounts, got.mount, path); how != "" {
						t.Errorf("%q: mount %s got %q: %s", want, got.mount, got.target, how)
					}
					checked.Add(1)
				case a.status == 400, a.status == 403, a.status == 404, a.status == 307:
					refused.Add(1)
				default:
					t.Errorf("%q: status %d", want, a.status)
				}
				if a.get("Connection") == "close" {
					_ = w.Close()
					w = dial(t, d.addr)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d targets: %d answered by applications and read in every way, %d refused", sent.Load(), checked.Load(), refused.Load())
	if bytes := secret.bytes(); bytes != "" {
		t.Errorf("the guarded application got %d bytes", len(bytes))
	}
}
