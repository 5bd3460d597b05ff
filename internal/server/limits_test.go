package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/server"
)

func TestHeaderLimits(t *testing.T) {
	r := serve(t, server.Config{})
	head := func(more string) string { return "GET / HTTP/1.1\r\nHost: a\r\n" + more + "\r\n" }
	tests := map[string]struct {
		request string
		status  int
	}{
		"200 lines pass":              {head(strings.Repeat("X-A: 1\r\n", 200)), 200},
		"201 lines are 431":           {head(strings.Repeat("X-A: 1\r\n", 201)), 431},
		"5000 lines are 431":          {head(strings.Repeat("X-A: 1\r\n", 5000)), 431},
		"60 KiB in one line pass":     {head("X-A: " + strings.Repeat("a", 60<<10) + "\r\n"), 200},
		"65 KiB in one line are 431":  {head("X-A: " + strings.Repeat("a", 65<<10) + "\r\n"), 431},
		"a URL of 16 KiB passes":      {"GET /" + strings.Repeat("a", 16<<10-1) + " HTTP/1.1\r\nHost: a\r\n\r\n", 200},
		"a URL over 16 KiB is 414":    {"GET /" + strings.Repeat("a", 16<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
		"a URL of 64 KiB is 414":      {"GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
		"a missing host is 400":       {"GET / HTTP/1.1\r\n\r\n", 400},
		"an unknown coding is 501":    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", 501},
		"another expectation is 417":  {head("Expect: tea\r\n"), 417},
		"a PROXY line is no request":  {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n" + head(""), 400},
		"HTTP/3.0 in text is refused": {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			res := send(t, r.dial(), test.request)
			if res.StatusCode != test.status {
				t.Errorf("status %d, want %d", res.StatusCode, test.status)
			}
			if res.StatusCode >= 400 && !res.Close {
				t.Error("the connection may be used again after a refusal")
			}
			if s := res.Header.Get("Server"); s != "" {
				t.Errorf("Server: %s", s)
			}
		})
	}
}

func TestHeaderLimitsOfHTTP2(t *testing.T) {
	r := serve(t, server.Config{})
	client := r.client(overH2C)
	for lines, want := range map[int]int{150: 200, 201: 431, 900: 431} {
		req, _ := http.NewRequest("GET", "http://a/", nil)
		for i := range lines {
			req.Header.Set(fmt.Sprint("X-", i), "1")
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want || res.ProtoMajor != 2 {
			t.Errorf("%d lines: %s %s, want %d", lines, res.Proto, res.Status, want)
		}
	}
}

func TestASlowHeaderIsCutOff(t *testing.T) {
	short := server.Limits{HeaderTimeout: 50 * time.Millisecond}
	for name, first := range map[string]string{
		"nothing at all":            "",
		"half a header":             "GET / HTTP/1.1\r\nHost",
		"half a preface of h2c":     "PRI * HTTP/2.0\r\n",
		"most of a preface of h2c":  "PRI * HTTP/2.0\r\n\r\nSM",
		"half a second request":     "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT",
		"an idle second connection": "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			limits := short
			limits.IdleTimeout = 50 * time.Millisecond
			c := serve(t, server.Config{HTTP: limits}).dial()
			_, _ = io.WriteString(c, first)
			closedByPeer(t, c)
		})
	}
	t.Run("a TLS handshake", func(t *testing.T) {
		c := serve(t, server.Config{HTTP: short, TLS: &server.TLS{SelfSigned: true}}).dial()
		_, _ = c.Write([]byte{22, 3, 1, 0, 200, 1})
		closedByPeer(t, c)
	})
}

func TestASlowBodyIsCutOff(t *testing.T) {
	got := make(chan error, 1)
	r := serve(t, server.Config{
		HTTP: server.Limits{BodyTimeout: 50 * time.Millisecond},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			got <- err
			if err, ok := err.(interface{ HTTPStatus() int }); ok {
				w.WriteHeader(err.HTTPStatus())
			}
		}),
	})
	t.Run("over HTTP/1", func(t *testing.T) {
		for _, framing := range []string{"Content-Length: 1000000000\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc"} {
			c := r.dial()
			res := send(t, c, "POST / HTTP/1.1\r\nHost: a\r\n"+framing)
			if err := wait(t, "the handler", got); err != server.ErrBodyStalled || res.StatusCode != 408 {
				t.Errorf("read: %v, status %d", err, res.StatusCode)
			}
			closedByPeer(t, c)
		}
	})
	t.Run("over HTTP/2", func(t *testing.T) {
		body, more := io.Pipe()
		defer more.Close()
		go func() { _, _ = more.Write([]byte("abc")) }()
		res, err := r.client(overH2C).Post("http://a/", "", body)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if err := wait(t, "the handler", got); err != server.ErrBodyStalled || res.StatusCode != 408 {
			t.Errorf("read: %v, status %d", err, res.StatusCode)
		}
	})
}

func TestABodyThatNobodyReadsDoesNotHoldTheAnswer(t *testing.T) {
	r := serve(t, server.Config{HTTP: server.Limits{BodyTimeout: 50 * time.Millisecond}})
	c := r.dial()
	res := send(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
	if res.StatusCode != 200 {
		t.Error(res.Status)
	}
	closedByPeer(t, c)
}

func TestABodyThatMovesMayTakeLong(t *testing.T) {
	const limit = 100 * time.Millisecond
	r := serve(t, server.Config{
		HTTP: server.Limits{BodyTimeout: limit},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, err)
		}),
	})
	for name, client := range map[string]*http.Client{"HTTP/1": r.client(overHTTP1), "HTTP/2": r.client(overH2C)} {
		t.Run(name, func(t *testing.T) {
			body, more := io.Pipe()
			go func() {
				for range 12 {
					time.Sleep(limit / 4) // the time is what is tested
					_, _ = more.Write([]byte("abc"))
				}
				_ = more.Close()
			}()
			res, err := client.Post("http://a/", "", body)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(res.Body)
			if string(text) != "36 <nil>" {
				t.Errorf("the handler read %s", text)
			}
		})
	}
}

// After the body's end the same deadline would end the request's context.
func TestTheBodysDeadlineEndsWithIt(t *testing.T) {
	const limit = 40 * time.Millisecond
	r := serve(t, server.Config{
		HTTP: server.Limits{BodyTimeout: limit},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			_, _ = r.Body.Read(make([]byte, 1))
			select {
			case <-r.Context().Done():
			case <-time.After(3 * limit):
			}
			fmt.Fprint(w, r.Context().Err())
		}),
	})
	res := send(t, r.dial(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
	if text, _ := io.ReadAll(res.Body); string(text) != "<nil>" {
		t.Errorf("context: %s", text)
	}
}

func TestMaxConnsQueuesTheRest(t *testing.T) {
	begun, finish := make(chan struct{}, 2), make(chan struct{})
	r := serve(t, server.Config{MaxConns: 1, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-finish
	})})
	first := r.dial()
	_, _ = io.WriteString(first, get)
	wait(t, "the first request", begun)
	second := r.dial()
	_, _ = io.WriteString(second, get)
	select {
	case <-begun:
		t.Fatal("the second connection was served beside the first")
	case <-time.After(50 * time.Millisecond):
	}
	close(finish)
	if res := answer(t, first); res.StatusCode != 200 {
		t.Error(res.Status)
	}
	if res := answer(t, second); res.StatusCode != 200 { // the first one is idle now, and makes room
		t.Error(res.Status)
	}
	_ = first.SetReadDeadline(time.Now().Add(patience))
	if _, err := first.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // a documented value
		t.Errorf("the idle connection: %v", err)
	}
}
