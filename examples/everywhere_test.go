// Package examples checks that every middleware and backend works inside every
// framework, through the way in that the framework offers.
package examples

import (
	"bytes"
	"cmp"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"
	"github.com/labstack/echo/v4"

	"github.com/mountd/mountd/backend/cascade"
	"github.com/mountd/mountd/backend/proxy"
	"github.com/mountd/mountd/backend/redirect"
	"github.com/mountd/mountd/backend/respond"
	"github.com/mountd/mountd/backend/sendfile"
	"github.com/mountd/mountd/backend/switcher"
	"github.com/mountd/mountd/dispatcher"
	"github.com/mountd/mountd/errorhandler"
	"github.com/mountd/mountd/examples/internal/public"
	"github.com/mountd/mountd/middleware/accesslog"
	"github.com/mountd/mountd/middleware/compress"
	"github.com/mountd/mountd/middleware/cors"
	"github.com/mountd/mountd/middleware/csrf"
	"github.com/mountd/mountd/middleware/headers"
	"github.com/mountd/mountd/middleware/ipfilter"
	"github.com/mountd/mountd/middleware/limit"
	"github.com/mountd/mountd/middleware/requestid"
	"github.com/mountd/mountd/middleware/rewrite"
	"github.com/mountd/mountd/middleware/secureheaders"
	"github.com/mountd/mountd/middleware/timeout"
	"github.com/mountd/mountd/rebase"
	"github.com/mountd/mountd/shareddata"
)

type middleware = func(http.Handler) http.Handler

// frameworks put a middleware around an application that answers every path.
var frameworks = map[string]func(wrap middleware, app http.Handler) http.Handler{
	"net/http": func(wrap middleware, app http.Handler) http.Handler {
		m := http.NewServeMux()
		m.Handle("/", app)
		return wrap(m)
	},
	"chi": func(wrap middleware, app http.Handler) http.Handler {
		r := chi.NewRouter()
		r.Use(wrap)
		r.Handle("/*", app)
		return r
	},
	"gorilla": func(wrap middleware, app http.Handler) http.Handler {
		r := mux.NewRouter()
		r.Use(wrap)
		r.PathPrefix("/").Handler(app)
		return r
	},
	"echo": func(wrap middleware, app http.Handler) http.Handler {
		e := echo.New()
		e.Use(echo.WrapMiddleware(wrap))
		e.Any("/*", echo.WrapHandler(app))
		return e
	},
	"gin": func(wrap middleware, app http.Handler) http.Handler {
		gin.SetMode(gin.ReleaseMode)
		g := gin.New()
		g.Any("/*path", gin.WrapH(app))
		return wrap(g)
	},
}

// trial is a middleware, the application inside it, a request, and what must
// come of them.
type trial struct {
	name   string
	wrap   middleware
	app    http.HandlerFunc // nil: says its path
	method string           // empty: GET
	path   string           // empty: /
	header string           // "Name: value"
	body   string
	again  bool // the second answer counts

	status int           // 0: 200
	text   string        // in the body
	log    *bytes.Buffer // has text in place of the body
	field  string        // "Name: value" of the answer
}

func TestEverywhere(t *testing.T) {
	last := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	defer slog.SetDefault(last)
	trials := slices.Concat(middlewares(t), backends(t), logins(t))
	for name, around := range frameworks {
		for _, c := range trials {
			t.Run(name+"/"+c.name, func(t *testing.T) { c.run(t, around) })
		}
	}
}

func (c trial) run(t *testing.T, around func(middleware, http.Handler) http.Handler) {
	app := c.app
	if app == nil {
		app = sayPath
	}
	h := around(c.wrap, app)
	w := c.ask(h)
	if c.again {
		w = c.ask(h)
	}
	if want := max(c.status, http.StatusOK); w.Code != want {
		t.Errorf("%d with %q, want %d", w.Code, w.Body, want)
	}
	where := w.Body
	if c.log != nil {
		where = c.log
	}
	if !strings.Contains(where.String(), c.text) {
		t.Errorf("%q, want %q in it", where, c.text)
	}
	if name, want, ok := strings.Cut(c.field, ": "); ok && w.Header().Get(name) != want {
		t.Errorf("%s: %q, want %q", name, w.Header().Get(name), want)
	}
}

func (c trial) ask(h http.Handler) *httptest.ResponseRecorder {
	r := httptest.NewRequest(cmp.Or(c.method, "GET"), "http://example.com"+cmp.Or(c.path, "/"), strings.NewReader(c.body))
	if name, value, ok := strings.Cut(c.header, ": "); ok {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func sayPath(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "path "+r.URL.Path+" below "+dispatcher.ScriptName(r)+"\n")
}

func middlewares(t *testing.T) []trial {
	var lines bytes.Buffer
	inner := http.HandlerFunc(sayPath)
	concurrent := made(limit.NewConcurrent(limit.ConcurrentConfig{Max: 1}))(t)
	return []trial{
		{
			name: "dispatcher", wrap: made(dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{{Pattern: "/app", Handler: inner}}}))(t).Wrap,
			path: "/app/x", text: "path /x below /app",
		}, {
			name: "dispatcher passes on", wrap: made(dispatcher.New(dispatcher.Config{Mounts: []dispatcher.Mount{{Pattern: "/app", Handler: inner}}}))(t).Wrap,
			path: "/apple", text: "path /apple below",
		}, {
			name: "shareddata", wrap: made(shareddata.New(shareddata.Config{Exports: []shareddata.Export{{Prefix: "/static", FS: public.FS}}}))(t).Wrap,
			path: "/static/style.css", text: "font", field: "Content-Type: text/css; charset=utf-8",
		}, {
			name: "errorhandler", wrap: made(errorhandler.New(errorhandler.Config{}))(t).Wrap,
			app:    func(http.ResponseWriter, *http.Request) { panic("a mistake of the programmer") },
			header: "Accept: application/json", status: 500, text: `"status":500`, field: "Content-Type: application/problem+json",
		}, {
			name: "rebase", wrap: made(rebase.New(rebase.Config{Prefix: func(*http.Request) string { return "/app" }}))(t).Wrap,
			app:    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
			status: 302, field: "Location: /app/login",
		}, {
			name: "requestid", wrap: made(requestid.New(requestid.Config{Trust: true}))(t).Wrap,
			app: func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, requestid.FromContext(r.Context()))
			},
			header: "X-Request-Id: one-two", text: "one-two", field: "X-Request-Id: one-two",
		}, {
			name: "accesslog", wrap: made(accesslog.New(accesslog.Config{To: &lines, Format: "{method} {path} {status}"}))(t).Wrap,
			app:  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
			path: "/x", status: http.StatusTeapot, log: &lines, text: "GET /x 418\n",
		}, {
			name: "compress", wrap: made(compress.New(compress.Config{}))(t).Wrap,
			app: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				_, _ = io.WriteString(w, strings.Repeat("again and again ", 200))
			},
			header: "Accept-Encoding: br", field: "Content-Encoding: br",
		}, {
			name: "cors", wrap: made(cors.New(cors.Config{Origins: []string{"https://example.org"}}))(t).Wrap,
			header: "Origin: https://example.org", field: "Access-Control-Allow-Origin: https://example.org",
		}, {
			name: "csrf", wrap: made(csrf.New(csrf.Config{}))(t).Wrap,
			method: "POST", header: "Sec-Fetch-Site: cross-site", status: 403,
		}, {
			name: "headers", wrap: made(headers.New(headers.Config{Response: headers.Changes{Set: map[string]string{"X-Robots-Tag": "none"}}}))(t).Wrap,
			field: "X-Robots-Tag: none",
		}, {
			name: "ipfilter", wrap: made(ipfilter.New(ipfilter.Config{Deny: []string{"192.0.2.0/24"}}))(t).Wrap, // httptest's clients
			status: 403,
		}, {
			name: "limit.Rate", wrap: made(limit.NewRate(limit.RateConfig{Count: 1, Per: time.Hour}))(t).Wrap,
			again:  true,
			status: 429, field: "Retry-After: 3600",
		}, {
			name: "limit.Concurrent", wrap: concurrent.Wrap,
			app: func(w http.ResponseWriter, r *http.Request) {
				concurrent.Wrap(http.HandlerFunc(sayPath)).ServeHTTP(w, r) // the second at once
			},
			status: 503,
		}, {
			name: "limit.Body", wrap: made(limit.NewBody(limit.BodyConfig{Max: 3}))(t).Wrap,
			method: "POST", body: "four", status: 413,
		}, {
			name: "rewrite", wrap: made(rewrite.New(rewrite.Config{From: "/old/**", To: "/new/$1"}))(t).Wrap,
			path: "/old/a/b", text: "path /new/a/b",
		}, {
			name: "secureheaders", wrap: made(secureheaders.New(secureheaders.Config{}))(t).Wrap,
			field: "X-Content-Type-Options: nosniff",
		}, {
			name: "timeout", wrap: made(timeout.New(timeout.Config{After: time.Millisecond}))(t).Wrap,
			app:    func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			status: 504,
		}, {
			name: "sendfile", wrap: made(sendfile.New(sendfile.Config{Roots: map[string]sendfile.Root{
				"/protected": {Handler: made(shareddata.NewHandler(shareddata.Config{Exports: []shareddata.Export{{FS: public.FS}}}))(t)},
			}}))(t).Wrap,
			app: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Accel-Redirect", "/protected/style.css")
			},
			text: "font",
		},
	}
}

func backends(t *testing.T) []trial {
	upstream := httptest.NewServer(http.HandlerFunc(sayPath))
	t.Cleanup(upstream.Close)
	forward := made(proxy.New(proxy.Config{Upstreams: []proxy.Upstream{{URL: upstream.URL + "/base"}}}))(t)
	t.Cleanup(func() { _ = forward.Close() })
	files := made(shareddata.NewHandler(shareddata.Config{Exports: []shareddata.Export{{FS: public.FS}}}))(t)
	none := func(next http.Handler) http.Handler { return next }
	backend := func(name string, h http.Handler) trial { return trial{name: name, wrap: none, app: h.ServeHTTP} }

	forwarded := backend("proxy", forward)
	forwarded.path, forwarded.text = "/x", "path /base/x"
	served := backend("static", files)
	served.path, served.text = "/style.css", "font"
	second := backend("cascade", made(cascade.New(cascade.Config{Apps: []http.Handler{files, http.HandlerFunc(sayPath)}}))(t))
	second.path, second.text = "/missing", "path /missing"
	moved := backend("redirect", made(redirect.New(redirect.Config{To: "/new"}))(t))
	moved.path, moved.status, moved.field = "/x", 307, "Location: /new/x"
	same := backend("respond", made(respond.New(respond.Config{Status: 404, Body: "nothing\n"}))(t))
	same.status, same.text = 404, "nothing"
	chosen := backend("switcher", made(switcher.New(switcher.Config{Cases: []switcher.Case{
		{When: func(r *http.Request) (bool, error) { return r.Method == "POST", nil }, App: http.NotFoundHandler()},
		{App: http.HandlerFunc(sayPath)},
	}}))(t))
	chosen.text = "path /"
	return []trial{forwarded, served, second, moved, same, chosen}
}

// made gives what a constructor has made, or fails the test.
func made[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
