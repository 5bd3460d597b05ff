package dispatcher_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/dispatcher"
)

type vectorMount struct {
	Host            string
	Prefix          string
	App             string
	Serves          []string
	Mounts          []vectorMount
	ResponseHeaders map[string]string `json:"response_headers"`
}

type vectorConfig struct {
	Mounts  []vectorMount
	Default struct {
		Status int
		Body   string
	}
}

// notApplicable says which vectors are not about this package.
var notApplicable = map[string]string{
	"dispatch-058":                "authentication inside a mount and the log outside: the daemon's",
	"dispatch-074":                "links under a trusted X-Forwarded-Prefix: the app's",
	"dispatch-089-redirect-query": "the slash redirect is mountd's, not the dispatcher's",
}

func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/vectors/dispatch.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Fixtures map[string]vectorConfig
		Vectors  []struct {
			ID      string
			Fixture string
			Config  vectorConfig
			Request struct {
				Method, Path string
				Headers      map[string]string
			}
			Expect struct {
				Status      json.RawMessage
				Headers     map[string]json.RawMessage
				UpstreamSaw map[string]string `json:"upstream_saw"`
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
		cfg := v.Config
		if v.Fixture != "" {
			cfg = file.Fixtures[v.Fixture]
		}
		ok := t.Run(v.ID, func(t *testing.T) {
			var s spy
			h := vectorHandler(t, &s, cfg)
			host := v.Request.Headers["Host"]
			if host == "" {
				host = "localhost"
			}
			w := httptest.NewRecorder()
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(
				v.Request.Method + " " + v.Request.Path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")))
			if err != nil {
				w.Code = http.StatusBadRequest
			} else {
				h.ServeHTTP(w, r)
			}
			if !matchStatus(v.Expect.Status, w.Code) {
				t.Errorf("status %d, want %s", w.Code, v.Expect.Status)
			}
			for name, want := range v.Expect.Headers {
				if !matchValue(want, w.Header().Get(name)) {
					t.Errorf("%s: %q, want %s", name, w.Header().Get(name), want)
				}
			}
			path := s.last.path
			if s.last.bare {
				path = ""
			}
			got := map[string]string{"app": s.last.app, "script_name": s.last.script, "path_info": path, "raw_path": s.last.raw}
			for key, want := range v.Expect.UpstreamSaw {
				if got[key] != want {
					t.Errorf("%s is %q, want %q", key, got[key], want)
				}
			}
		})
		if ok {
			passed++
		} else {
			failed++
		}
	}
	t.Logf("vectors dispatch: %d passed, %d failed, %d not applicable (%s)", passed, failed, len(skipped), strings.Join(skipped, "; "))
}

func vectorHandler(t *testing.T, s *spy, cfg vectorConfig) http.Handler {
	var mounts []dispatcher.Mount
	for _, m := range cfg.Mounts {
		h := s.handler(m.App)
		if m.Mounts != nil {
			h = vectorHandler(t, s, vectorConfig{Mounts: m.Mounts})
		}
		if m.Prefix == "" {
			m.Prefix = "/"
		}
		mounts = append(mounts, dispatcher.Mount{Pattern: m.Host + m.Prefix, Handler: serves(m, h)})
	}
	return mustNew(t, mounts...).Wrap(nil)
}

func serves(m vectorMount, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.Serves != nil && !slices.Contains(m.Serves, r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		for k, v := range m.ResponseHeaders {
			w.Header().Set(k, v)
		}
		h.ServeHTTP(w, r)
	})
}

func matchStatus(want json.RawMessage, got int) bool {
	var n int
	if json.Unmarshal(want, &n) == nil {
		return n == got
	}
	var m struct {
		OneOf []int `json:"one_of"`
	}
	return json.Unmarshal(want, &m) == nil && slices.Contains(m.OneOf, got)
}

func matchValue(want json.RawMessage, got string) bool {
	var s string
	if json.Unmarshal(want, &s) == nil {
		return s == got
	}
	var m struct {
		AbsentOr *string `json:"absent_or"`
		Regex    *string
	}
	if json.Unmarshal(want, &m) != nil {
		return false
	}
	switch {
	case m.AbsentOr != nil:
		return got == "" || got == *m.AbsentOr
	case m.Regex != nil:
		return regexp.MustCompile(*m.Regex).MatchString(got)
	}
	return false
}
