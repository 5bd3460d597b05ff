package timeout

import (
	"bufio"
	"io"
	"maps"
	"net"
	"net/http"
	"time"
)

// Header gives the handler's own header.
func (t *watch) Header() http.Header { return t.header }

// Unwrap serves [http.ResponseController].
func (t *watch) Unwrap() http.ResponseWriter { return t.w }

// WriteHeader begins the answer, unless the time is up.
func (t *watch) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		t.inform(status)
		return
	}
	switch {
	case t.sent:
		t.w.WriteHeader(status) // one too many: the server says so
	case t.start(status):
		t.publish()
		t.sent, t.size = true, len(t.header)
		t.w.WriteHeader(status)
	}
}

// inform sends an informational answer.
func (t *watch) inform(status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.state.Load(); s == waiting || s == begun {
		t.publish()
		t.w.WriteHeader(status)
	}
}

// publish makes the handler's header the real one.
func (t *watch) publish() {
	h := t.w.Header()
	clear(h)
	maps.Copy(h, t.header)
}

// ready begins the answer with 200 if it has not begun.
func (t *watch) ready() bool {
	if !t.sent {
		t.WriteHeader(http.StatusOK)
	}
	return t.sent
}

func (t *watch) Write(p []byte) (int, error) {
	if !t.ready() {
		return 0, http.ErrHandlerTimeout
	}
	return t.w.Write(p)
}

func (t *watch) WriteString(s string) (int, error) {
	if !t.ready() {
		return 0, http.ErrHandlerTimeout
	}
	return io.WriteString(t.w, s)
}

func (t *watch) ReadFrom(src io.Reader) (int64, error) {
	if !t.ready() {
		return 0, http.ErrHandlerTimeout
	}
	return io.Copy(t.w, src)
}

func (t *watch) FlushError() error {
	if !t.ready() {
		return http.ErrHandlerTimeout
	}
	return http.NewResponseController(t.w).Flush()
}

func (t *watch) Flush() { _ = t.FlushError() }

// Hijack hands the connection over, unless the time is up.
func (t *watch) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !t.start(http.StatusSwitchingProtocols) {
		return nil, nil, http.ErrHandlerTimeout
	}
	return http.NewResponseController(t.w).Hijack()
}

// watchedBody notes when the client sends something.
type watchedBody watch

func (b *watchedBody) Read(p []byte) (int, error) {
	b.reading.Add(1)
	n, err := b.body.Read(p)
	b.moved.Store(int64(time.Since(b.began)))
	b.reading.Add(-1)
	return n, err
}

func (b *watchedBody) Close() error { return b.body.Close() }
