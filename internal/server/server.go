package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is returned by a server that was stopped already.
var ErrClosed = errors.New("the server is closed")

// lastWord is how long handlers have after their context has ended, before
// their connections are closed under them.
const lastWord = 500 * time.Millisecond

// Server listens and serves. It is made by [Listen] and safe for concurrent
// use.
type Server struct {
	handler   atomic.Pointer[http.Handler]
	certs     atomic.Pointer[certs]
	httpsPort atomic.Int32
	tls       *tls.Config
	base      context.Context
	cancel    context.CancelFunc
	failed    chan error
	draining  chan struct{}
	forced    chan struct{}
	force     sync.Once

	mu       sync.Mutex
	phase    phase
	conf     Config
	ports    []*port
	passed   []*inherited
	released bool
	loop     *loop
	retired  map[*loop]struct{}
	retiring sync.WaitGroup
	unwatch  chan struct{}
	watching sync.WaitGroup
	drainers []func()
}

type phase int

const (
	listening phase = iota
	serving
	stopping
)

// Listen opens every address and reads the certificates. It returns all that
// is wrong, joined, and then leaves nothing open. Nobody is answered before
// [Server.Serve]; clients that connect earlier wait.
func Listen(c Config) (*Server, error) {
	c = c.withDefaults()
	errs := []error{c.check()}
	if c.Handler == nil {
		errs = append(errs, errors.New("no handler"))
	}
	loaded, err := c.loadCerts()
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	s := &Server{
		conf:     c,
		failed:   make(chan error, 1),
		draining: make(chan struct{}),
		forced:   make(chan struct{}),
		retired:  map[*loop]struct{}{},
		passed:   inheritance(),
	}
	s.base, s.cancel = context.WithCancel(context.Background())
	s.tls = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: s.tlsFor}
	b := s.bind(c.Listen)
	if err := b.err(); err != nil {
		b.undo()
		s.cancel()
		return nil, err
	}
	s.adopt(c, b, loaded)
	return s, nil
}

// loadCerts gives nil without TLS.
func (c Config) loadCerts() (*certs, error) {
	if c.TLS == nil {
		return nil, nil
	}
	return newCerts(*c.TLS, c.Logger)
}

// tlsFor gives each handshake the certificates of its moment. Session tickets
// stay those of the one configuration that asks here.
func (s *Server) tlsFor(*tls.ClientHelloInfo) (*tls.Config, error) {
	if c := s.certs.Load(); c != nil {
		return c.current.Load(), nil
	}
	return nil, errors.New("no certificates")
}

// Serve answers until ctx ends or [Server.Close] is called. Then it stops
// accepting, tells [Server.Draining] and the functions of [Server.OnDrain],
// closes idle connections and gives the others, taken-over ones included,
// Config.Grace to finish. After that, or when Close is called, the contexts of
// the requests that are left end, and shortly afterwards their connections.
//
// The error is that of a port that stopped working; it stops the server too.
func (s *Server) Serve(ctx context.Context) error {
	if err := s.begin(); err != nil {
		return err
	}
	var err error
	select {
	case <-ctx.Done():
	case <-s.forced:
	case err = <-s.failed:
	}
	s.finish()
	return err
}

func (s *Server) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != listening {
		return ErrClosed
	}
	s.phase = serving
	s.loop = newLoop(s.conf, s.base, http.HandlerFunc(s.answerNow))
	for _, p := range s.ports {
		s.loop.start(p, s.tls, s.fail)
	}
	s.watch()
	return nil
}

// answerNow is what loops call: the handler of the moment.
func (s *Server) answerNow(w http.ResponseWriter, r *http.Request) {
	(*s.handler.Load()).ServeHTTP(w, r)
}

func (s *Server) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// watch follows the files of the present certificates, and of no others.
func (s *Server) watch() {
	if s.unwatch != nil {
		close(s.unwatch)
		s.watching.Wait()
		s.unwatch = nil
	}
	c := s.certs.Load()
	if c == nil || s.phase != serving {
		return
	}
	stop := make(chan struct{})
	s.unwatch = stop
	s.watching.Go(func() { c.watch(stop) })
}

func (s *Server) finish() {
	s.mu.Lock()
	s.phase = stopping
	s.closePorts()
	s.watch()
	loops := []*loop{s.loop}
	for l := range s.retired {
		loops = append(loops, l)
	}
	drainers := s.drainers
	close(s.draining)
	s.mu.Unlock()

	for _, f := range drainers {
		go f()
	}
	if left := s.drain(loops, s.conf.Grace); left > 0 {
		s.log().Warn("requests cut off", "connections", left, "grace", s.conf.Grace.String())
		s.cancel()
		if s.drain(loops, lastWord) > 0 {
			for _, l := range loops {
				l.cut()
			}
		}
	}
	s.cancel()
	s.retiring.Wait()
	s.loop.end()
}

func (s *Server) log() *slog.Logger { return s.conf.Logger }

// drain waits for all loops together, and gives the number of connections left.
func (s *Server) drain(loops []*loop, grace time.Duration) int {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	go func() {
		select {
		case <-s.forced:
			cancel()
		case <-ctx.Done():
		}
	}()
	var wg sync.WaitGroup
	var left atomic.Int64
	for _, l := range loops {
		wg.Go(func() { left.Add(int64(l.drain(ctx))) })
	}
	wg.Wait()
	return int(left.Load())
}

// Close stops at once: ports, and connections whatever they are doing. A Serve
// that is draining stops waiting, and returns soon. Without a Serve it closes
// the ports. It may be called any number of times.
func (s *Server) Close() error {
	s.force.Do(func() { close(s.forced) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == listening {
		s.phase = stopping
		s.closePorts()
		close(s.draining)
		s.cancel()
	}
	return nil
}

// closePorts needs s.mu.
func (s *Server) closePorts() {
	for _, p := range s.ports {
		p.close(s.released)
	}
}

// Draining is closed when the server begins to stop. Whoever holds a
// connection for long, a stream of events or an upgraded one, should end it
// then in its own way.
func (s *Server) Draining() <-chan struct{} { return s.draining }

// OnDrain calls f, on its own goroutine, when the server begins to stop.
func (s *Server) OnDrain(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == stopping {
		go f()
		return
	}
	s.drainers = append(s.drainers, f)
}

// Addresses are the places to reach the server at, as people would open them:
// "http://127.0.0.1:8080", "https://localhost", "unix:/run/mountd.sock".
func (s *Server) Addresses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	urls := make([]string, len(s.ports))
	for i, p := range s.ports {
		urls[i] = p.url()
	}
	return urls
}

// adopt makes a bound configuration the present one. It needs s.mu, or nobody
// else knowing s.
func (s *Server) adopt(c Config, b *binding, loaded *certs) {
	s.conf, s.ports = c, b.ports
	s.certs.Store(loaded)
	s.httpsPort.Store(0)
	for i, p := range b.ports {
		p.Plain = c.Listen[i].Plain
		p.tls.Store(c.TLS != nil && !p.Plain)
		if a, ok := p.Addr().(*net.TCPAddr); ok && p.tls.Load() && s.httpsPort.Load() == 0 {
			s.httpsPort.Store(int32(a.Port))
		}
	}
	h := s.answer(c)
	s.handler.Store(&h)
}

// answer is the handler with what plain addresses get before it.
func (s *Server) answer(c Config) http.Handler {
	plain, secure := c.Handler, c.Handler
	if c.TLS != nil && c.HTTP.RedirectToHTTPS {
		plain = toHTTPS(func() int { return int(s.httpsPort.Load()) })
	}
	if c.Challenges != nil {
		plain = c.Challenges(plain)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			plain.ServeHTTP(w, r)
		} else {
			secure.ServeHTTP(w, r)
		}
	})
}
