package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/server"
)

func TestRequestsInFlightFinish(t *testing.T) {
	began, goOn := make(chan struct{}, 2), make(chan struct{})
	r := serve(t, server.Config{Grace: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-goOn
		hello(w, r)
	})})
	answers := make(chan string, 2)
	for _, client := range []*http.Client{r.client(overHTTP1), r.client(overH2C)} {
		go func() {
			res, err := client.Get("http://a/")
			if err != nil {
				answers <- err.Error()
				return
			}
			text, _ := io.ReadAll(res.Body)
			answers <- string(text)
		}()
		wait(t, "the handler", began)
	}
	idle := r.dial()
	unused := r.dial()
	addr := r.hostport()
	r.stop()
	wait(t, "the drain", r.Draining())
	closedByPeer(t, idle)
	closedByPeer(t, unused)
	until(t, "the port to close", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	close(goOn)
	for range 2 {
		if got := wait(t, "the answer", answers); got != "hello" {
			t.Error(got)
		}
	}
	if err := r.ended(); err != nil {
		t.Error(err)
	}
}

func TestStoppingAnIdleServerTakesNoTime(t *testing.T) {
	r := serve(t, server.Config{Grace: time.Hour})
	for _, client := range []*http.Client{r.client(overHTTP1), r.client(overH2C)} {
		res, err := client.Get("http://a/")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	r.dial()
	start := time.Now()
	r.stop()
	_ = r.ended()
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("took %s", d)
	}
}

// eventStream sends something and then waits for what comes first.
func eventStream(began chan<- struct{}, ended chan<- string, s func() *running) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		began <- struct{}{}
		select {
		case <-r.Context().Done():
			ended <- "cut"
		case <-s().Draining():
			ended <- "drained"
		}
	})
}

func TestStreamsAreToldToEnd(t *testing.T) {
	began, ended := make(chan struct{}, 1), make(chan string, 1)
	var r *running
	r = serve(t, server.Config{Grace: time.Hour, Handler: eventStream(began, ended, func() *running { return r })})
	c := r.dial()
	_, _ = io.WriteString(c, get)
	wait(t, "the stream", began)
	told := make(chan struct{})
	r.OnDrain(func() { close(told) })
	r.stop()
	wait(t, "OnDrain", told)
	if got := wait(t, "the stream's end", ended); got != "drained" {
		t.Error(got)
	}
	if res := answer(t, c); res.StatusCode != 200 { // the final chunk came
		t.Error(res.Status)
	}
	_ = r.ended()
}

func TestGraceEnds(t *testing.T) {
	began, ended := make(chan struct{}, 1), make(chan error, 1)
	log := new(records)
	r := serve(t, server.Config{Grace: 30 * time.Millisecond, Logger: log.logger(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-r.Context().Done()
		ended <- r.Context().Err()
		_, _ = io.WriteString(w, "last words")
	})})
	c := r.dial()
	_, _ = io.WriteString(c, get)
	wait(t, "the handler", began)
	r.stop()
	if err := wait(t, "the handler's end", ended); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	res := answer(t, c)
	if text, _ := io.ReadAll(res.Body); string(text) != "last words" {
		t.Errorf("%q", text)
	}
	_ = r.ended()
}

func TestCloseForcesADrain(t *testing.T) {
	began, ended := make(chan struct{}, 1), make(chan struct{})
	r := serve(t, server.Config{Grace: time.Hour, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-r.Context().Done()
		close(ended)
	})})
	_, _ = io.WriteString(r.dial(), get)
	wait(t, "the handler", began)
	r.stop()
	wait(t, "the drain", r.Draining())
	_ = r.Close()
	wait(t, "the handler's end", ended)
	_ = r.ended()
}

func TestAHandlerThatIgnoresEverythingIsLeftBehind(t *testing.T) {
	began, free := make(chan struct{}, 1), make(chan struct{})
	r := serve(t, server.Config{Grace: -1, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-free
	})})
	c := r.dial()
	_, _ = io.WriteString(c, get)
	wait(t, "the handler", began)
	r.stop()
	closedByPeer(t, c)
	_ = r.ended()
	close(free)
}

func TestUpgradedConnectionsAreWaitedForAndThenClosed(t *testing.T) {
	taken := make(chan net.Conn, 1)
	upgrade := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
		}
		taken <- c
	})
	t.Run("which end in time", func(t *testing.T) {
		r := serve(t, server.Config{Grace: time.Hour, Handler: upgrade})
		_, _ = io.WriteString(r.dial(), get)
		c := wait(t, "the connection", taken)
		r.stop()
		wait(t, "the drain", r.Draining())
		_, err := io.WriteString(c, "bye")
		if err != nil {
			t.Error(err)
		}
		_ = c.Close()
		_ = r.ended()
	})
	t.Run("which do not", func(t *testing.T) {
		r := serve(t, server.Config{Grace: 20 * time.Millisecond, Handler: upgrade})
		c := r.dial()
		_, _ = io.WriteString(c, get)
		theirs := wait(t, "the connection", taken)
		r.stop()
		closedByPeer(t, c)
		_ = r.ended()
		_ = theirs.Close()
	})
}

func TestAServerServesOnce(t *testing.T) {
	s, err := server.Listen(server.Config{Listen: []server.Address{{Network: "tcp", Address: "127.0.0.1:0"}}, Handler: http.HandlerFunc(hello)})
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	_ = s.Close()
	wait(t, "the drain", s.Draining())
	if err := s.Serve(context.Background()); !errors.Is(err, server.ErrClosed) {
		t.Error(err)
	}
	if err := s.Reload(server.Config{}); !errors.Is(err, server.ErrClosed) {
		t.Error(err)
	}
}
