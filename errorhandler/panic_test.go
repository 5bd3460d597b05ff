package errorhandler_test

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/mountd/mountd/errorhandler"
)

// syncBuffer is a log that several goroutines write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}
func (s *syncBuffer) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

func TestPanicsOverARealServer(t *testing.T) {
	hijack := func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\nhi")
	}
	begin := func(w http.ResponseWriter, length string) {
		if length != "" {
			w.Header().Set("Content-Length", length)
		}
		_, _ = io.WriteString(w, "begun")
	}
	var null map[string]int
	tests := []struct {
		name    string
		do      func(w http.ResponseWriter)
		status  int // 0: no answer at all
		cut     bool
		logged  int
		logText string
	}{
		{"before the header", func(http.ResponseWriter) { panic("boom") }, 500, false, 1, "panic: boom"},
		{"runtime error", func(http.ResponseWriter) { null["a"] = 1 }, 500, false, 1, "nil map"},
		{"nil", func(http.ResponseWriter) { panic(nil) }, 500, false, 1, "nil"},
		{"an error with a status", func(http.ResponseWriter) { panic(&errorhandler.HTTPError{Status: 418}) }, 418, false, 0, ""},
		{"after the header, length unknown", func(w http.ResponseWriter) { begin(w, ""); panic("boom") }, 0, true, 1, "panic: boom"},
		{"after the header, length known", func(w http.ResponseWriter) { begin(w, "100"); panic("boom") }, 0, true, 1, "panic: boom"},
		{"after a flush", func(w http.ResponseWriter) {
			begin(w, "")
			_ = http.NewResponseController(w).Flush()
			panic("boom")
		}, 200, true, 1, "panic: boom"},
		{"after WriteHeader alone", func(w http.ResponseWriter) { w.WriteHeader(201); panic("boom") }, 0, true, 1, "panic: boom"},
		{"after an early hint", func(w http.ResponseWriter) { w.WriteHeader(103); panic("boom") }, 500, false, 1, "panic: boom"},
		{"after a hijack", func(w http.ResponseWriter) { hijack(w); panic("boom") }, 101, true, 1, "panic: boom"},
		{"ErrAbortHandler before the header", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 0, true, 0, ""},
		{"ErrAbortHandler after it", func(w http.ResponseWriter) { begin(w, "9"); panic(http.ErrAbortHandler) }, 0, true, 0, ""},
	}
	for _, intercept := range []errorhandler.Intercept{{}, {All: true}} {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				var log, serverLog syncBuffer
				h := newHandler(t, errorhandler.Config{Intercept: intercept, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				srv := httptest.NewUnstartedServer(h.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { tt.do(w) })))
				srv.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(&serverLog, nil), slog.LevelError)
				srv.Start()
				raw, _ := exchange(t, srv, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
				srv.Close()
				status, complete := outcome(raw)
				if status != tt.status || complete == tt.cut {
					t.Errorf("status %d, complete %v: %q", status, complete, raw)
				}
				if n := strings.Count(log.String(), "level=ERROR"); n != tt.logged || !strings.Contains(log.String(), tt.logText) {
					t.Errorf("logged %d: %s", n, log.String())
				}
				if tt.logged > 0 && !strings.Contains(log.String(), "panic_test.go") {
					t.Errorf("no stack: %s", log.String())
				}
				if s := serverLog.String(); s != "" {
					t.Errorf("the server logged as well: %s", s)
				}
			})
		}
	}
}

// outcome parses what a client got: the final status and whether the answer
// was whole.
func outcome(raw string) (status int, complete bool) {
	in := bufio.NewReader(strings.NewReader(raw))
	for {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return status, false
		}
		status = resp.StatusCode
		if status < 200 && status != 101 {
			continue
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return status, err == nil && status != 101
	}
}

func TestInterceptedPageIsWholeThoughTheAppPanicsLater(t *testing.T) {
	h := newHandler(t, errorhandler.Config{Intercept: errorhandler.Intercept{All: true}})
	srv := httptest.NewServer(h.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		panic("too late")
	})))
	defer srv.Close()
	raw, _ := exchange(t, srv, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if status, complete := outcome(raw); status != 500 || !complete {
		t.Errorf("%q", raw)
	}
}

func TestWriterThatHoldsABeginningBackCounts(t *testing.T) {
	h := newHandler(t, errorhandler.Config{})
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("recovered %v", v)
		}
	}()
	w := heldWriter{httptest.NewRecorder()}
	h.ServeError(w, httptest.NewRequest("GET", "/", nil), io.ErrUnexpectedEOF)
}

type heldWriter struct{ http.ResponseWriter }

func (heldWriter) Started() bool { return true }
