// Package cascade asks several apps in turn: the first whose answer is not
// "not found" wins.
//
// Which app wins is decided by the status of its answer, so the winner's body
// streams, and it may flush and take the connection over as if it stood alone.
// An answer that does not win leaves no trace: neither its header, body and
// early hints, nor what it has told the log.
package cascade

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/mountd/mountd/internal/request"
)

// DefaultBuffer is how much of a request's body is kept for the next app.
const DefaultBuffer = 1 << 20

// Config lists the apps. Its slices are copied.
type Config struct {
	// Apps are asked in order. There must be one. The last one's answer is
	// final, whatever it is.
	Apps []http.Handler

	// On are the statuses, 200 to 599, at which the next app is asked.
	// Default 404 and 405.
	On []int

	// Buffer is how many bytes of a request's body are kept, in memory, for
	// the next app. If an app has read more than that and does not win, the
	// answer is 413; apps that win get bodies of any length. Default
	// [DefaultBuffer].
	Buffer int64

	// ErrorFunc answers with an error. Default: the errors layer around, or
	// plain text.
	ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)
}

// Cascade is an app made of several. Panics of its apps pass through it. It is
// safe for concurrent use if its apps are.
type Cascade struct {
	apps   []http.Handler
	on     []int
	buffer int64
	fail   func(http.ResponseWriter, *http.Request, error)
}

// New checks cfg and gives its Cascade.
func New(cfg Config) (*Cascade, error) {
	c := &Cascade{
		apps:   slices.Clone(cfg.Apps),
		on:     slices.Clone(cfg.On),
		buffer: cfg.Buffer,
		fail:   cfg.ErrorFunc,
	}
	if len(c.on) == 0 {
		c.on = []int{http.StatusNotFound, http.StatusMethodNotAllowed}
	}
	if c.buffer == 0 {
		c.buffer = DefaultBuffer
	}
	if c.fail == nil {
		c.fail = request.Fail
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Cascade) check() error {
	var errs []error
	if len(c.apps) == 0 {
		errs = append(errs, &fieldError{"apps", "cascade needs at least one app"})
	}
	for i, app := range c.apps {
		if app == nil {
			errs = append(errs, &fieldError{fmt.Sprintf("apps[%d]", i), "is no app"})
		}
	}
	for i, status := range c.on {
		if status < 200 || status > 599 {
			errs = append(errs, &fieldError{fmt.Sprintf("on[%d]", i), fmt.Sprintf("%d is no status of an answer (write 200 to 599)", status)})
		}
	}
	if c.buffer < 0 {
		errs = append(errs, &fieldError{"buffer", fmt.Sprintf("%d is less than nothing", c.buffer)})
	}
	return errors.Join(errs...)
}

// ServeHTTP asks the apps in turn.
func (c *Cascade) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	last := len(c.apps) - 1
	var body *tape
	if last > 0 && r.Body != nil && r.Body != http.NoBody {
		body = newTape(r.Body, c.buffer)
	}
	for _, app := range c.apps[:last] {
		if c.try(app, w, r, body) {
			return
		}
		if body != nil && body.lost() {
			c.fail(w, r, &request.Error{
				Status: http.StatusRequestEntityTooLarge,
				Err:    fmt.Errorf("cascade: the body is longer than the %d bytes kept for the next app (see `buffer`)", c.buffer),
			})
			return
		}
	}
	if body != nil {
		r = r.WithContext(r.Context())
		r.Body = body.play(true)
	}
	c.apps[last].ServeHTTP(w, r)
}

// try asks one app that has others behind it, and reports whether it has won.
func (c *Cascade) try(app http.Handler, w http.ResponseWriter, r *http.Request, body *tape) bool {
	in := r.Clone(r.Context())
	in.Trailer = r.Trailer // the server fills this very map
	if body != nil {
		side := body.play(false)
		in.Body = side
		defer side.stop()
	}
	if in.MultipartForm == nil {
		defer removeFiles(in)
	}
	notes := takeNotes(r)
	a := &attempt{w: w, on: c.on, header: w.Header().Clone()}
	if a.header == nil {
		a.header = http.Header{}
	}
	a.serve(app, in)
	if a.state == discarded {
		notes.restore()
		return false
	}
	return true
}

// removeFiles removes the temporary files of a form that was parsed from a
// copy of the request: the server knows of its own copy only.
func removeFiles(r *http.Request) {
	if r.MultipartForm != nil {
		_ = r.MultipartForm.RemoveAll()
	}
}

// notes are what an app, or a layer of its own, may leave in the record: for the
// log, and for what stands inside that layer. One that was aborted has not tidied
// up, and the next app must not get its user.
type notes struct {
	rec                   *request.Record
	mount, user, upstream string
	cause                 error
	identity, session     any
	auth                  request.Trail
	fail                  func(w http.ResponseWriter, r *http.Request, err error)
}

func takeNotes(r *http.Request) notes {
	rec := request.From(r.Context())
	if rec == nil {
		return notes{}
	}
	return notes{
		rec: rec, mount: rec.Mount, user: rec.User, upstream: rec.Upstream, cause: rec.Cause,
		identity: rec.Identity, session: rec.Session, auth: rec.Auth, fail: rec.Fail,
	}
}

func (n notes) restore() {
	if n.rec == nil {
		return
	}
	n.rec.Mount, n.rec.User, n.rec.Upstream, n.rec.Cause = n.mount, n.user, n.upstream, n.cause
	n.rec.Identity, n.rec.Session, n.rec.Auth, n.rec.Fail = n.identity, n.session, n.auth, n.fail
}

// A fieldError is a mistake in one field of a Config.
type fieldError struct{ path, text string }

func (e *fieldError) Error() string { return e.path + ": " + e.text }

// OptionPath names the field as a mount table does.
func (e *fieldError) OptionPath() string { return e.path }
