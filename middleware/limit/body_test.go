package limit_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mountd/mountd/middleware/limit"
)

func body(t testing.TB, limitTo int64, next http.Handler) http.Handler {
	t.Helper()
	l, err := limit.NewBody(limit.BodyConfig{Max: limitTo})
	if err != nil {
		t.Fatal(err)
	}
	return l.Wrap(next)
}

// unsized hides the length of a body.
func unsized(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }

func TestBodySizes(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return // as an application that ignores the error
		}
		_, _ = w.Write(b)
	})
	for _, h2 := range []bool{false, true} {
		srv := httptest.NewUnstartedServer(body(t, 10, echo))
		srv.EnableHTTP2 = h2
		if h2 {
			srv.StartTLS()
		} else {
			srv.Start()
		}
		for _, tt := range []struct {
			body io.Reader
			want int
		}{
			{nil, 200}, {strings.NewReader("0123456789"), 200}, {strings.NewReader("0123456789x"), 413},
			{unsized(""), 200}, {unsized("0123456789"), 200}, {unsized("0123456789x"), 413}, {unsized(strings.Repeat("x", 1<<20)), 413},
		} {
			res, err := srv.Client().Post(srv.URL, "text/plain", tt.body)
			if err != nil {
				// The server may close while a large body is still being sent.
				if !h2 && tt.want == 413 {
					continue
				}
				t.Fatal(err)
			}
			if res.StatusCode != tt.want || tt.want == 413 && !h2 && !res.Close {
				t.Errorf("h2=%v: %d, close %v, want %d", h2, res.StatusCode, res.Close, tt.want)
			}
			_ = res.Body.Close()
		}
		srv.Close()
	}
}

func TestDeclaredLengthIsRefusedAtOnce(t *testing.T) {
	srv := httptest.NewServer(body(t, 10, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the application was called") })))
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != 413 || !res.Close {
		t.Fatal(res, err)
	}
}

func TestReaderGetsAnErrorNotAnEnd(t *testing.T) {
	for _, size := range []int{1, 7, 10, 11, 12, 100} {
		var got []byte
		var err error
		h := body(t, 10, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			buf := make([]byte, size)
			for err == nil {
				var n int
				n, err = r.Body.Read(buf)
				got = append(got, buf[:n]...)
			}
			if _, again := r.Body.Read(buf); again == nil || again == io.EOF {
				t.Error("the error does not stay")
			}
		}))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/", unsized(strings.Repeat("x", 30))))
		var tooLarge *http.MaxBytesError
		if len(got) != 10 || !errors.As(err, &tooLarge) || tooLarge.Limit != 10 || w.Code != 413 {
			t.Errorf("reads of %d: %d bytes, %v, %d", size, len(got), err, w.Code)
		}
	}
}

func TestAnswerThatHasBegunStays(t *testing.T) {
	w := httptest.NewRecorder()
	body(t, 10, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.Copy(io.Discard, r.Body)
	})).ServeHTTP(w, httptest.NewRequest("POST", "/", unsized(strings.Repeat("x", 30))))
	if w.Code != http.StatusAccepted {
		t.Error(w.Code)
	}
}

func TestAbortBeforeTheAnswerIsA413(t *testing.T) {
	w := httptest.NewRecorder()
	body(t, 10, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	})).ServeHTTP(w, httptest.NewRequest("POST", "/", unsized(strings.Repeat("x", 30))))
	if w.Code != 413 {
		t.Error(w.Code)
	}
}

func TestOtherPanicsGoOn(t *testing.T) {
	defer func() {
		if v := recover(); v != "mine" {
			t.Error(v)
		}
	}()
	body(t, 10, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic("mine")
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", unsized(strings.Repeat("x", 30))))
}

// An upstream must see a broken body, not a short one.
func TestUpstreamSeesTheAbort(t *testing.T) {
	saw := make(chan error, 1)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		saw <- err
	}))
	defer upstream.Close()
	target, _ := url.Parse(upstream.URL)
	proxy := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog:     log.New(io.Discard, "", 0),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { panic(http.ErrAbortHandler) },
	}
	srv := httptest.NewServer(body(t, 100_000, proxy))
	defer srv.Close()
	res, err := http.Post(srv.URL, "text/plain", unsized(strings.Repeat("x", 200_000)))
	if err == nil {
		if res.StatusCode != 413 {
			t.Errorf("status %d", res.StatusCode)
		}
		_ = res.Body.Close()
	}
	if err := <-saw; err == nil {
		t.Error("the upstream saw a complete body")
	}
	http.DefaultClient.CloseIdleConnections()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestBodyMistakes(t *testing.T) {
	if _, err := limit.NewBody(limit.BodyConfig{}); err == nil || !strings.Contains(err.Error(), "max: 0") {
		t.Error(err)
	}
}

func BenchmarkBody(b *testing.B) {
	h := body(b, 1<<20, fine)
	for name, length := range map[string]int64{"none": 0, "known": 100, "unknown": -1} {
		b.Run(name, func(b *testing.B) {
			d := discard{make(http.Header)}
			r := httptest.NewRequest("POST", "/", strings.NewReader("x"))
			r.ContentLength = length
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(d, r)
			}
		})
	}
}

func ExampleNewBody() {
	l, err := limit.NewBody(limit.BodyConfig{Max: 10 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := l.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Println("stored") }))
	r := httptest.NewRequest("PUT", "/", nil)
	r.ContentLength = 11 << 20
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output: 413
}
