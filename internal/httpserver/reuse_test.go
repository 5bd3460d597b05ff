package httpserver_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/httpserver"
)

// A keepsake is what a handler keeps beyond its end, and what it must show for
// ever: what it showed then.
type keepsake struct {
	name string
	look func() string
}

// keep takes all that a request is made of, each for itself: what keeps one
// thing must not have to keep another to be safe.
func keep(w http.ResponseWriter, r *http.Request) []keepsake {
	ctx, header, u, body, trailer := r.Context(), r.Header, r.URL, r.Body, r.Trailer
	derived, cancel := context.WithCancel(ctx)
	_ = cancel
	values := r.Header["X-Values"]
	copied := *r
	texts := []string{r.Method, r.RequestURI, r.Host, r.Proto, r.RemoteAddr, r.URL.Path, r.URL.RawQuery, r.Header.Get("X-Id"), r.UserAgent()}
	for name := range r.Header {
		texts = append(texts, name)
	}
	coding := r.TransferEncoding
	return []keepsake{
		{"request", func() string { return of(r) }},
		{"copy", func() string { return of(&copied) }},
		{"clone", func() string { return of(r.Clone(context.Background())) }},
		{"header", func() string { return fields(header) }},
		{"values", func() string { return fmt.Sprint(values) }},
		{"URL", func() string { return urlOf(u) }},
		{"texts", func() string { return strings.Join(texts, " ") }},
		{"coding", func() string { return fmt.Sprint(coding) }},
		{"trailer", func() string { return fmt.Sprint(len(trailer)) }},
		{"context", func() string { return fmt.Sprint(ctx.Value(http.LocalAddrContextKey), ctx.Value(contextKey{})) }},
		{"derived context", func() string { return fmt.Sprint(derived.Value(contextKey{})) }},
		{"body", func() string {
			n, err := body.Read(make([]byte, 100))
			return fmt.Sprint(n, err != nil)
		}},
		{"writer", func() string { return fields(w.Header()) }},
		{"write", func() string {
			n, err := io.WriteString(w, "evil")
			return fmt.Sprint(n, err != nil)
		}},
		{"flush", func() string { return fmt.Sprint(http.NewResponseController(w).Flush() != nil) }},
		{"status", func() string {
			w.WriteHeader(500)
			return ""
		}},
	}
}

func of(r *http.Request) string {
	return fmt.Sprint(r.Method, urlOf(r.URL), r.Proto, r.ProtoMajor, r.ProtoMinor, fields(r.Header), r.ContentLength, r.TransferEncoding, r.Close, r.Host, r.RemoteAddr, r.RequestURI, r.Pattern)
}

func urlOf(u *url.URL) string { return fmt.Sprintf("%#v", *u) }

// A request that was kept stays as it was, while others run over the same
// connection.
func TestWhatIsKeptStaysAsItWas(t *testing.T) {
	for _, transport := range []string{"tcp", "tls"} {
		for _, first := range []string{
			host("GET /kept?kept=1 HTTP/1.1", "X-Id: kept", "X-Values: a", "X-Values: b", "User-Agent: kept", "X-Odd-Name: kept"),
			host("POST /kept%20x?kept=1 HTTP/1.1", "X-Id: kept", "X-Values: a", "Content-Length: 4") + "kept",
			host("POST /kept HTTP/1.1", "X-Id: kept", "X-Values: a", "Transfer-Encoding: chunked", "Trailer: X-T") + "4\r\nkept\r\n0\r\nX-T: kept\r\n\r\n",
			in("GET http://kept/kept HTTP/1.1", "Host: kept", "X-Id: kept"),
		} {
			method, _, _ := strings.Cut(first, " HTTP")
			t.Run(transport+" "+method, func(t *testing.T) {
				each(t, func(t *testing.T, k kind) { keptStays(t, k, transport, first) })
			})
		}
	}
}

func keptStays(t *testing.T, k kind, transport, first string) {
	var watching sync.WaitGroup
	over := make(chan struct{})
	defer watching.Wait()
	defer close(over)
	s := k.serveOn(t, transport, httpserver.Config{
		BaseContext: context.WithValue(context.Background(), contextKey{}, "base"),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Id") != "kept" {
				body, _ := io.ReadAll(r.Body)
				w.Header().Set("X-Id", r.Header.Get("X-Id"))
				_, _ = io.WriteString(w, r.RequestURI+" "+string(body))
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("X-Id", "kept")
			_, _ = io.WriteString(w, "kept")
			ended, kept := r.Context().Done(), keep(w, r)
			watching.Go(func() {
				<-ended
				watch(t, k, kept, over)
			})
		}),
	})
	c := s.dial()
	if a := c.ask(first); a.body != "kept" || a.header.Get("X-Id") != "kept" {
		t.Error(a)
	}
	for i := range 1000 {
		id := fmt.Sprintf("other%d", i)
		raw := host("PUT /"+id+"?"+id+" HTTP/1.1", "X-Id: "+id, "X-Values: "+id, "User-Agent: "+id, "X-"+id+": 1")
		want := "/" + id + "?" + id + " "
		if i%3 == 1 {
			raw = host("POST /"+id+" HTTP/1.1", "X-Id: "+id, "Content-Length: 5") + "other"
			want = "/" + id + " other"
		}
		if i%3 == 2 {
			raw = host("POST /"+id+" HTTP/1.1", "X-Id: "+id, "Transfer-Encoding: chunked") + "5\r\nother\r\n0\r\n\r\n"
			want = "/" + id + " other"
		}
		if a := c.ask(raw); a.status != 200 || a.body != want || a.header.Get("X-Id") != id {
			t.Fatalf("%v, want %q", a, want)
		}
	}
}

// watch looks at what was kept until all is over.
func watch(t *testing.T, k kind, kept []keepsake, over <-chan struct{}) {
	if k.name == theirs.name {
		kept = slices.DeleteFunc(kept, func(k keepsake) bool { // it fails there, by a panic or a race
			return slices.Contains([]string{"write", "flush", "status"}, k.name)
		})
	}
	was := make([]string, len(kept))
	for i, thing := range kept {
		was[i] = thing.look()
	}
	for {
		for i, thing := range kept {
			if now := thing.look(); now != was[i] || strings.Contains(now, "other") {
				t.Errorf("%s was\n%s\nand is\n%s", thing.name, was[i], now)
				return
			}
		}
		select {
		case <-over:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// What the handler has not undone of the request's header is gone with it.
func TestChangesOfARequestStayWithIt(t *testing.T) {
	type recycler interface{ Recycle() }
	for _, recycle := range []bool{false, true} {
		s := ours.serving(t, func(w http.ResponseWriter, r *http.Request) {
			if got := fields(r.Header) + r.URL.String() + r.Host + r.Method; strings.Contains(got, "changed") {
				t.Errorf("the handler got %s", got)
			}
			if r.Context().Value(contextKey{}) != nil || len(w.Header()) > 0 {
				t.Errorf("the handler got %v", w.Header())
			}
			r.Header.Set("X-Changed", "changed")
			r.Header["X-Values"] = append(r.Header["X-Values"], "changed")
			r.Header["X-One"][0] = "changed"
			delete(r.Header, "X-Two")
			r.URL.Path, r.URL.RawQuery, r.URL.Host, r.Host, r.Method = "changed", "changed", "changed", "changed", "changed"
			r.Form = url.Values{"changed": nil}
			r.SetPathValue("changed", "changed")
			r.Pattern = "changed"
			r.Body, r.ContentLength = http.NoBody, 5
			*r = *r.WithContext(context.WithValue(r.Context(), contextKey{}, "changed"))
			w.Header().Set("X-Answer", "changed")
			if rec, ok := w.(recycler); recycle && ok {
				rec.Recycle()
			}
		})
		c := s.dial()
		for range 20 {
			if a := c.ask(host("POST / HTTP/1.1", "X-One: 1", "X-Two: 2", "X-Values: a", "X-Values: b", "Content-Length: 5") + "hello"); a.status != 200 {
				t.Fatal(a)
			}
		}
	}
}

// A handler that promises to keep nothing still gets each request as it is.
func TestRecycledRequests(t *testing.T) {
	type recycler interface{ Recycle() }
	s := ours.serving(t, func(w http.ResponseWriter, r *http.Request) {
		if rec, ok := w.(recycler); ok {
			rec.Recycle()
		}
		if r.Context().Err() != nil {
			t.Error(r.Context().Err())
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		maps.Copy(w.Header(), r.Header)
		w.Header().Del("Content-Length")
		w.Header().Set("X-Body", string(body))
		if r.URL.RawQuery == "flush" {
			_ = http.NewResponseController(w).Flush()
		}
		_, _ = io.WriteString(w, r.URL.String())
	})
	var running sync.WaitGroup
	for i := range 4 {
		c := s.dial()
		running.Go(func() {
			for j := range 300 {
				id := fmt.Sprintf("%d-%d", i, j)
				fields := []string{"X-" + id + ": " + id}
				body, query := "", ""
				switch j % 4 {
				case 1:
					body = strings.Repeat(id, j)
					fields = append(fields, fmt.Sprintf("Content-Length: %d", len(body)))
				case 2:
					query = "?flush"
				case 3:
					fields = append(fields, "Transfer-Encoding: chunked")
				}
				raw := host("POST /"+id+query+" HTTP/1.1", fields...) + body
				if j%4 == 3 {
					body = id
					raw += fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(id), id)
				}
				_, _ = io.WriteString(c, raw)
				a, err := c.read("POST")
				if err != nil || a.err != nil || a.body != "/"+id+query || a.header.Get("X-"+id) != id || a.header.Get("X-Body") != body {
					t.Errorf("%s: %v, %v", id, a, err)
					return
				}
				for name := range a.header {
					if strings.HasPrefix(name, "X-") && name != "X-"+id && name != "X-Body" {
						t.Errorf("%s got %s", id, name)
					}
				}
			}
		})
	}
	running.Wait()
}
