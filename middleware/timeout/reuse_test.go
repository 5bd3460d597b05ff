package timeout_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mountd/mountd/internal/request"
	"github.com/mountd/mountd/middleware/timeout"
)

// served serves one request and reports whether its record may serve another.
func served(h http.Handler, header http.Header) (w *httptest.ResponseRecorder, again bool) {
	w = httptest.NewRecorder()
	for name, values := range header {
		w.Header()[name] = values
	}
	rec := request.Acquire(w, httptest.NewRequest("GET", "/", nil))
	rec.Reusable()
	h.ServeHTTP(&rec.Writer, &rec.Request)
	return w, rec.Release()
}

func TestWatchesServeAgainUntilTheTimerFires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := timeout.New(timeout.Config{After: time.Second, Grace: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		var takes time.Duration
		var asks bool
		h := m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if w.Header().Get("Late") != "" {
				t.Error("the header of another request")
			}
			if asks {
				<-r.Context().Done()
				if !errors.Is(context.Cause(r.Context()), context.DeadlineExceeded) || r.Context().Err() != context.Canceled {
					t.Errorf("cause %v, error %v", context.Cause(r.Context()), r.Context().Err())
				}
				return
			}
			time.Sleep(takes)
			if late := r.Context().Err() != nil; late != (takes > time.Second) {
				t.Errorf("after %v the context is %v", takes, r.Context().Err())
			}
			w.WriteHeader(http.StatusNoContent)
			w.Header().Set("Late", "x")
		}))
		for _, step := range []struct {
			takes  time.Duration
			asks   bool
			status int
			again  bool
		}{
			{0, false, 204, true},
			{900 * time.Millisecond, false, 204, true},
			{900 * time.Millisecond, false, 204, true}, // a timer that goes on would end this one
			{1100 * time.Millisecond, false, 504, false},
			{0, true, 504, false},
			{0, false, 204, true},
			{900 * time.Millisecond, false, 204, true},
		} {
			takes, asks = step.takes, step.asks
			w, again := served(h, http.Header{"Outer": {"1"}, "More": {"1", "2"}})
			if w.Code != step.status || again != step.again || w.Header().Get("Outer") != "1" {
				t.Errorf("%+v: %d %v %v", step, w.Code, again, w.Header())
			}
		}
	})
}

// TestContextsAfterTheHandler is about handlers that keep their context.
func TestContextsAfterTheHandler(t *testing.T) {
	m, err := timeout.New(timeout.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func(context.Context){
		"never asked": func(context.Context) {}, "asked before": func(ctx context.Context) { ctx.Done() },
	} {
		var kept context.Context
		h := m.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			kept = r.Context()
			ask(kept)
			if kept.Err() != nil {
				t.Errorf("%s: %v", name, kept.Err())
			}
			request.Keep(kept)
		}))
		served(h, nil)
		if kept.Err() != context.Canceled {
			t.Errorf("%s: %v", name, kept.Err())
		}
		select {
		case <-kept.Done():
		default:
			t.Errorf("%s: does not end", name)
		}
	}
}

func TestWrapAllocatesNothing(t *testing.T) {
	m, err := timeout.New(timeout.Config{})
	if err != nil {
		t.Fatal(err)
	}
	h := m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	w, r := nowhere{http.Header{"A": {"b"}}}, httptest.NewRequest("GET", "/", nil)
	again := true
	n := testing.AllocsPerRun(1000, func() {
		rec := request.Acquire(w, r)
		rec.Reusable()
		h.ServeHTTP(&rec.Writer, &rec.Request)
		again = rec.Release() && again
	})
	if !again {
		t.Error("kept")
	}
	if n > 6 { // 0, but for what the race detector and the poison have thrown away
		t.Errorf("%v allocations", n)
	}
}

type nowhere struct{ h http.Header }

func (w nowhere) Header() http.Header         { return w.h }
func (w nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w nowhere) WriteHeader(int)             {}
