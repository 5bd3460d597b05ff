package ipfilter_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/middleware/ipfilter"
)

func TestAllowed(t *testing.T) {
	type cfg = ipfilter.Config
	tests := []struct {
		fact        string
		allow, deny []string
		in, out     []string // "" is a client without an address
	}{
		{"an allow list refuses the rest", []string{"10.0.0.0/8", "2001:db8::1"}, nil, []string{"10.1.2.3", "2001:db8::1"}, []string{"11.0.0.1", "2001:db8::2", "::1", ""}},
		{"a deny list lets the rest in", nil, []string{"10.0.0.0/8"}, []string{"11.0.0.1", "::1", ""}, []string{"10.0.0.1"}},
		{"the most specific wins", []string{"10.0.0.0/8", "10.1.2.3"}, []string{"10.1.0.0/16"}, []string{"10.2.0.1", "10.1.2.3"}, []string{"10.1.2.4"}},
		{"deny wins among equals", []string{"10.0.0.1"}, []string{"10.0.0.1/32"}, nil, []string{"10.0.0.1"}},
		{"IPv4-mapped is IPv4", []string{"::ffff:10.0.0.0/104", "::ffff:1.2.3.4"}, nil, []string{"10.9.9.9", "::ffff:10.9.9.9", "1.2.3.4"}, []string{"11.0.0.1", "::ffff:11.0.0.1"}},
		{"IPv6 lists hold no IPv4", []string{"::/0"}, nil, []string{"::1", "2001::"}, []string{"10.0.0.1", "::ffff:10.0.0.1"}},
		{"zones do not count", nil, []string{"fe80::/10"}, nil, []string{"fe80::1%eth0"}},
		{"private", []string{"private"}, nil, []string{"10.0.0.1", "172.31.0.1", "192.168.0.1", "fd00::1"}, []string{"172.32.0.1", "127.0.0.1", "169.254.0.1", "8.8.8.8"}},
		{"loopback", []string{"loopback"}, nil, []string{"127.9.9.9", "::1", "::ffff:127.0.0.1"}, []string{"10.0.0.1", ""}},
		{"unix", []string{"unix"}, nil, []string{""}, []string{"127.0.0.1"}},
		{"not unix", nil, []string{"unix"}, []string{"127.0.0.1"}, []string{""}},
	}
	for _, tt := range tests {
		m, err := ipfilter.New(cfg{Allow: tt.allow, Deny: tt.deny})
		if err != nil {
			t.Fatal(tt.fact, err)
		}
		for want, list := range map[bool][]string{true: tt.in, false: tt.out} {
			for _, s := range list {
				addr, _ := netip.ParseAddr(s)
				if got := m.Allowed(addr); got != want {
					t.Errorf("%s: %q let in: %v", tt.fact, s, got)
				}
			}
		}
	}
}

func TestTheTrustedViewOfTheClientCounts(t *testing.T) {
	m, err := ipfilter.New(ipfilter.Config{Allow: []string{"10.0.0.0/8"}})
	if err != nil {
		t.Fatal(err)
	}
	h := m.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for client, want := range map[string]int{"10.1.1.1": 200, "9.9.9.9": 403} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Forwarded-For", "10.0.0.1")
		w := httptest.NewRecorder()
		rec := request.New(w, r)
		rec.Client = netip.MustParseAddr(client)
		h.ServeHTTP(&rec.Writer, &rec.Request)
		if w.Code != want {
			t.Errorf("%s: %d", client, w.Code)
		}
		r.RemoteAddr = client + ":1234"
		w = httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s alone: %d", client, w.Code)
		}
	}
}

func TestMistakes(t *testing.T) {
	_, err := ipfilter.New(ipfilter.Config{
		Allow: []string{"10.0.0.300", "10.0.0.1/8", "example.com", "fe80::1%eth0"},
		Deny:  []string{"::ffff:0.0.0.0/90"},
	})
	for _, want := range []string{"allow[0]", `allow[1]: "10.0.0.1/8" has bits beyond its length (write "10.0.0.0/8"`, "allow[2]", "allow[3]", "deny[0]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if _, err := ipfilter.New(ipfilter.Config{}); err == nil {
		t.Error("no list is no mistake")
	}
}

func BenchmarkPassThrough(b *testing.B) {
	m, err := ipfilter.New(ipfilter.Config{Allow: []string{"private", "loopback", "2001:db8::/32"}, Deny: []string{"10.0.0.1"}})
	if err != nil {
		b.Fatal(err)
	}
	h := m.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	rec := request.New(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	rec.Client = netip.MustParseAddr("10.2.3.4")
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&rec.Writer, &rec.Request)
	}
}

func ExampleNew() {
	m, err := ipfilter.New(ipfilter.Config{Allow: []string{"private"}, Deny: []string{"10.66.0.0/16"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range []string{"10.1.2.3", "10.66.1.1", "8.8.8.8"} {
		fmt.Println(s, m.Allowed(netip.MustParseAddr(s)))
	}
	// Output:
	// 10.1.2.3 true
	// 10.66.1.1 false
	// 8.8.8.8 false
}
