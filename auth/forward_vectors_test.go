package auth_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/request"
)

type forwardVector struct {
	ID, Setup string
	Config    struct {
		Copy               []string
		TrustForwardHeader bool `json:"trust_forward_header"`
	}
	Request struct {
		Method, Path string
		Headers      map[string]string
		Body         string
	}
	Expect struct {
		Status  any
		Headers map[string]any
		Body    any
		Saw     struct {
			Headers     map[string]any
			AuthHeaders map[string]any `json:"auth_headers"`
		} `json:"upstream_saw"`
	}
}

// forwardAnswers are the services that the vectors only tell of.
var forwardAnswers = map[string]http.HandlerFunc{
	"forward_auth-010": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Www-Authenticate"] = []string{"foo", "bar"}
		w.WriteHeader(401)
	},
	"forward_auth-012": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Proxy-Authenticate", "test")
		http.Error(w, "Forbidden", 403)
	},
	"forward_auth-017-redirect": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://example.com/redirect-test", 302)
	},
	"forward_auth-019": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "example=testing; Path=/")
		w.Header().Set("X-Foo", "bar")
		http.Error(w, "Forbidden", 403)
	},
	"forward_auth-022": answering(200),
	"forward_auth-028": answering(200),
	"forward_auth-039-strip-first": func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token123" {
			w.WriteHeader(401)
		}
	},
}

var answersWith = regexp.MustCompile(`AUTH answers: (\d+)\.`)

func TestVectorsOfForwardAuthentication(t *testing.T) {
	text, err := os.ReadFile("testdata/vectors/forward_auth.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []forwardVector }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, v := range file.Vectors {
		answer := forwardAnswers[v.ID]
		if m := answersWith.FindStringSubmatch(v.Setup); answer == nil && m != nil {
			code, _ := strconv.Atoi(m[1])
			answer = answering(code)
		}
		if answer == nil {
			t.Errorf("%s: what does the service answer?", v.ID)
			continue
		}
		if t.Run(v.ID, func(t *testing.T) { runForwardVector(t, v, answer) }) {
			passed++
		}
	}
	fmt.Printf("vectors forward_auth: %d of %d passed\n", passed, len(file.Vectors))
}

func runForwardVector(t *testing.T, v forwardVector, answer http.HandlerFunc) {
	s := newService(t, answer)
	f := newForward(t, auth.ForwardConfig{To: s.URL, Copy: v.Config.Copy})
	bothWays(t, func(t *testing.T, record bool) {
		r := httptest.NewRequest(v.Request.Method, "http://example.com"+v.Request.Path, strings.NewReader(v.Request.Body))
		for name, value := range v.Request.Headers {
			if name == "Host" {
				r.Host = value
				continue
			}
			r.Header[name] = []string{value}
		}
		if v.Config.TrustForwardHeader && !record {
			return // only the front door knows whom to trust
		}
		o := behindGate(t, f, r, record, func(rec *request.Record) {
			if host := v.Request.Headers["X-Forwarded-Host"]; v.Config.TrustForwardHeader {
				rec.PeerTrusted, rec.HostPort = true, host
			}
		})
		if o.app != nil { // the application
			o.Code = 200
			if strings.Contains(v.Setup, "Backend has no such page") {
				o.Code = 404
			}
			o.Body.WriteString("ok")
		}
		fits(t, "status", v.Expect.Status, []string{strconv.Itoa(o.Code)})
		fits(t, "body", v.Expect.Body, []string{o.Body.String()})
		for name, want := range v.Expect.Headers {
			fits(t, name, want, o.Header()[http.CanonicalHeaderKey(name)])
		}
		for name, want := range v.Expect.Saw.Headers {
			fits(t, name, want, o.app[http.CanonicalHeaderKey(name)])
		}
		for name, want := range v.Expect.Saw.AuthHeaders {
			fits(t, name, want, s.last(t).Header[http.CanonicalHeaderKey(name)])
		}
	})
}

// fits compares with the few forms that the vectors use.
func fits(t *testing.T, what string, want any, got []string) {
	t.Helper()
	first := strings.Join(got, "\n")
	ok := true
	switch want := want.(type) {
	case nil:
	case string:
		ok = first == want
	case float64:
		ok = first == strconv.Itoa(int(want))
	case map[string]any:
		for kind, arg := range want {
			switch kind {
			case "any":
			case "absent":
				ok = len(got) == 0
			case "contains":
				ok = strings.Contains(first, arg.(string))
			case "count":
				ok = len(got) == int(arg.(float64))
			case "not_range":
				n, _ := strconv.Atoi(first)
				limits := arg.([]any)
				ok = n < int(limits[0].(float64)) || n > int(limits[1].(float64))
			default:
				t.Fatalf("%s: unknown form %q", what, kind)
			}
		}
	}
	if !ok {
		t.Errorf("%s: %q, want %v", what, slices.Clip(got), want)
	}
}
