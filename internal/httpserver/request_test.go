package httpserver_test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/httpserver"
)

// describe answers with what it sees of the request.
func describe(w http.ResponseWriter, r *http.Request) {
	var b strings.Builder
	say := func(name string, value any) { fmt.Fprintf(&b, "%s=%+q\n", name, fmt.Sprint(value)) }
	say("method", r.Method)
	say("url", fmt.Sprintf("%#v", *r.URL))
	say("uri", r.RequestURI)
	say("proto", fmt.Sprint(r.Proto, r.ProtoMajor, r.ProtoMinor))
	say("host", r.Host)
	say("length", r.ContentLength)
	say("coding", r.TransferEncoding)
	say("close", r.Close)
	say("header", fields(r.Header))
	say("announced", fields(r.Trailer))
	say("form", fmt.Sprint(r.Form, r.PostForm, r.MultipartForm))
	say("tls", r.TLS != nil && r.TLS.HandshakeComplete)
	say("nobody", r.Body == http.NoBody)
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	say("local", ok && local.String() != "")
	say("remote", r.RemoteAddr != "")
	body, err := io.ReadAll(r.Body)
	say("body", string(body))
	say("error", err)
	say("trailer", fields(r.Trailer))
	_, err = r.Body.Read(make([]byte, 1))
	say("again", err)
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, b.String())
}

func fields(h http.Header) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		all = append(all, fmt.Sprintf("%s: %q", name, h[name]))
	}
	return strings.Join(all, " | ")
}

// in makes a request of a request line and fields.
func in(line string, fields ...string) string {
	return line + "\r\n" + strings.Join(append(fields, "", ""), "\r\n")
}

func host(line string, fields ...string) string {
	return in(line, append([]string{"Host: a"}, fields...)...)
}

const strict = "what could be read in two ways is refused"

func TestRequestsAsHandlersSeeThem(t *testing.T) {
	const chunked = "Transfer-Encoding: chunked"
	refused := []string{"HTTP/1.1 400 Bad Request", "Connection: close", closed}
	run(t, []row{
		{name: "plain", raw: get},
		{name: "path and query", raw: host("GET /a/b.c?x=1&y=%20&z HTTP/1.1")},
		{name: "an empty query", raw: host("GET /? HTTP/1.1")},
		{name: "escapes", raw: host("GET /a%2Fb/%41%20%e4%f6/x?%2F HTTP/1.1")},
		{name: "escapes that change nothing", raw: host("GET /a%20b HTTP/1.1")},
		{name: "unescaped ones", raw: host("GET /a|b{c}^d[e]\"f`<g>'h(i)*!j;k=l,m?|{}^[]\"`<>'()*!;=,? HTTP/1.1")},
		{name: "high bytes", raw: host("GET /\xe4\xff?\xe4 HTTP/1.1")},
		{name: "two slashes first", raw: host("GET //evil/x HTTP/1.1")},
		{name: "dots", raw: host("GET /a/../b/./c HTTP/1.1")},
		{name: "a colon", raw: host("GET /a:b@c HTTP/1.1")},
		{name: "a bad escape", raw: host("GET /%zz HTTP/1.1"), want: []string{"HTTP/1.1 400 Bad Request"}, why: "the text differs", ours: refused},
		{name: "a bad escape at the end", raw: host("GET /%4 HTTP/1.1"), why: "the text differs", ours: refused},
		{name: "a bad escape in the query", raw: host("GET /?%zz HTTP/1.1")},
		{name: "absolute", raw: host("GET http://a/x?y HTTP/1.1")},
		{name: "absolute, no path", raw: host("GET http://a HTTP/1.1")},
		{name: "absolute, no path, a query", raw: host("GET http://a?x HTTP/1.1")},
		{name: "absolute with a port", raw: in("GET http://a:80/x HTTP/1.1", "Host: a:80")},
		{name: "absolute, https", raw: host("GET https://a/x HTTP/1.1")},
		{name: "absolute of another host", raw: host("GET http://evil/x HTTP/1.1"), why: strict, ours: refused},
		{name: "absolute, 1.0 without Host", raw: in("GET http://a/x HTTP/1.0")},
		{name: "OPTIONS *", raw: host("OPTIONS * HTTP/1.1")},
		{name: "OPTIONS of a path", raw: host("OPTIONS /x HTTP/1.1")},
		{name: "methods", raw: host("PROPFIND /x HTTP/1.1")},
		{name: "a method in lower case", raw: host("get /x HTTP/1.1")},
		{name: "1.0", raw: old},
		{name: "1.0 kept", raw: kept},
		{name: "close", raw: host("GET / HTTP/1.1", "Connection: close")},
		{name: "header names", raw: host("GET / HTTP/1.1", "accept: 1", "ACCEPT: 2", "x-a-b: 3", "X_Y: 4", "x.y!#$%&'*+-^`|~: 5", "dNT:6", "e-tag: 7")},
		{name: "header values", raw: host("GET / HTTP/1.1", "A:", "B:\t", "C:  \t x y \t ", "D: \xe4\xff\x80", "E: a,b", "E: c", "Cookie: a=1", "Cookie: b=2", "F: :::", "G: \"\\\"\"")},
		{name: "hosts", raw: in("GET / HTTP/1.1", "hOST:  example.com:8080 ")},
		{name: "an IPv6 host", raw: in("GET / HTTP/1.1", "Host: [::1]:80")},
		{name: "a host's case and dot", raw: in("GET / HTTP/1.1", "Host: Example.COM.")},
		{name: "user agent and pragma", raw: host("GET / HTTP/1.1", "User-Agent: x", "Pragma: no-cache", "Referer: http://b/", "Cache-Control: x")},
		{name: "pragma alone", raw: host("GET / HTTP/1.1", "Pragma: no-cache"), why: "net/http makes a Cache-Control of it", ours: []string{"HTTP/1.1 200 OK", open}},
		{name: "hop-by-hop", raw: host("GET / HTTP/1.1", "Connection: X-A, Keep-Alive", "X-A: 1", "Keep-Alive: 5", "TE: trailers", "Proxy-Connection: x", "Upgrade: y")},

		{name: "a body", raw: host("POST / HTTP/1.1", "Content-Length: 5", "Content-Type: text/plain") + "hello"},
		{name: "a body with zeros before its length", raw: host("POST / HTTP/1.1", "Content-Length: 005") + "hello"},
		{name: "a form", raw: host("POST /?b=2 HTTP/1.1", "Content-Length: 3", "Content-Type: application/x-www-form-urlencoded") + "a=1"},
		{name: "no body", raw: host("POST / HTTP/1.1", "Content-Length: 0")},
		{name: "no length", raw: host("POST / HTTP/1.1")},
		{name: "a body to GET", raw: host("GET / HTTP/1.1", "Content-Length: 5") + "hello"},
		{name: "a body to HEAD", raw: host("HEAD / HTTP/1.1", "Content-Length: 5") + "hello", methods: isHead},
		{name: "1.0 with a body", raw: in("POST / HTTP/1.0", "Content-Length: 5") + "hello"},
		{name: "1.0 kept, with a body", raw: in("POST / HTTP/1.0", "Content-Length: 5", "Connection: keep-alive") + "hello"},
		{name: "chunks", raw: host("POST / HTTP/1.1", chunked) + "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"},
		{name: "chunks in capitals", raw: host("POST / HTTP/1.1", "transfer-encoding: Chunked") + "00a\r\n0123456789\r\nA;x=y;z=\"a b\"\r\n0123456789\r\n000\r\n\r\n"},
		{name: "no chunks", raw: host("POST / HTTP/1.1", chunked) + "0\r\n\r\n"},
		{name: "trailers", raw: host("POST / HTTP/1.1", chunked, "Trailer: x-one, X-Two", "Trailer: X-Unset") + "5\r\nhello\r\n0\r\nX-One: 1\r\nx-two:2\r\nX-Two: 3\r\n\r\n"},
		{name: "trailers that were not announced", raw: host("POST / HTTP/1.1", chunked) + "5\r\nhello\r\n0\r\nX-One: 1\r\n\r\n",
			why: "net/http shows them; a handler that does not expect them need not see them", ours: []string{"HTTP/1.1 200 OK", open}},
		{name: "trailers that frame, B13", raw: host("POST / HTTP/1.1", chunked, "Trailer: X-One") + "5\r\nhello\r\n0\r\nX-One: 1\r\nContent-Length: 7\r\nHost: b\r\nAuthorization: x\r\nX-Forwarded-User: admin\r\n\r\n",
			why: "dropped rather than shown", ours: []string{"HTTP/1.1 200 OK", open}},
		{name: "a trailer announced that frames", raw: host("POST / HTTP/1.1", chunked, "Trailer: Content-Length") + "0\r\n\r\n", why: "the text differs", ours: refused},
		{name: "a Trailer field without chunks", raw: host("POST / HTTP/1.1", "Trailer: X-One", "Content-Length: 5") + "hello"},
		{name: "pipelined", raw: get + host("POST /2 HTTP/1.1", "Content-Length: 5") + "hello" + host("HEAD /3 HTTP/1.1") + host("PUT /4 HTTP/1.1", chunked) + "5\r\nhello\r\n0\r\n\r\n" + host("GET /5 HTTP/1.1", "Connection: close"),
			methods: []string{"GET", "POST", "HEAD", "PUT", "GET"}, want: []string{closed}},
		{name: "a long header", raw: host("GET /"+strings.Repeat("x", 9000)+" HTTP/1.1", "X: "+strings.Repeat("y", 30000))},
		{name: "a long body", raw: host("POST / HTTP/1.1", "Content-Length: 131072") + long},
		{name: "many long bodies", raw: strings.Repeat(host("POST / HTTP/1.1", "Content-Length: 131072")+long, 4), methods: []string{"POST", "POST", "POST", "POST"}},
		{name: "a long chunk", raw: strings.Repeat(host("POST / HTTP/1.1", chunked)+"20000\r\n"+long+"\r\n0\r\n\r\n", 2), methods: []string{"POST", "POST"}},
		{name: "100 fields", raw: host("GET / HTTP/1.1", strings.Split(strings.Repeat("X-Many: 1,", 99)+"X-Last: 1", ",")...)},
	})
}

// Many requests in one segment are answered in order.
func TestPipelining(t *testing.T) {
	const n = 500
	each(t, func(t *testing.T, k kind) {
		s := k.serving(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, r.URL.Path+" "+string(body))
		})
		c := s.dial()
		go func() {
			var b strings.Builder
			for i := range n {
				switch i % 3 {
				case 0:
					b.WriteString(host(fmt.Sprintf("GET /%d HTTP/1.1", i)))
				case 1:
					b.WriteString(host(fmt.Sprintf("POST /%d HTTP/1.1", i), "Content-Length: 4") + "body")
				case 2:
					b.WriteString(host(fmt.Sprintf("POST /%d HTTP/1.1", i), "Transfer-Encoding: chunked") + "4\r\nbody\r\n0\r\n\r\n")
				}
			}
			_, _ = io.WriteString(c, b.String())
		}()
		for i := range n {
			want := fmt.Sprintf("/%d ", i)
			if i%3 > 0 {
				want += "body"
			}
			if a := c.must("GET"); a.body != want {
				t.Fatalf("answer %d is %q", i, a.body)
			}
		}
	})
}

// A request that comes while the one before it is being served is not left
// lying until something else happens.
func TestRequestsSentAhead(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			each(t, func(t *testing.T, k kind) {
				began, goOn := make(chan struct{}), make(chan struct{})
				s := k.serveOn(t, transport, httpserver.Config{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
					began <- struct{}{}
					<-goOn
				})})
				c := s.dial()
				c.send(get)
				var took []time.Duration
				for range 5 {
					wait(t, "the handler", began)
					c.send(get)
					start := time.Now()
					goOn <- struct{}{}
					c.must("GET")
					wait(t, "the next one", began)
					took = append(took, time.Since(start))
					goOn <- struct{}{}
					c.must("GET")
					c.send(get)
				}
				wait(t, "the last one", began)
				goOn <- struct{}{}
				c.must("GET")
				t.Log(took)
				for _, d := range took {
					if d > slack {
						t.Errorf("one waited for %v", d)
					}
				}
			})
		})
	}
}
