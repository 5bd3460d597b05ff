package accesslog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

// SinkConfig says where a [Sink] writes and how much it holds.
type SinkConfig struct {
	// Path names a file to append to, made with mode 0640 if there is none.
	// Exactly one of Path and Writer must be set.
	Path string

	// Writer takes the lines instead. It is not closed.
	Writer io.Writer

	// Buffer is how many bytes wait at most for a slow writer; lines beyond
	// are dropped and counted. 0 means 1 MiB.
	Buffer int

	// Interval is the shortest time between two writes, so that a busy server
	// writes many lines at once. The first line after a pause is written
	// without delay. 0 means 20 ms.
	Interval time.Duration

	// Logger is told, once a minute at most, that lines could not be written.
	// Nil means slog.Default().
	Logger *slog.Logger
}

const (
	defaultBuffer   = 1 << 20
	defaultInterval = 20 * time.Millisecond
	closeTimeout    = 2 * time.Second
	complainEvery   = time.Minute
)

// A Sink writes lines to a file or stream from a goroutine of its own, so
// that neither a full disk nor a stopped reader holds up who writes to it. It
// is safe for concurrent use.
type Sink struct {
	path     string
	limit    int
	interval time.Duration
	log      *slog.Logger

	wake   chan struct{} // there is something to write
	closed chan struct{}
	done   chan struct{} // everything was written after closed

	mu         sync.Mutex
	pending    []byte
	former     []byte   // lines from before Reopen, for the file it replaces
	next       *os.File // opened by Reopen
	dropped    uint64
	closing    bool
	out        io.Writer
	complained time.Time
	torn       bool // the last write ended inside a line; the writing goroutine's own
}

// NewSink opens the file and starts to write. [Sink.Close] must be called.
func NewSink(cfg SinkConfig) (*Sink, error) {
	if (cfg.Path == "") == (cfg.Writer == nil) {
		return nil, errors.New("exactly one of Path and Writer must be set")
	}
	s := &Sink{
		path: cfg.Path, out: cfg.Writer, limit: cfg.Buffer, interval: cfg.Interval, log: cfg.Logger,
		wake: make(chan struct{}, 1), closed: make(chan struct{}), done: make(chan struct{}),
	}
	if s.limit <= 0 {
		s.limit = defaultBuffer
	}
	if s.interval <= 0 {
		s.interval = defaultInterval
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.path != "" {
		file, err := openLog(s.path)
		if err != nil {
			return nil, fmt.Errorf("open log: %w", err)
		}
		s.out = file
	}
	go s.run()
	return s, nil
}

// openLog does not wait for the reader of a named pipe, and lets Close end a
// write to one.
func openLog(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o640)
}

// Write takes whole lines and returns at once. Lines that do not fit are
// dropped silently; see [Sink.Dropped]. It fails only after Close.
func (s *Sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		s.dropped += lines(p)
		return 0, os.ErrClosed
	}
	if len(s.former)+len(s.pending)+len(p) > s.limit {
		s.dropped += lines(p)
		return len(p), nil
	}
	s.pending = append(s.pending, p...)
	if len(s.pending) == len(p) {
		s.signal()
	}
	return len(p), nil
}

// Dropped counts the lines that were lost, for want of room or because the
// writer failed.
func (s *Sink) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// Reopen opens the file by its name anew, after it was renamed; lines from
// before still go to the renamed one. A sink over a Writer has nothing to do.
// When that fails, the file that is open stays in use.
func (s *Sink) Reopen() error {
	if s.path == "" {
		return nil
	}
	file, err := openLog(s.path)
	if err != nil {
		return fmt.Errorf("reopen log: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return errors.Join(os.ErrClosed, file.Close())
	}
	if s.next != nil {
		_ = s.next.Close() // nothing was written to it
	}
	s.next = file
	s.former = append(s.former, s.pending...)
	s.pending = s.pending[:0]
	if old, ok := s.out.(*os.File); ok {
		_ = old.SetWriteDeadline(time.Now().Add(closeTimeout)) // a pipe that nobody reads must not hold it back
	}
	s.signal()
	return nil
}

func (s *Sink) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Close writes what is waiting, for two seconds at most, and closes the file.
// Lines that could not be written count as dropped.
func (s *Sink) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		<-s.closed
		return nil
	}
	s.closing = true
	file, _ := s.out.(*os.File)
	s.mu.Unlock()
	if file != nil && s.path != "" {
		_ = file.SetWriteDeadline(time.Now().Add(closeTimeout)) // pipes only; files need none
	}
	close(s.closed)
	select {
	case <-s.done:
		return nil
	case <-time.After(closeTimeout + closeTimeout/4):
		return errors.New("close log: the writer does not move")
	}
}

func (s *Sink) run() {
	defer close(s.done)
	var batch []byte
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-s.closed:
			s.flush(batch)
			s.closeFile()
			return
		case <-s.wake:
		}
		batch = s.flush(batch)
		pause.Reset(s.interval)
		select {
		case <-pause.C:
		case <-s.closed:
		}
	}
}

// flush writes what is waiting and gives back its buffer for the next time.
func (s *Sink) flush(spare []byte) []byte {
	s.mu.Lock()
	former := s.former
	s.former = nil
	last := s.out
	batch := s.pending
	s.pending = spare[:0]
	old := s.swap()
	out := s.out
	s.mu.Unlock()
	if len(former) > 0 {
		s.write(last, former)
	}
	if old != nil {
		_ = old.Close() // every write to it has returned
		s.torn = false
	}
	if len(batch) > 0 {
		s.write(out, batch)
	}
	return batch
}

// swap takes the reopened file into use and gives the one it replaces.
func (s *Sink) swap() io.Closer {
	if s.next == nil {
		return nil
	}
	old, _ := s.out.(io.Closer)
	s.out, s.next = s.next, nil
	return old
}

func (s *Sink) write(out io.Writer, batch []byte) {
	if s.torn {
		if _, err := out.Write([]byte{'\n'}); err != nil {
			s.lost(batch, err)
			return
		}
		s.torn = false
	}
	n, err := out.Write(batch)
	if err == nil && n == len(batch) {
		return
	}
	n = min(max(n, 0), len(batch))
	s.torn = n > 0 && batch[n-1] != '\n'
	s.lost(batch[n:], err)
}

func (s *Sink) lost(rest []byte, err error) {
	if err == nil {
		err = io.ErrShortWrite
	}
	now := time.Now()
	s.mu.Lock()
	s.dropped += lines(rest)
	dropped := s.dropped
	quiet := now.Sub(s.complained) < complainEvery && !s.complained.IsZero()
	if !quiet {
		s.complained = now
	}
	s.mu.Unlock()
	if !quiet {
		s.log.Error("access log lines are lost", "path", s.path, "dropped", dropped, "error", err)
	}
}

func (s *Sink) closeFile() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		_ = s.next.Close()
	}
	if c, ok := s.out.(io.Closer); ok && s.path != "" {
		_ = c.Close()
	}
}

func lines(p []byte) uint64 { return uint64(bytes.Count(p, []byte{'\n'})) }
