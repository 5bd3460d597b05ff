package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Reload changes to another configuration without dropping a request: ports
// that both have stay open, new ones are opened, the others closed. On an
// error everything stays as it was. A nil Handler or Logger keeps the old one.
//
// Connections keep the limits they began with. If the limits differ, idle
// connections are closed and the others once their requests are answered.
func (s *Server) Reload(c Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == stopping {
		return ErrClosed
	}
	if c.Handler == nil {
		c.Handler = s.conf.Handler
	}
	if c.Logger == nil {
		c.Logger = s.conf.Logger
	}
	c = c.withDefaults()
	loaded, err := c.loadCerts()
	if err := errors.Join(c.check(), err); err != nil {
		return err
	}
	b := s.bind(c.Listen)
	if err := errors.Join(b.err(), b.redress(c.Listen)); err != nil {
		b.undo()
		return err
	}
	old := s.conf
	s.adopt(c, b, loaded)
	s.exchange(old, b)
	for _, p := range b.removed {
		p.close(s.released)
	}
	s.watch()
	return nil
}

// exchange gives the ports to the loop that has the right limits.
func (s *Server) exchange(old Config, b *binding) {
	switch {
	case s.phase != serving:
	case old.HTTP == s.conf.HTTP && old.MaxConns == s.conf.MaxConns && old.NetHTTP == s.conf.NetHTTP:
		s.loop.stopTaking(b.removed...)
		for _, p := range b.opened {
			s.loop.start(p, s.tls, s.fail)
		}
	default:
		last := s.loop
		last.stopTaking(append(b.removed, b.ports...)...)
		s.loop = newLoop(s.conf, s.base, http.HandlerFunc(s.answerNow))
		for _, p := range b.ports {
			s.loop.start(p, s.tls, s.fail)
		}
		s.retire(last)
	}
}

// retire lets a loop's connections come to their ends, however long it takes.
func (s *Server) retire(l *loop) {
	s.retired[l] = struct{}{}
	s.retiring.Go(func() {
		l.drain(s.base)
		l.end()
		s.mu.Lock()
		delete(s.retired, l)
		s.mu.Unlock()
	})
}

// binding is the way from the present ports to the wanted ones.
type binding struct {
	server  *Server
	ports   []*port // in the order wanted
	opened  []*port
	removed []*port
	ceded   []*port // removed ones that had to be closed first
	errs    []error
}

func (s *Server) bind(want []Address) *binding {
	b := &binding{server: s}
	left := append([]*port(nil), s.ports...)
	have := make([]*port, len(want))
	for i, a := range want {
		for j, p := range left {
			if p != nil && p.same(a) {
				have[i], left[j] = p, nil
				break
			}
		}
	}
	for _, p := range left {
		if p != nil {
			b.removed = append(b.removed, p)
		}
	}
	for i, a := range want {
		if have[i] == nil {
			have[i] = b.open(a)
		}
	}
	b.ports = have
	return b
}

// redress gives the socket files that are kept their new modes and owners,
// once nothing else can fail any more.
func (b *binding) redress(want []Address) error {
	if b.err() != nil {
		return nil
	}
	for i, a := range want {
		p := b.ports[i]
		if p.file == nil || a.Mode == p.Mode && a.Owner == p.Owner {
			continue
		}
		uid, gid, err := owner(a.Owner)
		if err == nil {
			err = dress(a, uid, gid)
		}
		if err != nil {
			return fmt.Errorf("listen on %s: %w", a, err)
		}
		p.Mode, p.Owner = a.Mode, a.Owner
	}
	return nil
}

func (b *binding) open(a Address) *port {
	ln, err := open(a, b.server.passed)
	if errors.Is(err, syscall.EADDRINUSE) && b.cede(a) {
		ln, err = open(a, b.server.passed)
	}
	if err != nil {
		b.errs = append(b.errs, err)
		return nil
	}
	p := newPort(a, ln)
	b.opened = append(b.opened, p)
	return p
}

// cede closes the ports to be removed that stand in the way of a: from
// 127.0.0.1:80 to :80 there is no other way.
func (b *binding) cede(a Address) (any bool) {
	_, number, _ := net.SplitHostPort(a.Address)
	for _, p := range b.removed {
		if a.Network == "tcp" && p.Network == "tcp" && !p.gone.Load() && strings.HasSuffix(p.Addr().String(), ":"+number) {
			if b.server.loop != nil {
				b.server.loop.stopTaking(p)
			}
			p.close(false)
			b.ceded = append(b.ceded, p)
			any = true
		}
	}
	return any
}

func (b *binding) err() error { return errors.Join(b.errs...) }

// undo closes what was opened and opens what was ceded.
func (b *binding) undo() {
	for _, p := range b.opened {
		p.close(false)
	}
	for _, p := range b.ceded {
		ln, err := open(p.Address, nil)
		if err != nil {
			b.server.fail(err)
			continue
		}
		again := newPort(p.Address, ln)
		again.tls.Store(p.tls.Load())
		for i, q := range b.server.ports {
			if q == p {
				b.server.ports[i] = again
			}
		}
		if b.server.phase == serving {
			b.server.loop.start(again, b.server.tls, b.server.fail)
		}
	}
}

// Files are the open ports for a process that follows this one, with the
// environment that tells it about them. They belong to exec.Cmd.ExtraFiles,
// first among them. The caller closes them. Once that process serves,
// [Server.Release] says so.
func (s *Server) Files() (files []*os.File, env []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, p := range s.ports {
		f, err := duplicate(p)
		if err != nil {
			for _, f := range files {
				_ = f.Close()
			}
			return nil, nil, err
		}
		files = append(files, f)
		name := "mountd"
		if p.Network == "fd" {
			name = p.Address.Address
		}
		names = append(names, name)
	}
	return files, handoverEnv(names), nil
}

// duplicate is the listener's File method with one difference: starting a
// process with that one's result would make the socket blocking, here as well
// as there, and then nothing ends an Accept any more.
func duplicate(p *port) (*os.File, error) {
	conn, ok := p.Listener.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	if cerr := raw.Control(func(of uintptr) {
		fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0)
	}); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), p.String()), nil
}

// Release says that another process serves on the ports now: the files of unix
// sockets stay when this one stops.
func (s *Server) Release() {
	s.mu.Lock()
	s.released = true
	s.mu.Unlock()
}
