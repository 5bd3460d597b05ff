package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// ErrTaken says that another program listens on the socket.
var ErrTaken = errors.New("another mountd runs this table")

// Bounds of what is spoken.
const (
	maxConns  = 16
	maxHeader = 16 << 10
	maxBody   = 64 << 10
	headTime  = 5 * time.Second
	writeTime = 2 * time.Minute
	idleTime  = 10 * time.Second
	closeTime = 5 * time.Second
)

// Server answers on a socket. It is safe for concurrent use.
type Server struct {
	path string
	lock *os.File
	http *http.Server
	done chan struct{}
	once sync.Once
	gone func() error
}

// Listen serves handler on a socket at path. A socket that nobody listens on
// any more is replaced. [ErrTaken] says that somebody does; any other file
// there is left alone, and is an error.
//
// Requests have bodies of 64 KiB at most and arrive within five seconds; their
// context ends with that. Answers have two minutes. At most 16 connections are
// served at once; others wait.
func Listen(path string, handler http.Handler) (*Server, error) {
	if err := Check(path); err != nil {
		return nil, err
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	ln, made, err := bind(path)
	if err != nil {
		return nil, errors.Join(err, unlock(lock))
	}
	s := &Server{path: path, lock: lock, done: make(chan struct{})}
	s.gone = sync.OnceValue(func() error {
		if now, err := os.Lstat(path); err != nil || !os.SameFile(now, made) {
			return nil // somebody else's
		}
		return os.Remove(path)
	})
	s.http = &http.Server{
		Handler:           http.MaxBytesHandler(handler, maxBody),
		ReadHeaderTimeout: headTime, ReadTimeout: headTime, WriteTimeout: writeTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog: log.New(io.Discard, "", 0), // who talks here is told
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(&door{UnixListener: ln, places: make(chan struct{}, maxConns), closed: make(chan struct{})})
	}()
	return s, nil
}

// Path is where the socket is.
func (s *Server) Path() string { return s.path }

// Unlink removes the socket: nobody finds it any more, and requests that are
// being served go on. Close does so too.
func (s *Server) Unlink() error { return s.gone() }

// Close removes the socket, and lets requests that are being served end, for
// five seconds.
func (s *Server) Close() (err error) {
	s.once.Do(func() {
		err = s.gone()
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		if s.http.Shutdown(ctx) != nil {
			err = errors.Join(err, s.http.Close())
		}
		<-s.done
		err = errors.Join(err, unlock(s.lock))
	})
	return err
}

// bind makes the socket beside its place and moves it there when it has its
// mode, so that nobody finds it without.
func bind(path string) (*net.UnixListener, os.FileInfo, error) {
	if isSocket(path) && alive(path) {
		return nil, nil, fmt.Errorf("%w: it listens on %s", ErrTaken, path)
	}
	fresh := path + "~" // nobody else's: we have the lock
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, err
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, nil, err
	}
	ln.SetUnlinkOnClose(false)
	var info os.FileInfo
	err = os.Chmod(fresh, 0o600)
	if err == nil {
		info, err = os.Lstat(fresh)
	}
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return nil, nil, errors.Join(err, ln.Close(), os.Remove(fresh))
	}
	return ln, info, nil
}

// alive reports whether somebody listens on a socket.
func alive(path string) bool {
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close()
		return true
	}
	return !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, os.ErrNotExist)
}

// lockFile takes a lock that ends with this process, whatever becomes of it:
// of two that start at once, one gets the socket. The file goes with the lock.
func lockFile(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, fmt.Errorf("%w: it holds %s", ErrTaken, path)
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		have, err := f.Stat()
		named, errNamed := os.Lstat(path)
		if err == nil && errNamed == nil && os.SameFile(have, named) {
			return f, nil
		}
		_ = f.Close() // its owner has just removed it
		if err != nil {
			return nil, err
		}
	}
}

func unlock(f *os.File) error { return errors.Join(os.Remove(f.Name()), f.Close()) }

// door lets in who may talk to us, so many at a time.
type door struct {
	*net.UnixListener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

// Accept waits for the next one who is let in.
func (d *door) Accept() (net.Conn, error) {
	for {
		select {
		case d.places <- struct{}{}:
		case <-d.closed:
			return nil, net.ErrClosed
		}
		c, err := d.AcceptUnix()
		if err != nil {
			<-d.places
			return nil, err
		}
		if welcome(c) {
			return &guest{UnixConn: c, leave: sync.OnceFunc(func() { <-d.places })}, nil
		}
		_ = c.Close()
		<-d.places
	}
}

// Close ends Accept, which may wait for a place.
func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.UnixListener.Close()
}

type guest struct {
	*net.UnixConn
	leave func()
}

// Close makes room for the next one.
func (g *guest) Close() error {
	defer g.leave()
	return g.UnixConn.Close()
}
