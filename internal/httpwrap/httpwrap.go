// Package httpwrap holds the one response writer that mountd's layers share.
//
// A layer that wants to know what was answered, or to change the header just
// before it goes out, asks [Of] for the Writer around its response writer
// instead of wrapping it once more.
package httpwrap

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
)

// A Hook is called once, right before the header of a final answer goes out.
// It may change h. The hooks of inner layers run before those of outer ones.
type Hook interface {
	BeforeHeader(status int, h http.Header)
}

// An InformationalHook is a [Hook] that wants to see informational answers
// (103 Early Hints) too. It may change h, and is called for each of them.
type InformationalHook interface {
	Hook
	BeforeInformational(status int, h http.Header)
}

// HookFunc lets a function be a [Hook].
type HookFunc func(status int, h http.Header)

// BeforeHeader calls f.
func (f HookFunc) BeforeHeader(status int, h http.Header) { f(status, h) }

// Writer is an [http.ResponseWriter] that remembers what went through it.
// Flush, Hijack, io.ReaderFrom and everything else that
// [http.ResponseController] offers reach the writer below. It is not safe for
// concurrent use, as no response writer is.
type Writer struct {
	http.ResponseWriter
	status int
	bytes  int64
	conn   net.Conn // once it was taken over
	n      int
	few    [6]Hook
	more   []Hook
}

// Of gives w itself when it is a Writer, and a new Writer around it otherwise.
func Of(w http.ResponseWriter) *Writer {
	if ww, ok := w.(*Writer); ok {
		return ww
	}
	return &Writer{ResponseWriter: w}
}

// Reset makes w a fresh Writer around next.
func (w *Writer) Reset(next http.ResponseWriter) { *w = Writer{ResponseWriter: next} }

// Before adds a hook to run before the header goes out. It has no effect on a
// header that has gone already.
func (w *Writer) Before(h Hook) {
	if w.n < len(w.few) {
		w.few[w.n] = h
	} else {
		w.more = append(w.more, h)
	}
	w.n++
}

// Remove takes a hook away again, so that its owner may use it for another
// request. It compares identities: h should be a pointer.
func (w *Writer) Remove(h Hook) {
	for i := w.n - 1; i >= 0; i-- {
		if w.hook(i) == h {
			*w.slot(i) = nil
			w.trim()
			return
		}
	}
}

// trim frees the last slots when they are empty.
func (w *Writer) trim() {
	for ; w.n > 0 && w.hook(w.n-1) == nil; w.n-- {
		if k := len(w.more); k > 0 {
			w.more = w.more[:k-1]
		}
	}
}

func (w *Writer) hook(i int) Hook { return *w.slot(i) }

func (w *Writer) slot(i int) *Hook {
	if i < len(w.few) {
		return &w.few[i]
	}
	return &w.more[i-len(w.few)]
}

// Status is the status that was answered, 0 before the header went out.
func (w *Writer) Status() int { return w.status }

// Bytes counts the bytes of the body so far.
func (w *Writer) Bytes() int64 { return w.bytes }

// Started reports whether the header of a final answer has gone out, or the
// connection was taken over.
func (w *Writer) Started() bool { return w.status != 0 || w.conn != nil }

// Hijacked reports whether a handler took the connection over.
func (w *Writer) Hijacked() bool { return w.conn != nil }

// CloseHijacked closes a connection that was taken over, for when the handler
// that took it has failed. The server no longer closes such a connection.
func (w *Writer) CloseHijacked() {
	if w.conn != nil {
		_ = w.conn.Close()
	}
}

// Unwrap serves [http.ResponseController].
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends the header. Informational answers other than 101 pass
// through; of the hooks only those see them that are an [InformationalHook].
func (w *Writer) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.begin(status)
	} else if w.status == 0 && w.n > 0 {
		w.inform(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *Writer) inform(status int) {
	for i := w.n - 1; i >= 0; i-- {
		if h, ok := w.hook(i).(InformationalHook); ok {
			h.BeforeInformational(status, w.Header())
		}
	}
}

func (w *Writer) begin(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	if w.n == 0 {
		return
	}
	h := w.Header()
	for i := w.n - 1; i >= 0; i-- {
		if hook := w.hook(i); hook != nil {
			hook.BeforeHeader(status, h)
		}
	}
}

// Write sends a part of the body, after the header if that has not gone yet.
func (w *Writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// WriteString is [Writer.Write] for a string.
func (w *Writer) WriteString(s string) (int, error) {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	n, err := io.WriteString(w.ResponseWriter, s)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom lets the writer below use sendfile or splice where it can: it gets
// src itself.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	var n int64
	var err error
	if rf, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		n, err = rf.ReadFrom(src)
	} else {
		buf := buffers.Get().(*[copySize]byte)
		n, err = io.CopyBuffer(w.ResponseWriter, readerOnly{src}, buf[:])
		buffers.Put(buf)
	}
	w.bytes += n
	return n, err
}

const copySize = 32 << 10

var buffers = sync.Pool{New: func() any { return new([copySize]byte) }}

// readerOnly hides how src would write itself, with a buffer of its own.
type readerOnly struct{ io.Reader }

// Flush sends what is buffered.
func (w *Writer) Flush() { _ = w.FlushError() }

// FlushError is Flush with its error, for [http.ResponseController].
func (w *Writer) FlushError() error {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack hands the connection over.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.conn = c
	}
	return c, rw, err
}
