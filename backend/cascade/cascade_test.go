package cascade_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mountd/mountd/backend/cascade"
	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func says(status int, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-App", text)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	})
}

func build(t testing.TB, cfg cascade.Config) *cascade.Cascade {
	t.Helper()
	c, err := cascade.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func apps(handlers ...http.Handler) cascade.Config { return cascade.Config{Apps: handlers} }

func TestWhoWins(t *testing.T) {
	for _, tt := range []struct {
		fact   string
		cfg    cascade.Config
		status int
		body   string
	}{
		{"the first", apps(says(200, "a"), says(200, "b")), 200, "a"},
		{"the next after 404", apps(says(404, "a"), says(200, "b"), says(200, "c")), 200, "b"},
		{"the next after 405", apps(says(405, "a"), says(201, "b")), 201, "b"},
		{"the last, whatever it says", apps(says(404, "a"), says(405, "b")), 405, "b"},
		{"another error", apps(says(403, "a"), says(200, "b")), 403, "a"},
		{"a redirect", apps(says(302, "a"), says(200, "b")), 302, "a"},
		{"other statuses, if said so", cascade.Config{Apps: []http.Handler{says(503, "a"), says(404, "b"), says(200, "c")}, On: []int{503}}, 404, "b"},
		{"the only one", apps(says(404, "a")), 404, "a"},
	} {
		w := httptest.NewRecorder()
		build(t, tt.cfg).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != tt.status || w.Body.String() != tt.body || w.Header().Get("X-App") != tt.body {
			t.Errorf("%s: %d %q %v", tt.fact, w.Code, w.Body, w.Header())
		}
	}
}

func TestADiscardedAnswerLeavesNoTrace(t *testing.T) {
	first := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ww := httpwrap.Of(w)
		ww.Before(httpwrap.HookFunc(func(_ int, h http.Header) { h.Set("X-Hook", "first") }))
		w = ww
		w.Header().Set("Link", "</first>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Set-Cookie", "first=1")
		w.Header().Del("X-Outer")
		r.URL.Path, r.Header["X-Client"] = "/changed", []string{"changed"}
		r.SetPathValue("t", "changed")
		_ = r.ParseForm()
		request.From(r.Context()).Upstream = "first"
		request.Fail(w, r, &request.Error{Status: 404, Err: errors.New("not here")})
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<16))
		w.(http.Flusher).Flush()
	})
	second := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := request.From(r.Context())
		fmt.Fprint(w, r.URL.Path, r.Header["X-Client"], r.PathValue("t"), r.Form, rec.Upstream, rec.Cause)
	})
	w := httptest.NewRecorder()
	rec := request.New(w, httptest.NewRequest("GET", "/path", nil))
	rec.Request.Header.Set("X-Client", "own")
	rec.Request.SetPathValue("t", "own")
	rec.Writer.Header().Set("X-Outer", "1")
	build(t, apps(first, second)).ServeHTTP(&rec.Writer, &rec.Request)
	if got := w.Body.String(); w.Code != 200 || got != "/path[own]ownmap[]<nil>" {
		t.Errorf("%d %q", w.Code, got)
	}
	if h := w.Header(); h.Get("Link") != "" || h.Get("Set-Cookie") != "" || h.Get("X-Hook") != "" || h.Get("X-Outer") != "1" {
		t.Errorf("header: %v", h)
	}
}

// An app that is aborted leaves the record as its layers had it.
func TestALosersUserIsNotTheNextApps(t *testing.T) {
	for _, aborts := range []bool{false, true} {
		w := httptest.NewRecorder()
		rec := request.New(w, httptest.NewRequest("GET", "/", nil))
		rec.Auth.Ask("outer method")
		rec.Auth.Decided = 1
		rec.Identity, rec.Session, rec.User, rec.Mount = "outer user", "outer session", "outer", "/"
		rec.Fail = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(418) }
		first := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := request.From(r.Context())
			rec.Auth.Ask("inner method")
			rec.Auth.Decided, rec.Auth.Hidden = 2, true
			rec.Identity, rec.Session, rec.User, rec.Mount = "inner user", "inner session", "inner", "/inner"
			rec.Fail = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(500) }
			w.WriteHeader(404)
			if aborts {
				panic(http.ErrAbortHandler)
			}
		})
		second := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := request.From(r.Context())
			got := fmt.Sprint(rec.Identity, rec.Session, rec.User, rec.Mount, rec.Auth.Asked, rec.Auth.Decided, rec.Auth.Hidden)
			if want := fmt.Sprint("outer user", "outer session", "outer", "/", []any{"outer method"}, 1, false); got != want {
				t.Errorf("aborted %v: the next app finds %s, want %s", aborts, got, want)
			}
			request.Fail(w, r, errors.New("failed"))
		})
		build(t, apps(first, second)).ServeHTTP(&rec.Writer, &rec.Request)
		if w.Code != 418 {
			t.Errorf("aborted %v: status %d: the loser's errors layer has answered", aborts, w.Code)
		}
	}
}

func TestTheWinnersHeaderIsTheAnswers(t *testing.T) {
	first := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Vary", "Accept")
		w.Header().Del("X-Outer")
	})
	w := httptest.NewRecorder()
	w.Header().Set("Vary", "Cookie")
	w.Header().Set("X-Outer", "1")
	build(t, apps(first, says(200, "b"))).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if h := w.Header(); len(h["Vary"]) != 2 || h.Get("X-Outer") != "" || h.Get("X-App") != "" {
		t.Errorf("header: %v", h)
	}
}

// reads answers with status after it has read n bytes of the body, all for -1.
func reads(n int64, status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body []byte
		var err error
		if n < 0 {
			body, err = io.ReadAll(r.Body)
		} else {
			body, err = io.ReadAll(io.LimitReader(r.Body, n))
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, "%d %v", len(body), err)
		_ = r.Body.Close()
	})
}

func TestBodies(t *testing.T) {
	for _, tt := range []struct {
		fact   string
		length int
		apps   []http.Handler
		status int
		answer string
	}{
		{"kept for the next", 100, []http.Handler{reads(-1, 404), reads(-1, 200)}, 200, "100 <nil>"},
		{"kept for the third", 100, []http.Handler{reads(-1, 404), reads(50, 404), reads(-1, 200)}, 200, "100 <nil>"},
		{"of which a part was read", 100, []http.Handler{reads(10, 404), reads(-1, 200)}, 200, "100 <nil>"},
		{"too long to keep", 101, []http.Handler{reads(-1, 404), reads(-1, 200)}, 413, "413 Request Entity Too Large\n"},
		{"too long to keep, for a winner", 5000, []http.Handler{reads(-1, 200), reads(-1, 200)}, 200, "5000 <nil>"},
		{"too long to keep, unread", 5000, []http.Handler{reads(0, 405), reads(-1, 200)}, 200, "5000 <nil>"},
		{"too long to keep, a part read", 5000, []http.Handler{reads(60, 404), reads(-1, 200)}, 200, "5000 <nil>"},
		{"too long, but only one app", 5000, []http.Handler{reads(-1, 404)}, 404, "5000 <nil>"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			srv := httptest.NewServer(build(t, cascade.Config{Apps: tt.apps, Buffer: 100}))
			defer srv.Close()
			for _, body := range []io.Reader{strings.NewReader(strings.Repeat("x", tt.length)), chunked(tt.length)} {
				resp, err := srv.Client().Post(srv.URL, "text/plain", body)
				if err != nil {
					t.Fatal(err)
				}
				got, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != tt.status || string(got) != tt.answer {
					t.Errorf("%d %q, want %d %q", resp.StatusCode, got, tt.status, tt.answer)
				}
			}
			srv.Client().CloseIdleConnections()
		})
	}
}

// chunked hides its length.
func chunked(n int) io.Reader { return io.MultiReader(strings.NewReader(strings.Repeat("x", n))) }

func TestAReaderLeftBehindStealsNothing(t *testing.T) {
	pr, pw := io.Pipe()
	reading, left := make(chan struct{}), make(chan error, 1)
	first := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := r.Body
		go func() {
			close(reading)
			_, _ = body.Read(make([]byte, 3))
			_, err := body.Read(make([]byte, 3))
			left <- err
		}()
		<-reading
		w.WriteHeader(404)
	})
	second := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		go func() {
			_, _ = io.WriteString(pw, "hello world")
			_ = pw.Close()
		}()
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, string(body), err)
	})
	w := httptest.NewRecorder()
	build(t, apps(first, second)).ServeHTTP(w, httptest.NewRequest("POST", "/", pr))
	if got := w.Body.String(); got != "hello world<nil>" {
		t.Errorf("got %q", got)
	}
	if err := <-left; err == nil {
		t.Error("the reader left behind still reads")
	}
}

func TestBehindAProxy(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/early" {
			w.WriteHeader(404) // before the body was read
			return
		}
		reads(-1, 404).ServeHTTP(w, r)
	}))
	defer origin.Close()
	target, _ := url.Parse(origin.URL)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	first := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	srv := httptest.NewServer(build(t, apps(first, reads(-1, 200))))
	defer srv.Close()
	for _, path := range []string{"/", "/early"} {
		for range 20 {
			resp, err := srv.Client().Post(srv.URL+path, "text/plain", chunked(200_000))
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(got) != "200000 <nil>" {
				t.Fatalf("%s: %d %q", path, resp.StatusCode, got)
			}
		}
	}
}

func TestTheWinnerStreams(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-App", "a")
		_, _ = io.WriteString(w, "one")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
	})
	srv := httptest.NewServer(build(t, apps(says(404, ""), app, says(200, "c"))))
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := bufio.NewReader(resp.Body).Peek(3); string(b) != "one" || resp.Header.Get("X-App") != "a" {
		t.Errorf("%q %v", b, resp.Header)
	}
	resp.Body.Close()
}

func TestATakenConnectionWins(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
		_ = conn.Close()
	})
	srv := httptest.NewServer(build(t, apps(app, says(200, "no"))))
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(got) != "hello" {
		t.Errorf("got %q", got)
	}
}

func TestEarlyHintsOfTheLastAppPass(t *testing.T) {
	hints := func(name string, status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", name)
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(status)
		})
	}
	srv := httptest.NewServer(build(t, apps(hints("</first>", 404), hints("</last>", 200))))
	defer srv.Close()
	var seen []string
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, h textproto.MIMEHeader) error { seen = append(seen, h["Link"]...); return nil },
	})
	r, _ := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if fmt.Sprint(seen) != "[</last>]" {
		t.Errorf("hints %v", seen)
	}
}

// A client can always tell a complete answer from a cut one.
func TestCutAnswersAreSeenToBeCut(t *testing.T) {
	aborts := func(status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "part")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
	}
	streams := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "part")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	for fact, tt := range map[string]struct {
		cfg  cascade.Config
		cut  bool
		body string
	}{
		"winner with a length":         {apps(aborts(200), says(200, "b")), true, "part"},
		"winner without a length":      {apps(streams, says(200, "b")), true, "part"},
		"last":                         {apps(says(404, "a"), aborts(404)), true, "part"},
		"discarded: the next is whole": {apps(aborts(404), says(200, "b")), false, "b"},
	} {
		srv := httptest.NewServer(build(t, tt.cfg))
		resp, err := srv.Client().Get(srv.URL)
		if err != nil {
			t.Fatal(fact, err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		srv.Close()
		if string(got) != tt.body || (err != nil) != tt.cut {
			t.Errorf("%s: %q %v", fact, got, err)
		}
	}
}

func TestPanicsPass(t *testing.T) {
	for fact, app := range map[string]http.HandlerFunc{
		"before the status": func(http.ResponseWriter, *http.Request) { panic("x") },
		"after a discarded one": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			panic("x")
		},
		"after a winning one": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			panic("x")
		},
		"abort before the status": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", fact)
				}
			}()
			build(t, apps(app, says(200, "b"))).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		}()
	}
}

func TestReadFromReachesTheServer(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("hello")); err != nil {
			t.Error(err)
		}
	})
	missing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(404)
		if n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("hello")); n != 5 || err != nil {
			t.Error(n, err)
		}
		if n, err := io.WriteString(w, "hello"); n != 5 || err != nil {
			t.Error(n, err)
		}
		if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
			t.Error("a discarded answer took the connection over")
		}
	})
	w := httptest.NewRecorder()
	build(t, apps(missing, app, says(200, "c"))).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Body.String() != "hello" {
		t.Errorf("got %q", w.Body)
	}
}

func TestFormFilesOfALosersCopyAreRemoved(t *testing.T) {
	var form string
	first := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseMultipartForm(1)
		f, _, err := r.FormFile("f")
		if err != nil {
			t.Error(err)
			return
		}
		if file, ok := f.(interface{ Name() string }); ok {
			form = file.Name()
		}
		_ = f.Close()
		w.WriteHeader(404)
	})
	body := "--b\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n" + strings.Repeat("x", 20<<20) + "\r\n--b--\r\n"
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	w := httptest.NewRecorder()
	build(t, cascade.Config{Apps: []http.Handler{first, reads(-1, 200)}, Buffer: 64 << 20}).ServeHTTP(w, r)
	if want := fmt.Sprint(len(body), " <nil>"); w.Body.String() != want {
		t.Errorf("%q, want %q", w.Body, want)
	}
	if form == "" {
		t.Fatal("the form was kept in memory")
	}
	if _, err := os.Stat(form); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there (%v)", form, err)
	}
}

func TestMistakes(t *testing.T) {
	_, err := cascade.New(cascade.Config{Apps: []http.Handler{nil}, On: []int{42}, Buffer: -1})
	for _, want := range []string{"apps[0]", "on[0]: 42", "buffer"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
	if _, err := cascade.New(cascade.Config{}); err == nil {
		t.Error("no apps, no mistake")
	}
}

func BenchmarkFirstWins(b *testing.B)  { bench(b, apps(says(200, "a"), says(200, "b"))) }
func BenchmarkSecondWins(b *testing.B) { bench(b, apps(says(404, "a"), says(200, "b"))) }
func BenchmarkAlone(b *testing.B)      { bench(b, apps(says(200, "a"))) }

func bench(b *testing.B, cfg cascade.Config) {
	c := build(b, cfg)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", "text/html")
	b.ReportAllocs()
	for b.Loop() {
		c.ServeHTTP(httptest.NewRecorder(), r)
	}
}

func Example() {
	old := http.NewServeMux()
	old.HandleFunc("GET /legacy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "the old app") })
	c, _ := cascade.New(cascade.Config{Apps: []http.Handler{old, says(200, "the new app")}})
	for _, path := range []string{"/legacy", "/"} {
		w := httptest.NewRecorder()
		c.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Println(strings.TrimSpace(w.Body.String()))
	}
	// Output:
	// the old app
	// the new app
}
