package compress_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/mountd/mountd/internal/httpwrap"
	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/middleware/compress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func wrap(t testing.TB, cfg compress.Config, h http.Handler) http.Handler {
	t.Helper()
	m, err := compress.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m.Wrap(h)
}

// client leaves the encoding of answers alone.
func client(t testing.TB) *http.Client {
	tr := &http.Transport{DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func decoder(t testing.TB, encoding string, r io.Reader) io.Reader {
	switch encoding {
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		return z
	case "br":
		return brotli.NewReader(r)
	case "zstd":
		// 8 MiB is all that a client has to support.
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		return z.IOReadCloser()
	}
	return r
}

var text = strings.Repeat("All the world's a stage. ", 200)

func answer(body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		_, _ = io.WriteString(w, body)
	}
}

func TestWhatIsEncoded(t *testing.T) {
	length := strconv.Itoa(len(text))
	tests := []struct {
		fact, method, accept string
		status               int
		header               []string
		encoding, vary       string
	}{
		{"text is encoded", "GET", "gzip", 200, []string{"Content-Type", "text/html"}, "gzip", "Accept-Encoding"},
		{"the type is sniffed", "GET", "gzip", 200, nil, "gzip", "Accept-Encoding"},
		{"with its length known", "GET", "br", 200, []string{"Content-Type", "text/html", "Content-Length", length}, "br", "Accept-Encoding"},
		{"zstd first", "GET", "gzip, deflate, br, zstd", 200, []string{"Content-Type", "text/css"}, "zstd", "Accept-Encoding"},
		{"suffixes of types", "GET", "br", 200, []string{"Content-Type", "application/problem+json"}, "br", "Accept-Encoding"},
		{"whatever their case", "GET", "GZIP", 200, []string{"Content-Type", "Text/HTML; charset=x"}, "gzip", "Accept-Encoding"},
		{"error answers too", "GET", "gzip", 404, []string{"Content-Type", "text/html"}, "gzip", "Accept-Encoding"},
		{"HEAD as GET", "HEAD", "gzip", 200, []string{"Content-Type", "text/html", "Content-Length", length}, "gzip", "Accept-Encoding"},
		{"a list of Vary is kept", "GET", "gzip", 200, []string{"Content-Type", "text/html", "Vary", "Cookie"}, "gzip", "Cookie, Accept-Encoding"},
		{"not for a client that accepts none", "GET", "", 200, []string{"Content-Type", "text/html"}, "", "Accept-Encoding"},
		{"not an image", "GET", "gzip", 200, []string{"Content-Type", "image/png"}, "", ""},
		{"not event streams", "GET", "gzip", 200, []string{"Content-Type", "text/event-stream"}, "", ""},
		{"not twice", "GET", "gzip", 200, []string{"Content-Type", "text/html", "Content-Encoding", "x"}, "x", ""},
		{"not with no-transform", "GET", "gzip", 200, []string{"Content-Type", "text/html", "Cache-Control", "public, No-Transform"}, "", ""},
		{"not a part", "GET", "gzip", 206, []string{"Content-Type", "text/html", "Content-Range", "bytes 0-1/2"}, "", ""},
		{"not a refused range", "GET", "gzip", 416, []string{"Content-Type", "text/html", "Content-Range", "bytes */2"}, "", ""},
		{"not with sniffing forbidden", "GET", "gzip", 200, []string{"Content-Type", ""}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.fact, func(t *testing.T) {
			app := answer(text, tt.header...)
			srv := httptest.NewServer(wrap(t, compress.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for i := 0; i < len(tt.header); i += 2 {
					w.Header().Set(tt.header[i], tt.header[i+1])
				}
				if len(tt.header) > 1 && tt.header[1] == "" {
					w.Header()["Content-Type"] = nil
				}
				if tt.status != 200 {
					w.WriteHeader(tt.status)
				}
				if len(tt.header) > 1 && tt.header[1] == "" {
					_, _ = io.WriteString(w, text)
					return
				}
				app(w, r)
			})))
			defer srv.Close()
			req, _ := http.NewRequest(tt.method, srv.URL, nil)
			if tt.accept != "" {
				req.Header.Set("Accept-Encoding", tt.accept)
			}
			res, err := client(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if got := res.Header.Get("Content-Encoding"); got != tt.encoding {
				t.Errorf("encoding %q, want %q", got, tt.encoding)
			}
			if got := strings.Join(res.Header.Values("Vary"), ", "); got != tt.vary {
				t.Errorf("Vary %q, want %q", got, tt.vary)
			}
			body, err := io.ReadAll(decoder(t, map[bool]string{true: res.Header.Get("Content-Encoding")}[tt.method != "HEAD"], res.Body))
			if err != nil {
				t.Fatal(err)
			}
			if tt.method != "HEAD" && string(body) != text {
				t.Errorf("body has %d bytes, want %d", len(body), len(text))
			}
			if tt.method == "HEAD" && res.Header.Get("Content-Length") == length {
				t.Error("HEAD tells the plain length")
			}
		})
	}
}

func TestFieldsOfThePlainBodyGo(t *testing.T) {
	h := wrap(t, compress.Config{}, answer(text, "Content-Type", "text/html", "Accept-Ranges", "bytes", "Content-MD5", "x",
		"Digest", "x", "Content-Digest", "x", "Repr-Digest", "x", "ETag", `"v1"`, "Content-Length", strconv.Itoa(len(text))))
	rec := get(h, "gzip")
	for _, name := range []string{"Accept-Ranges", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest"} {
		if v := rec.Header().Get(name); v != "" {
			t.Errorf("%s: %s", name, v)
		}
	}
	if got := rec.Header().Get("Etag"); got != `W/"v1"` {
		t.Errorf("ETag %s", got)
	}
	if got := rec.Header().Get("Content-Length"); got != strconv.Itoa(rec.Body.Len()) {
		t.Errorf("Content-Length %s for %d bytes", got, rec.Body.Len())
	}
}

func TestSmallAnswersStayPlain(t *testing.T) {
	for _, size := range []int{0, 1, 1023, 1024} {
		rec := get(wrap(t, compress.Config{}, answer(text[:size], "Content-Type", "text/html")), "gzip")
		if got, want := rec.Header().Get("Content-Encoding") != "", size >= 1024; got != want {
			t.Errorf("%d bytes: encoded %v", size, got)
		}
	}
	rec := get(wrap(t, compress.Config{MinSize: -1}, answer("x", "Content-Type", "text/html")), "gzip")
	if rec.Header().Get("Content-Encoding") != "gzip" {
		t.Error("a negative minimum size leaves answers plain")
	}
}

func TestSmallWritesAddUp(t *testing.T) {
	for _, encoding := range []string{"gzip", "br", "zstd"} {
		h := wrap(t, compress.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for i := range len(text) {
				_, _ = io.WriteString(w, text[i:i+1])
			}
		}))
		rec := get(h, encoding)
		body, err := io.ReadAll(decoder(t, rec.Header().Get("Content-Encoding"), rec.Body))
		if err != nil || string(body) != text || rec.Header().Get("Content-Encoding") != encoding {
			t.Errorf("%s: %d bytes, %v", encoding, len(body), err)
		}
	}
}

func get(h http.Handler, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	if accept != "" {
		r.Header.Set("Accept-Encoding", accept)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func TestNegotiation(t *testing.T) {
	tests := []struct{ accept, want string }{
		{"gzip", "gzip"}, {"x-gzip", "gzip"}, {"*", "zstd"}, {"gzip;q=0", ""}, {"gzip;q=0, *", "zstd"},
		{"gzip, identity", "gzip"}, {"gzip;q=0.5, identity", ""}, {"identity;q=0", ""}, {"identity;q=0, *;q=0", ""},
		{"gzip;q=0.8, br;q=0.9", "br"}, {"gzip;q=1.000, br;q=0.999", "gzip"}, {"br ; q=0.1 , gzip ; q=0.2", "gzip"},
		{"gzip;q=2", ""}, {"gzip;q=", ""}, {"gzip;q=0.1234", ""}, {"gzip;q=-1", ""}, {"gzip;Q=1", "gzip"}, {"gzip;level=9", "gzip"},
		{"", ""}, {",,,", ""}, {"*;q=0", ""}, {"deflate", ""}, {"gzipped", ""}, {"gzip;q=0.001", "gzip"},
	}
	h := wrap(t, compress.Config{}, answer(text))
	for _, tt := range tests {
		if got := get(h, tt.accept).Header().Get("Content-Encoding"); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.accept, got, tt.want)
		}
	}
}

func FuzzNegotiation(f *testing.F) {
	for _, s := range []string{"gzip, br;q=0.5", "*;q=0.1", "identity;q=0", ";q=;,=", "gzip;q=1.0000"} {
		f.Add(s)
	}
	m, err := compress.New(compress.Config{})
	if err != nil {
		f.Fatal(err)
	}
	h := m.Wrap(answer(text))
	f.Fuzz(func(t *testing.T, accept string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Accept-Encoding"] = []string{accept}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		encoding := rec.Header().Get("Content-Encoding")
		if encoding != "" && !strings.Contains(accept, "*") && !strings.Contains(strings.ToLower(accept), encoding) {
			t.Fatalf("%q was not asked for with %q", encoding, accept)
		}
		body, err := io.ReadAll(decoder(t, encoding, rec.Body))
		if err != nil || string(body) != text {
			t.Fatalf("%q: %d bytes, %v", accept, len(body), err)
		}
	})
}

// A cut answer must not look complete, neither to HTTP nor to the decoder.
func TestBodyThatBreaksOffIsNotFinished(t *testing.T) {
	faults := map[string]http.HandlerFunc{
		"abort": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, text)
			panic(http.ErrAbortHandler)
		},
		"abort after flush": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, text)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"abort before the minimum size": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "abc")
			panic(http.ErrAbortHandler)
		},
		"short of its length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = io.WriteString(w, text)
		},
		"short of its length, flushed": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = io.WriteString(w, text)
			_ = http.NewResponseController(w).Flush()
		},
		"nothing of its length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Length", "100000")
			w.WriteHeader(200)
		},
	}
	for name, app := range faults {
		for _, encoding := range []string{"gzip", "br", "zstd"} {
			for _, h2 := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s h2=%v", name, encoding, h2), func(t *testing.T) {
					broken(t, app, encoding, h2)
				})
			}
		}
	}
}

func broken(t *testing.T, app http.HandlerFunc, encoding string, h2 bool) {
	srv := httptest.NewUnstartedServer(wrap(t, compress.Config{}, app))
	srv.Config.ErrorLog = quiet()
	c := client(t)
	if h2 {
		srv.EnableHTTP2 = true
		srv.StartTLS()
		c = srv.Client()
		c.Transport.(*http.Transport).DisableCompression = true
	} else {
		srv.Start()
	}
	defer srv.Close()
	req, _ := http.NewRequest("GET", srv.URL, nil)
	req.Header.Set("Accept-Encoding", encoding)
	res, err := c.Do(req)
	if err != nil {
		return // nothing was answered: that is cut, too
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err == nil {
		t.Errorf("the client saw a complete answer of %d bytes", len(raw))
	}
	if res.Header.Get("Content-Encoding") == "" || len(raw) == 0 {
		return
	}
	if _, err := io.ReadAll(decoder(t, encoding, bytes.NewReader(raw))); err == nil {
		t.Errorf("the encoded body is complete")
	}
}

func TestMoreThanTheLengthIsRefused(t *testing.T) {
	var werr error
	rec := get(wrap(t, compress.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "2000")
		_, _ = io.WriteString(w, text[:1500])
		_, werr = io.WriteString(w, text[1500:])
	})), "gzip")
	body, err := io.ReadAll(decoder(t, "gzip", rec.Body))
	if !errors.Is(werr, http.ErrContentLength) || err != nil || string(body) != text[:2000] {
		t.Errorf("%v, %v, %d bytes", werr, err, len(body))
	}
}

// A handler that fails while its beginning is held back gives the error alone.
func TestErrorReplacesWhatWasHeldBack(t *testing.T) {
	rec := get(wrap(t, compress.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half of")
		http.Error(w, "broken", http.StatusInternalServerError)
	})), "gzip")
	if rec.Code != 500 || rec.Body.String() != "broken\n" {
		t.Errorf("%d %q", rec.Code, rec.Body)
	}
}

func TestFlushReachesTheClient(t *testing.T) {
	for _, encoding := range []string{"gzip", "br", "zstd"} {
		next := make(chan struct{})
		srv := httptest.NewServer(wrap(t, compress.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			for range 3 {
				_, _ = io.WriteString(w, "tick\n")
				_ = http.NewResponseController(w).Flush()
				<-next
			}
		})))
		req, _ := http.NewRequest("GET", srv.URL, nil)
		req.Header.Set("Accept-Encoding", encoding)
		res, err := client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(decoder(t, res.Header.Get("Content-Encoding"), res.Body))
		for range 3 {
			if line, err := lines.ReadString('\n'); line != "tick\n" || err != nil {
				t.Fatalf("%s: %q %v", encoding, line, err)
			}
			next <- struct{}{}
		}
		_ = res.Body.Close()
		srv.Close()
	}
}

// spy counts which ways of a response writer are used.
type spy struct {
	*httptest.ResponseRecorder
	copied bool
}

func (s *spy) ReadFrom(r io.Reader) (int64, error) {
	s.copied = true
	return io.Copy(s.ResponseRecorder, r)
}

func TestPlainAnswersKeepReadFrom(t *testing.T) {
	for _, accept := range []string{"", "gzip"} {
		h := wrap(t, compress.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			if n, err := io.Copy(w, struct{ io.Reader }{strings.NewReader(text)}); n != int64(len(text)) || err != nil {
				t.Error(n, err)
			}
		}))
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", accept)
		w := &spy{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, r)
		if !w.copied || w.Body.String() != text {
			t.Errorf("accept %q: copied %v, %d bytes", accept, w.copied, w.Body.Len())
		}
	}
}

func TestEncodedReadFrom(t *testing.T) {
	big := strings.Repeat(text, 50)
	rec := get(wrap(t, compress.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(w, struct{ io.Reader }{strings.NewReader(big)}); n != int64(len(big)) || err != nil {
			t.Error(n, err)
		}
	})), "zstd")
	body, err := io.ReadAll(decoder(t, rec.Header().Get("Content-Encoding"), rec.Body))
	if err != nil || string(body) != big {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func TestHijackAndUpgradesPass(t *testing.T) {
	for _, upgrade := range []string{"", "websocket"} {
		srv := httptest.NewServer(wrap(t, compress.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\nraw")
			_ = c.Close()
		})))
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n")
		if upgrade != "" {
			_, _ = io.WriteString(c, "Connection: upgrade\r\nUpgrade: "+upgrade+"\r\n")
		}
		_, _ = io.WriteString(c, "\r\n")
		got, _ := io.ReadAll(c)
		if !strings.HasSuffix(string(got), "\r\n\r\nraw") {
			t.Errorf("%q", got)
		}
		_ = c.Close()
		srv.Close()
	}
}

func TestFullDuplexAndDeadlinesPass(t *testing.T) {
	srv := httptest.NewServer(wrap(t, compress.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		for _, err := range []error{c.EnableFullDuplex(), c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{})} {
			if err != nil {
				t.Error(err)
			}
		}
	})))
	defer srv.Close()
	req, _ := http.NewRequest("GET", srv.URL, nil)
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
}

func TestInnerHooksSeeThePlainAnswer(t *testing.T) {
	var inner, outer string
	h := wrap(t, compress.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpwrap.Of(w).Before(httpwrap.HookFunc(func(_ int, h http.Header) { inner = "plain" + h.Get("Content-Encoding") }))
		_, _ = io.WriteString(w, text)
	}))
	ww := httpwrap.Of(httptest.NewRecorder())
	ww.Before(httpwrap.HookFunc(func(_ int, h http.Header) { outer = h.Get("Content-Encoding") }))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept-Encoding", "br")
	h.ServeHTTP(ww, r)
	if inner != "plain" || outer != "br" {
		t.Errorf("inner %q, outer %q", inner, outer)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	const n = 2000
	release := make(chan struct{})
	var ready, done sync.WaitGroup
	m, err := compress.New(compress.Config{Encodings: []string{"gzip"}, MaxMemory: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	h := m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, text)
		ready.Done()
		<-release
	}))
	encodedOnes := make(chan bool, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range n {
		ready.Add(1)
		done.Go(func() { encodedOnes <- get(h, "gzip").Header().Get("Content-Encoding") != "" })
	}
	ready.Wait()
	runtime.GC()
	runtime.ReadMemStats(&after)
	close(release)
	done.Wait()
	close(encodedOnes)
	count := 0
	for e := range encodedOnes {
		if e {
			count++
		}
	}
	grown := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) >> 20
	if count != 8 || grown > 64 {
		t.Errorf("%d answers encoded at once, heap grew by %d MiB", count, grown)
	}
	ready.Add(1)
	if get(h, "gzip").Header().Get("Content-Encoding") != "gzip" {
		t.Error("the memory was not given back")
	}
}

func TestTenThousandSmallAnswersAtOnce(t *testing.T) {
	h := wrap(t, compress.Config{}, answer(text, "Content-Type", "text/html", "Content-Length", strconv.Itoa(len(text))))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var wg sync.WaitGroup
	for range 10_000 {
		wg.Go(func() {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Accept-Encoding", "zstd")
			h.ServeHTTP(discard{make(http.Header)}, r)
		})
	}
	wg.Wait()
	runtime.ReadMemStats(&after)
	if grown := (after.Sys - before.Sys) >> 20; grown > 200 {
		t.Errorf("memory grew by %d MiB", grown)
	}
}

func TestMistakesAreNamedTogether(t *testing.T) {
	_, err := compress.New(compress.Config{Encodings: []string{"gzip", "lzma", "gzip"}, Types: []string{"html"}, MinSize: 1 << 30})
	for _, want := range []string{`encodings[1]: "lzma"`, `encodings[2]: "gzip" is named twice`, `types[0]: "html"`, "min_size"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func BenchmarkPassThrough(b *testing.B) {
	image := []string{"image/png"}
	page := []string{"text/html"}
	length := []string{"2000"}
	body := []byte(text[:2000])
	for _, bb := range []struct {
		name, accept string
		typ          []string
	}{{"bare handler", "", page}, {"none accepted", "", page}, {"not compressible", "gzip, deflate, br, zstd", image}, {"zstd", "gzip, deflate, br, zstd", page}, {"gzip", "gzip", page}, {"br", "br", page}} {
		b.Run(bb.name, func(b *testing.B) {
			var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h := w.Header()
				h["Content-Type"], h["Content-Length"] = bb.typ, length
				_, _ = w.Write(body)
			})
			if bb.name != "bare handler" {
				h = wrap(b, compress.Config{}, h)
			}
			r := httptest.NewRequest("GET", "/", nil)
			if bb.accept != "" {
				r.Header.Set("Accept-Encoding", bb.accept)
			}
			d := discard{make(http.Header)}
			rec := request.New(d, r)
			b.ReportAllocs()
			for b.Loop() {
				clear(d.h)
				rec.Writer.Reset(d)
				h.ServeHTTP(&rec.Writer, &rec.Request)
			}
		})
	}
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func ExampleNew() {
	m, err := compress.New(compress.Config{Types: []string{"text/*", "application/json"}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, strings.Repeat("again and ", 1000))
	})
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept-Encoding", "gzip, br;q=0.9")
	w := httptest.NewRecorder()
	m.Wrap(page).ServeHTTP(w, r)
	fmt.Println(w.Header().Get("Content-Encoding"), w.Header().Get("Vary"), w.Body.Len() < 200)
	// Output: gzip Accept-Encoding true
}
