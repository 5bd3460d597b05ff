package requestid_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/middleware/requestid"
)

var shape = regexp.MustCompile(`^[0-9a-hjkmnp-tv-z]{26}$`)

func serve(t testing.TB, cfg requestid.Config, sent []string, app http.HandlerFunc) http.Header {
	t.Helper()
	m, err := requestid.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	if sent != nil {
		r.Header["X-Request-Id"] = sent
	}
	w := httptest.NewRecorder()
	m.Wrap(app).ServeHTTP(w, r)
	return w.Result().Header
}

func TestIDIsSeenByAll(t *testing.T) {
	var inHeader, inContext string
	h := serve(t, requestid.Config{}, []string{"the-client's"}, func(w http.ResponseWriter, r *http.Request) {
		inHeader, inContext = r.Header.Get("X-Request-Id"), requestid.FromContext(r.Context())
		w.Header().Add("X-Request-Id", "the-app's")
		w.WriteHeader(204)
	})
	if got := h["X-Request-Id"]; len(got) != 1 || got[0] != inHeader || inHeader != inContext || !shape.MatchString(inHeader) {
		t.Errorf("answer %q, request %q, context %q", got, inHeader, inContext)
	}
}

func TestRecordHoldsTheID(t *testing.T) {
	m, _ := requestid.New(requestid.Config{Header: "x-trace"})
	w := httptest.NewRecorder()
	rec := request.New(w, httptest.NewRequest("GET", "/", nil))
	m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := requestid.FromContext(r.Context()); got != rec.ID || got == "" || r.Header.Get("X-Trace") != got {
			t.Errorf("%q, record %q", got, rec.ID)
		}
		w.WriteHeader(200)
	})).ServeHTTP(&rec.Writer, &rec.Request)
	if w.Header().Get("X-Trace") != rec.ID {
		t.Errorf("%v", w.Header())
	}
}

func TestTrust(t *testing.T) {
	tests := []struct {
		name string
		sent []string
		kept bool
	}{
		{"a UUID", []string{"6ba7b810-9dad-11d1-80b4-00c04fd430c8"}, true},
		{"base64", []string{"aGVsbG8+/w=="}, true},
		{"128 bytes", []string{strings.Repeat("a", 128)}, true},
		{"129 bytes", []string{strings.Repeat("a", 129)}, false},
		{"empty", []string{""}, false},
		{"two of them", []string{"a", "b"}, false},
		{"a space", []string{"a b"}, false},
		{"markup", []string{"<script>"}, false},
		{"a quote", []string{`a"b`}, false},
		{"a line break", []string{"a\nb"}, false},
		{"not ASCII", []string{"é"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := serve(t, requestid.Config{Trust: true}, tt.sent, func(w http.ResponseWriter, r *http.Request) {})
			if got := h.Get("X-Request-Id"); (got == tt.sent[0]) != tt.kept {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestBadHeaderNames(t *testing.T) {
	for _, name := range []string{"X Id", "X:Id", "X_Id", "é", "Cookie", "authorization", "Content-Length", "Host"} {
		if _, err := requestid.New(requestid.Config{Header: name}); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestIDsDiffer(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 2000 {
				id := serve(t, requestid.Config{}, nil, func(http.ResponseWriter, *http.Request) {}).Get("X-Request-Id")
				mu.Lock()
				if seen[id] {
					t.Errorf("%s twice", id)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	group.Wait()
}

func TestAllocations(t *testing.T) {
	m, _ := requestid.New(requestid.Config{})
	h := m.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("GET", "/", nil)
	rec := request.New(httptest.NewRecorder(), r)
	n := testing.AllocsPerRun(100, func() {
		rec.Writer.Reset(rec.Writer.Unwrap())
		h.ServeHTTP(&rec.Writer, &rec.Request)
	})
	if n > 2 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWrap(b *testing.B) {
	m, _ := requestid.New(requestid.Config{})
	h := m.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	rec := request.New(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	b.ReportAllocs()
	for b.Loop() {
		rec.Writer.Reset(rec.Writer.Unwrap())
		h.ServeHTTP(&rec.Writer, &rec.Request)
	}
}
