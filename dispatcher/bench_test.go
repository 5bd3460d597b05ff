package dispatcher_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mountd/mountd/dispatcher"
)

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// table makes n mounts of one to three segments, and paths below some of them.
func table(n int) (mounts []dispatcher.Mount, paths []string) {
	for i := range n {
		p := fmt.Sprintf("/service-%d", i)
		switch i % 4 {
		case 1:
			p = fmt.Sprintf("/team-%d/service-%d", i%17, i)
		case 2:
			p = fmt.Sprintf("/org/team-%d/service-%d", i%13, i)
		}
		mounts = append(mounts, dispatcher.Mount{Pattern: p, Handler: nothing})
		if i%(n/8+1) == 0 {
			paths = append(paths, p+"/some/page.html")
		}
	}
	return mounts, append(paths, "/nowhere/x")
}

func TestManyMountsAndHosts(t *testing.T) {
	mounts, paths := table(100_000)
	for i := range 10_000 {
		mounts = append(mounts, dispatcher.Mount{Pattern: fmt.Sprintf("host-%d.example/", i), Handler: nothing})
	}
	start := time.Now()
	d := mustNew(t, mounts...)
	if took := time.Since(start); took > time.Minute { // what grows with the square takes far longer
		t.Errorf("110,000 mounts take %v to build", took)
	}
	for _, p := range paths[:len(paths)-1] {
		if m, ok := d.Match("elsewhere.example", p); !ok || m.ScriptName+"/some/page.html" != p {
			t.Errorf("%s goes to %+v", p, m)
		}
	}
	if m, ok := d.Match("HOST-9999.example:80", "/x"); !ok || m.Pattern != "host-9999.example/" {
		t.Errorf("a host goes to %+v", m)
	}
}

// BenchmarkLookup measures the lookup alone; it must not allocate.
func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 100, 10_000} {
		mounts, paths := table(n)
		bench(b, fmt.Sprintf("paths/%d", n), mounts, "", paths)
	}
	for _, n := range []int{10, 10_000} {
		var mounts []dispatcher.Mount
		for i := range n {
			mounts = append(mounts, dispatcher.Mount{Pattern: fmt.Sprintf("host-%d.example/app", i), Handler: nothing})
		}
		bench(b, fmt.Sprintf("hosts/%d", n), mounts, "host-7.example:443", []string{"/app/some/page.html"})
	}
	bench(b, "wildcard", []dispatcher.Mount{{Pattern: "*.example.com/app", Handler: nothing}, {Pattern: "{t}.example.com/t", Handler: nothing}},
		"a.b.example.com", []string{"/app/some/page.html"})
	bench(b, "captures", []dispatcher.Mount{{Pattern: "/t/{x}/files", Handler: nothing}, {Pattern: "/t/me/{y}", Handler: nothing}},
		"", []string{"/t/joe/files/page.html", "/t/me/files"})
}

func bench(b *testing.B, name string, mounts []dispatcher.Mount, host string, paths []string) {
	d := mustNew(b, mounts...)
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			d.Lookup(host, paths[i%len(paths)])
		}
	})
}

// BenchmarkServe measures all of it: the canonical view, the lookup, and the
// mounted handler's request.
func BenchmarkServe(b *testing.B) {
	mounts, _ := table(10_000)
	h := mustNew(b, mounts...).Wrap(nothing)
	for name, target := range map[string]string{"mounted": "/team-1/service-1/some/page.html", "unmatched": "/nowhere", "escaped": "/team-1/service-1/caf%C3%A9"} {
		b.Run(name, func(b *testing.B) {
			r, w := httptest.NewRequest("GET", target, nil), httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}

func TestCosts(t *testing.T) {
	mounts, paths := table(1000)
	mounts = append(mounts, dispatcher.Mount{Pattern: "a.example/x", Handler: nothing}, dispatcher.Mount{Pattern: "*.example:80/x", Handler: nothing})
	d := mustNew(t, mounts...)
	for _, p := range append(paths, "/org/caf%C3%A9") {
		if n := testing.AllocsPerRun(100, func() { d.Lookup("b.example:80", p) }); n != 0 {
			t.Errorf("looking %s up allocates %v times", p, n)
		}
	}
	h := d.Wrap(nothing)
	for target, want := range map[string]float64{paths[0]: 1, "/nowhere": 0} {
		r, w := httptest.NewRequest("GET", target, nil), httptest.NewRecorder()
		if n := testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }); n != want {
			t.Errorf("serving %s allocates %v times, want %v", target, n, want)
		}
	}
}

// BenchmarkServeMux is the yardstick: the standard library's lookup in the same
// table.
func BenchmarkServeMux(b *testing.B) {
	mounts, paths := table(10_000)
	mux := http.NewServeMux()
	for _, m := range mounts {
		mux.Handle(m.Pattern+"/", m.Handler)
	}
	var reqs []*http.Request
	for _, p := range paths {
		reqs = append(reqs, httptest.NewRequest("GET", p, nil))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		mux.Handler(reqs[i%len(reqs)])
	}
}
