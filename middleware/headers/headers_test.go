package headers_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/middleware/headers"
)

func wrap(t testing.TB, cfg headers.Config, app http.Handler) http.Handler {
	t.Helper()
	m, err := headers.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m.Wrap(app)
}

func TestRequest(t *testing.T) {
	h := wrap(t, headers.Config{Request: headers.Changes{
		Remove: []string{"x-gone", "x-new"},
		Set:    map[string]string{"x-set": "1", "HOST": "{tenant}.internal"},
		Add:    map[string][]string{"X-Add": {"b", "c"}, "X-New": {"{tenant}"}},
	}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := http.Header{"X-Set": {"1"}, "X-Add": {"a", "b", "c"}, "X-New": {"acme"}}
		if !reflect.DeepEqual(r.Header, want) || r.Host != "acme.internal" {
			t.Errorf("%v, host %q", r.Header, r.Host)
		}
	}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = http.Header{"X-Gone": {"1"}, "X-Set": {"0", "2"}, "X-Add": {"a"}, "X-New": {"old"}}
	r.SetPathValue("tenant", "acme")
	h.ServeHTTP(httptest.NewRecorder(), r)
}

func TestResponseChangesComeLast(t *testing.T) {
	h := wrap(t, headers.Config{Response: headers.Changes{
		Remove: []string{"Server"},
		Set:    map[string]string{"X-Set": "ours"},
		Add:    map[string][]string{"Link": {"</b>"}},
	}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "app/1.0")
		w.Header().Set("X-Set", "app's")
		w.Header().Set("Link", "</a>")
		_, _ = io.WriteString(w, "x")
	}))
	for range 2 { // shared values must not grow
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		got := w.Result().Header
		got.Del("Content-Type")
		if want := (http.Header{"X-Set": {"ours"}, "Link": {"</a>", "</b>"}}); !reflect.DeepEqual(got, want) {
			t.Errorf("%v", got)
		}
	}
}

func TestValues(t *testing.T) {
	tests := []struct{ name, value, tenant, want string }{
		{"a parameter", "a {tenant} b", "acme", "a acme b"},
		{"twice", "{tenant}{tenant}", "x", "xx"},
		{"an absent one is empty", "[{other}]", "", "[]"},
		{"JSON stays", `{"group":"{tenant}","n":{}}`, "x", `{"group":"x","n":{}}`},
		{"doubled braces", "{{tenant}}", "x", "{tenant}"},
		{"an open brace", "a{tenant", "x", "a{tenant"},
		{"a line break cannot end the field", "{tenant}", "a\r\nSet-Cookie: x=1", "a%0D%0ASet-Cookie:%20x=1"},
		{"beyond ASCII", "{tenant}", "café", "caf%C3%A9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := wrap(t, headers.Config{Response: headers.Changes{Set: map[string]string{"X-A": tt.value}}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) }))
			r := httptest.NewRequest("GET", "/", nil)
			r.SetPathValue("tenant", tt.tenant)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := w.Header().Get("X-A"); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	_, err := headers.New(headers.Config{
		Request: headers.Changes{
			Remove: []string{"Host", ""},
			Set:    map[string]string{"Content-Length": "1", "X Y": "1", "X-A": "a\r\nB: c"},
		},
		Response: headers.Changes{
			Set: map[string]string{"Host": "x", "transfer-encoding": "chunked"},
			Add: map[string][]string{"Connection": {"close"}, "X-B": {"ok", "\x00"}},
		},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"request.remove[0]", "request.remove[1]", "request.set.Content-Length", "request.set.X Y", "request.set.X-A", "response.set.Host", "response.set.transfer-encoding", "response.add.Connection", "response.add.X-B"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

func TestParams(t *testing.T) {
	m, err := headers.New(headers.Config{
		Request:  headers.Changes{Set: map[string]string{"Host": "{c}", "X": "{a}{b}"}},
		Response: headers.Changes{Add: map[string][]string{"X": {"{b}", "{{d}}"}}},
	})
	if err != nil || !reflect.DeepEqual(m.Params(), []string{"a", "b", "c"}) {
		t.Errorf("%v %v", m.Params(), err)
	}
}

func TestFixedChangesAllocateNothing(t *testing.T) {
	h := wrap(t, headers.Config{Response: headers.Changes{Remove: []string{"Server"}, Set: map[string]string{"X-A": "1", "X-B": "2"}}},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) }))
	rec := request.New(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	null := nullWriter{http.Header{}}
	n := testing.AllocsPerRun(100, func() {
		rec.Writer.Reset(null)
		h.ServeHTTP(&rec.Writer, &rec.Request)
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}

type nullWriter struct{ h http.Header }

func (w nullWriter) Header() http.Header         { return w.h }
func (w nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w nullWriter) WriteHeader(int)             {}

func FuzzValue(f *testing.F) {
	f.Add("{a}{{b}}{\"", "x\r\n")
	f.Fuzz(func(t *testing.T, value, captured string) {
		m, err := headers.New(headers.Config{Response: headers.Changes{Set: map[string]string{"X-A": value}}})
		if err != nil {
			return
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.SetPathValue("a", captured)
		w := httptest.NewRecorder()
		m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) })).ServeHTTP(w, r)
		if got := w.Header().Get("X-A"); strings.ContainsAny(got, "\r\n\x00") {
			t.Errorf("%q", got)
		}
	})
}
