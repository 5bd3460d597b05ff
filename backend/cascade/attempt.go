package cascade

import (
	"bufio"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"

	"github.com/mountd/mountd/internal/request"
)

type state uint8

const (
	undecided state = iota
	won
	discarded
)

// An attempt is the response writer of an app that has others behind it. Until
// the app's status decides, nothing of it reaches w.
type attempt struct {
	w      http.ResponseWriter
	on     []int
	header http.Header // the app's own, until it has won
	state  state
}

// serve runs the app. The abort of an answer that nobody gets is no failure.
func (a *attempt) serve(app http.Handler, r *http.Request) {
	defer func() {
		if a.state != discarded {
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
	if a.state == undecided {
		a.decide(http.StatusOK) // net/http will send what is in the header
	}
}

// decide settles the attempt by its status.
func (a *attempt) decide(status int) {
	if slices.Contains(a.on, status) {
		a.state = discarded
		return
	}
	a.win()
}

// win makes the app's header the answer's.
func (a *attempt) win() {
	a.state = won
	h := a.w.Header()
	clear(h)
	maps.Copy(h, a.header)
	a.header = h
}

// Header gives the app's header, which is the answer's once it has won.
func (a *attempt) Header() http.Header { return a.header }

// WriteHeader decides. Early hints are dropped: what wins is not known yet.
func (a *attempt) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	if a.state == undecided {
		a.decide(status)
	}
	if a.state == won {
		a.w.WriteHeader(status)
	}
}

func (a *attempt) begin() {
	if a.state == undecided {
		a.WriteHeader(http.StatusOK)
	}
}

func (a *attempt) Write(p []byte) (int, error) {
	a.begin()
	if a.state == discarded {
		return len(p), nil
	}
	return a.w.Write(p)
}

func (a *attempt) WriteString(s string) (int, error) {
	a.begin()
	if a.state == discarded {
		return len(s), nil
	}
	return io.WriteString(a.w, s)
}

// ReadFrom lets the server use sendfile for the winner.
func (a *attempt) ReadFrom(src io.Reader) (int64, error) {
	a.begin()
	if a.state == discarded {
		return io.Copy(io.Discard, src)
	}
	return io.Copy(a.w, src)
}

// Flush sends what is buffered.
func (a *attempt) Flush() { _ = a.FlushError() }

// FlushError is Flush for [http.ResponseController].
func (a *attempt) FlushError() error {
	a.begin()
	if a.state == discarded {
		return nil
	}
	return http.NewResponseController(a.w).Flush()
}

// Hijack hands the connection over, which wins.
func (a *attempt) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if a.state == discarded {
		return nil, nil, http.ErrNotSupported
	}
	conn, rw, err := http.NewResponseController(a.w).Hijack()
	if err == nil && a.state == undecided {
		a.win()
	}
	return conn, rw, err
}

// Unwrap serves [http.ResponseController].
func (a *attempt) Unwrap() http.ResponseWriter { return a.w }
