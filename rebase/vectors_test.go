package rebase_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/rebase"
)

// elsewhere tells why a vector is none of this package's.
var elsewhere = map[string]string{
	"004": "forwarding", "006": "forwarding", "008": "forwarding", "009": "forwarding",
	"013": "dispatching", "014": "dispatching", "015": "forwarding", "017": "forwarding",
	"035": "dispatching", "037": "dispatching", "038": "dispatching", "042": "forwarding",
	"045": "forwarding", "048": "forwarding", "050": "forwarding", "051": "forwarding",
	"069": "forwarding", "115": "configuration of the proxy",
	"090": "bodies", "095": "bodies", "097": "bodies", "099": "bodies",
	"100": "bodies", "101": "bodies", "104": "bodies",
}

// backendSays is what the set-up of a vector describes in words.
var backendSays = map[string][3]string{ // status, field, value
	"056": {"302", "Location", "http://127.0.0.1:9001/replace_this/test.html"},
	"057": {"302", "Refresh", "7; url=http://127.0.0.1:9001/replace_this/test.html"},
	"065": {"302", "Location", "/app/next"},
	"066": {"302", "Location", "next?x=1"},
	"067": {"301", "Location", "http://127.0.0.1:9001/alias"},
}

func TestVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/vectors/proxy_rewrite.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			ID     string
			Config struct {
				Mounts []struct{ Prefix, Proxy string }
			}
			Request struct{ Path string }
			Expect  struct{ Headers map[string]any }
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	passed, failed := 0, 0
	reasons := map[string]int{}
	for _, v := range file.Vectors {
		number := strings.TrimPrefix(v.ID, "proxy_rewrite-")[:3]
		if why, ok := elsewhere[number]; ok {
			reasons[why]++
			continue
		}
		says, ok := backendSays[number]
		if !ok {
			t.Errorf("%s: what the backend says is not known", v.ID)
			continue
		}
		mount := v.Config.Mounts[0]
		m := build(t, rebase.Config{Prefix: at(mount.Prefix), Upstreams: []string{mount.Proxy}})
		app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(says[1], says[2])
			w.WriteHeader(map[string]int{"301": 301, "302": 302}[says[0]])
		})
		r := httptest.NewRequest("GET", v.Request.Path, nil)
		r.Host = public
		w := httptest.NewRecorder()
		m.Wrap(app).ServeHTTP(w, r)
		good := true
		for name, want := range v.Expect.Headers {
			if got := w.Header().Get(name); !meets(got, want) {
				good = false
				t.Errorf("%s: %s is %q, want %v", v.ID, name, got, want)
			}
		}
		if good {
			passed++
		} else {
			failed++
		}
	}
	var why []string
	n := 0
	for reason, count := range reasons {
		n += count
		why = append(why, fmt.Sprintf("%s: %d", reason, count))
	}
	slices.Sort(why)
	fmt.Printf("vectors proxy_rewrite: %d passed, %d failed, %d not applicable (%s)\n", passed, failed, n, strings.Join(why, ", "))
}

func meets(got string, want any) bool {
	switch want := want.(type) {
	case string:
		return got == want
	case map[string]any:
		if list, ok := want["one_of"].([]any); ok {
			return slices.ContainsFunc(list, func(one any) bool { return meets(got, one) })
		}
		if pattern, ok := want["regex"].(string); ok {
			return regexp.MustCompile(pattern).MatchString(got)
		}
	}
	return false
}
