package httpserver_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/internal/httpserver"
)

// A row is a conversation that both servers hold. What net/http's clients see
// is what is wanted, except where ours and why say something else.
type row struct {
	name    string
	raw     string   // get
	methods []string // of the requests in raw that are answered: GET
	h       http.HandlerFunc
	want    []string // lines that both must give, so that the row tests what it says
	ours    []string // lines that ours gives instead of being like net/http's
	why     string
}

// run holds a table's conversations over all transports, and byte by byte.
func run(t *testing.T, rows []row) {
	t.Helper()
	for i := range rows {
		r := &rows[i]
		if r.raw == "" {
			r.raw = get
		}
		if r.methods == nil {
			r.methods = []string{"GET"}
		}
		if r.h == nil {
			r.h = describe
		}
	}
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			for _, r := range rows {
				t.Run(r.name, func(t *testing.T) { r.check(t, transport, false) })
			}
		})
	}
	t.Run("byte by byte", func(t *testing.T) {
		for _, r := range rows {
			if len(r.raw) < 4096 {
				t.Run(r.name, func(t *testing.T) { r.check(t, "tcp", true) })
			}
		}
	})
}

func (r *row) check(t *testing.T, transport string, bytewise bool) {
	got := map[string]string{}
	for _, k := range []kind{theirs, ours} {
		s := k.serveOn(t, transport, httpserver.Config{Handler: probed(r.h)})
		got[k.name] = s.dial().converse(r.raw, bytewise, r.methods...)
		if r.why == "" || k.name == ours.name {
			r.holds(t, k.name, got[k.name], r.want)
		}
	}
	if r.why != "" {
		r.holds(t, ours.name, got[ours.name], r.ours)
		return
	}
	if got[ours.name] != got[theirs.name] {
		t.Errorf("sent:\n%.300q\nnet/http gives:\n%s\nours gives:\n%s", r.raw, got[theirs.name], got[ours.name])
	}
}

func (r *row) holds(t *testing.T, who, got string, lines []string) {
	t.Helper()
	have := strings.Split(got, "\n")
	for _, line := range lines {
		if !slices.Contains(have, line) {
			t.Errorf("%s: no line %q after %.300q, but\n%s", who, line, r.raw, got)
		}
	}
}

func text(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, p := range pieces {
			_, _ = io.WriteString(w, p)
		}
	}
}

// with answers after f has set the header.
func with(f func(h http.Header), pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f(w.Header())
		text(pieces...)(w, r)
	}
}

func status(code int, pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(code)
		text(pieces...)(w, r)
	}
}

func set(name string, values ...string) func(http.Header) {
	return func(h http.Header) { h[name] = values }
}

// long is more than any server holds back for its length.
var long = strings.Repeat("0123456789abcde\n", 8<<10)

const (
	head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
	old  = "GET / HTTP/1.0\r\n\r\n"
	kept = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"

	open   = "it is open"
	closed = "it is closed"
)

var isHead = []string{"HEAD"}

func TestFramingOfAnswers(t *testing.T) {
	run(t, []row{
		{name: "nothing", h: text(), want: []string{"Content-Length: 0", open}},
		{name: "an empty piece", h: text(""), want: []string{"Content-Length: 0", open}},
		{name: "short", h: text("hello"), want: []string{"HTTP/1.1 200 OK", "Content-Length: 5", "Date: now", "Content-Type: text/plain; charset=utf-8", open}},
		{name: "short, in pieces", h: text("hello", ", ", "world"), want: []string{"Content-Length: 12", open}},
		{name: "1000 bytes", h: text(long[:1000]), want: []string{"Content-Length: 1000", open}},
		{name: "long", h: text(long), want: []string{"Transfer-Encoding: chunked", open}},
		{name: "long, in pieces", h: text(long[:1], long[1:3000], long[3000:70000], long[70000:]), want: []string{"Transfer-Encoding: chunked", open}},
		{name: "many small pieces", h: text(strings.SplitAfter(long, "\n")...), want: []string{"Transfer-Encoding: chunked", open}},
		{name: "the length set", h: with(set("Content-Length", "131072"), long), want: []string{"Content-Length: 131072", open}},
		{name: "the length set, in pieces", h: with(set("Content-Length", "131072"), long[:1], long[1:70000], long[70000:]), want: []string{"Content-Length: 131072", open}},
		{name: "a length of 0", h: with(set("Content-Length", "0")), want: []string{"Content-Length: 0", open}},
		{name: "a length that is no number", h: with(set("Content-Length", "x"), "hello"),
			why: "net/http sends chunks; what matters is that no such length is sent", ours: []string{"Content-Length: 5", open}},
		{name: "a negative length", h: with(set("Content-Length", "-5"), "hello"),
			why: "as above", ours: []string{"Content-Length: 5", open}},
		{name: "chunked by the handler", h: with(set("Transfer-Encoding", "chunked"), "hello"), why: "net/http guesses no type then",
			ours: []string{"[chunked] \"hello\"", open}},
		{name: "both by the handler", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Transfer-Encoding", "chunked")
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "hello")
		}, why: "net/http chooses chunks; either is one framing only", ours: []string{open}},

		{name: "HEAD nothing", raw: head, methods: isHead, h: text(), want: []string{open}},
		{name: "HEAD short", raw: head, methods: isHead, h: text("hello"), want: []string{"Content-Length: 5", open}},
		{name: "HEAD long", raw: head, methods: isHead, h: text(long), want: []string{open}},
		{name: "HEAD with a length", raw: head, methods: isHead, h: with(set("Content-Length", "131072")), want: []string{"Content-Length: 131072", open}},
		{name: "HEAD with a length and the body", raw: head, methods: isHead, h: with(set("Content-Length", "131072"), long), want: []string{"Content-Length: 131072", open}},
		{name: "HEAD chunked", raw: head, methods: isHead, h: with(set("Transfer-Encoding", "chunked"), long), why: "as above", ours: []string{"[no body] \"\"", open}},
		{name: "HEAD flushed", raw: head, methods: isHead, h: flushed("hello"), want: []string{open}},

		{name: "204", h: status(204), want: []string{"HTTP/1.1 204 No Content", open}},
		{name: "204 with a length", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "0")
			w.WriteHeader(204)
		}, why: "net/http passes a length on; RFC 9110 section 8.6: a server MUST NOT send one", ours: []string{"HTTP/1.1 204 No Content", open}},
		{name: "204 with a body", h: status(204, "hello"), want: []string{"HTTP/1.1 204 No Content", open}},
		{name: "304", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"x"`)
			w.WriteHeader(304)
		}, want: []string{"HTTP/1.1 304 Not Modified", `Etag: "x"`, open}},
		{name: "304 with the length it would have", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "131072")
			w.WriteHeader(304)
		}, why: "net/http drops it; RFC 9110 section 8.6 allows it", ours: []string{"HTTP/1.1 304 Not Modified", open}},
		{name: "304 with a body", h: status(304, "hello"), want: []string{open}},
		{name: "205", h: status(205), want: []string{"HTTP/1.1 205 Reset Content", "Content-Length: 0", open}},

		{name: "flushed", h: flushed("one", "two"), want: []string{"[chunked] \"onetwo\"", open}},
		{name: "flushed with a length", h: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "6")
			flushed("one", "two")(w, r)
		}, want: []string{"[length] \"onetwo\"", open}},
		{name: "only flushed", h: flushed(), want: []string{"HTTP/1.1 200 OK", open}},

		{name: "shorter than its length", h: with(set("Content-Length", "9"), "hello"), want: []string{"cut: end"}},
		{name: "a length and nothing", h: with(set("Content-Length", "9")), why: "net/http sends the head too, or nothing: a client sees that it is cut", ours: nil},
		{name: "longer than its length", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			_, err := io.WriteString(w, "hello, world")
			if err != http.ErrContentLength { //nolint:errorlint // handlers compare it
				panic(err)
			}
			_, _ = io.WriteString(w, "hello")
		}, why: "net/http refuses what would fit, too", ours: []string{"[length] \"hello\""}},
		{name: "longer than its length, in pieces", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "hello")
			if _, err := io.WriteString(w, "!"); err != http.ErrContentLength { //nolint:errorlint // handlers compare it
				panic(err)
			}
		}, why: "net/http closes the connection without a word", ours: []string{"[length] \"hello\""}},
	})
}

func flushed(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		for _, p := range pieces {
			_, _ = io.WriteString(w, p)
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
		}
	}
}

func TestConnectionsThatLast(t *testing.T) {
	const one, ten = "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.0\r\n"
	saysClose := with(set("Connection", "close"), "hello")
	run(t, []row{
		{name: "1.0", raw: old, h: text("hello"), want: []string{"HTTP/1.0 200 OK", "Content-Length: 5", closed}},
		{name: "1.0 with a Host", raw: ten + "Host: a\r\n\r\n", h: text("hello"), want: []string{closed}},
		{name: "1.0 long", raw: old, h: text(long), want: []string{"[until the end] 131072 bytes, sum 1380548608", closed}},
		{name: "1.0 HEAD", raw: "HEAD / HTTP/1.0\r\n\r\n", methods: isHead, h: text(long), want: []string{closed}},
		{name: "1.0 flushed", raw: old, h: flushed("one", "two"), want: []string{"[until the end] \"onetwo\"", closed}},
		{name: "1.0 with a length", raw: old, h: with(set("Content-Length", "131072"), long), want: []string{"Content-Length: 131072", closed}},
		{name: "1.0 204", raw: old, h: status(204), want: []string{"HTTP/1.0 204 No Content", closed}},
		{name: "1.0 with trailers", raw: old, h: trailers, want: []string{closed}},
		{name: "1.0 kept", raw: kept, h: text("hello"), want: []string{"HTTP/1.0 200 OK", "Content-Length: 5", "Connection: keep-alive", open}},
		{name: "1.0 kept, nothing", raw: kept, h: text(), want: []string{"Connection: keep-alive", open}},
		{name: "1.0 kept, long", raw: kept, h: text(long), want: []string{"[until the end] 131072 bytes, sum 1380548608", closed}},
		{name: "1.0 kept, flushed", raw: kept, h: flushed("one", "two"), want: []string{closed}},
		{name: "1.0 kept, with a length", raw: kept, h: with(set("Content-Length", "131072"), long), want: []string{"Connection: keep-alive", open}},
		{name: "1.0 kept, HEAD", raw: "HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", methods: isHead, h: text("hello"), want: []string{"Connection: keep-alive", open}},
		{name: "1.0 kept, 204", raw: kept, h: status(204), why: "net/http closes, for want of a length; a 204 has no body, and ours keeps", ours: []string{"HTTP/1.0 204 No Content"}},
		{name: "1.0 kept, in capitals", raw: ten + "Connection: Keep-Alive\r\n\r\n", h: text("hello"), want: []string{"Connection: keep-alive", open}},
		{name: "1.0 kept twice", raw: kept + kept, methods: []string{"GET", "GET"}, h: text("hello"), want: []string{open}},
		{name: "1.0 kept, but the handler closes", raw: kept, h: saysClose, want: []string{closed}},
		{name: "1.0 keep-alive and close", raw: ten + "Connection: keep-alive, close\r\n\r\n", h: text("hello"),
			why: "close wins, RFC 9112 section 9.3; net/http keeps", ours: []string{closed}},

		{name: "1.1", raw: get, h: text("hello"), want: []string{open}},
		{name: "1.1 keep-alive", raw: one + "Connection: keep-alive\r\n\r\n", h: text("hello"), want: []string{open}},
		{name: "1.1 close", raw: one + "Connection: close\r\n\r\n", h: text("hello"), want: []string{"Connection: close", closed}},
		{name: "1.1 close, nothing", raw: one + "Connection: close\r\n\r\n", h: text(), want: []string{"Connection: close", closed}},
		{name: "1.1 close, long", raw: one + "Connection: close\r\n\r\n", h: text(long), want: []string{"Connection: close", "Transfer-Encoding: chunked", closed}},
		{name: "1.1 close in capitals", raw: one + "Connection: Close\r\n\r\n", h: text("hello"), want: []string{"Connection: close", closed}},
		{name: "1.1 close in a list", raw: one + "Connection: x, close\r\n\r\n", h: text("hello"), want: []string{"Connection: close", closed}},
		{name: "1.1 close in a second line", raw: one + "Connection: x\r\nConnection: close\r\n\r\n", h: text("hello"), want: []string{"Connection: close", closed}},
		{name: "1.1 close and then more", raw: one + "Connection: close\r\n\r\n" + get, h: text("hello"), want: []string{"Connection: close", closed}},
		{name: "1.1 the handler closes", h: saysClose, want: []string{"Connection: close", closed}},
		{name: "1.1 the handler closes, long", h: with(set("Connection", "close"), long), want: []string{"Connection: close", closed}},
		{name: "1.1 the handler closes and more was sent", raw: get + get, h: saysClose, want: []string{"Connection: close", closed}},
		{name: "1.1 the handler keeps", h: with(set("Connection", "keep-alive"), "hello"), want: []string{open}},
		{name: "1.1 HEAD close", raw: "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", methods: isHead, h: text("hello"), want: []string{"Connection: close", closed}},
		{name: "1.1 304 close", raw: one + "Connection: close\r\n\r\n", h: status(304), want: []string{"Connection: close", closed}},
		{name: "an upgrade that nobody takes", raw: one + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", h: text("hello"), want: []string{"HTTP/1.1 200 OK", open}},
	})
}

// trailers answers with both sorts of them.
func trailers(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Trailer", "X-One, X-Unset")
	w.Header().Add("Trailer", "X-Two")
	w.Header().Set("X-Plain", "p")
	_, _ = io.WriteString(w, "hello")
	w.Header().Set("X-One", "1")
	w.Header().Add("X-Two", "2")
	w.Header().Add("X-Two", "3\r\nEvil: 1")
	w.Header().Set(http.TrailerPrefix+"X-Late", "late")
	w.Header().Set("X-Not-Announced", "n")
}

func TestTrailersOfAnswers(t *testing.T) {
	run(t, []row{
		{name: "both sorts", h: trailers, want: []string{"Transfer-Encoding: chunked", "trailer X-One: 1", "trailer X-Two: 2", "X-Plain: p", open}},
		{name: "HEAD", raw: head, methods: isHead, h: trailers, why: "ours may tell the length", ours: []string{"X-Plain: p", open}},
		{name: "prefix only, short", h: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
			w.Header().Set(http.TrailerPrefix+"X-Late", "late")
		}, want: []string{"Content-Length: 5", open}}, // they come too late
		{name: "prefix only, flushed", h: func(w http.ResponseWriter, r *http.Request) {
			flushed("hello")(w, r)
			w.Header().Set(http.TrailerPrefix+"X-Late", "late")
		}, want: []string{"trailer X-Late: late", open}},
		{name: "announced, no body", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-One")
			w.WriteHeader(200)
			w.Header().Set("X-One", "1")
		}, want: []string{"trailer X-One: 1", open}},
		{name: "what frames is no trailer", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Content-Length, Transfer-Encoding, Trailer")
			_, _ = io.WriteString(w, "hello")
			w.Header().Set("Content-Length", "99")
		}, why: "net/http sends chunks and no trailer; ours need not", ours: []string{"HTTP/1.1 200 OK", open}},
	})
}

func TestHeadersOfAnswers(t *testing.T) {
	run(t, []row{
		{name: "values", h: func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Add("X-Two", "1")
			h.Add("X-Two", "2")
			h["x-lower"] = []string{"as written"}
			h["X-None"] = nil
			h.Set("X-Empty", "")
			h.Set("X-Blanks", "  in the middle  of it\t")
			h.Set("X-High", "caf\u00e9 \xff")
		}, want: []string{"X-Two: 1", "X-Two: 2", "x-lower: as written", "X-Empty: ", "X-Blanks: in the middle  of it"}},
		{name: "line ends in values", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Split", "a\r\nEvil: 1\r\n\r\n<html>")
			w.Header()["Y"] = []string{"\n", "a\rb", "\r\n"}
		}, want: []string{open}},
		{name: "line ends in names", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["X: 1\r\nEvil"] = []string{"1"}
			w.Header()["X Y"] = []string{"1"}
			w.Header()[""] = []string{"1"}
			w.Header()["X:"] = []string{"1"}
		}, want: []string{open}},
		{name: "many, in order of their names", h: func(w http.ResponseWriter, _ *http.Request) {
			for i := range 60 {
				w.Header().Add("X-"+strings.Repeat("a", i%30+1), string(rune('a'+i%26)))
			}
		}, want: []string{open}},
		{name: "a header of 40 KiB", h: with(set("X-Long", long[:15], strings.ReplaceAll(long[:40<<10], "\n", ".")), "hello"), want: []string{open}},
		{name: "changed after WriteHeader", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Before", "1")
			w.WriteHeader(201)
			w.Header().Set("X-Before", "2")
			w.Header().Set("X-After", "1")
			_, _ = io.WriteString(w, "hello")
		}, want: []string{"HTTP/1.1 201 Created", "X-Before: 1"}},
		{name: "changed after Write", h: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
			w.Header().Set("X-After", "1")
		}, want: []string{"HTTP/1.1 200 OK", "Content-Length: 5"}},
		{name: "WriteHeader twice", h: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			w.WriteHeader(200)
		}, want: []string{"HTTP/1.1 404 Not Found"}},
		{name: "WriteHeader after Write", h: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
			w.WriteHeader(500)
		}, want: []string{"HTTP/1.1 200 OK"}},
		{name: "unusual statuses", h: status(299, "x"), want: []string{"HTTP/1.1 299 status code 299"}},
		{name: "999", h: status(999), want: []string{"HTTP/1.1 999 status code 999"}},
		{name: "418", h: status(418), want: []string{"HTTP/1.1 418 I'm a teapot"}},
		{name: "invalid statuses", h: func(w http.ResponseWriter, _ *http.Request) {
			for _, code := range []int{0, 99, 1000, -1} {
				func() {
					defer func() {
						p := recover()
						if p == nil {
							p = "nothing"
						}
						w.Header().Add("X-Panic", p.(string))
					}()
					w.WriteHeader(code)
				}()
			}
		}, want: []string{"X-Panic: invalid WriteHeader code 99", "X-Panic: invalid WriteHeader code 1000"}},

		{name: "HTML", h: text("<!DOCTYPE html><p>"), want: []string{"Content-Type: text/html; charset=utf-8"}},
		{name: "PNG in pieces", h: text("\x89PNG\x0d\x0a\x1a\x0a", "rest"), want: []string{"Content-Type: image/png"}},
		{name: "HTML, long", h: text("<html>", long), want: []string{"Content-Type: text/html; charset=utf-8"}},
		{name: "HTML of known length", h: with(set("Content-Length", "6"), "<html>"), want: []string{"Content-Type: text/html; charset=utf-8"}},
		{name: "HTML flushed", h: flushed("<html>"), why: "net/http has sent the head by then, and so has ours", ours: []string{open}},
		{name: "HTML to HEAD", raw: head, methods: isHead, h: text("<html>"), want: []string{"Content-Type: text/html; charset=utf-8"}},
		{name: "with a type", h: with(set("Content-Type", "application/x"), "<html>"), want: []string{"Content-Type: application/x"}},
		{name: "with no type", h: with(set("Content-Type"), "<html>"), want: []string{"Content-Length: 6"}},
		{name: "with an empty type", h: with(set("Content-Type", ""), "<html>")},
		{name: "encoded", h: with(set("Content-Encoding", "gzip"), "\x1f\x8b"), want: []string{"Content-Encoding: gzip", "Content-Length: 2"}},
		{name: "with an empty encoding", h: with(set("Content-Encoding", ""), "<html>")},
		{name: "with a date", h: with(set("Date", "Sat, 01 Jan 2000 00:00:00 GMT")), want: []string{"Date: Sat, 01 Jan 2000 00:00:00 GMT"}},
		{name: "without a date", h: with(set("Date")), want: []string{"Content-Length: 0"}},
	})
}
