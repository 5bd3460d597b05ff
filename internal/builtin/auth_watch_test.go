package builtin_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/backend/proxy"
	"github.com/mountd/mountd/session"
)

// echo is an application with a WebSocket, or what looks like one from outside,
// and a stream of events.
func echo(left bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ws":
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
			w.WriteHeader(http.StatusSwitchingProtocols)
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			serve := func() {
				defer conn.Close()
				_, _ = io.Copy(conn, rw)
			}
			if left {
				go serve()
				return
			}
			serve()
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: 1\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		default:
			fmt.Fprint(w, "hello")
		}
	})
}

// lasting opens what lasts on the site, and gives a reader of which one line was
// read.
func (s *loginSite) lasting(t *testing.T, path string) *bufio.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	c := s.cookie()
	fields, sent := "Accept: text/event-stream\r\nConnection: close\r\n", ""
	if path == "/ws" {
		fields, sent = "Connection: Upgrade\r\nUpgrade: websocket\r\nOrigin: "+s.URL+"\r\n", "data: 1\n"
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nCookie: %s=%s\r\n%s\r\n", path, strings.TrimPrefix(s.URL, "http://"), c.Name, c.Value, fields)
	r := bufio.NewReader(conn)
	begun := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if strings.HasPrefix(line, "HTTP/1.1 ") && !strings.Contains(line, " 101 ") && !strings.Contains(line, " 200 ") {
			t.Fatalf("%s: %s", path, line)
		}
		if line == "\r\n" && !begun {
			begun = true
			_, _ = io.WriteString(conn, sent)
		}
		if line == "data: 1\n" {
			return r
		}
	}
}

func TestWhatLastsEndsWithTheSession(t *testing.T) {
	upstream := httptest.NewServer(echo(false))
	defer upstream.Close()
	p, err := proxy.New(proxy.Config{Upstreams: []proxy.Upstream{{URL: upstream.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ends := map[string]func(t *testing.T, s *loginSite){
		"a logout": func(t *testing.T, s *loginSite) {
			r, _ := http.NewRequest("POST", s.URL+"/.mountd/logout", nil)
			r.Header.Set("Origin", s.URL)
			if resp, _ := s.do(t, r); resp.StatusCode != 200 {
				t.Fatal(resp.Status)
			}
		},
		"an end elsewhere": func(t *testing.T, s *loginSite) {
			m, err := session.New(session.Config{Store: s.store})
			if err != nil {
				t.Fatal(err)
			}
			if n, err := m.EndUser(context.Background(), "joe"); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		},
	}
	for application, h := range map[string]http.Handler{"handler": echo(false), "handler that leaves": echo(true), "proxy": p} {
		for kind, end := range ends {
			t.Run(strings.ReplaceAll(application+" "+kind, " ", "-"), func(t *testing.T) {
				s := loginSiteOf(t, session.Config{Recheck: 20 * time.Millisecond}, h)
				_, page := s.get(t, "/")
				if _, text := s.login(t, page, "joe", "pw"); text != "hello" {
					t.Fatal(text)
				}
				socket, events := s.lasting(t, "/ws"), s.lasting(t, "/events")
				end(t, s)
				for name, r := range map[string]*bufio.Reader{"socket": socket, "events": events} {
					rest, err := io.ReadAll(r)
					if late, ok := err.(net.Error); ok && late.Timeout() {
						t.Errorf("the %s outlived the session: %q", name, rest)
					}
				}
			})
		}
	}
}
