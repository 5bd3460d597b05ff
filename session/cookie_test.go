package session_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/session"
)

func TestMistakes(t *testing.T) {
	_, err := session.New(session.Config{
		Lifetime: -1, Idle: -1, Timeout: 1, Recheck: -1, MaxBytes: -1,
		Cookie: session.Cookie{Name: "a b", Path: "x", Domain: "a..b", SameSite: http.SameSiteNoneMode, Insecure: true},
	})
	var paths []string
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var o interface{ OptionPath() string }
		if errors.As(e, &o) {
			paths = append(paths, o.OptionPath())
		}
	}
	want := []string{"store", "lifetime", "idle", "timeout", "recheck", "max_bytes", "cookie.name", "cookie.path", "cookie.domain", "cookie.same_site"}
	if !slices.Equal(paths, want) {
		t.Errorf("%v, want %v (%v)", paths, want, err)
	}
	for _, c := range []session.Cookie{
		{Name: "__Host-x"}, {Name: "__secure-x"}, {Name: "a;b"}, {Name: "a=b"}, {Name: "é"}, {Name: strings.Repeat("a", 200)},
		{Path: "/a b"}, {Path: "/a;b"}, {Path: "/é"}, {Domain: "a b"}, {Domain: "-a.b"}, {Domain: "a;b"}, {SameSite: 9},
	} {
		if _, err := session.New(session.Config{Store: memory(t), Cookie: c}); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

func TestCookieAttributes(t *testing.T) {
	for name, c := range map[string]struct {
		cookie session.Cookie
		secure bool
		want   string // behind the value
		prefix string
	}{
		"plain":             {session.Cookie{}, false, "; Path=/; HttpOnly; SameSite=Lax", "mountd_session="},
		"TLS":               {session.Cookie{}, true, "; Path=/; HttpOnly; Secure; SameSite=Lax", "__Host-mountd_session="},
		"TLS, a path":       {session.Cookie{Path: "/app"}, true, "; Path=/app; HttpOnly; Secure; SameSite=Lax", "mountd_session="},
		"TLS, a domain":     {session.Cookie{Domain: ".example.com"}, true, "; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax", "mountd_session="},
		"TLS, insecure":     {session.Cookie{Insecure: true}, true, "; Path=/; HttpOnly; SameSite=Lax", "mountd_session="},
		"TLS, none":         {session.Cookie{SameSite: http.SameSiteNoneMode}, true, "; Path=/; HttpOnly; Secure; SameSite=None", "__Host-mountd_session="},
		"plain, none":       {session.Cookie{SameSite: http.SameSiteNoneMode}, false, "; Path=/; HttpOnly; SameSite=Lax", "mountd_session="},
		"strict, own name":  {session.Cookie{Name: "sid", SameSite: http.SameSiteStrictMode}, false, "; Path=/; HttpOnly; SameSite=Strict", "sid="},
		"it outlives a tab": {session.Cookie{Persist: true}, false, "; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax", "mountd_session="},
	} {
		m, _ := newManager(t, session.Config{Cookie: c.cookie})
		b := &browser{m: m, secure: c.secure}
		got := b.put("a", "b").Header().Get("Set-Cookie")
		value, attributes, _ := strings.Cut(got, ";")
		attributes = strings.Replace(attributes, "Max-Age=86399", "Max-Age=86400", 1) // a moment later
		if !strings.HasPrefix(value, c.prefix) || ";"+attributes != c.want {
			t.Errorf("%s: %q, want %s…%s", name, got, c.prefix, c.want)
		}
		if b.get("a") != "b" {
			t.Errorf("%s: the cookie does not work", name)
		}
		if value, _, _ := strings.Cut(b.cookie, "="); !m.OwnCookie(value, b.cookie[len(value)+1:]) {
			t.Errorf("%s: the cookie is not known", name)
		}
		old := b.cookie
		cleared := b.do(func(_ http.ResponseWriter, _ *http.Request, s *session.Session) {
			if err := s.Clear(); err != nil {
				t.Error(err)
			}
		}).Header().Get("Set-Cookie")
		if !strings.HasPrefix(cleared, c.prefix+"; Path=") || !strings.Contains(cleared, "; Max-Age=0;") || b.cookie != "" {
			t.Errorf("%s: cleared by %q", name, cleared)
		}
		if b.cookie = old; b.get("a") != "" {
			t.Errorf("%s: the session has not ended", name)
		}
	}
}

// What TLS is is told by the trusted view, not by a client's header.
func TestTheRecordsSchemeDecides(t *testing.T) {
	m, _ := newManager(t, session.Config{})
	for scheme, want := range map[string]string{"https": "__Host-mountd_session=", "http": "mountd_session="} {
		r := httptest.NewRequest(http.MethodGet, "http://example.com/", nil)
		r.Header.Set("X-Forwarded-Proto", "https")
		w := httptest.NewRecorder()
		rec := request.New(w, r)
		rec.Scheme = scheme
		m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session.FromRequest(r).Put("a", "b")
			_, _ = io.WriteString(w, "ok")
		})).ServeHTTP(&rec.Writer, &rec.Request)
		if got := w.Header().Get("Set-Cookie"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", scheme, got)
		}
		if session.FromContext(rec) != nil {
			t.Error("a session outside of Wrap")
		}
	}
}

func TestWhichCookieCounts(t *testing.T) {
	m, _ := newManager(t, session.Config{Cookie: session.Cookie{Name: "sid"}})
	b := &browser{m: m}
	b.put("a", "mine")
	other := &browser{m: m}
	other.put("a", "planted")
	id, _ := strings.CutPrefix(b.cookie, "sid=")
	second, _ := strings.CutPrefix(other.cookie, "sid=")
	for header, want := range map[string]string{
		"sid=" + id:                          "mine",
		"x=y; sid=" + id + "; z=1":           "mine",
		"x=y;sid=" + id:                      "mine",
		"$Version=1; sid=" + id:              "mine",
		"sid=" + id + "; sid=app":            "mine", // an application's cookie of that name
		"sid=app; sid=" + id:                 "mine",
		"sid=" + id + "; sid=" + second:      "", // nobody knows which was planted
		"sid=" + second + "; sid=" + id:      "",
		"sid=a; sid=b":                       "",
		"__Host-sid=" + id:                   "", // not over HTTPS
		"=sid=" + id:                         "",
		"SID=" + id:                          "",
		"sid =" + id:                         "",
		"sid":                                "",
		";;;":                                "",
		"":                                   "",
		"\x00":                               "",
		"x=y;  sid=" + id:                    "", // names are not trimmed
		"x=y; \u2000sid=" + id:               "",
		"\tsid=" + id:                        "",
		"sid=\"" + id + "\"":                 "",
		"sid=" + id + " ":                    "",
		"sid=" + strings.Repeat("a", 10_000): "",
		strings.Repeat("a=b; ", 5000) + "sid=" + id: "mine",
		"sid=" + session.NewToken():                 "", // unknown
	} {
		got := "?"
		w := b.raw(header, func(_ http.ResponseWriter, _ *http.Request, s *session.Session) { got = s.Get("a") })
		if got != want || w.Code != http.StatusOK || w.Header()["Set-Cookie"] != nil {
			t.Errorf("%.60q: %q, want %q; status %d, %q", header, got, want, w.Code, w.Header()["Set-Cookie"])
		}
		w = b.raw(header, func(_ http.ResponseWriter, _ *http.Request, s *session.Session) { s.Put("b", "c") })
		set := w.Header().Get("Set-Cookie")
		if want == "" && (set == "" || strings.Contains(set, id) || strings.Contains(set, second)) {
			t.Errorf("%.60q: a new session got %q", header, set)
		}
	}
	// Two header lines, as HTTP/2 may send them.
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Cookie"] = []string{"x=y", "sid=" + id}
	m.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if got := session.FromRequest(r).Get("a"); got != "mine" {
			t.Errorf("two lines: %q", got)
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
}

func TestOverTLSOnlyThePrefixedCookieCounts(t *testing.T) {
	m, _ := newManager(t, session.Config{})
	b := &browser{m: m}
	b.put("a", "b")
	b.secure = true
	if got := b.get("a"); got != "" {
		t.Errorf("a cookie that anyone can plant counts: %q", got)
	}
}

func TestOwnCookie(t *testing.T) {
	for name, store := range stores(t) {
		m, _ := newManager(t, session.Config{Store: store})
		b := &browser{m: m}
		b.put("a", "b")
		value := strings.TrimPrefix(b.cookie, "mountd_session=")
		for c, want := range map[[2]string]bool{
			{"mountd_session", value}:                     true,
			{"__Host-mountd_session", value}:              true,
			{"mountd_session", "app"}:                     false,
			{"mountd_session", ""}:                        false,
			{"mountd_session", strings.Repeat("A", 36)}:   false,
			{"mountd_session", strings.Repeat("A", 4000)}: false,
			{"other", value}:                              false,
			{"Mountd_session", value}:                     false,
		} {
			if m.OwnCookie(c[0], c[1]) != want {
				t.Errorf("%s store, %.60q: %v", name, c, !want)
			}
		}
	}
}

func TestCachesKeepNoCookies(t *testing.T) {
	m, _ := newManager(t, session.Config{})
	for said, want := range map[string]string{
		"": "no-store", "public, max-age=600": "no-store", "no-cache": "no-store", `private="x"`: "no-store",
		"no-store": "no-store", "Private, max-age=5": "Private, max-age=5", "max-age=0, No-Store": "max-age=0, No-Store",
	} {
		w := (&browser{m: m}).do(func(w http.ResponseWriter, _ *http.Request, s *session.Session) {
			if said != "" {
				w.Header().Set("Cache-Control", said)
			}
			w.Header().Add("Set-Cookie", "mountd_session=app; Path=/x")
			w.Header().Set("Vary", "Accept")
			s.Put("a", "b")
			w.WriteHeader(http.StatusNotModified)
		})
		if got := w.Header().Get("Cache-Control"); got != want {
			t.Errorf("%q becomes %q, want %q", said, got, want)
		}
		if got := w.Header()["Vary"]; !slices.Equal(got, []string{"Accept", "Cookie"}) {
			t.Errorf("Vary %q", got)
		}
		if got := w.Header()["Set-Cookie"]; len(got) != 2 || got[0] != "mountd_session=app; Path=/x" {
			t.Errorf("Set-Cookie %q", got)
		}
	}
	// An answer that was only read for depends on the cookie, too.
	w := (&browser{m: m}).do(func(w http.ResponseWriter, _ *http.Request, s *session.Session) { s.Get("a") })
	if h := w.Header(); h.Get("Vary") != "Cookie" || h.Get("Cache-Control") != "" || h.Get("Set-Cookie") != "" {
		t.Errorf("%v", h)
	}
	w = (&browser{m: m}).do(func(http.ResponseWriter, *http.Request, *session.Session) {})
	if h := w.Header(); len(h) != 0 {
		t.Errorf("an untouched session: %v", h)
	}
}

// informed keeps the headers of informational answers.
type informed struct {
	http.ResponseWriter
	hints []http.Header
}

func (w *informed) WriteHeader(status int) {
	if status < 200 {
		w.hints = append(w.hints, w.Header().Clone())
	}
	w.ResponseWriter.WriteHeader(status)
}

func TestInformationalAnswersSetNoCookie(t *testing.T) {
	m, _ := newManager(t, session.Config{})
	w := &informed{ResponseWriter: httptest.NewRecorder()}
	m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session.FromRequest(r).Put("a", "b")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusOK)
	})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if len(w.hints) != 1 || w.hints[0]["Set-Cookie"] != nil || w.Header()["Set-Cookie"] == nil {
		t.Errorf("hints %v, answer %v", w.hints, w.Header())
	}
}
