package httpserver_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

const expects = "Expect: 100-continue"

// RFC 9110, section 10.1.1.
func TestExpectations(t *testing.T) {
	post := func(fields ...string) string { return host("POST / HTTP/1.1", append(fields, expects)...) }
	run(t, []row{
		{name: "the body sent at once", raw: post("Content-Length: 5") + "hello", want: []string{"HTTP/1.1 100 Continue", "HTTP/1.1 200 OK", open}},
		{name: "chunks sent at once", raw: post("Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n", want: []string{"HTTP/1.1 100 Continue", "HTTP/1.1 200 OK", open}},
		{name: "no body", raw: post("Content-Length: 0"), want: []string{"HTTP/1.1 200 OK", open}},
		{name: "to GET", raw: host("GET / HTTP/1.1", expects), want: []string{"HTTP/1.1 200 OK", open}},
		{name: "in capitals", raw: host("POST / HTTP/1.1", "Content-Length: 5", "expect: 100-Continue") + "hello", want: []string{"HTTP/1.1 100 Continue", open}},
		{name: "1.0", raw: in("POST / HTTP/1.0", "Content-Length: 5", expects) + "hello", want: []string{"HTTP/1.0 200 OK", closed}},
		{name: "another", raw: host("POST / HTTP/1.1", "Content-Length: 5", "Expect: foo") + "hello", h: unwanted(t), why: "the text differs",
			ours: []string{"HTTP/1.1 417 Expectation Failed", "Connection: close", closed}},
		{name: "another beside it", raw: host("POST / HTTP/1.1", "Content-Length: 5", expects, "Expect: foo") + "hello",
			why: "net/http looks at the first", ours: []string{"HTTP/1.1 417 Expectation Failed", "Connection: close", closed}},
		{name: "not read", raw: post("Content-Length: 5") + "hello", h: text("no"), want: []string{"HTTP/1.1 200 OK", "Connection: close", closed}},
	})
}

func unwanted(t *testing.T) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Expect") != "foo" {
			t.Error("called")
		}
	}
}

// A client that waits for leave to send.
func TestContinue(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
	reads := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(body)
	}
	each(t, func(t *testing.T, k kind) {
		t.Run("given by reading", func(t *testing.T) {
			c := k.serving(t, probed(http.HandlerFunc(reads)).ServeHTTP).dial()
			for range 3 {
				if a := c.ask(post); a.line != "HTTP/1.1 100 Continue" || len(a.fields) > 0 {
					t.Fatal(a)
				}
				c.send("hello")
				if a := c.must("POST"); a.body != "hello" {
					t.Fatal(a)
				}
			}
			if got := c.reusable(); got != open {
				t.Error(got)
			}
		})
		t.Run("given by WriteHeader", func(t *testing.T) {
			c := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusContinue)
				reads(w, r)
			}).dial()
			if a := c.ask(post); a.line != "HTTP/1.1 100 Continue" {
				t.Fatal(a)
			}
			c.send("hello")
			if a := c.must("POST"); a.status != 200 || a.body != "hello" {
				t.Error(a)
			}
		})
		if k.name == theirs.name {
			return // it waits for the body all the same
		}
		t.Run("refused", func(t *testing.T) {
			c := k.serving(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) }).dial()
			if a := c.ask(post); a.status != 403 || !a.closes() {
				t.Fatal(a)
			}
			if rest := c.ended(); rest != "" {
				t.Errorf("then came %q", rest)
			}
		})
		t.Run("refused, and the client sends all the same", func(t *testing.T) {
			c := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != "POST" {
					t.Error("the body was served")
				}
				w.WriteHeader(403)
			}).dial()
			if a := c.ask(strings.ReplaceAll(post, ": 5", ": 38") + host("GET /smuggled HTTP/1.1")); a.status != 403 {
				t.Fatal(a)
			}
			if rest := c.ended(); rest != "" {
				t.Errorf("then came %q", rest)
			}
		})
	})
}

// RFC 9110, section 15.2.
func TestInformationalAnswers(t *testing.T) {
	hints := func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Link", "</a>")
		w.WriteHeader(http.StatusEarlyHints)
		h.Set("Link", "</b>")
		h.Set("X", "a\r\nEvil: 1")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
		h.Del("X")
		h.Set("Content-Type", "text/x")
		_, _ = io.WriteString(w, "hello")
	}
	run(t, []row{
		{name: "1.1", h: hints, want: []string{"HTTP/1.1 103 Early Hints", "Link: </a>", "HTTP/1.1 102 Processing", "HTTP/1.1 200 OK", "Content-Length: 5", open}},
		{name: "HEAD", raw: head, methods: isHead, h: hints, want: []string{"HTTP/1.1 103 Early Hints", open}},
		{name: "close", raw: host("GET / HTTP/1.1", "Connection: close"), h: hints, want: []string{"Connection: close", closed}},
		{name: "with what frames and what closes", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.Header().Set("Link", "</a>")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "hello")
		}, want: []string{"Content-Length: 5", open}},
		{name: "1.0", raw: old, h: hints, why: "RFC 9110 section 15.2: a client of HTTP/1.0 must get none; net/http sends them", ours: []string{"HTTP/1.0 200 OK", "Content-Length: 5", closed}},
		{name: "100 that nobody waits for", h: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(100)
			_, _ = io.WriteString(w, "hello")
		}, why: "net/http sends what was not asked for", ours: []string{"HTTP/1.1 200 OK", open}},
		{name: "after the answer has begun", h: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			w.WriteHeader(103)
			_, _ = io.WriteString(w, "hello")
		}, want: []string{"HTTP/1.1 200 OK", "Content-Length: 5", open}},
	})
}
