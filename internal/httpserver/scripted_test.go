package httpserver_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/httpserver"
)

// A script is a connection whose client's half is written in advance, cut into
// the pieces that reads shall give, and that keeps what the server writes.
type script struct {
	mu     sync.Mutex
	pieces []string
	out    bytes.Buffer
	closed chan struct{}
	once   sync.Once

	seen []arrival // by the handler, which runs before closed
}

// An arrival is a call of the handler.
type arrival struct {
	message
	whole bool
}

func newScript(pieces ...string) *script { return &script{pieces: pieces, closed: make(chan struct{})} }

func (s *script) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pieces) > 0 && s.pieces[0] == "" {
		s.pieces = s.pieces[1:]
	}
	select {
	case <-s.closed:
		return 0, net.ErrClosed
	default:
	}
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.pieces[0])
	s.pieces[0] = s.pieces[0][n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return 0, net.ErrClosed
	default:
	}
	return s.out.Write(p)
}

func (s *script) Close() error                     { s.once.Do(func() { close(s.closed) }); return nil }
func (s *script) CloseWrite() error                { return nil }
func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// A stage is where scripts are played, and the listener of its server.
type stage struct {
	conns chan net.Conn
	over  chan struct{}
	once  sync.Once
}

func (l *stage) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

func (l *stage) Close() error   { l.once.Do(func() { close(l.over) }); return nil }
func (l *stage) Addr() net.Addr { return &net.TCPAddr{} }

type scriptKey struct{}

// newStage starts a server whose handler notes what it gets, and answers 400 to
// bodies that are not whole.
func newStage(t testing.TB, k kind) *stage {
	l := &stage{conns: make(chan net.Conn), over: make(chan struct{})}
	s := k.make(t, httpserver.Config{
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, scriptKey{}, c) },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := r.Context().Value(scriptKey{}).(*script)
			body, err := io.ReadAll(r.Body)
			s.seen = append(s.seen, arrival{message{r.Method, r.RequestURI, string(body)}, err == nil})
			if err != nil {
				w.WriteHeader(400)
			}
		}),
	})
	ended := make(chan struct{})
	go func() { _ = s.Serve(l); close(ended) }()
	t.Cleanup(func() {
		_ = s.Close()
		_ = l.Close()
		wait(t, "Serve to return", ended)
	})
	return l
}

// play gives what the handler saw and what the client got.
func (l *stage) play(t testing.TB, pieces ...string) ([]arrival, string) {
	t.Helper()
	s := newScript(slices.Clone(pieces)...)
	l.conns <- s
	select {
	case <-s.closed:
	case <-time.After(patience):
		t.Fatalf("the connection is not closed after %q", pieces)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen, s.out.String()
}
