package frontdoor_test

import (
	"encoding/json"
	"net"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/frontdoor"
)

// notApplicable says which vectors are not about this package.
var notApplicable = map[string]string{
	"forwarded_headers-033": "what is handed on to the backend: the proxy's",
	"forwarded_headers-038": "fields that Connection names: the proxy's",
}

// trustOf spells out the settings that a vector tells in words or as a number
// of hops.
var trustOf = map[string][]string{
	"forwarded_headers-006-prefix":      {"192.168.0.1"},
	"forwarded_headers-007":             {"192.168.0.2"},
	"forwarded_headers-013":             {"192.168.0.2", "192.168.0.3"},
	"forwarded_headers-058":             {"127.0.0.1/32", "10.0.1.0/24"},
	"forwarded_headers-068":             {"123.123.123.123"},
	"forwarded_headers-070-bogus-proto": {"127.0.0.1"},
}

// lines is a header value: one line or several.
type lines []string

func (l *lines) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) == nil {
		*l = lines{s}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/vectors/forwarded_headers.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			ID     string
			Config struct {
				Peer    string
				Trusted []string
			}
			Request struct {
				Method, Path string
				Headers      map[string]lines
			}
			Expect struct {
				UpstreamSaw struct {
					ClientAddr string `json:"client_addr"`
					RootURL    string `json:"root_url"`
					Scheme     string
					Headers    map[string]json.RawMessage
				} `json:"upstream_saw"`
			}
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	passed, failed := 0, 0
	var skipped []string
	for _, v := range file.Vectors {
		if why := notApplicable[v.ID]; why != "" {
			skipped = append(skipped, v.ID+": "+why)
			continue
		}
		ok := t.Run(v.ID, func(t *testing.T) {
			var s seen
			trusted := append(v.Config.Trusted, trustOf[v.ID]...)
			d := newDoor(t, &s, frontdoor.Config{TrustedProxies: prefixes(trusted...)})
			r := httptest.NewRequest(v.Request.Method, v.Request.Path, nil)
			r.RemoteAddr = "127.0.0.1:1"
			if v.Config.Peer == "unix" {
				r.RemoteAddr = "@"
			} else if v.Config.Peer != "" {
				r.RemoteAddr = net.JoinHostPort(v.Config.Peer, "1")
			}
			for name, values := range v.Request.Headers {
				if name == "Host" {
					r.Host = values[0]
					continue
				}
				for _, value := range values {
					r.Header.Add(name, value)
				}
			}
			w := httptest.NewRecorder()
			if d.ServeHTTP(w, r); w.Code != 200 {
				t.Fatalf("status %d: %v", w.Code, s.err)
			}
			want := v.Expect.UpstreamSaw
			equal(t, "client", s.rec.Client.String(), want.ClientAddr)
			equal(t, "root URL", s.rec.Scheme+"://"+s.rec.HostPort+s.rec.Prefix+"/", want.RootURL)
			equal(t, "scheme", s.rec.Scheme, want.Scheme)
			for name, rule := range want.Headers {
				checkHeader(t, name, s.rec.Request.Header[name], s.rec.Request.Header.Values(name), rule)
			}
		})
		if ok {
			passed++
		} else {
			failed++
		}
	}
	t.Logf("vectors forwarded_headers: %d passed, %d failed, %d not applicable (%s)", passed, failed, len(skipped), strings.Join(skipped, "; "))
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if want != "" && got != want {
		t.Errorf("%s %q, want %q", what, got, want)
	}
}

func checkHeader(t *testing.T, name string, literal, values []string, rule json.RawMessage) {
	t.Helper()
	got := strings.Join(values, ", ")
	var plain string
	if json.Unmarshal(rule, &plain) == nil {
		equal(t, name, got, plain)
		return
	}
	var m struct {
		Absent      bool
		Contains    string
		NotContains string `json:"not_contains"`
		Not         string
		Regex       string
	}
	if err := json.Unmarshal(rule, &m); err != nil {
		t.Fatal(err)
	}
	switch {
	case m.Absent && len(literal)+len(values) > 0:
		t.Errorf("%s is %q, want none", name, got)
	case !strings.Contains(got, m.Contains):
		t.Errorf("%s is %q, want %q in it", name, got, m.Contains)
	case m.NotContains != "" && strings.Contains(got, m.NotContains):
		t.Errorf("%s is %q, want no %q in it", name, got, m.NotContains)
	case m.Not != "" && got == m.Not:
		t.Errorf("%s is %q", name, got)
	case m.Regex != "" && !regexp.MustCompile(m.Regex).MatchString(got):
		t.Errorf("%s is %q, want %s", name, got, m.Regex)
	}
}
