package proxy_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mountd/mountd/backend/proxy"
	"github.com/mountd/mountd/internal/request"
)

type vector struct {
	ID     string
	Kind   string
	Config struct {
		Mounts []struct {
			Prefix      string
			Proxy       string
			StripPrefix *bool `json:"strip_prefix"`
		}
		Trusted []string
		Peer    string
	}
	Request struct {
		Method, Path string
		Headers      map[string]any
	}
	Expect struct {
		Status      any
		Headers     map[string]any
		UpstreamSaw struct {
			RawPath *string `json:"raw_path"`
			Query   *string
			Host    *string
			Headers map[string]any
		} `json:"upstream_saw"`
	}
}

// elsewhere tells why a vector is not about this package.
var elsewhere = map[string]string{
	"proxy_rewrite-013-dots":             "choice of the mount: dispatcher",
	"proxy_rewrite-014-dots":             "choice of the mount: dispatcher",
	"proxy_rewrite-035-enc-slash-prefix": "choice of the mount: dispatcher",
	"proxy_rewrite-037":                  "dot segments: front door",
	"proxy_rewrite-038":                  "dot segments: front door",
	"proxy_rewrite-056-default":          "Location: rebase",
	"proxy_rewrite-057":                  "Refresh: rebase",
	"proxy_rewrite-065-no-double":        "Location: rebase",
	"proxy_rewrite-066":                  "Location: rebase",
	"proxy_rewrite-067":                  "Location: rebase",
	"forwarded_headers-053-alias":        "identity names: front door",
}

func loadVectors(t *testing.T, theme string) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors/" + theme + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	return file.Vectors
}

func TestVectors(t *testing.T) {
	for _, theme := range []string{"proxy_rewrite", "forwarded_headers"} {
		passed, failed, skipped := 0, 0, map[string]int{}
		for _, v := range loadVectors(t, theme) {
			why := elsewhere[v.ID]
			switch {
			case why != "":
			case strings.Contains(fmt.Sprint(v), "appserver.internal"):
				why = "HTML: rebase"
			case theme == "forwarded_headers" && v.Expect.UpstreamSaw.Headers == nil:
				why = "what is believed: front door"
			}
			if why != "" {
				skipped[why]++
				continue
			}
			if t.Run(v.ID, v.run) {
				passed++
			} else {
				failed++
			}
		}
		n := 0
		for _, k := range skipped {
			n += k
		}
		fmt.Printf("vectors %s: %d passed, %d failed, %d not applicable %v\n", theme, passed, failed, n, skipped)
	}
}

func (v vector) run(t *testing.T) {
	if v.Kind == "config_error" {
		_, err := proxy.New(to(v.Config.Mounts[0].Proxy))
		if err == nil || !strings.Contains(err.Error(), "http, https, h2c, unix") {
			t.Fatalf("got %v", err)
		}
		return
	}
	o := serveRaw(t, always("HTTP/1.1 404 Not Found\r\nX-Foo: bar\r\nX-Multi-Value: a\r\nX-Multi-Value: b\r\nSet-Cookie: c=d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: x\r\n\r\n"))
	base, prefix, strip := "", "", true
	if len(v.Config.Mounts) > 0 {
		m := v.Config.Mounts[0]
		base = strings.TrimPrefix(m.Proxy, "http://127.0.0.1:9001")
		prefix = strings.TrimSuffix(m.Prefix, "/")
		strip = m.StripPrefix == nil || *m.StripPrefix
	}
	cfg := to(o.url() + base)
	cfg.KeepPrefix = !strip
	cfg.ScriptName = func(*http.Request) string { return prefix }
	cfg.Bare = func(r *http.Request) bool { return r.RequestURI == prefix }
	p := newProxy(t, cfg)
	srv := httptest.NewServer(withRecord(http.StripPrefix(prefix, p), func(rec *request.Record) { v.fill(rec) }))
	defer srv.Close()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", v.Request.Method, v.Request.Path)
	if _, ok := v.Request.Headers["Host"]; !ok {
		b.WriteString("Host: front\r\n")
	}
	for name, value := range v.Request.Headers {
		fmt.Fprintf(&b, "%s: %v\r\n", name, value)
	}
	b.WriteString("Connection: close\r\n")
	answer := raw(t, srv.Listener.Addr().String(), b.String()+"\r\n")
	if len(o.seen()) != 1 {
		t.Fatalf("the upstream saw %q, the client %q", o.seen(), answer)
	}
	v.check(t, o.seen()[0], answer)
}

// fill says what the front door would have found out.
func (v vector) fill(rec *request.Record) {
	switch v.Config.Peer {
	case "":
	case "unix":
		rec.Peer, rec.Client = netip.Addr{}, netip.Addr{}
	default:
		rec.Peer = netip.MustParseAddr(v.Config.Peer)
		rec.Client = rec.Peer
	}
	for _, trusted := range v.Config.Trusted {
		if prefix, err := netip.ParsePrefix(trusted); err == nil && prefix.Contains(rec.Peer) || trusted == v.Config.Peer {
			rec.PeerTrusted = true
			rec.Prefix, _ = v.Request.Headers["X-Forwarded-Prefix"].(string)
		}
	}
}

func (v vector) check(t *testing.T, head, answer string) {
	saw := v.Expect.UpstreamSaw
	path, query, _ := strings.Cut(targetOf(head), "?")
	for what, pair := range map[string][2]*string{"path": {saw.RawPath, &path}, "query": {saw.Query, &query}} {
		if pair[0] != nil && *pair[0] != *pair[1] {
			t.Errorf("%s %q, want %q", what, *pair[1], *pair[0])
		}
	}
	if saw.Host != nil && strings.Join(fieldOf(head, "Host"), "") != *saw.Host {
		t.Errorf("host %q, want %q", fieldOf(head, "Host"), *saw.Host)
	}
	for name, want := range saw.Headers {
		if !holds(fieldOf(head, name), want) {
			t.Errorf("the upstream saw %s: %q, want %v", name, fieldOf(head, name), want)
		}
	}
	answerHead, _, _ := strings.Cut(answer, "\r\n\r\n")
	for name, want := range v.Expect.Headers {
		if !holds(fieldOf(answerHead, name), want) {
			t.Errorf("the client saw %s: %q, want %v", name, fieldOf(answerHead, name), want)
		}
	}
}

// holds compares field lines with an expectation.
func holds(got []string, want any) bool {
	joined := strings.Join(got, ", ")
	rules, ok := want.(map[string]any)
	if !ok {
		return want == nil || joined == fmt.Sprint(want)
	}
	for rule, arg := range rules {
		text := fmt.Sprint(arg)
		switch rule {
		case "absent":
			ok = got == nil
		case "contains":
			ok = strings.Contains(joined, text)
		case "not_contains":
			ok = !strings.Contains(joined, text)
		case "not":
			ok = joined != text
		case "count":
			ok = fmt.Sprint(len(got)) == text
		case "regex":
			ok = regexp.MustCompile(text).MatchString(joined)
		default:
			ok = false
		}
		if !ok {
			return false
		}
	}
	return true
}
