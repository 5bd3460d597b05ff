package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mountd/mountd/internal/httpserver"
)

// loop serves with one set of limits. A reload that changes them starts a new
// one beside it. HTTP/1 is ours; net/http serves the connections that turn out
// to speak HTTP/2, or all of them if Config.NetHTTP says so.
type loop struct {
	http1  *httpserver.Server // nil with Config.NetHTTP
	http   *http.Server
	http2  *handed
	conns  *conns
	write  time.Duration
	places chan struct{} // nil: no bound
	log    *slog.Logger

	mu      sync.Mutex
	intakes map[*port]*intake
	running sync.WaitGroup // of the ports

	running2 sync.WaitGroup // of what was handed over
}

// streamsPerConn bounds what one HTTP/2 client runs at once; browsers never
// need more and a flood is felt less.
const streamsPerConn = 250

func newLoop(c Config, base context.Context, answer http.Handler) *loop {
	l := &loop{
		write:   c.HTTP.WriteTimeout,
		log:     c.Logger,
		intakes: map[*port]*intake{},
	}
	if c.MaxConns > 0 {
		l.places = make(chan struct{}, c.MaxConns)
	}
	l.conns = newConns(c.HTTP.WriteTimeout, l.leave, c.Logger)
	var speaks http.Protocols
	speaks.SetHTTP1(true)
	speaks.SetHTTP2(true)
	speaks.SetUnencryptedHTTP2(true)
	l.http = &http.Server{
		Handler:           &guard{limits: c.HTTP, next: answer},
		ReadHeaderTimeout: orNever(c.HTTP.HeaderTimeout),
		IdleTimeout:       orNever(c.HTTP.IdleTimeout),
		MaxHeaderBytes:    c.HTTP.MaxHeader,
		ConnState:         l.conns.state,
		ErrorLog:          errorLog(c.Logger),
		BaseContext:       func(net.Listener) context.Context { return base },
		Protocols:         &speaks,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: streamsPerConn,
			SendPingTimeout:      max(c.HTTP.IdleTimeout/2, time.Second),
			PingTimeout:          15 * time.Second,
		},
	}
	// A line takes four bytes at least, so that this never comes before the
	// guard's own count, which has the right status for it.
	setMaxLines(l.http, c.HTTP.MaxHeader/4+1)
	if c.NetHTTP {
		return l
	}
	l.http2 = newHanded()
	l.running2.Go(func() { _ = l.http.Serve(l.http2) })
	l.http1, _ = httpserver.New(httpserver.Config{ // which fails without a handler only
		Handler:       answer,
		HeaderTimeout: c.HTTP.HeaderTimeout, IdleTimeout: c.HTTP.IdleTimeout, BodyTimeout: c.HTTP.BodyTimeout,
		MaxHeader: c.HTTP.MaxHeader, MaxFields: c.HTTP.MaxHeaders, MaxTarget: c.HTTP.MaxURL,
		BaseContext: base,
		ConnState:   l.conns.state,
		HTTP2: func(nc net.Conn) {
			l.conns.handOver(nc)
			if !l.http2.give(nc) {
				_ = nc.Close()
				l.conns.state(nc, http.StateClosed)
			}
		},
		Logger: c.Logger,
	})
	return l
}

// orNever turns our 0 into net/http's idea of no limit.
func orNever(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// start serves what comes in at p until stop, halt or the port's end. A
// failure of the port itself is given to failed.
func (l *loop) start(p *port, conf *tls.Config, failed func(error)) {
	in := &intake{port: p, loop: l, conf: conf, stop: make(chan struct{})}
	p.wake(time.Time{})
	l.mu.Lock()
	l.intakes[p] = in
	l.mu.Unlock()
	l.running.Go(func() {
		err := l.serve(in)
		if !in.stopped() && !p.gone.Load() && !errors.Is(err, http.ErrServerClosed) {
			failed(err)
		}
	})
}

func (l *loop) serve(in *intake) error {
	if l.http1 != nil {
		return l.http1.Serve(in)
	}
	return l.http.Serve(in)
}

// stopTaking ends the loop's use of its ports and returns once no Accept of
// this loop is pending on any of them.
func (l *loop) stopTaking(ports ...*port) {
	l.mu.Lock()
	for _, p := range ports {
		if in := l.intakes[p]; in != nil {
			_ = in.Close()
			delete(l.intakes, p)
		}
	}
	rest := len(l.intakes)
	l.mu.Unlock()
	if rest == 0 {
		l.running.Wait()
	}
}

// drain lets requests in flight end, closes what is idle, and returns when no
// connection is left or ctx has ended, whichever is first; it reports how many
// are left.
func (l *loop) drain(ctx context.Context) int {
	ctx, stop := context.WithCancel(ctx)
	var polite sync.WaitGroup
	if l.http1 != nil {
		polite.Go(func() { _ = l.http1.Shutdown(ctx) })
	}
	polite.Go(func() { _ = l.http.Shutdown(ctx) })
	l.conns.closeUnused()
	left := l.conns.wait(ctx)
	stop()
	polite.Wait()
	return left
}

// cut closes every connection and waits a moment for the handlers to notice.
func (l *loop) cut() {
	l.conns.closeAll()
	if l.http1 != nil {
		_ = l.http1.Close()
	}
	_ = l.http.Close()
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	l.conns.wait(ctx)
}

// end releases the loop's own goroutine.
func (l *loop) end() {
	_ = l.http.Close()
	l.running2.Wait()
	l.conns.end()
}

// enter takes a place for a connection; false means that stop came first. When
// all places are taken, the connections that have been idle the longest make
// room.
func (l *loop) enter(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return false
	default:
	}
	if l.places == nil {
		return true
	}
	for {
		select {
		case l.places <- struct{}{}:
			return true
		default:
		}
		if l.http1 != nil {
			l.http1.CloseIdle()
		}
		select {
		case l.places <- struct{}{}:
			return true
		case <-stop:
			return false
		case <-time.After(roomAgain):
		}
	}
}

// roomAgain is how soon it is looked again for an idle connection that can
// make room.
const roomAgain = 100 * time.Millisecond

func (l *loop) leave() {
	if l.places != nil {
		<-l.places
	}
}
