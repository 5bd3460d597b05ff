package sendfile

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

type state uint8

const (
	undecided state = iota
	passing         // an ordinary answer
	named           // the app has named a file; its own answer is dropped
)

// An answer is the response writer of the app. Its header decides what becomes
// of it.
type answer struct {
	w     http.ResponseWriter
	state state

	accel, file string      // what the app has named
	kept        http.Header // what describes the file to its reader
}

// describing are the headers of the app that the file's handler must not
// overrule. They wait until its answer has turned out to be a file.
var describing = [...]string{"Content-Type", "Content-Disposition", "Content-Language", "Cache-Control", "Expires"}

// ofBody are the headers that describe the body which is dropped.
var ofBody = [...]string{
	"Content-Length", "Content-Encoding", "Content-Range", "Content-Location", "Accept-Ranges",
	"Etag", "Last-Modified", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest",
	"Transfer-Encoding", "Trailer", "X-Sendfile", "X-Lighttpd-Send-File", "X-Sendfile-Temporary",
}

// ask runs the app. That it aborts an answer which is dropped anyway is no
// failure.
func (a *answer) ask(app http.Handler, r *http.Request) {
	defer func() {
		if a.state != named {
			return // a panic goes on
		}
		v := recover()
		if v == nil {
			return
		}
		request.Keep(r.Context()) // nobody knows what was interrupted
		if v != http.ErrAbortHandler {
			panic(v)
		}
	}()
	app.ServeHTTP(a, r)
	a.begin(http.StatusOK)
}

// begin decides, by the header as it is now.
func (a *answer) begin(status int) {
	if a.state != undecided || status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	a.state = passing
	h := a.w.Header()
	a.accel = h.Get("X-Accel-Redirect")
	if a.file = h.Get("X-Sendfile"); a.file == "" {
		a.file = h.Get("X-Lighttpd-Send-File")
	}
	if a.accel == "" && a.file == "" {
		return
	}
	a.state = named
	a.kept = http.Header{}
	for _, name := range describing {
		if values, ok := h[name]; ok {
			a.kept[name] = values
			delete(h, name)
		}
	}
	for _, name := range ofBody {
		delete(h, name)
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Accel-") {
			delete(h, name)
		}
	}
}

// BeforeHeader gives the file the headers that the app has written for it. A
// file that is not there is no file of the app's description.
func (a *answer) BeforeHeader(status int, h http.Header) {
	switch status {
	case http.StatusOK, http.StatusPartialContent, http.StatusNotModified:
	default:
		return
	}
	for name, values := range a.kept {
		if name == "Content-Type" && strings.HasPrefix(h.Get(name), "multipart/byteranges") {
			continue // the parts carry a type each
		}
		h[name] = values
	}
}

// Header gives the header, which is the client's until a file is named.
func (a *answer) Header() http.Header {
	if a.state == named {
		return http.Header{} // trailers of the dropped answer
	}
	return a.w.Header()
}

// WriteHeader decides, and passes on what names no file.
func (a *answer) WriteHeader(status int) {
	a.begin(status)
	if a.state != named {
		a.w.WriteHeader(status)
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.begin(http.StatusOK)
	if a.state == named {
		return len(p), nil
	}
	return a.w.Write(p)
}

func (a *answer) WriteString(s string) (int, error) {
	a.begin(http.StatusOK)
	if a.state == named {
		return len(s), nil
	}
	return io.WriteString(a.w, s)
}

// ReadFrom lets the server use sendfile or splice for what passes.
func (a *answer) ReadFrom(src io.Reader) (int64, error) {
	a.begin(http.StatusOK)
	if a.state == named {
		return io.Copy(io.Discard, src)
	}
	return io.Copy(a.w, src)
}

// Flush sends what is buffered.
func (a *answer) Flush() { _ = a.FlushError() }

// FlushError is Flush for [http.ResponseController].
func (a *answer) FlushError() error {
	a.begin(http.StatusOK)
	if a.state == named {
		return nil
	}
	return http.NewResponseController(a.w).Flush()
}

// Hijack hands the connection over: no file will be named any more.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if a.state == named {
		return nil, nil, http.ErrNotSupported
	}
	conn, rw, err := http.NewResponseController(a.w).Hijack()
	if err == nil {
		a.state = passing
	}
	return conn, rw, err
}

// Unwrap serves [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.w }
