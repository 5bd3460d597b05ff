package assemble_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/mountd/mountd/compose"
	"github.com/mountd/mountd/internal/assemble"
)

// The applications and the layer of another program.
var foreignApps = map[string]http.HandlerFunc{
	"plain":  func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) },
	"panics": func(http.ResponseWriter, *http.Request) { panic("no") },
	"hijacks": func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = c.Close()
		}
	},
	"waits": func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		default:
		}
	},
	"derives": func(_ http.ResponseWriter, r *http.Request) {
		_, cancel := context.WithCancel(r.Context())
		cancel()
	},
}

func foreignApp(transient bool) compose.AppKind {
	k := compose.DefineApp("someone's", struct {
		Does string `yaml:"does"`
	}{}, func(_ compose.AppContext, o struct {
		Does string `yaml:"does"`
	}) (compose.App, error) {
		return compose.App{Handler: foreignApps[o.Does]}, nil
	})
	k.Transient = transient
	return k
}

func foreignLayer(transient bool) compose.Factory {
	f := compose.Define("someone's", struct{}{}, func(struct{}) (compose.Instance, error) {
		return compose.Instance{Wrap: func(next http.Handler) http.Handler { return next }}, nil
	})
	f.Transient = transient
	return f
}

const reuseTable = `
mounts:
  /respond: respond:hello
  /all: {respond: hello, use: [default, {timeout: {after: 1m}}, limit.concurrent, {limit.rate: {rate: 100000/s}}, limit.body, compress, {cors: {origins: "https://example.com"}}, csrf, secure_headers, {headers: {response: {set: {A: b}}}}]}
  /t/{x}: {respond: hello, use: [default, {headers: {response: {set: {A: "{x}"}}}}]}
  /table: {mounts: {/in: {mounts: {/deep: respond:hello}}}}
  /when: {respond: hello, use: [default, {theirs: {}, when: {method: [POST]}}]}
  /switch: {switch: [{when: {method: [GET]}, respond: hello}, {their: {does: plain}}]}
  /files: ./files
  /proxy: %[1]s
  /slow: {proxy: %[1]s, use: [default, timeout]}
  /theirs: {respond: hello, use: [default, theirs]}
  /wellknown: {respond: hello, use: [default, transient]}
  /cascade: {cascade: [./files, respond:hello]}
  /first: {cascade: [%[1]s, respond:hello]}
  /sendfile: {proxy: %[1]s, sendfile: {/x: ./files}}
  /their: {their: {does: plain}}
  /panics: {quick: {does: panics}}
  /hijacks: {quick: {does: hijacks}}
  /waits: {quick: {does: waits}}
  /derives: {quick: {does: derives}}
  /plain: {quick: {does: plain}}
`

func reuseSite(t *testing.T, adapt func(*assemble.Parts)) http.Handler {
	t.Helper()
	dir := filesIn(t)
	return stackOf(t, dir, fmt.Sprintf(reuseTable, rawOrigin(t, 13)), func(p *assemble.Parts) {
		p.Middlewares["theirs"], p.Middlewares["transient"] = foreignLayer(false), foreignLayer(true)
		p.Apps["their"], p.Apps["quick"] = foreignApp(false), foreignApp(true)
		if adapt != nil {
			adapt(p)
		}
	})
}

// recordedWriter is a server's writer that tells how often it was given back.
type recordedWriter struct {
	*httptest.ResponseRecorder
	recycled int
}

func (w *recordedWriter) Recycle() { w.recycled++ }

func (w *recordedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, other := net.Pipe()
	_ = other.Close()
	return c, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c)), nil
}

func TestRequestsServeAgainUnlessKept(t *testing.T) {
	site := reuseSite(t, nil)
	for target, again := range map[string]bool{
		"/respond": true, "/all": true, "/t/7": true, "/table/in/deep": true, "/when": true, "/switch": true,
		"/files/1k": true, "/files/1m": true, "/proxy": true, "/slow/": true, "/wellknown": true, "/plain": true,
		"/first": true, "/sendfile/": true,

		"/theirs": false, "/cascade": false, "/their": false, "/panics": false, "/hijacks": false,
		"/waits": false, "/derives": false, "/files/missing": false, "/nowhere": false, "/bad%00": false,
	} {
		for i := range 5 {
			w := &recordedWriter{ResponseRecorder: httptest.NewRecorder()}
			site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
			if i > 0 && w.recycled == 1 != again { // the first one may have to open a connection
				t.Errorf("%s: recycled %d times (%d)", target, w.recycled, w.Code)
			}
		}
	}
	for target, again := range map[string]bool{"/when": false, "/switch": false, "/respond": true} {
		w := &recordedWriter{ResponseRecorder: httptest.NewRecorder()}
		site.ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, nil))
		if w.recycled == 1 != again {
			t.Errorf("POST %s: recycled %d times", target, w.recycled)
		}
	}
}

// TestForeignPartsMayKeepWhatTheyGet uses requests long after their end, while
// others are served.
func TestForeignPartsMayKeepWhatTheyGet(t *testing.T) {
	var wait sync.WaitGroup
	release := make(chan struct{})
	site := reuseSite(t, func(p *assemble.Parts) {
		k := foreignApp(false)
		k.New = func(compose.AppContext, any) (compose.App, error) {
			return compose.App{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id, path, ctx := r.Header.Get("X-Request-Id"), r.URL.Path, r.Context()
				child, cancel := context.WithTimeout(ctx, time.Hour)
				wait.Go(func() {
					defer cancel()
					<-release
					if r.Header.Get("X-Request-Id") != id || r.URL.Path != path || r.Method != "GET" || r.Context() != ctx {
						t.Errorf("%s %s has become %s %s", id, path, r.Header.Get("X-Request-Id"), r.URL.Path)
					}
					if child.Err() != nil || ctx.Err() != nil || ctx.Value(recorderKey{}) != path || w.Header().Get("X-Request-Id") != id {
						t.Errorf("%s: %v %v %v", path, child.Err(), ctx.Value(recorderKey{}), w.Header())
					}
				})
			})}, nil
		}
		p.Apps["their"] = k
	})
	for i := range 200 {
		path := fmt.Sprintf("/%d", i)
		ctx := context.WithValue(t.Context(), recorderKey{}, path)
		site.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/their"+path, nil).WithContext(ctx))
		site.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/respond", nil))
	}
	close(release)
	wait.Wait()
}

type recorderKey struct{}

// TestRequestsDoNotMix serves many at once over the same records.
func TestRequestsDoNotMix(t *testing.T) {
	site := reuseSite(t, nil)
	var wait sync.WaitGroup
	for k := range 8 {
		wait.Go(func() {
			for i := range 300 {
				target := [...]string{"/t/%d", "/plain/%d", "/proxy/%d", "/all/%d", "/table/in/deep/%d", "/slow/%d"}[i%6]
				name := fmt.Sprint(k*1000 + i)
				w := &recordedWriter{ResponseRecorder: httptest.NewRecorder()}
				r := httptest.NewRequest(http.MethodGet, fmt.Sprintf(target, k*1000+i), nil)
				site.ServeHTTP(w, r)
				id := w.Header().Get("X-Request-Id")
				switch {
				case w.Code != http.StatusOK || len(id) != 26:
					t.Errorf("%s: %d %v", r.URL, w.Code, w.Header())
				case i%6 == 0 && w.Header().Get("A") != name, i%6 == 1 && w.Body.String() != "/"+name:
					t.Errorf("%s: %v %s", r.URL, w.Header(), w.Body)
				}
			}
		})
	}
	wait.Wait()
}

// TestObservedRequestsAreKept is about explain, which looks at a request that
// has been served.
func TestObservedRequestsAreKept(t *testing.T) {
	var seen *http.Request
	site := stackOf(t, filesIn(t), "mounts: {/: respond:hello}", nil, func(cfg *assemble.Config) {
		cfg.App = func(_ compose.AppContext, _ string, app compose.App) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen = r
				app.Handler.ServeHTTP(w, r)
			})
		}
	})
	w := &recordedWriter{ResponseRecorder: httptest.NewRecorder()}
	site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/x", nil))
	if w.recycled != 0 || seen.URL.Path != "/x" {
		t.Errorf("recycled %d times, path %s", w.recycled, seen.URL.Path)
	}
}

// TestBodiesGoOutWhole holds small bodies to one Write, and gives large files
// to the server as sendfile wants them.
func TestBodiesGoOutWhole(t *testing.T) {
	site := fullStack(t)
	for target, length := range map[string]string{"/respond": "13", "/static/1k": "1024", "/static/100k": "102400", "/small/": "13", "/timeout": "13"} {
		w, r := &nullWriter{header: http.Header{}}, wireRequest(target)
		rewind(r)
		site.ServeHTTP(w, r)
		if w.writes != 1 || w.readFrom != 0 || w.header.Get("Content-Length") != length {
			t.Errorf("%s: %d writes, %d files, length %q", target, w.writes, w.readFrom, w.header.Get("Content-Length"))
		}
	}
	w, r := &nullWriter{header: http.Header{}}, wireRequest("/static/1m")
	rewind(r)
	site.ServeHTTP(w, r)
	limited, _ := w.last.(*io.LimitedReader)
	if limited == nil || w.writes != 0 {
		t.Fatalf("%d writes, from a %T", w.writes, w.last)
	}
	if _, ok := limited.R.(*os.File); !ok {
		t.Errorf("from a %T", limited.R)
	}
}
